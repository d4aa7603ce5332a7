"""The training loss: how far two sounds are, over six time-frequency resolutions."""

from __future__ import annotations

import math

import torch
from torch import Tensor

LOG_FLOOR = 1e-4  # relative to the mean magnitude: below -80 dB differences count less and less


def fft_sizes(sample_rate: int) -> tuple[int, ...]:
    """Six powers of two; the longest is near 85 ms.

    >>> fft_sizes(48_000), fft_sizes(16_000)
    ((4096, 2048, 1024, 512, 256, 128), (1024, 512, 256, 128, 64, 32))
    """
    longest = 2 ** round(math.log2(0.0853 * sample_rate))
    return tuple(longest // 2**i for i in range(6))


def spectral_loss(reference: Tensor, estimate: Tensor, sizes: tuple[int, ...]) -> Tensor:
    """Mean over scales of relative linear and log magnitude differences; scale-free in the level of both.

    Args:
        reference, estimate: [B, T].
        sizes: FFT sizes, Hann windows, 50 % overlap.
    Returns:
        scalar; 0 for equal sounds, about 2 for unrelated ones.
    Source: Engel et al., "DDSP", ICLR 2020, multi-scale spectral loss; the linear term relative, as spectral convergence.
    """
    total = estimate.new_zeros(())
    for size in sizes:
        linear, log = scale_terms(reference, estimate, size)
        total = total + linear + log
    return total / len(sizes)


def scale_terms(reference: Tensor, estimate: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """The linear and the logarithmic term of one FFT size."""
    window = torch.hann_window(size, device=estimate.device)
    spectra = (torch.stft(x, size, size // 2, window=window, pad_mode="constant", return_complex=True)
               for x in (reference, estimate))
    a, b = ((spectrum.real.square() + spectrum.imag.square() + 1e-12).sqrt() for spectrum in spectra)
    mean = a.mean().clamp(min=1e-5)
    floor = LOG_FLOOR * mean
    return (a - b).abs().mean() / mean, ((a + floor).log() - (b + floor).log()).abs().mean()
