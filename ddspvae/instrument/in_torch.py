"""What an instrument does with its network in torch: it hears, samples and counts bits; playing needs none of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ddspvae.model.bottleneck import sounding_rows
from ddspvae.model.encoder_inputs import EncoderInputs
from ddspvae.signals import Features, Latents
from ddspvae.synth.reverb import Room

if TYPE_CHECKING:
    from ddspvae.audio import Audio
    from ddspvae.model.autoencoder import Autoencoder
    from ddspvae.synth.tails import RoomTail

__all__ = ["as_tensors", "count_bits", "encode", "sample_z"]

AXIS_IN_USE_BITS = 1.0  # bit/s above which an axis of z counts as used


@torch.inference_mode()
def encode(model: Autoencoder, features: Features, audio: Audio | None, kept: NDArray[np.float32] | None) -> Latents:
    """The posterior of z for a take, [1, M, Z]; of the axes that are kept, where some are not."""
    latents = model.encode(EncoderInputs.of(features, audio))
    return latents if kept is None else latents.keep(torch.from_numpy(kept))


@torch.inference_mode()
def sample_z(model: Autoencoder, curves: tuple[NDArray, NDArray, NDArray], step: int, seed: int, temperature: float
             ) -> NDArray[np.float32]:
    """z [M, Z] around what f0, periodicity and loudness [F] each let expect, a row every `step` frames."""
    f0, sure, loudness = (torch.from_numpy(np.array(curve[::step], dtype=np.float32))[:, None] for curve in curves)
    z: NDArray[np.float32] = model.prior.sample(f0, sure, loudness, seed, temperature).numpy()
    return z


@torch.inference_mode()
def count_bits(model: Autoencoder, features: Features, latents: Latents) -> dict[str, Any]:
    """What z costs on a take, over its sounding seconds; see `Instrument.rate`."""
    rows = sounding_rows(torch.from_numpy(np.array(features.loudness_db))[None], model.config.frames_per_z)
    per_axis = model.bits_per_axis(latents, rows).tolist()
    return {"bits_per_second": sum(per_axis), "per_axis": per_axis,
            "axes_in_use": sum(bits > AXIS_IN_USE_BITS for bits in per_axis)}


def as_tensors(tail: RoomTail | None, response: NDArray[np.float32] | None) -> tuple[Room | None, Tensor | None]:
    """A room and its impulse response, for who plays in torch."""
    room = None if tail is None else Room(torch.from_numpy(tail.energy)[None], torch.from_numpy(tail.decay_s)[None])
    return room, None if response is None else torch.from_numpy(response)
