"""f0, loudness and z to the shape of the spectrum. Pitch and level do not pass through the network."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from ddspvae.model.stack import GatedStack, scale_curves

MAX_KNOTS = 128


def harmonic_knots(n_harmonics: int) -> Tensor:
    """Matrix [n_knots, H] from network outputs to harmonics.

    Up to 128 harmonics it is the identity. Beyond, the first 64 are free and the rest lie on a smooth
    envelope: 64 knots evenly spaced in log frequency, read linearly. (A tuba needs 370 of them to 16 kHz.)
    """
    if n_harmonics <= MAX_KNOTS:
        return torch.eye(n_harmonics)
    free = MAX_KNOTS // 2
    tail = torch.logspace(math.log10(free + 1), math.log10(n_harmonics), MAX_KNOTS - free, dtype=torch.float64)
    knots = torch.cat([torch.arange(1, free + 1, dtype=torch.float64), tail])
    number = torch.arange(1, n_harmonics + 1, dtype=torch.float64)
    right = torch.searchsorted(knots, number).clamp(1, len(knots) - 1)
    weight = ((number - knots[right - 1]) / (knots[right] - knots[right - 1])).clamp(0, 1)
    matrix = torch.zeros(len(knots), n_harmonics, dtype=torch.float64)
    columns = torch.arange(n_harmonics)
    matrix[right - 1, columns] += 1 - weight
    matrix[right, columns] += weight
    return matrix.float()


class Decoder(nn.Module):
    """Causal stack with three heads: harmonic distribution, noise shape, and the harmonics' share of the power.

    Args of forward:
        f0_hz, periodicity, loudness_db: [B, F, 1]; z: [B, M, Z].
    """

    knots: Tensor
    tilt: Tensor
    noise_tilt: Tensor

    def __init__(self, n_channels: int, dilations: tuple[int, ...], n_z: int, frames_per_z: int, n_harmonics: int,
                 n_noise_bands: int) -> None:
        super().__init__()
        self.frames_per_z = frames_per_z
        self.stack = GatedStack(3 + n_z, n_channels, dilations)
        knots = harmonic_knots(n_harmonics)
        self.harmonic_head = nn.Linear(n_channels, len(knots))
        self.noise_head = nn.Linear(n_channels, n_noise_bands)
        self.share_head = nn.Linear(n_channels, 1)
        self.register_buffer("knots", knots, persistent=False)
        # start like a string: -6 dB an octave, mostly harmonic (sigmoid(3) = 95 %), heads nearly off
        self.register_buffer("tilt", -torch.log(torch.arange(1, n_harmonics + 1).float()), persistent=False)
        # and breath that falls 6 dB an octave from a twentieth of Nyquist: white noise would be unlearned first
        position = torch.linspace(0, 1, n_noise_bands)
        self.register_buffer("noise_tilt", -torch.log(1 + 20 * position), persistent=False)
        for head in (self.harmonic_head, self.noise_head, self.share_head):
            nn.init.normal_(head.weight, std=0.01)
            nn.init.zeros_(head.bias)
        nn.init.constant_(self.share_head.bias, 3.0)

    def forward(self, f0_hz: Tensor, periodicity: Tensor, loudness_db: Tensor, z: Tensor
                ) -> tuple[Tensor, Tensor, Tensor]:
        """To harmonic_distribution [B, F, H], noise_shape [B, F, K], harmonic_share [B, F, 1]."""
        n_frames = f0_hz.shape[1]
        # a row of z is held over its frames: reading ahead would cost latency, and the stack smooths the step
        held = z.repeat_interleave(self.frames_per_z, dim=1)[:, :n_frames]
        hidden = self.stack(torch.cat([scale_curves(f0_hz, periodicity, loudness_db), held], dim=-1))
        distribution = torch.softmax(self.harmonic_head(hidden) @ self.knots + self.tilt, dim=-1)
        noise_shape = torch.exp((self.noise_head(hidden) + self.noise_tilt).clamp(-12, 12))
        share = torch.sigmoid(self.share_head(hidden).clamp(-9, 9))
        return distribution, noise_shape, share
