"""What the encoder believes about the timbre."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ddspvae.signals.checks import check_shape
from ddspvae.signals.shown import short_repr

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, eq=False, repr=False)
class Latents:
    """What the encoder believes about the timbre: a Gaussian per axis and row.

    Args:
        z_mean, z_logvar: [B, M, Z]; log-variance in nats.
        persistence: [B, M, Z], 0 to below 1, how much of the row before each row is expected to be, in proportion: the prior
            is a first-order autoregression of unit variance. 0, or None, expects nothing.
        gain: [B, M, Z], what a drawn number is multiplied by to be the z of a Performance; None is 1.
        code: [B, M, G], the instrument's own numbers, which follow in z; None where a model knows one instrument.
    """

    z_mean: Tensor
    z_logvar: Tensor
    gain: Tensor | None = None
    code: Tensor | None = None
    persistence: Tensor | None = None

    __repr__ = short_repr

    def __post_init__(self) -> None:
        check_shape("Latents", "z_logvar", self.z_logvar.shape, *self.z_mean.shape)
        if self.gain is not None:
            check_shape("Latents", "gain", self.gain.shape, *self.z_mean.shape)
        if self.persistence is not None:
            check_shape("Latents", "persistence", self.persistence.shape, *self.z_mean.shape)
        if self.code is not None:
            check_shape("Latents", "code", self.code.shape, *self.z_mean.shape[:2], None)

    def keep(self, kept: Tensor) -> Latents:
        """These, with the axes where kept [Z] is 0 at 0, and not expected to be anything else."""
        persistence = None if self.persistence is None else self.persistence * kept
        return replace(self, z_mean=self.z_mean * kept, z_logvar=self.z_logvar * kept, persistence=persistence)

    def to_z(self, drawn: Tensor | None = None) -> Tensor:
        """The z of a Performance [B, M, Z + G], from numbers drawn from these Gaussians; None takes the means."""
        numbers = self.z_mean if drawn is None else drawn
        numbers = numbers if self.gain is None else numbers * self.gain
        if self.code is None:
            return numbers
        import torch

        return torch.cat([numbers, self.code], dim=-1)
