"""Pitch by autocorrelation, 30 to 2500 Hz: a voter, and the tracker where the neural ones end."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ddspvae.features.paths import best_choice
from ddspvae.kernels.compiler import HAS_COMPILER
from ddspvae.kernels.correlations import correlate_frames

RATE_HZ = 16000
HOP = 160  # 10 ms
RANGE_HZ = (30.0, 2500.0)
SPLIT_HZ = 110.0  # the long window answers below, the short one above
LONG, SHORT = 2048, 576  # samples: 128 ms is 4 periods of 31 Hz; 36 ms is 4 of 110 Hz and blurs no vibrato
N_CANDIDATES = 6  # per window
OCTAVE_COST = 0.03  # strength that a lag loses per octave below 2500 Hz, so that a period beats its multiples
LEAP_COST = 0.25  # per octave and 10 ms
CHUNK_FRAMES = 512  # whose curves a cache holds


class Track(NamedTuple):
    """What a tracker says: times_s [M], f0_hz [M], periodicity [M]."""

    times_s: NDArray
    f0_hz: NDArray
    periodicity: NDArray


def autocorrelation(audio_16k: NDArray, prior_hz: float | None = None, range_hz: tuple[float, float] = RANGE_HZ) -> Track:
    """Track pitch by the peaks of the normalised autocorrelation and the smoothest path through them.

    Args:
        audio_16k: [T] at 16 kHz.
        prior_hz: look within 1.5 semitones of this pitch only.
        range_hz: or between these.
    Returns:
        Track every 10 ms; periodicity 0.5 is as much periodic as other power (0 dB).
    Source: Boersma, "Accurate short-term analysis of the fundamental frequency", IFA Proceedings 17, 1993.
    """
    if prior_hz is not None:
        ratio = 2.0 ** (1.5 / 12)
        return _tracks(audio_16k, [(prior_hz / ratio, prior_hz * ratio)])[0]
    return autocorrelations(audio_16k, [range_hz])[0]


def autocorrelations(audio_16k: NDArray, ranges_hz: Sequence[tuple[float, float]]) -> list[Track]:
    """`autocorrelation` in each of some ranges, for little more than in one."""
    return _tracks(audio_16k, [(max(low, RANGE_HZ[0]), min(high, RANGE_HZ[1])) for low, high in ranges_hz])


def _tracks(audio_16k: NDArray, ranges_hz: Sequence[tuple[float, float]]) -> list[Track]:
    n_frames = -(-len(audio_16k) // HOP)
    found: list[list[tuple[NDArray, ...]]] = [[] for _ in ranges_hz]
    for window_size, least_hz, most_hz in ((LONG, 0.0, SPLIT_HZ), (SHORT, SPLIT_HZ / 2**0.25, math.inf)):
        bands = [(max(low, least_hz), min(high, most_hz)) for low, high in ranges_hz]
        some = [at for at, (low_hz, high_hz) in enumerate(bands) if low_hz < high_hz]
        for at, candidates in zip(some, _candidates(audio_16k, n_frames, window_size, [bands[at] for at in some])):
            found[at].append(candidates)
    return [_smoothest(*(np.concatenate(parts, axis=1) for parts in zip(*of_range))) for of_range in found]


def _smoothest(f0_hz: NDArray, strength: NDArray, rise: NDArray) -> Track:
    """The best path through candidates [F, K]."""
    log2_f0 = np.log2(f0_hz)
    reward = rise - OCTAVE_COST * (math.log2(RANGE_HZ[1]) - log2_f0)
    leaps = LEAP_COST * np.minimum(np.abs(log2_f0[:-1, :, None] - log2_f0[1:, None, :]), 2.0)
    path = best_choice(reward, leaps)
    rows = np.arange(len(path))
    return Track(rows * (HOP / RATE_HZ), f0_hz[rows, path], np.clip(strength[rows, path], 0, 1))


def _candidates(audio: NDArray, n_frames: int, window_size: int, bands: Sequence[tuple[float, float]]
                ) -> list[tuple[NDArray, ...]]:
    """The strongest peaks in each band: f0_hz, strength and rise over the lowest point before, [F, K] each; -1 fills up."""
    if not bands:
        return []
    padded = np.pad(np.asarray(audio, dtype=np.float32), (window_size // 2, window_size))
    n_fft = 2 ** math.ceil(math.log2(2 * window_size))
    finer = 4 if window_size <= SHORT else 2  # reads the autocorrelation between the samples
    window, own = _window(window_size, n_fft, finer)
    ends = [_ends(RATE_HZ * finer, *band) for band in bands]
    find, parts = _find_compiled if HAS_COMPILER else _find, []
    for start in range(0, n_frames, CHUNK_FRAMES):
        curves = np.empty((min(CHUNK_FRAMES, n_frames - start), max(last for _, last in ends)), np.float32)
        correlate_frames(padded[start * HOP :], window, HOP, n_fft, own, curves)
        parts.append([find(curves[:, :last], first, RATE_HZ * finer) for first, last in ends])
    return [tuple(np.concatenate(columns) for columns in zip(*of_band)) for of_band in zip(*parts)]


def _ends(rate_hz: float, low_hz: float, high_hz: float) -> tuple[int, int]:
    """Where the lags of a band begin and end."""
    return max(2, math.floor(rate_hz / high_hz) - 1), math.ceil(rate_hz / low_hz) + 2


def _find_compiled(curve: NDArray, first: int, rate_hz: float) -> tuple[NDArray, ...]:
    from ddspvae.kernels.pitch import find_peaks

    scale = np.arange(first + 1, curve.shape[1] - 1)
    kept = [np.empty((len(curve), min(N_CANDIDATES, len(scale)))) for _ in range(3)]
    find_peaks(np.ascontiguousarray(curve), first, OCTAVE_COST * np.log2(scale / scale[0]), rate_hz, *kept,
               np.empty(N_CANDIDATES))
    return tuple(kept)


def _find(curve: NDArray, first: int, rate_hz: float) -> tuple[NDArray, ...]:
    # noise on a slow wave peaks high at short lags, but only above a curve that has not come down yet
    dip = np.maximum(np.minimum.accumulate(curve, axis=1), 0)[:, first + 1 : -1]
    curve = curve[:, first:]
    middle, before, after = curve[:, 1:-1], curve[:, :-2], curve[:, 2:]
    is_peak = (middle > before) & (middle >= after)
    scale = np.arange(first + 1, first + 1 + middle.shape[1])
    height = np.where(is_peak, middle - dip - OCTAVE_COST * np.log2(scale / scale[0]), -1.0)
    n_kept = min(N_CANDIDATES, height.shape[1])
    kept = np.argpartition(-height, n_kept - 1, axis=1)[:, :n_kept]
    rows = np.arange(len(curve))[:, None]
    b, m, a = before[rows, kept], middle[rows, kept], after[rows, kept]
    curvature = np.minimum(b - 2 * m + a, -1e-9)
    shift = np.clip((a - b) / (-2 * curvature), -0.5, 0.5)  # vertex of the parabola through three points
    f0_hz = rate_hz / (scale[kept] + shift)
    strength = np.where(is_peak[rows, kept], m - (a - b) ** 2 / (8 * curvature), -1.0)
    # a peak above 1 is rounding far down the window; mirrored, so that it does not win
    strength = np.where(strength > 1, 1 / np.maximum(strength, 1), strength)
    return f0_hz, strength, np.where(strength > -1, strength - dip[rows, kept], -1.0)


@lru_cache(maxsize=4)
def _window(size: int, n_fft: int, finer: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """A window [size], and its autocorrelation [finer * n_fft], 1 at 0."""
    window = np.hanning(size + 2)[1:-1].astype(np.float32)
    own = np.fft.irfft(np.abs(np.fft.rfft(window, n_fft)) ** 2, finer * n_fft)
    return window, (own / own[0]).astype(np.float32)
