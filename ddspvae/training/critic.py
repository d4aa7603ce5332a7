"""Keeping pitch and loudness out of the axes without names."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.func import functional_call

from ddspvae.model.heard import Heard
from ddspvae.model.stack import mean_rows, scale_curves

N_HIDDEN = 64
MEMORY = 0.99  # of the running mean and variance of pitch and loudness, a step
SURE = 0.5  # mean periodicity of a row that is asked about


class Critic(nn.Module):
    """Guesses pitch and loudness from rows of z, and charges the encoder for what it guesses.

    The charge is the share of the variance that is guessed, which lies between 0 and 1: unlike a reversed gradient it
    ends where nothing can be guessed.

    Args:
        n_z: axes that it hears.
    Source: after Lample et al., "Fader networks", NIPS 2017, with a bounded charge.
    """

    mean: Tensor
    variance: Tensor

    def __init__(self, n_z: int) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(n_z, N_HIDDEN), nn.SiLU(), nn.Linear(N_HIDDEN, N_HIDDEN), nn.SiLU(),
                                 nn.Linear(N_HIDDEN, 2))
        self.register_buffer("mean", torch.zeros(2))
        self.register_buffer("variance", torch.full((2,), -1.0))

    def forward(self, z: Tensor, heard: Heard, rows: Tensor, frames_per_z: int) -> tuple[Tensor, Tensor]:
        """Listen to a batch.

        Args:
            z: [B, M, n_z], as drawn.
            heard: what it was encoded from.
            rows: [B, M], 1 where a row sounds.
        Returns:
            what the critic must minimize, and what the encoder must: the mean share guessed, 0 to 1.
        """
        curves = mean_rows(scale_curves(*heard.curves), frames_per_z)
        asked = (rows > 0) & (curves[..., 1] > 2 * SURE - 1)
        wanted, told = curves[..., [0, 2]][asked], z[asked]
        if len(wanted) < 2:
            nothing = 0.0 * z.sum()
            return nothing, nothing
        self._follow(wanted)
        target = (wanted - self.mean) / self.variance.sqrt()
        own = (self.net(told.detach()) - target).square().mean()
        frozen = {name: parameter.detach() for name, parameter in self.net.named_parameters()}
        missed = (functional_call(self.net, frozen, (told,)) - target).square().mean(0)
        return own, (1 - missed).clamp(min=0).mean()

    @torch.no_grad()
    def _follow(self, wanted: Tensor) -> None:
        """Running mean and variance of what is to be guessed."""
        memory = MEMORY if bool(self.variance[0] >= 0) else 0.0
        self.mean.lerp_(wanted.mean(0), 1 - memory)
        spread = (wanted - self.mean).square().mean(0).clamp(min=1e-3)
        self.variance.copy_(torch.lerp(spread, self.variance, memory))
