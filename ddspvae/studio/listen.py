"""Listen: the mix of what is rendered, or one of two versions, in blocks whenever the page asks for one."""

from __future__ import annotations

import asyncio
import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from starlette.websockets import WebSocket, WebSocketDisconnect

from ddspvae.audio import read_audio
from ddspvae.instrument.mix import place
from ddspvae.signals.checks import InputError, check_range
from ddspvae.signals.units import db_to_amplitude
from ddspvae.studio.worker import Worker

BLOCK = 1024
SAMPLE_RATE = 48_000
LONGEST_WAIT_S = 20.0
QUIET_DB = 40.0  # below the loudest frame, what does not count for how loud a version is

View = Mapping[str, Any]


def mixed(folder: Path, view: View, first: int, last: int) -> tuple[NDArray[np.float32], bool]:
    """The parts that are heard, from a sample to another, as they stand on the desk.

    Returns:
        [2, T], and whether all of it is there.
    """
    mix, whole = np.zeros((2, last - first), np.float32), True
    for part in [part for part in view["parts"] if part["solo"]] or [part for part in view["parts"] if not part["mute"]]:
        sound, there = _piece(folder, part["canvas"], first, last)
        whole &= there
        gain_db = part["gain_db"] + part["level_db"]
        placed = next(iter(place([sound], {"pan": ((0.0, part["pan"]),)}, SAMPLE_RATE, stereo=True, gain_db=gain_db)))
        mix += placed
    return mix, whole


