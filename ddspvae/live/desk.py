"""Volume and pan of what plays now: as `instrument.mix` has them, without knowing what comes."""

from __future__ import annotations

import math

import numpy as np

from ddspvae.engine.frames import Array
from ddspvae.midi.expression import SMOOTH_S
from ddspvae.signals import CONTROLLERS


class Desk:
    """Each step of volume and pan goes along a straight line of 10 ms from the sample at which it came.

    Args:
        sample_rate: Hz.
        stereo: two channels; without it the pan is not heard.
    """

    def __init__(self, sample_rate: int, stereo: bool) -> None:
        self._width, self._stereo = round(SMOOTH_S * sample_rate), stereo
        self._from, self._to = (1.0, CONTROLLERS["pan"]), (1.0, CONTROLLERS["pan"])  # gain and place
        self._moved_sample = -self._width

    def move(self, volume: float, pan: float, at_sample: int) -> None:
        """Both, 0 to 1, from a sample on."""
        to = ((volume / CONTROLLERS["volume"]) ** 2, pan)
        if to != self._to:
            way = min((at_sample - self._moved_sample) / self._width, 1.0)
            self._from = tuple(before + (now - before) * way for before, now in zip(self._from, self._to))  # type: ignore
            self._to, self._moved_sample = to, at_sample

    def place(self, audio: Array, at_sample: int) -> Array:
        """The sound [R, T] that begins at a sample, as it stands in the mix: [R, T], or [2, T] in stereo."""
        n_samples, is_mono = audio.shape[-1], len(audio) == 1
        if self._to[0] == 1 and self._to[1] == CONTROLLERS["pan"] and at_sample - self._moved_sample >= self._width:
            if is_mono and self._stereo:
                return np.repeat(audio * np.float32(math.sqrt(0.5)), 2, axis=0)
            return audio
        way = ((at_sample - self._moved_sample + np.arange(n_samples)) / self._width).clip(0, 1)
        gain, pan = (before + (now - before) * way for before, now in zip(self._from, self._to))
        if is_mono and not self._stereo:
            return (audio * gain).astype(np.float32)
        sides = np.stack([np.cos(pan * (math.pi / 2)), np.sin(pan * (math.pi / 2))])
        return (audio * ((1 if is_mono else math.sqrt(2)) * gain * sides)).astype(np.float32)
