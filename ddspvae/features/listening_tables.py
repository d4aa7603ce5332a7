"""What loudness and log-mel frames weigh the bins of a transform with: tables in numpy, for torch too."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ddspvae.features.band_tables import even_steps
from ddspvae.features.weighting import a_weighting

WINDOW_S = 0.042  # of the loudness: longer than one period of 33 Hz, the lowest note there is to train on
N_MELS = 64
LOWEST_HZ, HIGHEST_HZ = 30.0, 16_000.0  # of the filters
FLOOR_DB = -80.0  # below the frame's own level; quieter bands are recording noise
LEAST_POWER = 1e-6  # 1e-10 of a full-scale frame: digital silence must not be divided by itself
Table = NDArray[np.float32]


def window_size(sample_rate: int) -> int:
    """Samples in the loudness window: the power of two nearest to 42 ms."""
    return 2 ** round(math.log2(WINDOW_S * sample_rate))


@lru_cache(maxsize=8)
def hann_window(size: int) -> Table:
    """One period of it, as a transform wants it."""
    window: Table = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / size)).astype(np.float32)
    window.setflags(write=False)  # all share it
    return window


@lru_cache(maxsize=8)
def loudness_weights(n_fft: int, sample_rate: int) -> Table:
    """What the power of each bin adds to the A-weighted mean square, [n_fft // 2 + 1]."""
    frequency_hz = even_steps(sample_rate / 2, n_fft // 2 + 1)
    # Parseval: mean square = sum over all n_fft bins / (n_fft * sum of the squared window); inner bins count twice
    twice = np.full_like(frequency_hz, 2.0)
    twice[0] = twice[-1] = 1.0
    window_energy = np.square(hann_window(n_fft)).sum(dtype=np.float64)
    return np.asarray(a_weighting(frequency_hz) * twice / np.float32(n_fft * window_energy), dtype=np.float32)


@lru_cache(maxsize=8)
def mel_filters(n_fft: int, sample_rate: int, n_mels: int = N_MELS, low_hz: float = LOWEST_HZ,
                high_hz: float | None = None) -> Table:
    """Triangular filters, peak 1, equally spaced in mel, [n_fft // 2 + 1, n_mels]."""
    edges_hz = mel_edges_hz(low_hz, min(sample_rate / 2, HIGHEST_HZ) if high_hz is None else high_hz, n_mels)
    bins_hz = np.linspace(0, sample_rate / 2, n_fft // 2 + 1)[:, None]
    rising = (bins_hz - edges_hz[:-2]) / (edges_hz[1:-1] - edges_hz[:-2])
    falling = (edges_hz[2:] - bins_hz) / (edges_hz[2:] - edges_hz[1:-1])
    return np.maximum(np.minimum(rising, falling), 0).astype(np.float32)


def mel_edges_hz(low_hz: float, high_hz: float, n_mels: int) -> NDArray[np.float64]:
    """Where the filters begin, peak and end, [n_mels + 2]: the mel is O'Shaughnessy's of 1987."""
    low_mel, high_mel = 2595 * np.log10(1 + np.array([low_hz, high_hz]) / 700)
    return np.asarray(700 * (10 ** (np.linspace(low_mel, high_mel, n_mels + 2) / 2595) - 1))
