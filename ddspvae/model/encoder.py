"""Timbre frames to Latents."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ddspvae.model.stack import GatedStack
from ddspvae.signals import Latents

LOGVAR_RANGE = (-8.0, 2.0)  # per axis; the lower end caps the variance's share at 3.5 nats a row


class Encoder(nn.Module):
    """Convolutional, causal, over level-normalised log-mel frames; rows are averages over frames_per_z frames."""

    def __init__(self, n_inputs: int, n_channels: int, dilations: tuple[int, ...], n_z: int, frames_per_z: int) -> None:
        super().__init__()
        self.frames_per_z = frames_per_z
        self.stack = GatedStack(n_inputs, n_channels, dilations)
        self.head = nn.Linear(n_channels, 2 * n_z)
        with torch.no_grad():  # start nearly deterministic: a decoder that sees noise first learns to ignore z
            self.head.bias[n_z:] = -4.0

    def forward(self, timbre: Tensor) -> Latents:
        """[B, F, C] to Latents [B, ceil(F / frames_per_z), Z]."""
        hidden = self.stack(timbre)[0].transpose(1, 2)
        rows = nn.functional.avg_pool1d(hidden, self.frames_per_z, ceil_mode=True).transpose(1, 2)
        z_mean, z_logvar = self.head(rows).chunk(2, dim=-1)
        return Latents(z_mean=z_mean, z_logvar=z_logvar.clamp(*LOGVAR_RANGE))
