"""Performances to sound, piece by piece, so that length costs no memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ddspvae.audio import Audio
from ddspvae.engine.ability import can_play
from ddspvae.instrument.stored import Stored, weights_of
from ddspvae.signals import Performance
from ddspvae.synth.tails import RoomTail

if TYPE_CHECKING:
    from ddspvae.engine.playing import Stiffness
    from ddspvae.model.autoencoder import Autoencoder


def play_blocks(model: Autoencoder | Stored, takes: Sequence[Performance], tail: RoomTail | None,
                response: NDArray[np.float32] | None, after_samples: int, *, seed: int, first_voice: int,
                span: tuple[int, int] | None = None, stiffness: Stiffness | None = None) -> Iterator[Audio]:
    """Several performances as the voices of one instrument, in blocks: compiled where that is possible, else in torch.

    Args:
        takes: adapted to the instrument.
        tail: of the room that the level accounts for; None is dry.
        response: [1, L] or [2, L], to play in; None is dry.
        after_samples: to go on for after the last frame, while `response` rings.
        seed, first_voice: of the noise; voices are numbered from the first on.
        span: frames, from the first up to the second, of which alone the sound is wanted; None is all.
        stiffness: of an instrument of stiff strings, B [F] at pitches [F] in Hz: its partials are stretched.
    Returns:
        blocks [T], or [2, T] in a stereo room.
    """
    if can_play(model.config):
        from ddspvae.engine.network import Network
        from ddspvae.engine.playing import play_takes

        network = Network(model.config, weights_of(model))
        return play_takes(network, takes, tail, response, after_samples, seed=seed, first_voice=first_voice, span=span,
                          stiffness=stiffness)
    from ddspvae.instrument.torch_blocks import play_in_torch

    built = model.build() if isinstance(model, Stored) else model
    blocks = play_in_torch(built, takes, tail, response, after_samples, seed=seed, first_voice=first_voice,
                           stiffness=stiffness)
    return blocks if span is None else _cut(blocks, span, model.config.hop_size)


def _cut(blocks: Iterator[Audio], span: tuple[int, int], hop_size: int) -> Iterator[Audio]:
    """Only the samples of a span of frames."""
    begin, end, at = span[0] * hop_size, span[1] * hop_size, 0
    for block in blocks:
        part = block[..., max(0, begin - at) : max(0, end - at)]
        at += block.shape[-1]
        if part.shape[-1]:
            yield part
        if at >= end:
            return
