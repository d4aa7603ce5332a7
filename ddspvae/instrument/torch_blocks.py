"""Performances to sound in torch, piece by piece, so that length costs no memory."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from ddspvae.audio import Audio
from ddspvae.engine.playing import BLOCK_STEPS, Stiffness
from ddspvae.instrument.in_torch import as_tensors
from ddspvae.live.torch_player import TensorFrames, TensorPlayer, play_whole
from ddspvae.model.autoencoder import Autoencoder
from ddspvae.signals import Performance
from ddspvae.synth.convolve import Convolver, partition_size
from ddspvae.synth.stretched import play_stretched
from ddspvae.synth.tails import RoomTail
from ddspvae.threads import one_thread


def play_in_torch(model: Autoencoder, takes: Sequence[Performance], tail: RoomTail | None,
                  response: NDArray[np.float32] | None, after_samples: int, *, seed: int, first_voice: int,
                  stiffness: Stiffness | None = None) -> Iterator[Audio]:
    """`blocks.play_blocks`, where there is no compiler or a part is not the package's own."""
    room, taps = as_tensors(tail, response)
    config = model.config
    players = [_Player(model, room, 1, seed=seed, first_voice=first_voice + i) for i in range(len(takes))]
    for player in players:
        player.stiffness = stiffness
    longest, hop_size = max(take.n_frames for take in takes), config.hop_size
    step = BLOCK_STEPS * math.lcm(config.frames_per_z, model.decoder.frames_per_step)
    convolver = None if taps is None else Convolver(taps, partition_size(min(longest, step) * hop_size))
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


class _Player(TensorPlayer):
    """One whose partials may be those of stiff strings."""

    stiffness: Stiffness | None = None

    def harmonics(self, frames: TensorFrames, phase: torch.Tensor, length: int) -> tuple[torch.Tensor, torch.Tensor]:
        """As `TensorPlayer.harmonics`; the phase of a stiff string is one of each partial, [V, 1, H]."""
        if self.stiffness is None:
            return super().harmonics(frames, phase, length)
        stiffness = torch.from_numpy(np.asarray(self.stiffness(frames.f0_hz.flatten().numpy()))).view_as(frames.f0_hz)
        return play_stretched(frames.f0_hz, frames.heights, stiffness, phase, self.sample_rate, length)


def _as_audio(audio: torch.Tensor) -> Audio:
    """[1, T] to [T]; stereo stays [2, T]."""
    array: Audio = audio.numpy()
    return array[0] if len(array) == 1 else array
