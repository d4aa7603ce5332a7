"""A-weighted loudness in torch: one function for training, editing, rendering and measuring."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import torch
from torch import Tensor

from ddspvae.features.listening_tables import loudness_weights, window_size
from ddspvae.signals.checks import check_shape
from ddspvae.signals.units import power_to_db, samples_to_frames


def centred_stft(audio: Tensor, n_fft: int, hop_size: int) -> Tensor:
    """Hann STFT whose frame n is centred on sample n * hop_size; zeros outside the signal.

    Args:
        audio: [B, T].
    Returns:
        complex [B, F, n_fft // 2 + 1], F = ceil(T / hop_size).
    """
    window = torch.hann_window(n_fft, device=audio.device, dtype=audio.dtype)
    spectrum = torch.stft(audio, n_fft, hop_size, window=window, center=True, pad_mode="constant", return_complex=True)
    return spectrum.transpose(1, 2)[:, : samples_to_frames(audio.shape[-1], hop_size)]


def by_blocks(feature: Callable[[Tensor, int, int], Tensor], audio: Tensor, sample_rate: int, hop_size: int,
              block_frames: int = 1024) -> Tensor:
    """Compute a feature of centred windows block by block: the same frames, in memory that does not grow.

    Args:
        feature: takes audio [B, T], sample_rate, hop_size; gives [B, F] or [B, F, C].
        audio: [B, T].
    """
    context = -(-window_size(sample_rate) // (2 * hop_size))  # frames that a window reaches to either side
    n_frames = samples_to_frames(audio.shape[-1], hop_size)
    blocks = []
    for first in range(0, n_frames, block_frames):
        low, high = max(0, first - context), first + block_frames + context
        block = feature(audio[:, low * hop_size : high * hop_size], sample_rate, hop_size)
        blocks.append(block[:, first - low : first - low + block_frames])
    return torch.cat(blocks, dim=1)


def a_weighted_loudness(audio: Tensor, sample_rate: int, hop_size: int) -> Tensor:
    """A-weighted power around each frame's instant, in dB; a full-scale 1 kHz sine is -3.01 dB.

    Args:
        audio: [B, T], full scale +-1.
        sample_rate: Hz.
        hop_size: samples per frame.
    Returns:
        [B, F] dB, not below -120; differentiable.
    """
    check_shape("a_weighted_loudness", "audio", audio.shape, None, None)
    n_fft = window_size(sample_rate)
    power = stft_power(audio, n_fft, hop_size)
    return power_to_db(power @ _loudness_weights(n_fft, sample_rate).to(power))


def stft_power(audio: Tensor, n_fft: int, hop_size: int) -> Tensor:
    """The squared magnitude of `centred_stft`, [B, F, n_fft // 2 + 1]."""
    spectrum = centred_stft(audio, n_fft, hop_size)
    return torch.addcmul(spectrum.real.square(), spectrum.imag, spectrum.imag)  # several times as fast as abs


@lru_cache(maxsize=8)
@torch.inference_mode(False)  # a cached tensor must serve training too
def _loudness_weights(n_fft: int, sample_rate: int) -> Tensor:
    """`listening_tables.loudness_weights` as a tensor."""
    return torch.from_numpy(loudness_weights(n_fft, sample_rate))