def _piece(folder: Path, canvas: Mapping[str, Any], first: int, last: int) -> tuple[NDArray[np.float32], bool]:
    if canvas["sample_rate"] != SAMPLE_RATE:
        raise InputError(f"studio: an instrument runs at {canvas['sample_rate']} Hz; the page plays at {SAMPLE_RATE} Hz.")
    path = folder / ".sounds" / canvas["file"]
    try:
        audio = np.memmap(path, dtype=np.float32, mode="r", shape=(canvas["n_samples"],))
        ready = np.memmap(path.with_suffix(".ready"), dtype=np.uint8, mode="r", shape=(canvas["n_tiles"],))
    except (OSError, ValueError):
        return np.zeros(last - first, np.float32), False  # replaced meanwhile
    sound = np.array(audio[first:last])
    there = bool(ready[first // canvas["tile"] : -(-last // canvas["tile"])].all())
    return np.pad(sound, (0, last - first - len(sound))), there


def rendered_share(folder: Path, view: View) -> float:
    """How much of all parts and takes is there, 0 to 1."""
    counted = [one["canvas"] for one in (*view["parts"], *view["takes"])]
    done = total = 0
    for canvas in counted:
        try:
            ready = np.memmap((folder / ".sounds" / canvas["file"]).with_suffix(".ready"), dtype=np.uint8, mode="r")
        except (OSError, ValueError):
            continue
        done, total = done + int(np.count_nonzero(ready)), total + len(ready)
    return done / total if total else 1.0


@dataclass(frozen=True, eq=False)
class Version:
    """A sound that was kept, to be compared.

    Args:
        label: for people.
        audio: [2, T].
        loudness_db: A-weighted, over what is heard of it.
    """

    label: str
    audio: NDArray[np.float32]
    loudness_db: float


def keep(label: str, audio: NDArray[np.float32]) -> Version:
    """Measure how loud a sound is, and keep it."""
    import torch

    from ddspvae.features.loudness import a_weighted_loudness, by_blocks

    mono = torch.from_numpy(np.ascontiguousarray(audio.mean(axis=0)))[None]
    level = by_blocks(a_weighted_loudness, mono, SAMPLE_RATE, 480)[0].numpy()
    heard = level[level > level.max() - QUIET_DB]
    power = 10 ** (heard.astype(np.float64) / 10)
    return Version(label, audio, float(10 * np.log10(power.mean())))


def matching_gains_db(versions: Sequence[Version]) -> list[float]:
    """What brings versions to the softest one, so that nothing clips."""
    softest = min(version.loudness_db for version in versions)
    return [softest - version.loudness_db for version in versions]


def read_stereo(path: Path) -> NDArray[np.float32]:
    """A recording in mono on both sides."""
    audio, _ = read_audio(path, SAMPLE_RATE)
    return np.stack([audio, audio]).astype(np.float32)


class Listening:
    """What one page hears.

    Args:
        studio: gives folders, views and versions of projects by name.
    """

    def __init__(self, studio: Any) -> None:
        self._studio = studio
        self.project, self.source = "", {"kind": "score"}
        self.at = 0
        self.end: int | None = None
        self.gain = 1.0

    def begin(self, asked: Mapping[str, Any]) -> None:
        """Play something from a time on, up to another or its end."""
        at_s, to_s = float(asked.get("at_s", 0.0)), asked.get("to_s")
        check_range("studio", "at_s", at_s, 0, 1e6)
        self.project, self.source = str(asked["project"]), dict(asked.get("source", {"kind": "score"}))
        self.at = round(at_s * SAMPLE_RATE)
        self.end = None if to_s is None else round(float(to_s) * SAMPLE_RATE)
        self.gain = float(db_to_amplitude(float(self.source.get("gain_db", 0.0))))

    def length(self) -> int:
        """Samples of what is played."""
        view = self._studio.view(self.project)
        if self.source["kind"] == "score":
            return round((view["duration_s"] + 2.0) * SAMPLE_RATE)
        if self.source["kind"] == "take" and self.source.get("which") != "recording":
            return round((view["takes"][self.source["take"]]["duration_s"] + 0.5) * SAMPLE_RATE)
        return int(self._version().audio.shape[1])

    def _version(self) -> Version:
        found: Version = self._studio.version(self.project, self.source)
        return found

    async def block(self) -> bytes | None:
        """The next samples: seconds of the first as a float64, then float32, left and right in turn; None after the end."""
        last = self.length() if self.end is None else min(self.end, self.length())
        if self.at >= last:
            return None
        first, stop = self.at, min(self.at + BLOCK, last)
        sound = np.zeros((2, stop - first), np.float32)
        for _ in range(round(LONGEST_WAIT_S / 0.02)):
            sound, there = self._sound(first, stop)
            if there or self.at != first:
                break
            await asyncio.sleep(0.02)
        if self.at == first:
            self.at = stop
        return struct.pack("<d", first / SAMPLE_RATE) + np.ascontiguousarray(sound.T * self.gain, dtype="<f4").tobytes()

    def _sound(self, first: int, stop: int) -> tuple[NDArray[np.float32], bool]:
        view, folder = self._studio.view(self.project), self._studio.folder(self.project)
        if self.source["kind"] == "score":
            return mixed(folder, view, first, stop)
        if self.source["kind"] == "take" and self.source.get("which") != "recording":
            sound, there = _piece(folder, view["takes"][self.source["take"]]["canvas"], first, stop)
            return np.stack([sound, sound]), there
        return self._version().audio[:, first:stop], True


async def listen(socket: WebSocket, studio: Any, worker: Worker) -> None:
    """One page that listens: text says what and where, bytes ask for a block."""
    await socket.accept()
    listening = Listening(studio)
    told: set[asyncio.Future[Any]] = set()
    try:
        while True:
            message = await socket.receive()
            if message["type"] == "websocket.disconnect":
                return
            try:
                if message.get("bytes") is not None:
                    block = await listening.block() if listening.project else None
                    await (socket.send_text('{"ended": true}') if block is None else socket.send_bytes(block))
                    continue
                asked = json.loads(message.get("text") or "{}")
                await studio.opened(str(asked["project"]))
                listening.begin(asked)
                looking = worker.call("look", studio.folder(listening.project), at_s=listening.at / SAMPLE_RATE)
                told.add(task := asyncio.ensure_future(looking))  # nobody waits for it
                task.add_done_callback(told.discard)
                await socket.send_text(json.dumps({"begun": listening.at / SAMPLE_RATE}))
            except (InputError, KeyError, ValueError, TypeError, IndexError) as error:
                await socket.send_text(json.dumps({"error": str(error)}))
    except WebSocketDisconnect:
        return
