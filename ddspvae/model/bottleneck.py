"""The Gaussian bottleneck: what z costs, in nats here and in bits per second at every surface."""

from __future__ import annotations

import torch
from torch import Tensor

from ddspvae.signals import Latents
from ddspvae.units import nats_to_bits

SOUNDING_DB = 50.0

def kl_nats(latents: Latents) -> Tensor:
    """KL divergence from the posterior to N(0, 1), per axis.

    Returns:
        [B, M, Z], nats. A row costs the sum over Z; the rate is the mean over B and M.
    Source: Kingma & Welling, "Auto-encoding variational Bayes", 2014, appendix B.
    """
    variance = latents.z_logvar.exp()
    return 0.5 * (latents.z_mean.square() + variance - latents.z_logvar - 1)


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
        weight = torch.ones_like(kl[..., 0])
    mean = (kl * weight[..., None]).sum((0, 1)) / weight.sum().clamp(min=1e-8)
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
    shape = latents.z_mean.shape
    noise = torch.randn(shape, generator=generator, device=latents.z_mean.device, dtype=latents.z_mean.dtype)
    return latents.z_mean + (latents.z_logvar / 2).exp() * noise
