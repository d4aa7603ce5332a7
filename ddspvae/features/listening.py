"""Loudness and log-mel frames of a whole take, by one transform and without torch."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ddspvae.audio import Audio
from ddspvae.features.listening_tables import (
    FLOOR_DB,
    LEAST_POWER,
    N_MELS,
    hann_window,
    loudness_weights,
    mel_filters,
    window_size,
)
from ddspvae.kernels.bands import Bands, weigh
from ddspvae.kernels.frame_powers import frame_powers
from ddspvae.signals.units import DB_FLOOR, power_to_db, samples_to_frames

BLOCK_FRAMES = 128  # whose spectra a cache holds


def hear_loudness_and_timbre(audio: Audio, sample_rate: int, hop_size: int
                             ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """What `loudness.a_weighted_loudness` and `timbre.timbre_frames` say of audio [T]: [F] dB, and [F, N_MELS]."""
    n_frames, n_fft = samples_to_frames(len(audio), hop_size), window_size(sample_rate)
    padded = np.zeros(max((n_frames - 1) * hop_size, 0) + n_fft + n_fft // 2, np.float32)
    padded[n_fft // 2 : n_fft // 2 + len(audio)] = audio
    bands = _bands(n_fft, sample_rate)
    heard = np.empty((n_frames, 1 + N_MELS), np.float32)
    for first in range(0, n_frames, BLOCK_FRAMES):
        n = min(BLOCK_FRAMES, n_frames - first)
        power = frame_powers(padded[first * hop_size :], hann_window(n_fft), hop_size, n, n_fft)
        heard[first : first + n] = weigh(power, bands)
    mels = heard[:, 1:]
    share = mels / np.maximum(mels.sum(axis=1, keepdims=True), LEAST_POWER)
    return (np.maximum(power_to_db(heard[:, 0]), np.float32(DB_FLOOR)),
            np.asarray(power_to_db(share, floor_db=FLOOR_DB) / (-FLOOR_DB / 2) + 1, dtype=np.float32))


@lru_cache(maxsize=8)
def _bands(n_fft: int, sample_rate: int) -> Bands:
    """All bins as the ear weighs them, then the mel bands."""
    return Bands.of(np.concatenate([loudness_weights(n_fft, sample_rate)[:, None], mel_filters(n_fft, sample_rate)], axis=1))
