"""What a run needs to go on after a kill: one folder beside the result."""

from __future__ import annotations

import hashlib
import io
import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from ddspvae.signals.checks import InputError
from ddspvae.signals.files import new_file

MAGIC = b"ddspvae checkpoint 1\n"  # then the SHA-256 of all that follows, then what torch writes
DIGEST_BYTES = 32


class Checkpoint:
    """The folder `<name>.training/`: state.pt (tensors and numbers only), the one before it, log.jsonl, tensorboard/."""

    def __init__(self, out: Path) -> None:
        self.folder = out.with_name(out.stem + ".training")
        self.log_path = self.folder / "log.jsonl"
        self.state_path = self.folder / "state.pt"
        self.before_path = self.folder / "state.before.pt"
        self._is_whole = True  # what state_path holds
        try:
            self.folder.mkdir(parents=False, exist_ok=True)
            (self.folder / ".writable").touch()
            (self.folder / ".writable").unlink()
            if not any(self.folder.iterdir()):  # a run that cannot begin leaves nothing
                self.folder.rmdir()
        except OSError as error:
            raise InputError(f"train: cannot write beside {out} ({error.strerror}); choose another --out.") from error

    def load(self, settings: dict[str, Any], device: torch.device) -> dict[str, Any] | None:
        """The state of an earlier run with the same settings; None when there is none.

        Raises:
            InputError: a run with other settings or over other recordings, or neither state is whole.
        """
        paths = [path for path in (self.state_path, self.before_path) if path.is_file()]
        for path in paths:
            state = read_state(path, device)
            if state is not None:
                self._is_whole = path == self.state_path
                if path != paths[0]:
                    warnings.warn(f"train: {paths[0]} is corrupt; the run goes on from the state before it.", stacklevel=2)
                self._check(json.loads(state["settings"]), settings)
                return state
        if paths:
            raise InputError(f"train: {self.state_path} is corrupt; delete {self.folder} to start anew.")
        return None

    def kept(self, name: str) -> Any:
        """A setting of the run that is kept here; None without one."""
        for path in (self.state_path, self.before_path):
            state = read_state(path, torch.device("cpu")) if path.is_file() else None
            if state is not None:
                return json.loads(state["settings"]).get(name)
        return None

    def _check(self, before: dict[str, Any], settings: dict[str, Any]) -> None:
        changed = sorted(key for key in settings if before.get(key) != settings[key])
        if changed == ["content"]:
            raise InputError(f"train: {self.folder} holds a run over other recordings under the same names; choose another "
                             "--out, or delete that folder to start anew.")
        if changed:
            raise InputError(f"train: {self.folder} holds a run with another {', '.join(changed)}; "
                             "choose another --out, or delete that folder to start anew.")

    def save(self, settings: dict[str, Any], state: dict[str, Any]) -> None:
        """Write the state whole, and keep the one before."""
        content = io.BytesIO()
        torch.save({**state, "settings": json.dumps(settings)}, content)
        data = content.getbuffer()
        with self._writing(), new_file(self.state_path) as part:
            with part.open("wb") as file:
                file.write(MAGIC + hashlib.sha256(data).digest())
                file.write(data)
            if self.state_path.is_file() and self._is_whole:
                self.state_path.replace(self.before_path)
        self._is_whole = True

    def is_older_than(self, out: Path) -> bool:
        """Whether the instrument was written after the last state; after a kill between the two it was not."""
        saved = [path.stat().st_mtime_ns for path in (self.state_path, self.before_path) if path.is_file()]
        return out.is_file() and out.stat().st_mtime_ns >= max(saved, default=0)

    def log(self, row: dict[str, Any]) -> None:
        """Append one row to log.jsonl, for whoever watches; the run keeps its own."""
        with self._writing(), self.log_path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            self.folder.mkdir(exist_ok=True)
            yield
        except OSError as error:
            raise InputError(f"train: cannot write {self.folder} ({error.strerror}); has its disk room? What was saved "
                             "before stays, and the same command goes on from there; or choose another --out.") from error


def read_state(path: Path, device: torch.device) -> dict[str, Any] | None:
    """What a file holds; None where it is not whole."""
    try:
        data = path.read_bytes()
        head = len(MAGIC) + DIGEST_BYTES
        if data[: len(MAGIC)] != MAGIC or hashlib.sha256(data[head:]).digest() != data[len(MAGIC) : head]:
            return None
        state: dict[str, Any] = torch.load(io.BytesIO(data[head:]), map_location=device, weights_only=True)
        json.loads(state["settings"])
        return state
    except Exception:  # torch has many words for a broken file
        return None
