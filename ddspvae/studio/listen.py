"""Listen: the mix of what is rendered, or one of two versions, in blocks whenever the page asks for one."""

from __future__ import annotations

import asyncio
import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from starlette.websockets import WebSocket, WebSocketDisconnect

from ddspvae.instrument.mix import place
from ddspvae.signals.checks import InputError, check_range
from ddspvae.signals.units import db_to_amplitude
from ddspvae.studio.canvas import THERE
from ddspvae.studio.versions import SAMPLE_RATE
from ddspvae.studio.worker import Worker

BLOCK = 1024
LONGEST_WAIT_S = 20.0
POLL_S = 0.005
FIRST_BLOCKS = 2  # that are sent before they are asked for

View = Mapping[str, Any]


class Canvases:
    """The canvases of one project as the worker writes them, open as long as they are shown."""

    def __init__(self) -> None:
        self._open: dict[Path, tuple[NDArray[np.float32], NDArray[np.uint8]]] = {}

    def find(self, folder: Path, canvas: Mapping[str, Any]) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        """Samples, and one byte a tile; FileNotFoundError or ValueError where they are being replaced."""
        path = folder / ".sounds" / canvas["file"]
        if path not in self._open:
            audio = np.memmap(path, dtype=np.float32, mode="r", shape=(canvas["n_samples"],))
            ready = np.memmap(path.with_suffix(".ready"), dtype=np.uint8, mode="r", shape=(canvas["n_tiles"],))
            self._open[path] = np.asarray(audio), np.asarray(ready)
        return self._open[path]

    def keep_only(self, folder: Path, view: View) -> None:
        """Close those that are no longer shown."""
        shown = {folder / ".sounds" / one["canvas"]["file"] for one in (*view["parts"], *view["takes"])}
        for path in set(self._open) - shown:
            del self._open[path]


def mixed(folder: Path, view: View, first: int, last: int, canvases: Canvases) -> tuple[NDArray[np.float32], bool]:
    """The parts that are heard, from a sample to another, as they stand on the desk.

    Returns:
        [2, T], and whether all of it is there.
    """
    mix, whole = np.zeros((2, last - first), np.float32), True
    for part in [part for part in view["parts"] if part["solo"]] or [part for part in view["parts"] if not part["mute"]]:
        sound, there = piece(folder, part["canvas"], first, last, canvases)
        whole &= there
        gain_db = part["gain_db"] + part["level_db"]
        mix += next(iter(place([sound], {"pan": part["pans"]}, SAMPLE_RATE, stereo=True, gain_db=gain_db, first=first)))
    return mix, whole


def piece(folder: Path, canvas: Mapping[str, Any], first: int, last: int, canvases: Canvases
          ) -> tuple[NDArray[np.float32], bool]:
    """What is rendered of one part or take, from a sample to another, and whether all of it is there."""
    if canvas["sample_rate"] != SAMPLE_RATE:
        raise InputError(f"studio: an instrument runs at {canvas['sample_rate']} Hz; the page plays at {SAMPLE_RATE} Hz.")
    try:
        audio, ready = canvases.find(folder, canvas)
    except (OSError, ValueError):
        return np.zeros(last - first, np.float32), False  # replaced meanwhile
    sound = np.array(audio[first:last])
    there = bool((ready[first // canvas["tile"] : -(-last // canvas["tile"])] == THERE).all())
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
        done, total = done + int(np.count_nonzero(ready == THERE)), total + len(ready)
    return done / total if total else 1.0


class Listening:
    """What one page hears.

    Args:
        studio: gives folders, views and versions of projects by name.
    """

    def __init__(self, studio: Any) -> None:
        self._studio = studio
        self.project, self.source = "", {"kind": "score"}
        self.is_begun = False
        self.at = 0
        self.end: int | None = None
        self.gain = 1.0
        self._canvases = Canvases()

    def begin(self, asked: Mapping[str, Any]) -> None:
        """Play something from a time on, up to another or its end."""
        at_s, to_s = float(asked.get("at_s", 0.0)), asked.get("to_s")
        check_range("studio", "at_s", at_s, 0, 1e6)
        self.project, self.source = str(asked.get("project") or ""), dict(asked.get("source", {"kind": "score"}))
        self.at = round(at_s * SAMPLE_RATE)
        self.end = None if to_s is None else round(float(to_s) * SAMPLE_RATE)
        self.gain = float(db_to_amplitude(float(self.source.get("gain_db", 0.0))))
        self.is_begun = True

    def length(self) -> int:
        """Samples of what is played."""
        if self.source["kind"] == "score":
            return round((self._studio.view(self.project)["duration_s"] + 2.0) * SAMPLE_RATE)
        if self._is_take():
            take = self._studio.view(self.project)["takes"][self.source["take"]]
            return round((take["duration_s"] + 0.5) * SAMPLE_RATE)
        return int(self._file().shape[1])

    def _is_take(self) -> bool:
        return self.source["kind"] == "take" and self.source.get("which") != "recording"

    def _file(self) -> NDArray[np.float32]:
        found: NDArray[np.float32] = self._studio.sounds.read(self._studio.sound_file(self.project, self.source),
                                                              mono=self.source["kind"] != "version")
        return found

    async def block(self) -> bytes | None:
        """The next samples: seconds of the first as a float64, then float32, left and right in turn; None after the end."""
        last = self.length() if self.end is None else min(self.end, self.length())
        if self.at >= last:
            return None
        first, stop = self.at, min(self.at + BLOCK, last)
        sound = np.zeros((2, stop - first), np.float32)
        for _ in range(round(LONGEST_WAIT_S / POLL_S)):
            sound, there = self._sound(first, stop)
            if there or self.at != first:
                break
            await asyncio.sleep(POLL_S)
        if self.at == first:
            self.at = stop
        return struct.pack("<d", first / SAMPLE_RATE) + np.ascontiguousarray(sound.T * self.gain, dtype="<f4").tobytes()

    def _sound(self, first: int, stop: int) -> tuple[NDArray[np.float32], bool]:
        if self.source["kind"] != "score" and not self._is_take():
            return self._file()[:, first:stop], True
        view, folder = self._studio.view(self.project), self._studio.folder(self.project)
        self._canvases.keep_only(folder, view)
        if self.source["kind"] == "score":
            return mixed(folder, view, first, stop, self._canvases)
        sound, there = piece(folder, view["takes"][self.source["take"]]["canvas"], first, stop, self._canvases)
        return np.stack([sound, sound]), there


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
                    await _send(socket, listening)
                    continue
                asked = json.loads(message.get("text") or "{}")
                if asked.get("project"):
                    await studio.opened(str(asked["project"]))
                listening.begin(asked)
                await socket.send_text(json.dumps({"begun": listening.at / SAMPLE_RATE}))
                if listening.source["kind"] in ("score", "take"):
                    looking = worker.call("look", studio.folder(listening.project), at_s=listening.at / SAMPLE_RATE)
                    told.add(task := asyncio.ensure_future(looking))  # nobody waits for it
                    task.add_done_callback(told.discard)
                for _ in range(FIRST_BLOCKS):
                    await _send(socket, listening)
            except (InputError, KeyError, ValueError, TypeError, IndexError) as error:
                await socket.send_text(json.dumps({"error": str(error)}))
    except WebSocketDisconnect:
        return


async def _send(socket: WebSocket, listening: Listening) -> None:
    block = await listening.block() if listening.is_begun else None
    await (socket.send_text('{"ended": true}') if block is None else socket.send_bytes(block))
