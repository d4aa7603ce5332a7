"""What the encoder hears: log-mel frames with their level taken out."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from ddspvae.features.listening_tables import (
    FLOOR_DB,
    HIGHEST_HZ,
    LEAST_POWER,
    LOWEST_HZ,
    N_MELS,
    mel_edges_hz,
    mel_filters,
    window_size,
)
from ddspvae.features.loudness import stft_power
from ddspvae.signals.units import power_to_db


def mel_filterbank(n_fft: int, sample_rate: int, n_mels: int = N_MELS, low_hz: float = LOWEST_HZ,
                   high_hz: float | None = None) -> Tensor:
    """Triangular filters, peak 1, equally spaced in mel.

    Returns:
        [n_fft // 2 + 1, n_mels].
    """
    return torch.from_numpy(mel_filters(n_fft, sample_rate, n_mels, low_hz, high_hz))


def mel_centres_hz(sample_rate: int, n_mels: int = N_MELS) -> list[float]:
    """Where the filters of mel_filterbank peak."""
    centres: list[float] = mel_edges_hz(LOWEST_HZ, min(sample_rate / 2, HIGHEST_HZ), n_mels)[1:-1].tolist()
    return centres


def mel_power(audio: Tensor, sample_rate: int, hop_size: int, n_mels: int = N_MELS) -> Tensor:
    """Mel power frames [B, F, n_mels] of audio [B, T]; frame n is centred on sample n * hop_size."""
    n_fft = window_size(sample_rate)
    power = stft_power(audio, n_fft, hop_size)
    return power @ _filters(n_fft, sample_rate, n_mels).to(power)


@lru_cache(maxsize=8)
@torch.inference_mode(False)  # a cached tensor must serve training too
def _filters(n_fft: int, sample_rate: int, n_mels: int) -> Tensor:
    return mel_filterbank(n_fft, sample_rate, n_mels)


def timbre_frames(audio: Tensor, sample_rate: int, hop_size: int) -> Tensor:
    """Log-mel frames relative to the frame's own power: a gain on the audio changes nothing.

    Args:
        audio: [B, T].
    Returns:
        [B, F, 64], about -1 to 1; silence gives -1 everywhere.
    """
    power = mel_power(audio, sample_rate, hop_size)
    share = power / power.sum(-1, keepdim=True).clamp(min=LEAST_POWER)
    level_db = power_to_db(share, floor_db=FLOOR_DB)
    return level_db / (-FLOOR_DB / 2) + 1
