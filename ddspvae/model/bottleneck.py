"""What passes from Latents to z, and what it costs: in nats here and in bits per second at every surface.

Four bottlenecks behind one interface: Gaussian here; VQ, residual VQ and FSQ in `quantize`; by name in `bottlenecks`.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ddspvae.model.together import draw_normal, mean_over_processes
from ddspvae.signals import Latents
from ddspvae.signals.checks import check_range
from ddspvae.signals.units import nats_to_bits

SOUNDING_DB = 50.0
ACTIVE_BITS = 0.05  # a row; an axis that costs less says nothing


def kl_nats(latents: Latents) -> Tensor:
    """KL divergence from the posterior to the prior, per axis.

    The prior of a row is N(0, 1), or, where `latents.persistence` is r, N(r z, 1 - r^2) with z that of the row before: what
    changes slowly costs less, though never nothing, since rows are drawn independently. In expectation over that z, whose
    mean is m and variance v,
        KL = ((mean - r m)^2 + variance + r^2 v) / (1 - r^2) / 2 - 1/2 + log((1 - r^2) / variance) / 2.

    Returns:
        [B, M, Z], nats. A row costs the sum over Z; the rate is the mean over B and M.
    Source: Kingma & Welling, "Auto-encoding variational Bayes", 2014, appendix B; the autoregression is ours.
    """
    mean, variance = latents.z_mean, latents.z_logvar.exp()
    if latents.persistence is None:
        return 0.5 * (mean.square() + variance - latents.z_logvar - 1)
    r = torch.cat([torch.zeros_like(latents.persistence[:, :1]), latents.persistence[:, 1:]], dim=1)
    before, spread = (torch.nn.functional.pad(x[:, :-1], (0, 0, 1, 0)) for x in (mean, variance))
    left = 1 - r.square()
    distance = (mean - r * before).square() + variance + r.square() * spread
    return 0.5 * (distance / left - 1 + left.log() - latents.z_logvar)


def bits_per_second(kl: Tensor, z_rate_hz: float, weight: Tensor | None = None) -> Tensor:
    """Rate of each axis.

    Args:
        kl: [B, M, Z], nats.
        z_rate_hz: rows per second.
        weight: [B, M], 1 where a row counts, 0 in silence; None counts all.
    Returns:
        [Z], bit/s; their sum is the rate of z.
    """
    if weight is None:
        weight = kl.new_ones(kl.shape[:2])
    mean = (kl * weight[..., None]).sum((0, 1)) / mean_over_processes(weight.sum()).clamp(min=1e-8)
    return nats_to_bits(mean * z_rate_hz)


def sounding_rows(loudness_db: Tensor, frames_per_z: int) -> Tensor:
    """Which rows of z count for the rate: those with a frame less than 50 dB below the loudest of the take.

    Args:
        loudness_db: [B, F].
    Returns:
        [B, ceil(F / frames_per_z)], 1 or 0.
    """
    sounding = (loudness_db > loudness_db.amax(1, keepdim=True) - SOUNDING_DB).float()
    return torch.nn.functional.max_pool1d(sounding[:, None], frames_per_z, ceil_mode=True)[:, 0]


def sample(latents: Latents, generator: torch.Generator | None = None) -> Tensor:
    """Draw z from the posterior, differentiable in mean and variance; [B, M, Z]."""
    return latents.z_mean + (latents.z_logvar / 2).exp() * draw_normal(latents.z_mean.shape, latents.z_mean, generator)


@dataclass(frozen=True, eq=False)
class Bottled:
    """What came through a bottleneck.

    Args:
        z: [B, M, Z], what the decoder gets, with a gradient to the latents.
        bits: [G], bit/s of each axis or code; their sum is the rate. Has a gradient where the bottleneck is Gaussian,
            is the nominal rate where it is discrete.
        loss: scalar to add to the training loss, 0 where the bottleneck asks for nothing.
        codes: [B, M, G], whole numbers, of a discrete bottleneck; None of a Gaussian.
    """

    z: Tensor
    bits: Tensor
    loss: Tensor
    codes: Tensor | None = None


class Bottleneck(nn.Module):
    """Between encoder and decoder.

    Args:
        n_z: axes.
        z_rate_hz: rows per second.
    """

    discrete = False  # whether the rate is fixed by its sizes; if not, a price must hold it

    def __init__(self, n_z: int, z_rate_hz: float) -> None:
        super().__init__()
        check_range("Bottleneck", "n_z", n_z, 0, 256)
        check_range("Bottleneck", "z_rate_hz", z_rate_hz, 1e-3, 1e6)
        self.n_z, self.z_rate_hz = n_z, float(z_rate_hz)

    def forward(self, latents: Latents, weight: Tensor | None = None) -> Bottled:
        """For training: z as noisy, or as coarse, as the bottleneck makes it.

        Args:
            latents: [B, M, n_z].
            weight: [B, M], 1 where a row counts, 0 in silence; None counts all.
        """
        raise NotImplementedError

    def deterministic(self, latents: Latents) -> Tensor:
        """For everything else: z [B, M, n_z], the same each time, and nothing learns from it."""
        raise NotImplementedError


class GaussianBottleneck(Bottleneck):
    """z is drawn from the posterior; its rate is the KL divergence to N(0, 1)."""

    def forward(self, latents: Latents, weight: Tensor | None = None) -> Bottled:
        """Draw z; bits has one entry an axis."""
        z = latents.to_z(sample(latents))
        return Bottled(z=z, bits=bits_per_second(kl_nats(latents), self.z_rate_hz, weight), loss=z.new_zeros(()))

    def deterministic(self, latents: Latents) -> Tensor:
        """The mean."""
        return latents.to_z()


def active_axes(bits: Tensor, z_rate_hz: float) -> int:
    """How many axes are in use: those of at least 0.05 bit a row.

    Args:
        bits: [Z], bit/s.
        z_rate_hz: rows per second.
    """
    return int((bits >= ACTIVE_BITS * z_rate_hz).sum())
