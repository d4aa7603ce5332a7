"""Performances as a source of frames, fed at once or in pieces while they are played."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ddspvae.engine.playing import LEVEL_REACH_S
from ddspvae.live.player import Ahead, Player
from ddspvae.signals import Performance
from ddspvae.synth.convolve import fft_convolve
from ddspvae.synth.envelopes import start_phase

if TYPE_CHECKING:
    from ddspvae.live.playable import Playable


class FedTakes:
    """What each voice was fed, and where on the clock that lies."""

    def __init__(self, instrument: Playable) -> None:
        self._model, self._config = instrument.model, instrument.config
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

    def ahead(self, voices: NDArray[np.int64], ages: NDArray[np.int64], at_sample: int, before_hz: Tensor) -> Ahead | None:
        """As Source wants it."""
        frame = at_sample // self._config.hop_size
        goes_on = np.array([frame < self.end(voice) for voice in voices.tolist()])
        if not goes_on.any():
            return None
        going = voices[goes_on]
        takes = [(take, frame - first) for first, take in (self._by_voice[voice] for voice in going.tolist())]
        f0_hz, periodicity, loudness_db = (_rows(np.array([getattr(take, name)[at] for take, at in takes]))
                                           for name in ("f0_hz", "periodicity", "loudness_db"))
        after_hz = _rows(np.array([take.f0_hz[min(at + 1, take.n_frames - 1)] for take, at in takes]))
        z = torch.from_numpy(np.stack([take.z[at // self._config.frames_per_z] for take, at in takes]))[:, None]
        return Ahead(going, f0_hz, periodicity, loudness_db, z, before_hz[torch.from_numpy(goes_on)], after_hz)

    def over(self, voices: NDArray[np.int64], at_sample: int) -> NDArray[np.bool_]:
        """As Source wants it."""
        frame = at_sample // self._config.hop_size
        return np.array([self.end(voice) <= frame for voice in voices.tolist()], dtype=bool)

    def enter(self, player: Player, performance: Performance, voice: int, now: int, response: Tensor | None
              ) -> Tensor | None:
        """Bring a voice of a player to where it is at frame `now` of a performance that began at 0.

        Returns:
            what it played before and the room of `response` still rings with, [R, L]; None if nothing.
        """
        config, per_row = self._config, self._config.frames_per_z
        tail = 0 if response is None else -(-response.shape[-1] // config.hop_size)
        if now >= performance.n_frames + tail:
            return None
        # what reaches to now: the room's tail, before it the decoder's memory and the level's
        decoder = self._model.decoder
        reach = tail + decoder.frames_per_step * decoder.stack.receptive_field
        reach += math.ceil(LEVEL_REACH_S * config.frame_rate_hz)
        every = math.lcm(per_row, decoder.frames_per_step)
        last = min(now, performance.n_frames - 1)
        first = max(0, last - reach) // every * every
        past = player.alone(voice)
        past.memory.n_frames += first
        part = slice(first, last + 1)
        f0_hz, periodicity, loudness_db = (_column(curve[part]) for curve in (
            performance.f0_hz, performance.periodicity, performance.loudness_db))
        z = torch.from_numpy(np.array(performance.z[first // per_row : last // per_row + 1]))[None]
        frames = past.control(f0_hz, periodicity, loudness_db, z, _one(performance.f0_hz, last + 1),
                              _one(performance.f0_hz, first - 1))
        past.phase = start_phase(_column(performance.f0_hz[: first + 1]), config.sample_rate, config.hop_size)[:, -1:]
        past.last = frames[:, -1:]
        rung = None
        if now > first:
            played = frames if now == last else frames.then(past.last)
            audio, past.phase = past.sound(played, past.phase, first * config.hop_size, past.noise_keys)
            if response is not None:
                audio = torch.nn.functional.pad(audio, (0, (now - first) * config.hop_size - audio.shape[-1]))
                n_taps = response.shape[-1]
                rung = fft_convolve(torch.nn.functional.pad(audio, (0, n_taps)), response)[:, -n_taps:]
        player.adopt(voice, past)
        return rung


def _column(curve: NDArray) -> Tensor:
    """[F] to [1, F, 1]."""
    return torch.from_numpy(np.array(curve, dtype=np.float32))[None, :, None]


def _rows(curve: NDArray) -> Tensor:
    """[V] to [V, 1, 1]."""
    return torch.from_numpy(np.array(curve, dtype=np.float32))[:, None, None]


def _one(curve: NDArray, frame: int) -> Tensor | None:
    """[1, 1, 1], or None where the curve has no such frame."""
    return _rows(curve[frame : frame + 1]) if 0 <= frame < len(curve) else None
