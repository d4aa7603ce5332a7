"""Few seconds of recordings: all that a model of many knows is kept to begin with, and what its z can say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch

from ddspvae.instrument.instrument import Instrument
from ddspvae.model.autoencoder import Autoencoder
from ddspvae.model.encoder_inputs import EncoderInputs
from ddspvae.model.transplant import adopt, is_alike, settle, transplant
from ddspvae.training.prepare import Prepared

FEW_STEPS, FEW_RATE = 16, 0.3  # more, or faster by so much of the learning rate, would learn them by heart
OWN = ("n_z", "n_timbre", "frames_per_z", "n_harmonics", "rooms", "by_room", "bitrate")  # what networks of a kind differ in


def are_few(prepared: Prepared, source: Instrument | None) -> bool:
    """Whether recordings of one instrument are so few beside a model of many, which is what a training starts from."""
    if source is None or not source.config.n_timbre or prepared.model.n_timbre:
        return False
    own = {name: getattr(source.config, name) for name in OWN}
    return bool(prepared.few) and replace(prepared.model, **own) == source.config  # or another kind of network


def as_wide(prepared: Prepared, source: Instrument, bitrate: float | None) -> Prepared:
    """With the axes of z of a model of many, since few seconds cannot teach others; and its bitrate, if none is asked.

    All of the seconds are learned from: each note that is held back to choose the best step by is one that nobody knows.
    """
    sizes = source.config
    model = replace(prepared.model, n_z=sizes.n_running, frames_per_z=sizes.frames_per_z,
                    bitrate=sizes.bitrate if bitrate is None else bitrate)
    return replace(prepared, training=prepared.few, model=model)


def begin(network: Autoencoder, source: Instrument, heard: Sequence[EncoderInputs], few: bool) -> bool:
    """Let a network begin as another instrument ended, or as the one of many that sounds like these takes.

    Returns:
        whether all was kept that it knows: where the takes are few, and its details mean the same.
    """
    given = source.model
    if given.config.n_timbre and not network.config.n_timbre:
        known = torch.tensor([one["code"] for one in source.card["timbres"].values()]) if few else None
        given = settle(given, given.timbre.hear(heard, known))
    if few and is_alike(given, network):
        adopt(given, network, heard)
        return True
    transplant(given, network)
    return False
