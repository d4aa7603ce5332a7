"""Performances to sound, piece by piece, so that length costs no memory."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import torch

from ddspvae.audio import Audio
from ddspvae.live.player import Player, play_whole
from ddspvae.model.autoencoder import Autoencoder
from ddspvae.signals import Performance
from ddspvae.synth.convolve import Convolver, partition_size
from ddspvae.synth.reverb import Room
from ddspvae.threads import one_thread

BLOCK_STEPS = 128  # rows of z a block: 5 s at 25 a second


def play_blocks(model: Autoencoder, takes: Sequence[Performance], room: Room | None, response: torch.Tensor | None,
                after_samples: int, *, seed: int, first_voice: int) -> Iterator[Audio]:
    """Several performances as the voices of one instrument, in blocks.

    Args:
        takes: adapted to the instrument.
        room: that the level accounts for.
        response: [1, L] or [2, L], to play in; None is dry.
        after_samples: to go on for after the last frame, while `response` rings.
        seed, first_voice: of the noise; voices are numbered from the first on.
    Returns:
        blocks [T], or [2, T] in a stereo room.
    """
    config = model.config
    players = [Player(model, room, 1, seed=seed, first_voice=first_voice + i) for i in range(len(takes))]
    longest, hop_size = max(take.n_frames for take in takes), config.hop_size
    step = BLOCK_STEPS * math.lcm(config.frames_per_z, model.decoder.frames_per_step)
    convolver = None if response is None else Convolver(response, partition_size(min(longest, step) * hop_size))
    over = torch.zeros(1, hop_size)  # the last hop of voices that end with a block lies in the next
    for first in range(0, longest, step):
        last = min(first + step, longest)
        n_samples = (last - max(first - 1, 0) - (last < longest)) * hop_size
        with torch.inference_mode(), one_thread():  # not around the yield: what happens there is the caller's
            audio = torch.nn.functional.pad(over, (0, n_samples))
            for player, take in zip(players, takes):
                if first < take.n_frames:
                    sound = play_whole(player, take, first, min(last, take.n_frames))
                    audio[:, : sound.shape[1]] += sound
            audio, over = audio[:, :n_samples], audio[:, n_samples:]
            block = _as_audio(audio if convolver is None else convolver(audio))
        yield block
    if after_samples and convolver is not None:
        with torch.inference_mode(), one_thread():
            block = _as_audio(convolver(torch.zeros(1, after_samples)))
        yield block


def _as_audio(audio: torch.Tensor) -> Audio:
    """[1, T] to [T]; stereo stays [2, T]."""
    array: Audio = audio.numpy()
    return array[0] if len(array) == 1 else array
