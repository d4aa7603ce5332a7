"""The decoder one step and one frame at a time, for voices of any ages: what streams run where there is a compiler."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ddspvae.engine.network import Array, Network
from ddspvae.features.band_tables import band_shapes
from ddspvae.kernels.noise import Bins, bins_of
from ddspvae.kernels.stepping import Heads, Stack
from ddspvae.model.form import DILATIONS, KERNEL, frames_per_step
from ddspvae.synth.white import fft_size

if TYPE_CHECKING:
    from ddspvae.model.config import ModelConfig


class LiveNetwork(Network):
    """What the decoder of an instrument has learned, laid out for loops over some of many voices.

    Args: as in Network.
    """

    def __init__(self, config: ModelConfig, weights: Mapping[str, Array]) -> None:
        super().__init__(config, weights)
        own = self._weights
        self.n_channels, n_layers = len(own["stack.inlet.bias"]), len(DILATIONS)

        def stacked(name: str) -> Array:
            return np.stack([own[f"stack.layers.{at}.{name}"] for at in range(n_layers)])

        nothing = np.zeros((len(own["envelope_head.bias"]), 0), np.float32)
        self.stack = Stack(own["stack.inlet.weight"], own["stack.inlet.bias"], stacked("taps.weight"), stacked("taps.bias"),
                           stacked("out.weight"), stacked("out.bias"), own["stack.norm.weight"], own["stack.norm.bias"],
                           own["envelope_head.weight"], own["envelope_head.bias"], own.get("detail_head.weight", nothing),
                           own["frame_layer.weight"], own["frame_layer.bias"], np.array(DILATIONS))
        self.heads = Heads(own["frame_taps"], own["spectrum_head.weight"], own["balance_layer.weight"],
                           own["balance_layer.bias"], own["balance_head.weight"], own["balance_head.bias"])
        self.form = self._form

    def bins(self) -> Bins:
        """Of the noise bands, with memory of their own: for one thread."""
        n_fft = fft_size(self.config.hop_size, self.config.n_noise_bands)
        return bins_of(band_shapes(self.config.n_noise_bands, n_fft // 2 + 1), n_fft)

    @property
    def n_beside(self) -> int:
        """Numbers that go past the stack: envelopes, named axes, and the timbre code."""
        return len(self.stack.envelope) + self.n_named + self.config.n_timbre

    def rings(self) -> NDArray[np.int64]:
        """Steps that each layer of the stack keeps, this one among them, [L]."""
        return (KERNEL - 1) * np.array(DILATIONS) + 1

    @property
    def pace(self) -> int:
        """Frames a step."""
        return frames_per_step(self.config.frames_per_z)
