"""Performances as a source of frames, fed at once or in pieces while they are played."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ddspvae.engine.frames import Ahead, Array
from ddspvae.kernels.transforms import rfft
from ddspvae.live.player import Player
from ddspvae.model.form import frames_per_step
from ddspvae.signals import Performance

if TYPE_CHECKING:
    from ddspvae.live.playable import Playable


class FedTakes:
    """What each voice was fed, and where on the clock that lies."""

    def __init__(self, instrument: Playable) -> None:
        self._config = instrument.config
        self._by_voice: dict[int, tuple[int, Performance]] = {}  # the frame on the clock at which it begins

    def __bool__(self) -> bool:
        return bool(self._by_voice)

    def add(self, voice: int, performance: Performance, past_frames: int) -> Performance:
        """Join frames to those a voice was fed before, forget those that lie well in the past; all there was, joined."""
        first, before = self._by_voice.get(voice, (0, None))
        joined = performance if before is None else before.then(performance)
        every = self._config.frames_per_z
        gone = max(0, past_frames - first - 1) // every * every
        kept = joined
        if 0 < gone < joined.n_frames:
            first, kept = first + gone, replace(
                joined, f0_hz=joined.f0_hz[gone:], periodicity=joined.periodicity[gone:],
                loudness_db=joined.loudness_db[gone:], z=joined.z[gone // every :])
        self._by_voice[voice] = first, kept
        return joined

    def end(self, voice: int) -> int:
        """The frame at which a voice is over."""
        first, performance = self._by_voice[voice]
        return first + performance.n_frames

    def ahead(self, voices: NDArray[np.int64], ages: NDArray[np.int64], at_sample: int, before_hz: Array) -> Ahead | None:
        """As Source wants it."""
        frame = at_sample // self._config.hop_size
        goes_on = np.array([frame < self.end(voice) for voice in voices.tolist()])
        if not goes_on.any():
            return None
        going = voices[goes_on]
        takes = [(take, frame - first) for first, take in (self._by_voice[voice] for voice in going.tolist())]
        f0_hz, periodicity, loudness_db = (np.array([getattr(take, name)[at] for take, at in takes], dtype=np.float32)
                                           for name in ("f0_hz", "periodicity", "loudness_db"))
        after_hz = np.array([take.f0_hz[min(at + 1, take.n_frames - 1)] for take, at in takes], dtype=np.float32)
        z = np.stack([take.z[at // self._config.frames_per_z] for take, at in takes]).astype(np.float32)
        return Ahead(going, f0_hz, periodicity, loudness_db, z, before_hz[goes_on], after_hz)

    def over(self, voices: NDArray[np.int64], at_sample: int) -> NDArray[np.bool_]:
        """As Source wants it."""
        frame = at_sample // self._config.hop_size
        return np.array([self.end(voice) <= frame for voice in voices.tolist()], dtype=bool)

    def enter(self, player: Player, performance: Performance, voice: int, now: int, response: Array | None) -> Array | None:
        """Bring a voice of a player to where it is at frame `now` of a performance that began at 0.

        Returns:
            what it played before and the room of `response` [R, L] still rings with, [R, L]; None if nothing.
        """
        hop_size, n_taps = self._config.hop_size, 0 if response is None else response.shape[-1]
        tail = -(-n_taps // hop_size)
        if now >= performance.n_frames + tail:
            return None
        # what reaches to now: the room's tail, before it the decoder's memory and the level's
        every = math.lcm(self._config.frames_per_z, frames_per_step(self._config.frames_per_z))
        last = min(now, performance.n_frames - 1)
        first = max(0, last - tail - player.reach_frames) // every * every
        dry = player.replay(voice, performance, first, last, 0 if response is None else last - first + (now > last))
        if dry is None or response is None:
            return None
        begin = (now - first) * hop_size
        n_fft = 1 << max(begin, len(dry) + n_taps).bit_length()
        wet = np.fft.irfft(rfft(response, n_fft) * rfft(dry, n_fft), n_fft)
        rung: Array = wet[:, begin : begin + n_taps].astype(np.float32)
        return rung
