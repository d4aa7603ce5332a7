"""Pitch by a spectral comb: energy on the harmonics less energy half and a third of the way between them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ddspvae.features.autocorrelation import LONG, LONG_HOP, RANGE_HZ, RATE_HZ, Track, long_powers
from ddspvae.features.paths import best_track

N_FFT = 2 * LONG  # of windows of 128 ms, which keep the harmonics of 33 Hz apart
STATES_PER_OCTAVE = 48
TOP_HZ = 6000.0
N_HARMONICS = 24


def comb(audio_16k: NDArray, prior_hz: float | None = None, range_hz: tuple[float, float] = RANGE_HZ) -> Track:
    """Track pitch by summing square-root magnitudes at harmonics, with a penalty for what lies between.

    Args:
        audio_16k: [T] at 16 kHz.
        prior_hz: look within 1.5 semitones of this pitch only.
        range_hz: or between these.
    Returns:
        Track every 20 ms, f0 to a quarter of a semitone; periodicity is the similarity of spectrum and comb.
    Source: the idea of Camacho and Harris, "A sawtooth waveform inspired pitch estimator", JASA 124, 2008.
    """
    if prior_hz is not None:
        ratio = 2.0 ** (1.5 / 12)
        range_hz = max(range_hz[0], prior_hz / ratio), min(range_hz[1], prior_hz * ratio)
    return combs(audio_16k, [range_hz])[0]


def combs(audio_16k: NDArray, ranges_hz: Sequence[tuple[float, float]]) -> list[Track]:
    """`comb` in each of some ranges, for little more than in one."""
    heard = Comb()
    for power in long_powers(audio_16k):
        heard.hear(power)
    return heard.tracks(ranges_hz)


class Comb:
    """What a comb hears in spectra, as `long_powers` gives them."""

    def __init__(self) -> None:
        self._scores: list[NDArray[np.float32]] = []

    def hear(self, power: NDArray[np.float32]) -> None:
        """Frames [n, bins], after those before."""
        magnitude, kernel = np.sqrt(power), _kernel()[1]
        norm = np.sqrt(magnitude.sum(axis=1, keepdims=True))
        scores = np.sqrt(magnitude[:, : len(kernel)]) @ kernel
        scores /= np.maximum(norm, 1e-6)
        self._scores.append(scores)

    def tracks(self, ranges_hz: Sequence[tuple[float, float]]) -> list[Track]:
        """The track through all of them in each range."""
        scores, states_hz = np.concatenate(self._scores), _kernel()[0]
        return [_smoothest(scores, states_hz, *range_hz) for range_hz in ranges_hz]


def _smoothest(scores: NDArray, states_hz: NDArray, low_hz: float, high_hz: float) -> Track:
    """The best path through scores [F, N] of states in Hz."""
    scores = np.where((states_hz < low_hz) | (states_hz > high_hz), np.float32(-1), scores)
    path = best_track(scores, reach=8, slope=0.005, leap_cost=0.075)
    rows = np.arange(len(path))
    return Track(rows * (LONG_HOP / RATE_HZ), states_hz[path], np.clip(scores[rows, path], 0, 1).astype(np.float64))


@lru_cache(maxsize=1)
def _kernel() -> tuple[NDArray, NDArray]:
    """States in Hz [N] and their combs [bins, N]; no comb has a tooth above these bins."""
    n_states = int(STATES_PER_OCTAVE * np.log2(RANGE_HZ[1] / RANGE_HZ[0])) + 1
    states_hz = RANGE_HZ[0] * 2.0 ** (np.arange(n_states) / STATES_PER_OCTAVE)
    harmonic = np.arange(1, N_HARMONICS + 1)
    column, at = np.nonzero(harmonic * states_hz[:, None] <= np.maximum(TOP_HZ, 2.5 * states_hz)[:, None])
    lobes, shares = [], []
    # a pitch an octave or a twelfth too high leaves partials at these fractions
    for fraction, share in ((0, 1), (1 / 2, -0.5), (1 / 3, -0.25), (2 / 3, -0.25)):
        lobes.append((harmonic[at] - fraction) * states_hz[column])
        shares.append(share * harmonic[at] ** -0.5)
    centre_hz, bin_hz = np.concatenate(lobes), RATE_HZ / N_FFT
    width_hz = 12.0 + 0.012 * centre_hz  # the window's main lobe, and a quarter tone of vibrato
    reach = int(width_hz.max() / bin_hz) + 1
    bins = np.round(centre_hz / bin_hz).astype(int)[:, None] + np.arange(-reach, reach + 1)
    heights = np.maximum(1 - np.abs(bins * bin_hz - centre_hz[:, None]) / width_hz[:, None], 0)
    n_bins = int(bins.max()) + 1
    heights *= (bins >= 0) * np.concatenate(shares)[:, None]
    places = np.maximum(bins, 0) * n_states + np.tile(column, 4)[:, None]
    kernel = np.bincount(places.ravel(), heights.ravel(), n_bins * n_states).reshape(n_bins, n_states)
    return states_hz, (kernel / np.linalg.norm(np.maximum(kernel, 0), axis=0)).astype(np.float32)
