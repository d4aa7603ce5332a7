"""Bottlenecks by name."""

from __future__ import annotations

from functools import partial

from ddspvae.model.bottleneck import Bottleneck, GaussianBottleneck
from ddspvae.model.parts import BOTTLENECKS
from ddspvae.model.quantize import make_quantizer

vq, rvq, fsq = (partial(make_quantizer, name) for name in ("vq", "rvq", "fsq"))


def gaussian(n_z: int, z_rate_hz: float, bitrate: float) -> Bottleneck:
    """That of a variational autoencoder, which leaves the bitrate to the rate controller."""
    return GaussianBottleneck(n_z, z_rate_hz)


def make_bottleneck(name: str, n_z: int, z_rate_hz: float, bitrate: float) -> Bottleneck:
    """A bottleneck by name, as wide as the rate that is asked for.

    The same arguments give the same sizes, so a saved state fits again.

    Args:
        name: one of BOTTLENECKS.
        n_z: axes, 0 to 256, at least 1 where it is discrete.
        z_rate_hz: rows per second.
        bitrate: bit/s; a Gaussian one takes any and leaves it to the rate controller.
    Raises:
        InputError: no such name; a rate that those codes cannot have.
    """
    BOTTLENECKS.check("make_bottleneck", name)
    return BOTTLENECKS[name](n_z, z_rate_hz, bitrate)
