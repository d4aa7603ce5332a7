"""The parts of a model by name; each is imported when it is asked for, so that a config needs no torch."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ddspvae.signals.registry import Registry

if TYPE_CHECKING:
    from ddspvae.model.bottleneck import Bottleneck
    from ddspvae.model.decoder import Decoder
    from ddspvae.model.encoder import Encoder
    from ddspvae.synth.synthesizers import Synthesizer

ENCODERS: Registry[type[Encoder]] = Registry("encoder", {
    "mel": "ddspvae.model.encoder:MelEncoder",
    "harmonics": "ddspvae.model.encoder:HarmonicEncoder",
    "waveform": "ddspvae.model.encoder:WaveformEncoder",
    "transformer": "ddspvae.model.encoder:TransformerEncoder",
})
DECODERS: Registry[type[Decoder]] = Registry("decoder", {"stack": "ddspvae.model.decoder:Decoder"})
BOTTLENECKS: Registry[Callable[[int, float, float], Bottleneck]] = Registry("bottleneck", {
    name: f"ddspvae.model.bottlenecks:{name}" for name in ("gaussian", "vq", "rvq", "fsq")})
SYNTHESIZERS: Registry[type[Synthesizer]] = Registry("synthesizer", {
    "spectral": "ddspvae.synth.synthesizers:Synthesizer"})
