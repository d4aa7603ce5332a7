"""The slow twin of the harmonic synthesizer: one sine per harmonic, float64 throughout."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def may_sound(f0_hz: Tensor, n_harmonics: int, sample_rate: int) -> Tensor:
    """The Nyquist rule in plain loops: k f0 is below Nyquist in the frame before, this one and the next."""
    allowed = torch.zeros(*f0_hz.shape[:2], n_harmonics, dtype=torch.bool)
    for b, curve in enumerate(f0_hz[..., 0].tolist()):
        for n in range(len(curve)):
            highest = max(curve[max(0, n - 1) : n + 2])
            for k in range(1, n_harmonics + 1):
                allowed[b, n, k - 1] = k * highest < sample_rate / 2
    return allowed


def oscillator_bank(f0_hz: Tensor, amplitude: Tensor, harmonic_distribution: Tensor, sample_rate: int,
                    hop_size: int) -> Tensor:
    """[B, F, ...] controls to audio [B, F * hop_size], amplitudes and f0 linear between frames."""
    f0_hz, amplitude, harmonic_distribution = (x.double() for x in (f0_hz, amplitude, harmonic_distribution))
    kept = harmonic_distribution * may_sound(f0_hz, harmonic_distribution.shape[-1], sample_rate)
    heights = amplitude * kept / kept.sum(-1, keepdim=True).clamp(min=1e-8)

    def upsample(x: Tensor) -> Tensor:
        after = torch.cat([x[:, 1:], x[:, -1:]], dim=1)
        w = torch.arange(hop_size, dtype=torch.float64) / hop_size
        return (x[:, :, None] * (1 - w[:, None]) + after[:, :, None] * w[:, None]).flatten(1, 2)

    # integral of the piecewise linear f0, by the trapezoid rule, exact for it
    f0 = upsample(f0_hz)[..., 0]
    steps = torch.cat([torch.zeros_like(f0[:, :1]), (f0[:, 1:] + f0[:, :-1]) / 2], dim=1) / sample_rate
    phase = 2 * math.pi * torch.cumsum(steps, dim=1)
    audio = torch.zeros_like(phase)
    envelopes = upsample(heights)
    for k in range(heights.shape[-1]):
        audio = audio + envelopes[..., k] * torch.sin((k + 1) * phase)
    return audio
