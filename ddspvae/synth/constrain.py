"""What a spectrum must obey before it is played: nothing at or above Nyquist."""

from __future__ import annotations

import functools

import torch
from torch import Tensor


def harmonic_numbers(n_harmonics: int, like: Tensor) -> Tensor:
    """1 to n_harmonics, as like."""
    return _numbers(n_harmonics, like.dtype, like.device)


@functools.lru_cache(maxsize=64)
@torch.inference_mode(False)  # a cached tensor must serve training too
def _numbers(n_harmonics: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    return torch.arange(1, n_harmonics + 1, dtype=dtype, device=device)


def audible(f0_hz: Tensor, n_harmonics: int, sample_rate: int, before: Tensor | None = None, after: Tensor | None = None
            ) -> Tensor:
    """Which harmonics may sound: those below Nyquist in the frame before, this one and the next.

    A harmonic that crosses Nyquist between two frames would fold back while it fades; asking all three
    frames leaves no alias at all (per-frame masks leave some 29 to 47 dB down under vibrato).

    Args:
        f0_hz: [B, F, 1], Hz.
        before, after: [B, 1, 1], f0 of the frames around these; None repeats the first and the last.
    Returns:
        [B, F, n_harmonics], bool; harmonic 1 is kept below Nyquist only, like any other.
    """
    around = torch.cat([f0_hz[:, :1] if before is None else before, f0_hz, f0_hz[:, -1:] if after is None else after], dim=1)
    highest_hz = torch.maximum(f0_hz, torch.maximum(around[:, :-2], around[:, 2:]))
    return highest_hz * harmonic_numbers(n_harmonics, f0_hz) < sample_rate / 2


def constrain_distribution(harmonic_distribution: Tensor, f0_hz: Tensor, sample_rate: int, before: Tensor | None = None,
                           after: Tensor | None = None) -> Tensor:
    """Silence harmonics that may not sound, then make the rest sum to 1 again (or to 0 if none is left).

    Args:
        harmonic_distribution: [B, F, H], >= 0.
        f0_hz, before, after: as in audible.
    """
    kept = harmonic_distribution * audible(f0_hz, int(harmonic_distribution.shape[-1]), sample_rate, before, after)
    return kept / kept.sum(-1, keepdim=True).clamp(min=1e-8)
