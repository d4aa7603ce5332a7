"""Pitch by a spectral comb: energy on the harmonics less energy half and a third of the way between them."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ddspvae.features.autocorrelation import HOP, RANGE_HZ, RATE_HZ, Track
from ddspvae.features.paths import best_track

WINDOW = 2048  # 128 ms: keeps the harmonics of 33 Hz apart
N_FFT = 4096
STATES_PER_OCTAVE = 48
TOP_HZ = 6000.0
N_HARMONICS = 24
CHUNK_FRAMES = 512


def comb(audio_16k: NDArray, prior_hz: float | None = None, range_hz: tuple[float, float] = RANGE_HZ) -> Track:
    """Track pitch by summing square-root magnitudes at harmonics, with a penalty for what lies between.

    Args:
        audio_16k: [T] at 16 kHz.
        prior_hz: look within 1.5 semitones of this pitch only.
        range_hz: or between these.
    Returns:
        Track every 10 ms, f0 to a quarter of a semitone; periodicity is the similarity of spectrum and comb.
    Source: the idea of Camacho and Harris, "A sawtooth waveform inspired pitch estimator", JASA 124, 2008.
    """
    n_frames = -(-len(audio_16k) // HOP)
    states_hz, kernel = _kernel()
    padded = np.pad(np.asarray(audio_16k, dtype=np.float32), (WINDOW // 2, WINDOW))
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[: n_frames * HOP : HOP]
    window = np.hanning(WINDOW + 2)[1:-1].astype(np.float32)
    scores = np.empty((n_frames, len(states_hz)), dtype=np.float32)
    for start in range(0, n_frames, CHUNK_FRAMES):
        part = frames[start : start + CHUNK_FRAMES]
        loudness = np.sqrt(np.abs(np.fft.rfft(part * window, N_FFT))).astype(np.float32)
        norm = np.linalg.norm(loudness, axis=1, keepdims=True)
        scores[start : start + CHUNK_FRAMES] = loudness @ kernel / np.maximum(norm, 1e-6)
    scores[:, (states_hz < range_hz[0]) | (states_hz > range_hz[1])] = -1.0
    if prior_hz is not None:
        scores[:, np.abs(np.log2(states_hz / prior_hz)) > 1.5 / 12] = -1.0
    path = best_track(scores, reach=4, slope=0.01, leap_cost=0.15)
    return Track(np.arange(n_frames) * (HOP / RATE_HZ), states_hz[path],
                 np.clip(scores[np.arange(n_frames), path], 0, 1).astype(np.float64))


@lru_cache(maxsize=1)
def _kernel() -> tuple[NDArray, NDArray]:
    """States in Hz [N] and their combs [bins, N]."""
    n_states = int(STATES_PER_OCTAVE * np.log2(RANGE_HZ[1] / RANGE_HZ[0])) + 1
    states_hz = RANGE_HZ[0] * 2.0 ** (np.arange(n_states) / STATES_PER_OCTAVE)
    bins_hz = np.fft.rfftfreq(N_FFT, 1 / RATE_HZ)
    kernel = np.zeros((len(bins_hz), n_states), dtype=np.float32)
    for column, f0_hz in enumerate(states_hz):
        for harmonic in range(1, N_HARMONICS + 1):
            if harmonic * f0_hz > max(TOP_HZ, 2.5 * f0_hz):
                break
            weight = harmonic**-0.5
            kernel[:, column] += weight * _lobe(bins_hz, harmonic * f0_hz)
            # a pitch an octave or a twelfth too high leaves partials at these fractions
            for fraction, share in ((1 / 2, 0.5), (1 / 3, 0.25), (2 / 3, 0.25)):
                kernel[:, column] -= share * weight * _lobe(bins_hz, (harmonic - fraction) * f0_hz)
        kernel[:, column] /= np.linalg.norm(np.maximum(kernel[:, column], 0))
    return states_hz, kernel


def _lobe(bins_hz: NDArray, centre_hz: float) -> NDArray:
    width_hz = 12.0 + 0.012 * centre_hz  # the window's main lobe, and a quarter tone of vibrato
    return np.maximum(1 - np.abs(bins_hz - centre_hz) / width_hz, 0).astype(np.float32)
