"""Controls to audio: harmonics, noise, room, in that order and nowhere else."""

from __future__ import annotations

import torch
from torch import Tensor

from ddspvae.signals import Controls
from ddspvae.synth.envelopes import start_phase
from ddspvae.synth.harmonic import POINTS_PER_HARMONIC, harmonic
from ddspvae.synth.noise import filtered_noise
from ddspvae.synth.reverb import reverb

BLOCK_FRAMES = 1024  # 5 s at 200 frames/s: the tables of one block fit in memory whatever the length of the piece
CONTEXT_FRAMES = 8  # what a block needs of its neighbours: noise windows and the Nyquist rule look 3 frames away at most


def render_dry(controls: Controls, sample_rate: int, hop_size: int, *, seed: Tensor | int = 0,
               voice: Tensor | int = 0, with_noise: bool = True,
               points_per_harmonic: int = POINTS_PER_HARMONIC) -> Tensor:
    """Harmonics and noise without a room; long pieces go through in blocks that equal the whole.

    Args and returns: as in render.
    """
    n_frames = controls.f0_hz.shape[1]
    start = start_phase(controls.f0_hz, sample_rate, hop_size)
    blocks = []
    for first in range(0, n_frames, BLOCK_FRAMES):
        last = min(first + BLOCK_FRAMES, n_frames)
        low, high = max(0, first - CONTEXT_FRAMES), min(n_frames, last + CONTEXT_FRAMES)
        part = slice(low, high)
        audio = harmonic(controls.f0_hz[:, part], controls.amplitude[:, part], controls.harmonic_distribution[:, part],
                         sample_rate, hop_size, points_per_harmonic=points_per_harmonic, start=start[:, part])
        if with_noise:
            audio = audio + filtered_noise(controls.noise_magnitudes[:, part], hop_size, seed=seed, voice=voice,
                                           start_sample=low * hop_size)
        blocks.append(audio[:, (first - low) * hop_size : (last - low) * hop_size])
    return torch.cat(blocks, dim=1)


def render(controls: Controls, sample_rate: int, hop_size: int, *, response: Tensor | None = None,
           seed: Tensor | int = 0, voice: Tensor | int = 0, with_noise: bool = True,
           points_per_harmonic: int = POINTS_PER_HARMONIC) -> Tensor:
    """Play the controls.

    Args:
        controls: B takes of F frames.
        sample_rate: Hz.
        hop_size: samples per frame.
        response: impulse response [B, L] or [1, L]; None is dry.
        seed, voice: of the noise; the same give the same samples.
        with_noise: False leaves the noise out.
        points_per_harmonic: see harmonic.
    Returns:
        audio [B, F * hop_size].
    """
    audio = render_dry(controls, sample_rate, hop_size, seed=seed, voice=voice, with_noise=with_noise,
                       points_per_harmonic=points_per_harmonic)
    return audio if response is None else reverb(audio, response)
