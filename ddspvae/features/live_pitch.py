"""Pitch and loudness of what was heard last: for a voice or an instrument that plays another one live."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ddspvae.features.weighting import a_weighting
from ddspvae.signals.checks import check_range
from ddspvae.signals.units import power_to_db

THRESHOLD = 0.15  # of the normalised difference: the first dip below is the period
LOUDNESS_S = 0.02  # window; a period of 50 Hz
SILENT = 1e-12  # power


class LivePitch:
    """Pitch from the newest samples alone: two periods of the lowest pitch are enough.

    Args:
        sample_rate: Hz.
        range_hz: lowest and highest pitch to look for.
    Source: de Cheveigné & Kawahara, "YIN, a fundamental frequency estimator for speech and music", JASA 2002.
    """

    def __init__(self, sample_rate: int, range_hz: tuple[float, float]) -> None:
        low_hz, high_hz = range_hz
        check_range("LivePitch", "the lowest pitch", low_hz, 20, 2000)
        check_range("LivePitch", "the highest pitch", high_hz, low_hz, sample_rate / 4)
        self._rate = sample_rate
        self._longest = math.ceil(sample_rate / low_hz) + 1
        self._shortest = max(math.floor(sample_rate / high_hz) - 1, 2)
        self.n_pitch = 2 * self._longest + 1
        self._n_fft = 1 << (self.n_pitch + self._longest - 1).bit_length()
        self.n_loudness = round(LOUDNESS_S * sample_rate)
        self.n_samples = max(self.n_pitch, self.n_loudness)
        self._window = np.hanning(self.n_loudness + 1)[:-1]
        weights = a_weighting(np.fft.rfftfreq(self.n_loudness, 1 / sample_rate))
        weights = np.where(np.arange(len(weights)) % (self.n_loudness // 2) == 0, 1, 2) * weights
        self._weights = weights / (self.n_loudness * (self._window**2).sum())  # Parseval

    @property
    def delay_s(self) -> float:
        """From what is described, the middle of the longer window, to the newest sample."""
        return self.n_samples / 2 / self._rate

    def hear(self, newest: NDArray[np.float32]) -> tuple[float, float, float]:
        """What the newest n_samples hold.

        Returns:
            f0_hz; periodicity, 0 to 1; A-weighted loudness in dB.
        """
        loud = newest[-self.n_loudness :]
        loudness_db = float(power_to_db((np.abs(np.fft.rfft(loud * self._window)) ** 2 * self._weights).sum()))
        f0_hz, periodicity = self._pitch(newest[-self.n_pitch :].astype(np.float64))
        return f0_hz, periodicity, loudness_db

    def _pitch(self, x: NDArray[np.float64]) -> tuple[float, float]:
        n, lags = self._longest, np.arange(self._longest + 1)
        head = np.fft.rfft(x[:n], self._n_fft)
        together = np.fft.irfft(np.conj(head) * np.fft.rfft(x, self._n_fft), self._n_fft)[: n + 1]
        power = np.concatenate([[0.0], np.cumsum(x**2)])
        energy = power[lags + n] - power[lags]
        difference = np.maximum(energy[0] + energy - 2 * together, 0)
        total = np.cumsum(difference[1:])
        normal = np.ones(n + 1)
        normal[1:] = difference[1:] * lags[1:] / np.maximum(total, 1e-12)
        below = np.flatnonzero(normal[self._shortest : n] < THRESHOLD)
        lag = self._shortest + int(below[0]) if len(below) else self._shortest + int(normal[self._shortest : n].argmin())
        while lag + 1 < n and normal[lag + 1] < normal[lag]:
            lag += 1
        if energy[0] < SILENT * n:
            return self._rate / lag, 0.0
        period, times = _vertex(difference, lag), 1
        while 2 * times * period + 3 < n:  # several periods later, the same error is a smaller part of each
            times *= 2
            near = round(times * period)
            period = _vertex(difference, near - 2 + int(difference[near - 2 : near + 3].argmin())) / times
        return self._rate / period, float(np.clip(1 - normal[lag], 0, 1))


def _vertex(curve: NDArray[np.float64], at: int) -> float:
    """Where the parabola through three points is lowest."""
    if not 0 < at < len(curve) - 1:
        return float(at)
    before, here, after = curve[at - 1 : at + 2]
    curvature = before - 2 * here + after
    return at + float(np.clip(0.5 * (before - after) / curvature, -0.5, 0.5)) if curvature > 0 else float(at)
