"""Whether an instrument can be played without torch."""

from __future__ import annotations

from ddspvae.kernels.compiler import HAS_COMPILER
from ddspvae.model.config import ModelConfig


def can_play(config: ModelConfig) -> bool:
    """Whether there is a compiler, and the decoder and the synthesizer are the package's own."""
    return HAS_COMPILER and (config.decoder, config.synthesizer) == (ModelConfig.decoder, ModelConfig.synthesizer)
