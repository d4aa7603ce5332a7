"""Inputs of at most 1 MB that ask for much: each is read, or refused, within 1 GB more than what is loaded anyway."""

from __future__ import annotations

import io
import json
import os
import random
import struct
import sys
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from tests.attack.children import kill, run_verb, sentences

MOST_INPUT_BYTES, MOST_BYTES = 1_000_000, 10**9
LONGEST_S = 20.0  # a command that is still at work then is ended; what it took until then counts
RATES = (8000, 44_100, 192_000, 655_350)


@dataclass(frozen=True)
class Bomb:
    """An input, and the commands that read it; {x} is its path, {out} a folder."""

    name: str
    ending: str
    make: Callable[[random.Random], bytes]
    commands: tuple[str, ...]


def midi(chance: random.Random) -> bytes:
    """Up to a megabyte of one kind of event, with any time between, in one track or in thousands."""
    division = chance.choice((1, 24, 480, 32767))
    events = chance.choice((b"\x90\x3c\x40", b"\xb0\x01\x40", b"\xe0\x00\x60", b"\xff\x51\x03\x01\x00\x00", b"\xc0\x05",
                            b"\xf0\x01\xf7", b"\x90\x3c\x40\x00\x80\x3c\x40", b"\xff\x03\x05aaaaa"))
    delta = chance.choice((b"\x00", b"\x01", b"\x87\x68", b"\xff\xff\xff\x7f"))
    size = chance.choice((1, 100, 10_000, 900_000))
    n_events, body = size // (len(delta) + len(events)), b""
    if events[0] < 0xf0:  # on any channel, of any key
        body = b"".join(delta + bytes((events[0] | chance.randrange(16), chance.randrange(128))) + events[2:]
                        for _ in range(n_events))
    else:
        body = (delta + events) * n_events
    track = body + b"\x00\xff\x2f\x00"
    n_tracks = chance.choice((1, 1, max(1, 900_000 // (len(track) + 8))))
    n_tracks = min(n_tracks, 65_535, max(1, 900_000 // (len(track) + 8)))
    whole = b"MTrk" + struct.pack(">I", len(track)) + track
    return b"MThd" + struct.pack(">IHHH", 6, 1, n_tracks, division) + n_tracks * whole


def silence(chance: random.Random) -> bytes:
    """As much silence as a FLAC file of a megabyte holds, in any number of channels."""
    rate, channels = chance.choice(RATES), chance.choice((1, 2, 8))
    content, block = io.BytesIO(), np.zeros((1 << 16, channels), np.int16)
    end = time.monotonic() + 3.0
    with soundfile.SoundFile(content, "w", rate, channels, "PCM_16", format="FLAC") as file:
        n_bytes = chance.choice((20_000, 900_000))
        while content.tell() < n_bytes and time.monotonic() < end:
            file.write(block)
    return content.getvalue()


def header(chance: random.Random) -> bytes:
    """A WAV file that claims what it does not hold."""
    channels, rate = chance.choice((1, 2, 64, 1024, 65_535)), chance.choice((1, 1000, 48_000, 9_999_991, 2**32 - 1))
    data = bytes(chance.randrange(256) for _ in range(1000)) * chance.choice((1, 900))
    block = min(2 * channels, 65_535)
    form = struct.pack("<HHIIHH", 1, channels, rate, (rate * block) & 0xFFFFFFFF, block, 16)
    claimed = chance.choice((len(data), 2**31 - 1, 2**32 - 1))
    start = b"RIFF" + struct.pack("<I", 2**32 - 1) + b"WAVEfmt " + struct.pack("<I", 16) + form
    return start + b"data" + struct.pack("<I", claimed) + data


def zipped(chance: random.Random) -> bytes:
    """A performance whose arrays unpack to gigabytes, or claim to."""
    content = io.BytesIO()
    n = chance.choice((10_000, 10**6, 10**8))
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as file:
        for name in ("f0_hz", "periodicity", "loudness_db", "z", "axis_names", "frame_rate_hz", "frames_per_z", "format"):
            array = io.BytesIO()
            np.lib.format.write_array_header_1_0(array, {"descr": "<f4", "fortran_order": False, "shape": (n,)})
            with file.open(f"{name}.npy", "w", force_zip64=True) as entry:
                entry.write(array.getvalue())
                for at in range(0, 4 * n if name in ("f0_hz", "z") else 4, 1 << 20):
                    entry.write(bytes(min(1 << 20, 4 * n - at)))
    return content.getvalue()


def card(chance: random.Random) -> bytes:
    """A preset with a card of brackets, of long lists, or of shapes that nobody has."""
    kind = chance.randrange(3)
    if kind == 0:
        metadata = {"ddspvae": "[" * chance.choice((1000, 400_000))}
    elif kind == 1:
        metadata = {"ddspvae": json.dumps({"config": {"n_z": 10**9, "n_harmonics": 10**9, "decoder_channels": 10**8}})}
    else:
        metadata = {"ddspvae": json.dumps({"statistics": list(range(100_000))})}
    shape = [chance.choice((1, 2**31, 2**62))] * 2
    text = json.dumps({"__metadata__": metadata, "w": {"dtype": "F32", "shape": shape, "data_offsets": [0, 4]}}).encode()
    return struct.pack("<Q", chance.choice((len(text), 2**40))) + text + bytes(4)


def table(chance: random.Random) -> bytes:
    """Rows without end, columns without end, or a time far away."""
    first = chance.choice((b"time_s,f0_hz,periodicity\n", b"time_s,loudness\n", b"file,kind,f0_hz,licence\n", b",,,\n", b""))
    row = chance.choice((b"0,440,1\n", b"1e9,440,1\n", b",", b'"', b"0.001,1e308,1\n", b"\xff\xfe"))
    return (first + row * 900_000)[: chance.choice((100, 950_000))]


BOMBS = (
    Bomb("midi", ".mid", midi, ("render {x} --preset tiny.safetensors --out {out}/o.flac",
                                "perform {x} --preset tiny.safetensors --out {out}/o.csv")),
    Bomb("silence", ".flac", silence, ("analyze {x} --preset tiny.safetensors --out {out}/o.npz",
                                       "edit {x} --preset tiny.safetensors --out {out}/o.wav",
                                       "render song.mid --preset tiny.safetensors --ir {x} --out {out}/o.wav")),
    Bomb("header", ".wav", header, ("analyze {x} --preset tiny.safetensors --out {out}/o.npz",
                                    "edit {x} --preset tiny.safetensors --out {out}/o.wav", "train {x} --examine")),
    Bomb("performance", ".npz", zipped, ("render {x} --preset tiny.safetensors --out {out}/o.wav",)),
    Bomb("preset", ".safetensors", card, ("render song.mid --preset {x} --out {out}/o.wav",)),
    Bomb("table", ".csv", table, ("render {x} --preset tiny.safetensors --out {out}/o.wav",
                                  "analyze take.wav --preset tiny.safetensors --tracker {x} --out {out}/o.npz",
                                  "render song.mid --preset tiny.safetensors --given loudness={x} --out {out}/o.wav")),
)


class Bombs:
    """Throws bombs at commands; `faults` holds what took too much, or ended otherwise than it should."""

    def __init__(self, folder: Path, inputs: Path, keep: Path) -> None:
        self.folder, self.inputs, self.keep, self.log = folder, inputs, keep, folder / "log.txt"
        folder.mkdir(exist_ok=True)
        self.counts: dict[str, list[int]] = {bomb.name: [0, 0, 0, 0] for bomb in BOMBS}  # inputs, refused, ended, most bytes
        self.faults: list[str] = []

    def turn(self, chance: random.Random) -> int:
        """One bomb of each kind at one of its commands; how many faults that found."""
        before = len(self.faults)
        for bomb in BOMBS:
            data = bomb.make(chance)[:MOST_INPUT_BYTES]
            path = self.folder / f"x{bomb.ending}"
            path.write_bytes(data)
            words = chance.choice(bomb.commands).split()
            argv = [word.replace("{x}", str(path)).replace("{out}", str(self.folder)) for word in words]
            fault = self._throw(bomb, argv)
            if fault:
                self.keep.mkdir(parents=True, exist_ok=True)
                kept = self.keep / f"{bomb.name}-{len(self.faults)}{bomb.ending}"
                kept.write_bytes(data)
                self.faults.append(f"{bomb.name}: {' '.join(words)}: {fault}: {kept}")
            for left in self.folder.glob("o.*"):
                left.unlink()
        return len(self.faults) - before

    def _throw(self, bomb: Bomb, argv: list[str]) -> str:
        child = run_verb(argv, self.inputs, self.log)
        loaded, most, code, end = _resident(child), 0, None, time.monotonic() + LONGEST_S
        while time.monotonic() < end and most - loaded <= MOST_BYTES:
            most = max(most, _resident(child, "VmHWM"))
            code = wait_a_moment(child)
            if code is not None:
                break
        counts = self.counts[bomb.name]
        counts[0] += 1
        counts[3] = max(counts[3], most - loaded)
        if code is None:
            kill(child)
            counts[2] += 1
        counts[1] += code == 2
        if most - loaded > MOST_BYTES:
            return f"over {(most - loaded) / 1e9:.2f} GB"
        if code not in (None, 0, 2) or (code == 2 and len(sentences(self.log)) != 1):
            return f"exit {code}, {len(sentences(self.log))} sentences: {' / '.join(sentences(self.log))[-300:]}"
        return ""

    def table(self) -> list[str]:
        """A row a kind."""
        return [f"| memory: {name} | {n} inputs, {refused} refused, {ended} ended after {LONGEST_S:g} s, most "
                f"{most / 1e9:.2f} GB |" for name, (n, refused, ended, most) in self.counts.items()]


def wait_a_moment(child: int) -> int | None:
    """Its exit code, or None if it is still at work."""
    time.sleep(0.005)
    done, status = os.waitpid(child, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if done else None


def _resident(child: int, what: str = "VmRSS") -> int:
    """Bytes in memory now, or at most so far; 0 where nobody says."""
    if sys.platform != "linux":
        return 0
    try:
        status = Path(f"/proc/{child}/status").read_text()
    except OSError:
        return 0
    return int(status.split(f"{what}:")[1].split()[0]) * 1024 if f"{what}:" in status else 0
