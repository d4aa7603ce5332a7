"""Work in processes of its own: the command line, and trainings that outlive the server."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from ddspvae.signals.checks import InputError
from ddspvae.studio.folders import NAME, Home, check_name, inside, read_json, write_json

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

MOST_LINES = 20_000  # of a progress file that are read at once
LONGEST_S = 3600.0
HEARD = ("recording", "now")  # sounds of a training


async def command_line(arguments: Sequence[str], shown: dict[str, str] | None = None) -> str:
    """Run `ddspvae ARGUMENTS`; what it prints.

    Args:
        arguments: of the command.
        shown: paths, and what a person calls them, for its sentences.
    Raises:
        InputError: with the sentence of the command line.
    """
    env = {**os.environ, "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1")}
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "ddspvae", *arguments, env=env,
                                                   stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
                                                   stderr=asyncio.subprocess.PIPE)
    try:
        told, said = await asyncio.wait_for(process.communicate(), LONGEST_S)
    except BaseException:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        raise
    if process.returncode:
        lines = [line for line in said.decode(errors="replace").splitlines() if line and not line.startswith("warning:")]
        sentence = lines[-1] if lines else f"the command ended with {process.returncode}."
        for path, name in (shown or {}).items():
            sentence = sentence.replace(path, name)
        raise InputError(sentence)
    return told.decode(errors="replace")


def hold(path: Path) -> IO[str] | None:
    """A lock as long as this process lives; None where another has it."""
    file = path.open("a", encoding="utf-8")
    if fcntl is not None:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.close()
            return None
    return file


def is_held(path: Path) -> bool:
    """Whether a process has the lock."""
    if not path.exists():
        return False
    file = hold(path)
    if file is None:
        return True
    file.close()
    return False


@contextlib.contextmanager
def tell_into(path: Path) -> Iterator[Callable[[dict[str, Any]], None]]:
    """Append objects to a file, a line each, from any thread."""
    lock = threading.Lock()
    with path.open("a", encoding="utf-8") as file:
        def tell(content: dict[str, Any]) -> None:
            with lock:
                file.write(json.dumps(content) + "\n")
                file.flush()

        yield tell


class Trainings:
    """Trainings by the names of what they learn.

    Args:
        home: where instruments and recordings are.
    """

    def __init__(self, home: Home) -> None:
        self._home = home
        self._started: dict[str, subprocess.Popen[bytes]] = {}

    def folder(self, name: str) -> Path:
        """Where its job, progress and sounds are."""
        return inside(self._home.instruments, f"{check_name('training', name)}.job")

    def recordings(self, name: str) -> Path:
        """The folder of its recordings, made where it is missing."""
        folder = inside(self._home.recordings, check_name("instrument", name))
        folder.mkdir(exist_ok=True)
        return folder

    def start(self, name: str, *, minutes: float | None = None, steps: int | None = None, start_from: str = "") -> None:
        """Begin, or go on.

        Raises:
            InputError: it runs already, or there is nothing to learn from.
        """
        recordings = self.recordings(name)
        if not any(path.is_file() and not path.name.startswith(".") for path in recordings.iterdir()):
            raise InputError(f"studio: there are no recordings for {name} yet; drop some, or record them.")
        folder = self.folder(name)
        folder.mkdir(exist_ok=True)
        if self.runs(name):
            raise InputError(f"studio: the training of {name} is running already.")
        out = self._home.instruments / f"{check_name('instrument', name)}.safetensors"
        job = {"recordings": str(recordings), "out": str(out), "minutes": minutes, "steps": steps, "start_from": start_from}
        write_json(folder / "job.json", job)
        with (folder / "errors.txt").open("ab") as errors:
            self._started[name] = subprocess.Popen(
                [sys.executable, "-m", "ddspvae.studio.learn", str(folder / "job.json")], stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL, stderr=errors, start_new_session=True)

    def go_on(self, name: str) -> None:
        """The same job again, from its last checkpoint."""
        job = read_json(self.folder(name) / "job.json")
        if job is None:
            raise InputError(f"studio: there is no training of {name} to go on with; start one.")
        self.start(name, minutes=job.get("minutes"), steps=job.get("steps"), start_from=job.get("start_from", ""))

    def runs(self, name: str) -> bool:
        """Whether a process trains it now, whoever started that."""
        process = self._started.get(name)
        if process is not None and process.poll() is None:
            return True
        return is_held(self.folder(name) / "job.lock")

    def stop(self, name: str) -> None:
        """Ask it to end; what was saved stays."""
        rows = self.progress(name)["lines"]
        pid = next((row["pid"] for row in reversed(rows) if "pid" in row), None)
        if pid is not None and self.runs(name):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGINT)

    def sound(self, name: str, which: str) -> Path:
        """What was recorded, or how it is played now.

        Raises:
            InputError: nothing was played yet.
        """
        path = self.folder(name) / f"{which}.wav"
        if which not in HEARD or not path.is_file():
            raise InputError("studio: nothing was played yet; the first sounds come after a tenth of the training.")
        return path

    def progress(self, name: str, after: int = 0) -> dict[str, Any]:
        """What was told since a line of the progress file, and whether it runs."""
        lines: list[dict[str, Any]] = []
        path = self.folder(name) / "job.jsonl"
        if path.exists():
            with path.open(encoding="utf-8") as file:
                for number, line in enumerate(file):
                    if number >= after and line.endswith("\n"):
                        with contextlib.suppress(ValueError):
                            lines.append(json.loads(line))
                    if number - after >= MOST_LINES:
                        break
        return {"lines": lines, "next": after + len(lines), "runs": self.runs(name),
                "job": read_json(self.folder(name) / "job.json")}

    def list(self) -> list[dict[str, Any]]:
        """All there are, and folders of recordings that nothing was learned from yet."""
        names = {path.name for path in self._home.recordings.iterdir() if path.is_dir()}
        names |= {path.name.removesuffix(".job") for path in self._home.instruments.glob("*.job")}
        names = {name for name in names if NAME.fullmatch(name)}  # what a person put there under another is theirs
        return [{"name": name, "runs": self.runs(name),
                 "files": sorted(path.name for path in self.recordings(name).iterdir() if not path.name.startswith(".")),
                 "finished": (self._home.instruments / f"{name}.safetensors").exists()} for name in sorted(names)]
