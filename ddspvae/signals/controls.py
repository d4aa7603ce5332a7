"""What the synthesizer plays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ddspvae.signals.checks import check_shape
from ddspvae.signals.shown import short_repr

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, eq=False, repr=False)
class Controls:
    """What the synthesizer plays. Can be written by hand: `synth` needs no network.

    Args:
        f0_hz: [B, F, 1], Hz, > 0.
        amplitude: [B, F, 1], linear, >= 0; harmonic k has the peak amplitude amplitude * distribution[k].
        harmonic_distribution: [B, F, H], >= 0, sums to 1.
        noise_magnitudes: [B, F, K], linear, >= 0; 1 everywhere is white noise of unit power.
    """

    f0_hz: Tensor
    amplitude: Tensor
    harmonic_distribution: Tensor
    noise_magnitudes: Tensor

    __repr__ = short_repr

    def __post_init__(self) -> None:
        check_shape("Controls", "f0_hz", self.f0_hz.shape, None, None, 1)
        batch, frames, _ = self.f0_hz.shape
        check_shape("Controls", "amplitude", self.amplitude.shape, batch, frames, 1)
        check_shape("Controls", "harmonic_distribution", self.harmonic_distribution.shape, batch, frames, None)
        check_shape("Controls", "noise_magnitudes", self.noise_magnitudes.shape, batch, frames, None)
