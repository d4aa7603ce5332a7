"""Whether an instrument can be played without torch."""

from __future__ import annotations

from ddspvae.kernels.compiler import HAS_COMPILER
from ddspvae.model.config import ModelConfig
from ddspvae.model.form import NAMED_AXES


def can_listen(config: ModelConfig) -> bool:
    """Whether there is a compiler, and encoder and bottleneck are those of one instrument that are also done in numpy."""
    return (can_play(config) and (config.encoder, config.bottleneck) == (ModelConfig.encoder, ModelConfig.bottleneck)
            and not config.n_timbre and config.n_running > len(NAMED_AXES))


def can_play(config: ModelConfig) -> bool:
    """Whether there is a compiler, and the decoder and the synthesizer are the package's own."""
    return HAS_COMPILER and (config.decoder, config.synthesizer) == (ModelConfig.decoder, ModelConfig.synthesizer)
