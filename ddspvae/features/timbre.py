"""What the encoder hears: log-mel frames with their level taken out."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from ddspvae.features.loudness import power_loudness, stft_power, window_size
from ddspvae.signals.units import power_to_db

N_MELS = 64
LOWEST_HZ, HIGHEST_HZ = 30.0, 16_000.0  # of the filters
FLOOR_DB = -80.0  # below the frame's own level; quieter bands are recording noise


def hz_to_mel(frequency_hz: Tensor) -> Tensor:
    """Hz to mel. Source: O'Shaughnessy 1987 (the HTK formula)."""
    return 2595 * torch.log10(1 + frequency_hz / 700)


def mel_filterbank(n_fft: int, sample_rate: int, n_mels: int = N_MELS, low_hz: float = LOWEST_HZ,
                   high_hz: float | None = None) -> Tensor:
    """Triangular filters, peak 1, equally spaced in mel.

    Returns:
        [n_fft // 2 + 1, n_mels].
    """
    high_hz = min(sample_rate / 2, HIGHEST_HZ) if high_hz is None else high_hz
    edges_hz = _edges_hz(low_hz, high_hz, n_mels)
    bins_hz = torch.linspace(0, sample_rate / 2, n_fft // 2 + 1, dtype=torch.float64)[:, None]
    rising = (bins_hz - edges_hz[:-2]) / (edges_hz[1:-1] - edges_hz[:-2])
    falling = (edges_hz[2:] - bins_hz) / (edges_hz[2:] - edges_hz[1:-1])
    return torch.minimum(rising, falling).clamp(min=0).float()


def _edges_hz(low_hz: float, high_hz: float, n_mels: int) -> Tensor:
    low_mel, high_mel = hz_to_mel(torch.tensor([low_hz, high_hz], dtype=torch.float64))
    edges_mel = torch.linspace(low_mel.item(), high_mel.item(), n_mels + 2, dtype=torch.float64)
    return 700 * (10 ** (edges_mel / 2595) - 1)


def mel_centres_hz(sample_rate: int, n_mels: int = N_MELS) -> list[float]:
    """Where the filters of mel_filterbank peak."""
    centres: list[float] = _edges_hz(LOWEST_HZ, min(sample_rate / 2, HIGHEST_HZ), n_mels)[1:-1].tolist()
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
    return _relative(mel_power(audio, sample_rate, hop_size))


def loudness_and_timbre(audio: Tensor, sample_rate: int, hop_size: int) -> Tensor:
    """`a_weighted_loudness` and `timbre_frames` of audio [B, T], by one transform: [B, F, 1 + 64]."""
    power = stft_power(audio, window_size(sample_rate), hop_size)
    mels = power @ _filters(2 * (power.shape[-1] - 1), sample_rate, N_MELS).to(power)
    return torch.cat([power_loudness(power, sample_rate)[..., None], _relative(mels)], dim=-1)


def _relative(power: Tensor) -> Tensor:
    """Mel power over the frame's own, on a scale of about -1 to 1."""
    # 1e-10 of a full-scale frame: digital silence must not be divided by itself
    share = power / power.sum(-1, keepdim=True).clamp(min=1e-6)
    level_db = power_to_db(share, floor_db=FLOOR_DB)
    return level_db / (-FLOOR_DB / 2) + 1
