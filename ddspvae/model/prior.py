"""Which z an instrument takes at a given pitch and loudness: what a score does not say."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ddspvae.model.stack import scale_curves

PERSISTENCE = 0.9  # of a sampled deviation from one row of z to the next: 0.4 s at 25 rows per second


class Prior(nn.Module):
    """A Gaussian over z given f0, loudness and periodicity, from a small network fitted after training."""

    def __init__(self, n_z: int, n_hidden: int = 32) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(3, n_hidden), nn.Tanh(), nn.Linear(n_hidden, n_hidden), nn.Tanh(),
                                 nn.Linear(n_hidden, 2 * n_z))

    def forward(self, f0_hz: Tensor, periodicity: Tensor, loudness_db: Tensor) -> tuple[Tensor, Tensor]:
        """Rows [..., 1] each to mean and log-variance [..., Z]."""
        mean, logvar = self.net(scale_curves(f0_hz, periodicity, loudness_db)).chunk(2, dim=-1)
        return mean, logvar.clamp(-8, 4)

    def sample(self, mean: Tensor, logvar: Tensor, seed: int) -> Tensor:
        """Draw z [M, Z] around mean [M, Z]; neighbouring rows deviate alike (first-order autoregression)."""
        generator = torch.Generator().manual_seed(seed)
        noise = torch.randn(mean.shape, generator=generator)
        innovation = (1 - PERSISTENCE**2) ** 0.5
        for row in range(1, len(noise)):
            noise[row] = PERSISTENCE * noise[row - 1] + innovation * noise[row]
        return mean + (logvar / 2).exp() * noise.to(mean)
