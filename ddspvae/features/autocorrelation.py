"""Pitch by autocorrelation, 30 to 2500 Hz: a voter, and the tracker where the neural ones end."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ddspvae.features.paths import best_choice
from ddspvae.kernels.compiler import HAS_COMPILER
from ddspvae.kernels.correlations import correlate_powers
from ddspvae.kernels.frame_powers import frame_powers
from ddspvae.signals.curves import LEAP_OCTAVES

RATE_HZ = 16000
HOP = 160  # 10 ms
LONG_HOP = 2 * HOP  # 20 ms: a window of 128 ms hardly changes in 10
RANGE_HZ = (30.0, 2500.0)
SPLIT_HZ = 110.0  # the long window answers below, the short one above
LONG, SHORT = 2048, 576  # samples: 128 ms is 4 periods of 31 Hz; 36 ms is 4 of 110 Hz and blurs no vibrato
N_CANDIDATES = 6  # per window
OCTAVE_COST = 0.03  # strength that a lag loses per octave below 2500 Hz, so that a period beats its multiples
LEAP_COST = 0.25  # per octave and 10 ms
CHUNK_FRAMES = 256  # whose spectra and curves a cache holds
# size, hop, transform, how finely the lags are read, lowest and highest pitch: the transform has room for the window and its
# longest lag, so that no lag in use is heard twice
WINDOWS = ((LONG, LONG_HOP, 4096, 2, 0.0, SPLIT_HZ), (SHORT, HOP, 1024, 4, SPLIT_HZ / 2**0.25, math.inf))
Powers = NDArray[np.float32]


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
        Track every 10 ms, below 110 Hz on lines between every second; periodicity 0.5 is as much periodic as other power.
    Source: Boersma, "Accurate short-term analysis of the fundamental frequency", IFA Proceedings 17, 1993.
    """
    if prior_hz is not None:
        ratio = 2.0 ** (1.5 / 12)
        return _tracks(audio_16k, [(prior_hz / ratio, prior_hz * ratio)])[0]
    return autocorrelations(audio_16k, [range_hz])[0]


def autocorrelations(audio_16k: NDArray, ranges_hz: Sequence[tuple[float, float]],
                     also: Callable[[Powers], None] | None = None) -> list[Track]:
    """`autocorrelation` in each of some ranges, for little more than in one; also: is told what `long_powers` gives."""
    return _tracks(audio_16k, [(max(low, RANGE_HZ[0]), min(high, RANGE_HZ[1])) for low, high in ranges_hz], also)


def long_powers(audio_16k: NDArray) -> Iterator[Powers]:
    """Spectra of the long windows, centred, a window every LONG_HOP: some frames [n, LONG + 1] after others."""
    return _powers(audio_16k, *WINDOWS[0][:3])


def _powers(audio: NDArray, window_size: int, hop: int, n_fft: int) -> Iterator[Powers]:
    padded, n_frames = np.pad(np.asarray(audio, dtype=np.float32), (window_size // 2, window_size)), -(-len(audio) // hop)
    for start in range(0, n_frames, CHUNK_FRAMES):
        yield frame_powers(padded[start * hop :], _shape(window_size), hop, min(CHUNK_FRAMES, n_frames - start), n_fft,
                           centred=True)


def _tracks(audio_16k: NDArray, ranges_hz: Sequence[tuple[float, float]], also: Callable[[Powers], None] | None = None
            ) -> list[Track]:
    n_frames = -(-len(audio_16k) // HOP)
    found: list[list[tuple[NDArray, ...]]] = [[] for _ in ranges_hz]
    n_slow = [0] * len(ranges_hz)
    for size, hop, n_fft, finer, least_hz, most_hz in WINDOWS:
        bands = [(max(low, least_hz), min(high, most_hz)) for low, high in ranges_hz]
        some = [at for at, (low_hz, high_hz) in enumerate(bands) if low_hz < high_hz]
        listens = also if size == LONG else None
        if some or listens:
            ends = [_ends(RATE_HZ * finer, *bands[at]) for at in some]
            for at, candidates in zip(some, _candidates(_powers(audio_16k, size, hop, n_fft), _own(size, n_fft, finer), ends,
                                                        RATE_HZ * finer, listens)):
                found[at].append(tuple(np.repeat(column, hop // HOP, axis=0)[:n_frames] for column in candidates))
                n_slow[at] += candidates[0].shape[1] * (hop > HOP)
    return [_smoothest(slow, *(np.concatenate(parts, axis=1) for parts in zip(*of_range)))
            for of_range, slow in zip(found, n_slow)]


def _smoothest(n_slow: int, f0_hz: NDArray, strength: NDArray, rise: NDArray) -> Track:
    """The best path through candidates [F, K], of which the first n_slow are every second frame's, held."""
    log2_f0 = np.log2(f0_hz)
    reward = rise - OCTAVE_COST * (math.log2(RANGE_HZ[1]) - log2_f0)
    leaps = LEAP_COST * np.minimum(np.abs(log2_f0[:-1, :, None] - log2_f0[1:, None, :]), 2.0)
    path = best_choice(reward, leaps)
    rows = np.arange(len(path))
    chosen, slow = log2_f0[rows, path], (path < n_slow) & (strength[rows, path] > 0)
    between = 1 + 2 * np.arange((len(path) - 1) // 2)
    glides = slow[between - 1] & slow[between] & slow[between + 1] & (
        np.abs(chosen[between + 1] - chosen[between - 1]) < LEAP_OCTAVES)
    between = between[glides]
    chosen[between] = (chosen[between - 1] + chosen[between + 1]) / 2
    return Track(rows * (HOP / RATE_HZ), np.exp2(chosen), np.clip(strength[rows, path], 0, 1))


def _candidates(powers: Iterable[Powers], own: NDArray[np.float32], ends: Sequence[tuple[int, int]], rate_hz: float,
                listens: Callable[[Powers], None] | None) -> list[tuple[NDArray, ...]]:
    """The strongest peaks between some lags: f0_hz, strength and rise over the lowest point before, [F, K]; -1 fills up."""
    find, parts = _find_compiled if HAS_COMPILER else _find, []
    for power in powers:
        if listens:
            listens(power)
        if ends:
            curves = np.empty((len(power), max(last for _, last in ends)), np.float32)
            correlate_powers(power, own, curves)
            parts.append([find(curves[:, :last], first, rate_hz) for first, last in ends])
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


@lru_cache(maxsize=2)
def _shape(size: int) -> NDArray[np.float32]:
    return np.hanning(size + 2)[1:-1].astype(np.float32)


@lru_cache(maxsize=2)
def _own(size: int, n_fft: int, finer: int) -> NDArray[np.float32]:
    """The window's autocorrelation [finer * n_fft], 1 at 0."""
    own = np.fft.irfft(np.abs(np.fft.rfft(_shape(size), n_fft)) ** 2, finer * n_fft)
    return (own / own[0]).astype(np.float32)
