"""Damaged inputs for every reader: a result, or an InputError of one line."""

from __future__ import annotations

import hashlib
import io
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import mido
import numpy as np
import soundfile
import torch

from ddspvae import InputError, load, read_audio, read_midi, read_score
from ddspvae.editing.given_curves import read_given_csv
from ddspvae.editing.note_table import NoteTable, read_table, write_table
from ddspvae.features.cache import cached
from ddspvae.features.f0_csv import read_f0_csv
from ddspvae.signals import Performance
from ddspvae.training.checkpoint import Checkpoint
from ddspvae.training.recordings import read_manifest
from tests.attack.children import tiny_instrument

ROOT = Path(__file__).parent.parent.parent
ENDS = (b"\x00", b"\xff", b"\x7f", b"\x80", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\x00\x00\x00\x00")
WORDS = (b"nan", b"inf", b"-1", b"1e999", b"0", b"99999999999", b"", b'"', b"\0", b"[" * 50, b"\xef\xbb\xbf", b";",
         b"\x1b[2J")


@dataclass
class Target:
    """A reader, and right inputs for it."""

    name: str
    ending: str
    read: Callable[[Path], object]
    seeds: list[bytes]
    per_turn: int = 200


def mutate(data: bytes, other: bytes, chance: random.Random) -> bytes:
    """One to four changes."""
    out = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 4))):
        at = chance.randrange(len(out) + 1)
        size = chance.choice((1, 1, 2, 4, 8, chance.randrange(1, max(2, len(out) // 4 + 1))))
        match chance.randrange(8):
            case 0 if out:
                out[at % len(out)] ^= 1 << chance.randrange(8)
            case 1:
                out[at : at + size] = chance.choice(ENDS)
            case 2:
                del out[at : at + size]
            case 3:
                out[at:at] = out[max(0, at - size) : at]
            case 4:
                out[at : at + size] = bytes(chance.randrange(256) for _ in range(min(size, 16)))
            case 5:
                out[at:] = other[at:]
            case 6:
                out[at : at + size] = chance.choice(WORDS)
            case _:
                del out[at:]
    return bytes(out)


def targets(folder: Path) -> list[Target]:
    """All readers."""
    melody = (ROOT / "examples" / "melody.mid").read_bytes()
    excerpts = ROOT / "tests" / "excerpts"
    events = mido.MidiFile(type=1)
    track = mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=400_000),
                            mido.Message("control_change", control=64, value=127),
                            mido.Message("note_on", note=60, time=3), mido.Message("pitchwheel", pitch=99),
                            mido.Message("note_off", note=60, time=90), mido.Message("sysex", data=[1, 2])])
    events.tracks += [track, track]
    events.save(folder / "e.mid")
    sounds = []
    for ending in ("wav", "flac", "ogg", "aiff"):
        soundfile.write(folder / f"s.{ending}", 0.1 * np.random.default_rng(0).standard_normal((300, 2)), 8000)
        sounds.append((folder / f"s.{ending}").read_bytes())
    tiny = tiny_instrument(folder)
    take = Performance(np.full(8, 440.0), np.ones(8), np.full(8, -20.0), np.zeros((2, 4)), ("a", "b", "c", "d"), 200.0, 4)
    take.save(folder / "t.npz")
    part, = read_midi(ROOT / "examples" / "melody.mid")
    nothing = {name: np.full(len(part.notes), np.nan) for name in
               ("volume", "volume_fluctuation", "volume_peak_position", "vibrato", "brightness", "attack_noise")}
    write_table(NoteTable(part, nothing, np.full(len(part.notes), np.nan)), folder / "n.csv")
    table = b"".join((folder / "n.csv").read_bytes().splitlines(keepends=True)[:6])
    Checkpoint(folder / "c.safetensors").save({"a": 1}, {"model": {"w": torch.zeros(3)}})
    state = (folder / "c.training" / "state.pt").read_bytes()

    def checkpoint(path: Path) -> object:
        run = Checkpoint(folder / "c.safetensors")
        path.replace(run.state_path)
        run.before_path.unlink(missing_ok=True)
        return run.load({"a": 1}, torch.device("cpu"))

    def manifest(path: Path) -> object:
        inside = folder / "m" / "manifest.csv"
        inside.parent.mkdir(exist_ok=True)
        path.replace(inside)
        return read_manifest(inside.parent)

    def cache(path: Path) -> object:
        right = {"a": np.arange(4.0)}
        cached(["attack"], lambda: right)
        entry = max((folder / "cache").glob("*.npz"), key=lambda one: one.stat().st_mtime)
        path.replace(entry)
        found = cached(["attack"], lambda: right)
        assert np.array_equal(found["a"], right["a"])
        return found

    content = io.BytesIO()
    np.savez(content, a=np.arange(4.0))
    entry = hashlib.sha256(content.getvalue()).digest() + content.getvalue()
    return [
        Target("midi", ".mid", read_midi, [melody, (folder / "e.mid").read_bytes()], 4000),
        Target("score", ".musicxml", read_score, [(excerpts / "slurs.musicxml").read_bytes(),
                                                  (excerpts / "pizzicato.mxl").read_bytes(),
                                                  (excerpts / "brackets.mei").read_bytes()], 100),
        Target("audio", ".wav", read_audio, sounds),
        Target("preset", ".safetensors", lambda path: load(path).tail_s(), [tiny.read_bytes()], 20),
        Target("performance", ".npz", lambda path: Performance.load(path).duration_s, [(folder / "t.npz").read_bytes()]),
        Target("table", ".csv", read_table, [table, table.replace(b",", b";")]),
        Target("pitch", ".csv", read_f0_csv, [b"time_s,f0_hz,periodicity\n0,440,1\n0.01,441,0.9\n0.02,442,0.5\n"]),
        Target("given", ".csv", lambda path: read_given_csv(path, "loudness"), [b"time_s,loudness\n0,-20\n0.5,-30\n1,\n"]),
        Target("manifest", ".csv", manifest, [b"file,kind,f0_hz,licence\na.wav,note,440,CC0\nb.wav,phrase,,\n"]),
        Target("checkpoint", ".pt", checkpoint, [state], 50),
        Target("cache", ".npz", cache, [entry]),
    ]


def attack(target: Target, folder: Path, chance: random.Random, keep: Path) -> tuple[int, int]:
    """Some mutations; how many, and how many of them were findings."""
    path, found = folder / f"x{target.ending}", 0
    for _ in range(target.per_turn):
        data = mutate(chance.choice(target.seeds), chance.choice(target.seeds), chance)
        path.write_bytes(data)
        try:
            target.read(path)
        except InputError as error:
            if "\n" in str(error).strip() and target.name != "preset":
                found += report(target, data, keep, error)
        except Exception as error:  # that is what is looked for
            found += report(target, data, keep, error)
    return target.per_turn, found


def report(target: Target, data: bytes, keep: Path, error: BaseException) -> int:
    keep.mkdir(parents=True, exist_ok=True)
    name = keep / f"{target.name}-{hashlib.sha256(data).hexdigest()[:10]}{target.ending}"
    name.write_bytes(data)
    print(f"{target.name}: {type(error).__name__}: {str(error)[:200]!r}: {name}", flush=True)
    return 1
