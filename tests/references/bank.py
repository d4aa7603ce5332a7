"""The slow twin of the harmonic synthesizer: one sine per harmonic, float64 throughout."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ddspvae.synth.constrain import constrain_distribution


def oscillator_bank(f0_hz: Tensor, amplitude: Tensor, harmonic_distribution: Tensor, sample_rate: int,
                    hop_size: int) -> Tensor:
    """[B, F, ...] controls to audio [B, F * hop_size], amplitudes and f0 linear between frames."""
    f0_hz, amplitude, harmonic_distribution = (x.double() for x in (f0_hz, amplitude, harmonic_distribution))
    heights = amplitude * constrain_distribution(harmonic_distribution, f0_hz, sample_rate)

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
