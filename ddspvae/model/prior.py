"""How z wanders: what a score does not say."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ddspvae.model.stack import scale_curves


class Prior(nn.Module):
    """z as a first-order autoregression around 0, as wide as takes are at that pitch and loudness.

    The mean is 0 at every pitch and loudness: what they explain is taken off z when takes are heard. Fitted after
    training.
    """

    persistence: Tensor

    def __init__(self, n_z: int, n_hidden: int = 32) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(3, n_hidden), nn.Tanh(), nn.Linear(n_hidden, n_hidden), nn.Tanh(),
                                 nn.Linear(n_hidden, n_z))
        self.register_buffer("persistence", torch.full((n_z,), 0.9))  # from one row to the next

    def forward(self, f0_hz: Tensor, periodicity: Tensor, loudness_db: Tensor) -> Tensor:
        """Rows [..., 1] each to the log-variance of z [..., Z]."""
        logvar: Tensor = self.net(scale_curves(f0_hz, periodicity, loudness_db))
        return logvar.clamp(-8, 4)

    def sample(self, f0_hz: Tensor, periodicity: Tensor, loudness_db: Tensor, seed: int, temperature: float = 1.0) -> Tensor:
        """Draw z [M, Z] for rows [M, 1] each.

        Args:
            seed: the same gives the same z.
            temperature: scales how far z wanders; 0 stays at the likeliest.
        """
        deviation = (self(f0_hz, periodicity, loudness_db) / 2).exp()
        noise = torch.randn(deviation.shape, generator=torch.Generator().manual_seed(seed)).to(deviation)
        innovation = (1 - self.persistence.square()).sqrt()
        for row in range(1, len(noise)):
            noise[row] = self.persistence * noise[row - 1] + innovation * noise[row]
        return temperature * deviation * noise
