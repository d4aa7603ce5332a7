"""What a spectrum must obey before it is played: nothing at or above Nyquist."""

from __future__ import annotations

import torch
from torch import Tensor


def audible(f0_hz: Tensor, n_harmonics: int, sample_rate: int) -> Tensor:
    """Which harmonics may sound: those below Nyquist in the frame before, this one and the next.

    A harmonic that crosses Nyquist between two frames would fold back while it fades; asking all three
    frames leaves no alias at all (per-frame masks leave some 29 to 47 dB down under vibrato).

    Args:
        f0_hz: [B, F, 1], Hz.
    Returns:
        [B, F, n_harmonics], bool; harmonic 1 is kept below Nyquist only, like any other.
    """
    before = torch.cat([f0_hz[:, :1], f0_hz[:, :-1]], dim=1)
    after = torch.cat([f0_hz[:, 1:], f0_hz[:, -1:]], dim=1)
    highest_hz = torch.maximum(f0_hz, torch.maximum(before, after))
    number = torch.arange(1, n_harmonics + 1, device=f0_hz.device, dtype=f0_hz.dtype)
    return highest_hz * number < sample_rate / 2


def constrain_distribution(harmonic_distribution: Tensor, f0_hz: Tensor, sample_rate: int) -> Tensor:
    """Silence harmonics that may not sound, then make the rest sum to 1 again (or to 0 if none is left).

    Args:
        harmonic_distribution: [B, F, H], >= 0.
        f0_hz: [B, F, 1], Hz.
    """
    kept = harmonic_distribution * audible(f0_hz, harmonic_distribution.shape[-1], sample_rate)
    return kept / kept.sum(-1, keepdim=True).clamp(min=1e-8)
