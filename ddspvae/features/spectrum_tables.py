"""What `features.spectrum` measures with: its low-passes, and what of noise each of them takes off with a harmonic."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ddspvae.features.band_tables import N_NOISE_BANDS, band_shapes
from ddspvae.signals.low_pass import low_pass

HIGHEST_HZ = 16_000.0  # of a harmonic
BANDWIDTHS_HZ = (80.0, 40.0, 20.0, 10.0)  # each for pitches whose neighbours lie far enough away
NEAREST = 0.3  # of f0: the widest band that keeps a harmonic, and the noise between, apart from the next
SMOOTH_S = 0.08  # over which a harmonic is compared with the noise around it
LEAST_OF_HARMONIC = 0.05  # of its power: what is left where all is noise
SLOW_RATE_HZ = 2000.0  # after the first of two low-passes
FILTER_S = 2.56  # length of the second, times its bandwidth
NOISE_WINDOW_S = 0.0213
HOLE_STEP_HZ, HOLE_STEPS = 2.0, 200  # of a table of what is missing around a harmonic
LEAST_LEFT = 0.4  # of a band's noise: in a deeper hole, below a loud harmonic, noise is neither measured well nor heard
Table = NDArray[np.float32]


@dataclass(frozen=True)
class Taken:
    """What of white noise is taken off with a harmonic.

    Args:
        hole: [R], the share that is missing at so many HOLE_STEP_HZ from it, in a spectrum of noise as it is measured.
        power: what unit noise adds to the square of the harmonic's amplitude.
    """

    hole: Table
    power: float


@functools.lru_cache(maxsize=16)
def noise_taken(at: int, sample_rate: int, hop_size: int) -> Taken:
    """For the low-pass number `at`."""
    every, frame_rate = decimation(sample_rate, hop_size), sample_rate / hop_size
    taps = low_passes(sample_rate / every)[at].astype(np.float64)
    away = np.arange(-HOLE_STEPS, HOLE_STEPS + 1) * HOLE_STEP_HZ
    turns = 2 * math.pi * away[:, None] / sample_rate * every * (np.arange(len(taps)) - len(taps) // 2)
    passed = (np.cos(turns) @ taps) * np.sinc(away * every / sample_rate) ** 2
    # between frames it fades: so much of it stays where it was, and the rest goes to images
    stays, all_of_it = np.sinc(away / frame_rate) ** 2, (2 + np.cos(2 * math.pi * away / frame_rate)) / 3
    missing = 2 * passed * stays - passed**2 * all_of_it
    n_fft = noise_fft(sample_rate)
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n_fft) / n_fft)
    window = np.abs(np.fft.rfft(hann, round(sample_rate / HOLE_STEP_HZ))[: HOLE_STEPS + 1]) ** 2
    kernel = np.concatenate([window[:0:-1], window])
    smeared = np.convolve(missing, kernel / kernel.sum(), "same")
    return Taken(smeared[HOLE_STEPS:].astype(np.float32), float(4 * np.sum(passed**2) * HOLE_STEP_HZ / sample_rate))


def decimation(sample_rate: int, hop_size: int) -> int:
    """The largest divisor of the hop that leaves SLOW_RATE_HZ."""
    return max(n for n in range(1, hop_size + 1) if hop_size % n == 0 and (n == 1 or sample_rate / n >= SLOW_RATE_HZ))


def noise_fft(sample_rate: int) -> int:
    """Samples in the window that noise is measured with."""
    return int(2 ** round(math.log2(NOISE_WINDOW_S * sample_rate)))


@functools.lru_cache(maxsize=8)
def low_passes(rate_hz: float) -> tuple[Table, ...]:
    """Of BANDWIDTHS_HZ for a signal at this rate, each of an odd number of taps that sum to 1."""
    sizes = [2 * round(FILTER_S / width * rate_hz / 2) + 1 for width in BANDWIDTHS_HZ]
    return tuple(low_pass(np.hamming(size), 2 * width / rate_hz).astype(np.float32)
                 for size, width in zip(sizes, BANDWIDTHS_HZ))


@functools.lru_cache(maxsize=4)
def band_bins(n_fft: int) -> Table:
    """The bands as means of the powers of bins, [bins, N_NOISE_BANDS]."""
    shapes = band_shapes(N_NOISE_BANDS, 8 * (n_fft // 2) + 1)  # a narrow band lies between two bins
    padded = np.pad(shapes, ((0, 0), (4, 4)), mode="edge")
    bins = np.lib.stride_tricks.sliding_window_view(padded, 9, axis=1)[:, ::8].mean(axis=-1)
    return np.ascontiguousarray((bins / bins.sum(axis=1, keepdims=True)).T)
