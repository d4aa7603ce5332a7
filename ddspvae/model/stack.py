"""What encoder, decoder and prior are built of: scaled curves and causal gated convolutions."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ddspvae.units import hz_to_pitch

KERNEL = 3


def scale_curves(f0_hz: Tensor, periodicity: Tensor, loudness_db: Tensor) -> Tensor:
    """Curves [..., 1] each as a network hears them, [..., 3], about -1 to 1."""
    return torch.cat([(hz_to_pitch(f0_hz) - 60) / 24, periodicity * 2 - 1, loudness_db / 20 + 1.5], dim=-1)


class GatedLayer(nn.Module):
    """Dilated causal convolution, tanh times sigmoid, residual."""

    def __init__(self, n_channels: int, dilation: int) -> None:
        super().__init__()
        self.left = (KERNEL - 1) * dilation
        self.conv = nn.Conv1d(n_channels, 2 * n_channels, KERNEL, dilation=dilation)
        self.out = nn.Conv1d(n_channels, n_channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, F] to [B, C, F]."""
        value, gate = self.conv(nn.functional.pad(x, (self.left, 0))).chunk(2, dim=1)
        return x + self.out(torch.tanh(value) * torch.sigmoid(gate))


class GatedStack(nn.Module):
    """A causal stack: frame n of the output sees frames n - receptive_field + 1 to n of the input."""

    def __init__(self, n_inputs: int, n_channels: int, dilations: tuple[int, ...]) -> None:
        super().__init__()
        self.receptive_field = 1 + sum((KERNEL - 1) * d for d in dilations)
        self.inlet = nn.Conv1d(n_inputs, n_channels, 1)
        self.layers = nn.Sequential(*(GatedLayer(n_channels, d) for d in dilations))
        self.norm = nn.LayerNorm(n_channels)

    def forward(self, x: Tensor) -> Tensor:
        """[B, F, n_inputs] to [B, F, n_channels]."""
        return self.norm(self.layers(self.inlet(x.transpose(1, 2))).transpose(1, 2))
