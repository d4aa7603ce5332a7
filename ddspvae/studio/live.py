"""Play: keys and knobs of the page to `Instrument.stream`, blocks of sound back whenever the page asks for one."""

from __future__ import annotations

import asyncio
import gc
import json
import struct
import threading
from typing import TYPE_CHECKING, Any

import mido
import numpy as np
from starlette.websockets import WebSocket, WebSocketDisconnect

from ddspvae.signals.checks import InputError, check_range

if TYPE_CHECKING:
    from ddspvae.instrument.instrument import Instrument
    from ddspvae.live.playable import LiveStream

BLOCK = 256  # samples
WHEEL_SEMITONES = 2.0
SAMPLE_RATE = 48_000  # of the page
_OPEN: dict[str, Any] = {}  # instruments, kept for the next time
_OPENING = threading.Lock()


def open_instrument(preset: str) -> tuple[Instrument, dict[str, float]]:
    """`_open`, one at a time: who asks for what is being opened waits for it.

    Args:
        preset: a name or a file; "ensemble:A~B@0.3" is 0.3 of the way from A to B.
    """
    with _OPENING:
        return _open(preset)


def _open(preset: str) -> tuple[Instrument, dict[str, float]]:
    """An instrument that streams, and what its knobs of timbre stand at."""
    from ddspvae.instrument.instrument import Instrument
    from ddspvae.instrument.loading import load_to_play as load

    whole, colon, pair = preset.partition(":")
    knobs: dict[str, float] = {}
    if colon and "~" in pair:
        names, _, way = pair.partition("@")
        first, _, second = names.partition("~")
        share = float(way or 0.5)
        check_range("studio", "place", share, 0, 1)
        timbres = _kept(whole, load).card["timbres"]
        between = _kept(f"{whole}:{first}..{second}" if first != second else f"{whole}:{first}", load)
        key = f"{whole}:{first}~{second}"
        if key not in _OPEN:
            card = {**between.card, "axes": _OPEN[whole].card["axes"]}
            _OPEN[key] = Instrument(_OPEN[whole].model, card, key, between.room)
        instrument: Instrument = _OPEN[key]
        code = (1 - share) * np.array(timbres[first]["code"]) + share * np.array(timbres[second]["code"])
        own = [name for name in instrument.axis_names if name.startswith("timbre")]
        knobs = dict(zip(own, code.tolist()))
    else:
        instrument = _kept(preset, load)
    if instrument.config.sample_rate != SAMPLE_RATE:
        raise InputError(f"studio: {instrument.name} runs at {instrument.config.sample_rate} Hz, and the page plays at "
                         f"{SAMPLE_RATE} Hz; render it instead.")
    _ = instrument.live_networks  # exported before a key waits for it
    return instrument, knobs


def _kept(preset: str, load: Any) -> Instrument:
    if preset not in _OPEN:
        _OPEN[preset] = load(preset)
    found: Instrument = _OPEN[preset]
    return found


class Playing:
    """What one page plays.

    Args:
        voices: at once.
    """

    def __init__(self, voices: int = 8) -> None:
        self.voices = voices
        self.instrument: Instrument | None = None
        self.stream: LiveStream | None = None
        self._knobs: dict[str, float] = {}
        self._bend, self._tuning_cents = 0.0, 0.0
        self._marks: list[int] = []

    def choose(self, preset: str, *, expression: float = 1.0, wet_db: float = 0.0, decay: float = 1.0, mono: bool = False
               ) -> dict[str, Any]:
        """Open an instrument; what sounds is cut off."""
        instrument, knobs = open_instrument(preset)
        gc.unfreeze()
        gc.collect()
        gc.freeze()  # what stays is not looked through while somebody plays
        self.stream = instrument.stream(self.voices, mono=mono, expression=expression, wet_db=wet_db, decay=decay)
        self.instrument = instrument
        self._knobs = {**{name: value for name, value in self._knobs.items() if not name.startswith("timbre")}, **knobs}
        for axis, value in self._knobs.items():
            if axis in instrument.axis_names:
                self.stream.turn(axis, value)
        self._wheel()
        return {"chosen": preset, "low": instrument.statistics.pitch_low, "high": instrument.statistics.pitch_high}

    def take(self, message: dict[str, Any]) -> None:
        """One message of the page."""
        if self.stream is None:
            return
        match message.get("type"):
            case "on":
                note, velocity = int(message["note"]), int(message.get("velocity", 90))
                self.stream.send(mido.Message("note_on", note=note, velocity=velocity))
                self._marks.append(int(message.get("mark", 0)))
            case "off":
                self.stream.send(mido.Message("note_off", note=int(message["note"])))
            case "turn":
                self._knobs[str(message["axis"])] = float(message["value"])
                self.stream.turn(str(message["axis"]), float(message["value"]))
            case "bend":
                self._bend = float(message["semitones"])
                self._wheel()
            case "tuning":
                self._tuning_cents = float(message["cents"])
                self._wheel()
            case "pedal":
                self.stream.send(mido.Message("control_change", control=64, value=127 if message["down"] else 0))
            case "panic":
                self.stream.send(mido.Message("control_change", control=120, value=0))

    def _wheel(self) -> None:
        assert self.stream is not None
        semitones = self._bend + self._tuning_cents / 100
        turned = round(min(max(semitones / WHEEL_SEMITONES, -1), 1) * 8191)
        self.stream.send(mido.Message("pitchwheel", pitch=turned))

    def block(self) -> bytes:
        """The next samples: the mark of the last note that begins in them (0 for none), then float32."""
        mark = self._marks[-1] if self._marks else 0
        self._marks.clear()
        if self.stream is None:
            return struct.pack("<I", 0) + bytes(4 * BLOCK)
        sound = self.stream.read(BLOCK)
        mono = sound if sound.ndim == 1 else sound.mean(axis=0)
        return struct.pack("<I", mark) + np.ascontiguousarray(mono, dtype="<f4").tobytes()


async def play(socket: WebSocket) -> None:
    """One page that plays: text is keys and knobs, bytes ask for a block."""
    await socket.accept()
    playing = Playing()
    try:
        while True:
            message = await socket.receive()
            if message["type"] == "websocket.disconnect":
                return
            if message.get("bytes") is not None:
                await socket.send_bytes(playing.block())
                continue
            try:
                content = json.loads(message.get("text") or "{}")
                if content.get("type") == "choose":
                    asked = {name: content[name] for name in ("expression", "wet_db", "decay", "mono") if name in content}
                    chosen = await asyncio.to_thread(playing.choose, str(content["preset"]), **asked)
                    await socket.send_text(json.dumps(chosen))
                else:
                    playing.take(content)
            except (InputError, KeyError, ValueError, TypeError) as error:
                await socket.send_text(json.dumps({"error": str(error)}))
    except WebSocketDisconnect:
        return
