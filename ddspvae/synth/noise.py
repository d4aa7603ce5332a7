"""Filtered noise, addressed by absolute time: a function of (seed, voice, absolute sample)."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ddspvae.checks import check_range
from ddspvae.synth.envelopes import overlap_add

_MASK = 0xFFFFFFFF


def _mix(x: Tensor) -> Tensor:
    """Scramble 32-bit counters held in int64: two rounds of multiply and xor-shift."""
    x = ((x ^ (x >> 16)) * 0x45D9F3B) & _MASK
    x = ((x ^ (x >> 16)) * 0x45D9F3B) & _MASK
    return x ^ (x >> 16)


def white_noise(seed: Tensor | int, voice: Tensor | int, start_sample: int, n_samples: int,
                device: torch.device | str = "cpu") -> Tensor:
    """White noise of unit power whose every sample depends only on (seed, voice, its absolute position).

    So blocks, starting points and batches agree, and voices are uncorrelated.

    Args:
        seed, voice: whole numbers, or tensors [B] of them.
        start_sample: absolute position of the first sample; may be negative.
        n_samples: how many.
    Returns:
        [B, n_samples], uniform in +-sqrt(3).
    """
    seeds = torch.as_tensor(seed, dtype=torch.int64, device=device).reshape(-1, 1)
    voices = torch.as_tensor(voice, dtype=torch.int64, device=device).reshape(-1, 1)
    key = _mix((_mix(seeds & _MASK) + voices * 0x9E3779B1) & _MASK)
    position = torch.arange(start_sample, start_sample + n_samples, dtype=torch.int64, device=device)
    high = _mix((position >> 32) & _MASK)
    bits = _mix((_mix((position ^ high) & _MASK) + key) & _MASK)
    # 24 bits are exact in float32, on every device
    return ((bits >> 8).float() / 2**23 - 1) * math.sqrt(3.0)


def band_shapes(n_bands: int, n_bins: int) -> Tensor:
    """How band powers become bin powers: triangles that overlap by half and sum to 1 at every bin.

    Returns:
        [n_bands, n_bins]; band j peaks at j / (n_bands - 1) of Nyquist.
    """
    centres = torch.linspace(0, 1, n_bands)[:, None]
    bins = torch.linspace(0, 1, n_bins)
    return (1 - (bins - centres).abs() * (n_bands - 1)).clamp(min=0)


def filtered_noise(noise_magnitudes: Tensor, hop_size: int, *, seed: Tensor | int = 0, voice: Tensor | int = 0,
                   start_sample: int = 0) -> Tensor:
    """White noise through a filter that changes from frame to frame.

    Hann windows two hops long, one per frame, cut the noise; they sum to 1, so equal frames give exactly
    the filtered noise, and differing ones cross-fade. The filter has no phase.

    Args:
        noise_magnitudes: [B, F, K], linear, >= 0; K bands from 0 to Nyquist. Ones give white noise of unit power.
        hop_size: samples per frame.
        seed, voice: see white_noise.
        start_sample: absolute position of frame 0.
    Returns:
        audio [B, F * hop_size]; differentiable in noise_magnitudes.
    Source: Engel et al., "DDSP", ICLR 2020, filtered noise; overlap-added here.
    """
    check_range("filtered_noise", "hop_size", hop_size, 1, 1_000_000)
    batch, n_frames, n_bands = noise_magnitudes.shape
    margin = 2 * n_bands  # the filter's own length, each way
    n_fft = 2 ** math.ceil(math.log2(2 * hop_size + 2 * margin))
    shapes = band_shapes(n_bands, n_fft // 2 + 1).to(noise_magnitudes)
    response = (noise_magnitudes.square() @ shapes + 1e-20).sqrt()
    white = white_noise(seed, voice, start_sample - hop_size, (n_frames + 1) * hop_size, noise_magnitudes.device)
    window = torch.hann_window(2 * hop_size, device=white.device)
    cut = white.expand(batch, -1).unfold(-1, 2 * hop_size, hop_size) * window
    # centre each cut in its buffer, so that the zero-phase filter rings into free space on both sides
    before = (n_fft - 2 * hop_size) // 2
    spectrum = torch.fft.rfft(torch.nn.functional.pad(cut, (before, n_fft - 2 * hop_size - before)))
    blocks = torch.fft.irfft(spectrum * response, n=n_fft)
    start = before + hop_size
    return overlap_add(blocks, hop_size)[:, start : start + n_frames * hop_size]
