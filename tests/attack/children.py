"""Commands in processes forked from this one, which has loaded all that they need: to be killed and measured."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import mido
import soundfile

from ddspvae.commands.main import main as command
from ddspvae.instrument.presets import find_preset, read_card, save_instrument
from ddspvae.model.autoencoder import Autoencoder
from ddspvae.model.config import ModelConfig
from tests.conftest import melody_take

LEFT_OVER = re.compile(r"^\..*[0-9a-f]{16}\.part(\..*)?$")
TABLE = re.compile("[─-▟]|^ {9}")  # what `train` says of its recordings
RATE = 16_000


@dataclass
class Verb:
    """A command that writes, in a folder of inputs.

    Args:
        arguments: with {out} for the folder that is written to.
        targets: what it writes there, files or folders.
        is_exact: whether the same command gives the same bytes.
    """

    name: str
    arguments: str
    targets: tuple[str, ...]
    is_exact: bool = True
    old: dict[str, bytes] = field(default_factory=dict)  # by relative path: what lay there before
    new: dict[str, bytes] = field(default_factory=dict)
    seconds: float = 0.0

    def argv(self, out: Path) -> list[str]:
        return [word.replace("{out}", str(out)) for word in self.arguments.split()]


VERBS = (
    Verb("render", "render song.mid --preset tiny.safetensors --out {out}/r.wav", ("r.wav",)),
    Verb("render ogg", "render song.mid --preset tiny.safetensors --out {out}/r.ogg", ("r.ogg",)),
    Verb("render stems", "render song.mid --preset tiny.safetensors --out {out}/s.flac --stems {out}/stems "
         "--save-performance {out}/s.npz", ("s.flac", "stems", "s.npz")),
    Verb("edit", "edit take.wav --preset tiny.safetensors --transpose 2 --out {out}/e.wav", ("e.wav",)),
    Verb("analyze", "analyze take.wav --preset tiny.safetensors --out {out}/a.npz --csv {out}/a.csv --notes {out}/a.mid",
         ("a.npz", "a.csv", "a.mid")),
    Verb("perform", "perform song.mid --preset tiny.safetensors --out {out}/n.csv", ("n.csv",)),
    Verb("latents sample", "latents sample song.mid --preset tiny.safetensors --out {out}/l.npz --seed 1", ("l.npz",)),
    Verb("latents sweep", "latents sweep --preset tiny.safetensors --axis brightness --steps 2 --out {out}/w.wav",
         ("w.wav",)),
    Verb("latents trim", "latents trim take.wav other.wav --preset tiny.safetensors --out {out}/t.safetensors",
         ("t.safetensors",)),
    Verb("train", "train recordings --out {out}/m.safetensors --steps 3 --sample-rate 16000 --axes 4", ("m.safetensors",),
         is_exact=False),
)


def tiny_instrument(folder: Path) -> Path:
    """An instrument of a few kilobytes, untrained."""
    config = ModelConfig(sample_rate=RATE, hop_size=80, n_z=4, n_harmonics=8, n_noise_bands=5, encoder_channels=4,
                         decoder_channels=4)
    card = {key: value for key, value in read_card(find_preset("flute")).items() if key not in ("format", "metrics")}
    path = folder / "tiny.safetensors"
    save_instrument(path, Autoencoder(config).state_dict(), {**card, "config": config.to_dict(), "axes": {}})
    return path


def make_inputs(folder: Path) -> None:
    """What VERBS read."""
    folder.mkdir(parents=True, exist_ok=True)
    tiny_instrument(folder)
    track = mido.MidiTrack([mido.Message("note_on", note=74, velocity=90), mido.Message("note_off", note=74, time=480),
                            mido.Message("note_on", note=76, velocity=90), mido.Message("note_off", note=76, time=480)])
    mido.MidiFile(tracks=[track]).save(folder / "song.mid")
    (folder / "recordings").mkdir(exist_ok=True)
    for seed, name in enumerate(("take.wav", "other.wav", "recordings/a.wav", "recordings/b.wav", "recordings/c.wav")):
        soundfile.write(folder / name, melody_take(2.0, RATE, seed), RATE)


def start(work: Callable[[], int], folder: Path, log: Path) -> int:
    """Fork, and do the work there with `folder` as the working folder; its process id, which leads a group of its own."""
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        os.setsid()
        os.chdir(folder)
        handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(handle, 1)
        os.dup2(handle, 2)
        sys.stdout, sys.stderr = (open(number, "w", closefd=False) for number in (1, 2))  # noqa: SIM115 - to the end
        warnings.simplefilter("default", UserWarning)
        code = work()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def wait(child: int, seconds: float = 600.0) -> int | None:
    """The exit code, negative for a signal; None where it was still at work and had to be killed."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    kill(child)
    return None


def kill(child: int) -> int:
    """As `kill -9`, the child and all that it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    with contextlib.suppress(ProcessLookupError):
        os.kill(child, signal.SIGKILL)  # it may not lead its group yet
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def run_verb(argv: Sequence[str], inputs: Path, log: Path, before: Callable[[], None] = lambda: None) -> int:
    """Start a command; `before` is called in its process."""
    def work() -> int:
        before()
        return command(argv)

    return start(work, inputs, log)


def sentences(log: Path) -> list[str]:
    """What a command said that is no warning."""
    lines = log.read_text(errors="replace").splitlines()
    return [line for line in lines
            if line.strip() and not line.startswith(("warning:", "!", "left out:")) and not TABLE.search(line)]


def contents(folder: Path) -> dict[str, bytes]:
    """All files under a folder by their relative path."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def restore(folder: Path, files: dict[str, bytes]) -> None:
    """These files and no others; what is the same is left alone."""
    for name, data in contents(folder).items():
        if files.get(name) != data:
            (folder / name).unlink()
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            path.write_bytes(data)
            os.utime(path, (0, 0))  # it was there before


def is_left_over(name: str) -> bool:
    """Whether it is what a killed writer leaves."""
    return LEFT_OVER.match(Path(name).name) is not None


def prepare_all(names: tuple[str, ...], inputs: Path, folder: Path, log: Path) -> tuple[list[Verb], list[str]]:
    """The verbs of these names, or all of them, that run undisturbed, and what went wrong with the others."""
    ready, faults = [], []
    for verb in VERBS:
        if names and verb.name not in names:
            continue
        fault = prepare(verb, inputs, folder / verb.name, log)
        if fault:
            faults.append(fault)
        else:
            ready.append(verb)
    return ready, faults


def prepare(verb: Verb, inputs: Path, out: Path, log: Path) -> str:
    """Run a verb once to know what it writes and how long that takes; what went wrong."""
    out.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    code = wait(run_verb(verb.argv(out), inputs, log))
    verb.seconds = time.monotonic() - began
    verb.new = contents(out)
    if code != 0 or not verb.new:
        return f"{verb.name}: exit {code}: {' '.join(sentences(log))[:300]}"
    verb.old = {name: b"the old one" + data[11:] for name, data in verb.new.items() if ".training" not in name}
    if not verb.is_exact:
        verb.old = dict.fromkeys(verb.old, (inputs / "tiny.safetensors").read_bytes())
    return ""
