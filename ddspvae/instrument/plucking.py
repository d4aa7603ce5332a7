"""What an instrument whose notes ring does with a score: plucks, all of them in one room."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from ddspvae.audio import Audio
from ddspvae.engine.room import in_room
from ddspvae.instrument.rooms import Rooms
from ddspvae.midi.tuning import Pitches
from ddspvae.plucked.model import Plucks
from ddspvae.plucked.play import play_score
from ddspvae.plucked.stream import PluckedStream
from ddspvae.signals import Notes


def room_gain(response: Audio | None) -> float:
    """By how much a dry sound is softer than the recordings, which hold the room already."""
    return 1.0 if response is None else float(1 / np.sqrt(np.square(response, dtype=np.float64).sum() / len(response)))


def play_plucked(plucks: Plucks, rooms: Rooms, parts: Sequence[Notes], *, seed: int = 0, voice: int = 0,
                 transpose: float = 0.0, tones: Mapping[str, float] | None = None, mono: bool = False, dry: bool = False,
                 ir: Audio | None = None, wet_db: float = 0.0, decay: float = 1.0, tail_s: float = 1.0) -> Iterator[Audio]:
    """Parts of a score, each with strings of its own, in one room, in blocks.

    Args:
        plucks, rooms: of the instrument.
        parts: with chords.
        seed, voice, transpose, tones, mono: as `play_score` takes them.
        dry, ir, wet_db, decay: as in `Instrument.resynthesize`.
        tail_s: seconds after the last note.
    Yields:
        [T], or [2, T] in a stereo room.
    """
    rate = rooms.config.sample_rate
    _, response = rooms.response(dry, ir, wet_db, decay)
    last_s = max(part.duration_s for part in parts)
    lines = [play_score(plucks, part, rate, seed=seed, voice=voice + number, transpose=transpose, tones=tones, mono=mono,
                        tail_s=last_s - part.duration_s + tail_s) for number, part in enumerate(parts)]
    gain = np.float32(room_gain(None if ir is not None else response))
    mixed = (block * gain for block in (lines[0] if len(lines) == 1 else _sum(lines, rate)))
    if response is None:
        yield from mixed
        return
    n_samples = round((last_s + tail_s) * rate) + (0 if ir is None else response.shape[-1] - 1)
    for wet in in_room(mixed, response, n_samples):
        yield wet[0] if len(wet) == 1 else wet


def open_stream(plucks: Plucks, rooms: Rooms, mono: bool, seed: int, start_s: float, limit: bool,
                room: tuple[bool, Audio | None, float, float], tuning: Pitches | None = None, stereo: bool = False
                ) -> PluckedStream:
    """The same, live; `room` is dry, ir, wet_db and decay."""
    config = rooms.config
    _, response = rooms.response(*room)
    start = round(start_s * config.frame_rate_hz) * config.hop_size
    gain = room_gain(None if room[1] is not None else response)
    return PluckedStream(plucks, config.sample_rate, config.hop_size, response, gain, mono=mono, seed=seed, start=start,
                         limit=limit, tuning=tuning, stereo=stereo)


def _sum(lines: Sequence[Iterator[Audio]], rate: int) -> Iterator[Audio]:
    """Blocks of any lengths to blocks of a second of them all."""
    waiting = [np.zeros(0, np.float32) for _ in lines]
    while True:
        for at, line in enumerate(lines):
            while len(waiting[at]) < rate and (block := next(line, None)) is not None:
                waiting[at] = np.concatenate([waiting[at], block])
        n = min(max(map(len, waiting)), rate)
        if not n:
            return
        yield np.sum([np.pad(line[:n], (0, max(n - len(line), 0))) for line in waiting], axis=0, dtype=np.float32)
        waiting = [line[n:] for line in waiting]
