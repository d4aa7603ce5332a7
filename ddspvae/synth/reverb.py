"""Rooms: a direct sound of exactly 1, and a tail of decaying noise bands.

A free impulse response of a second eats the instrument: the optimizer smears fixed resonances over noise and the harmonics
disappear. The tail has two bounded numbers per band, and its power over time is known in closed form.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ddspvae.signals.units import db_to_power
from ddspvae.synth import tails
from ddspvae.synth.tails import MAX_DECAY_S, MIN_DECAY_S, PREDELAY_S, carriers


@dataclass(frozen=True, eq=False)
class Room:
    """One recording environment.

    Args:
        tail_energy: [R, J], power of the tail of a steady sound in the band, relative to the direct sound's.
        decay_s: [R, J], seconds until the tail has fallen by 60 dB.
    """

    tail_energy: Tensor
    decay_s: Tensor

    def changed(self, wet_db: float = 0.0, decay: float = 1.0) -> Room:
        """The same room with its tail wet_db louder and ringing `decay` times as long, within MIN_ and MAX_DECAY_S."""
        decay_s = (self.decay_s * decay).clamp(MIN_DECAY_S, MAX_DECAY_S)
        return Room(self.tail_energy * db_to_power(wet_db), decay_s)


@functools.lru_cache(maxsize=4)
@torch.inference_mode(False)  # a cached tensor must serve training too
def _tail_bands(sample_rate: int) -> Tensor:
    return torch.from_numpy(carriers(sample_rate))


def impulse_response(room: Room, sample_rate: int) -> Tensor:
    """Direct sound and tail.

    Args:
        room: R rooms.
        sample_rate: Hz.
    Returns:
        [R, TAIL_LENGTH_S * sample_rate]; tap 0 is 1; differentiable in the room.
    """
    bands = _tail_bands(sample_rate).to(room.decay_s)
    n_taps = bands.shape[-1]
    t_s = torch.arange(n_taps, device=bands.device, dtype=bands.dtype) / sample_rate
    after_predelay = t_s >= PREDELAY_S
    # power falls by 60 dB in decay_s: exp(-2 rate t) with rate = ln(1000) / decay_s
    rate = math.log(1000) / room.decay_s[..., None]
    shape = torch.exp(-rate * (t_s - PREDELAY_S)) * after_predelay
    # the shape's own energy is divided out, so that tail_energy alone says how wet the room is
    energy = shape.square().sum(-1, keepdim=True)
    tail = ((room.tail_energy[..., None] / energy).sqrt() * shape * bands).sum(-2)
    direct = torch.zeros_like(tail)
    direct[..., 0] = 1.0
    return direct + tail


def ringing_s(room: Room, sample_rate: int) -> float:
    """Seconds after a sound until all that the room still holds of it has fallen by 60 dB."""
    return tails.ringing_s(impulse_response(room, sample_rate)[0].detach().numpy(), sample_rate)
