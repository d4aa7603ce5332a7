"""Performances to sound, piece by piece, without torch."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ddspvae.engine.network import Network, State
from ddspvae.engine.room import in_room
from ddspvae.features.band_tables import band_shapes
from ddspvae.kernels.noise import Bins, bins_of, play_filtered_noise
from ddspvae.kernels.oscillators import play_oscillators
from ddspvae.kernels.spectrum import Level
from ddspvae.model.form import frames_per_step
from ddspvae.signals import Performance
from ddspvae.synth.tails import Tail
from ddspvae.synth.white import fft_size, noise_key

Array = NDArray[np.float32]
BLOCK_STEPS = 128  # rows of z a block: 5 s at 25 a second


@dataclass
class _Voice:
    """Where one voice is.

    Args:
        state: of the network.
        key: of its noise, [1].
        phase: [1], cycles, at the last frame.
        last: f0 [1], heights [1, H] and noise magnitudes [1, K] of the last frame.
    """

    state: State
    key: NDArray[np.uint32]
    phase: NDArray[np.float64]
    last: tuple[Array, Array, Array] | None = None


def play_takes(network: Network, takes: Sequence[Performance], tail: Tail | None, response: Array | None,
               after_samples: int, *, seed: int, first_voice: int) -> Iterator[Array]:
    """Several performances as the voices of one instrument, in blocks; `instrument.blocks.play_blocks` without torch.

    Args:
        network: of the instrument.
        takes: adapted to it.
        tail: of the room that the level accounts for; None is dry.
        response: [R, L], to play in; None is dry.
        after_samples: to go on for after the last frame, while `response` rings.
        seed, first_voice: of the noise; voices are numbered from the first on.
    Yields:
        [T], or [2, T] in a stereo room.
    """
    dry = _play_dry(network, takes, tail, seed, first_voice)
    if response is None:
        yield from dry
        return
    n_samples = max(take.n_frames for take in takes) * network.config.hop_size + after_samples
    for wet in in_room(dry, response, n_samples):
        yield wet[0] if len(wet) == 1 else wet


def _play_dry(network: Network, takes: Sequence[Performance], tail: Tail | None, seed: int, first_voice: int
              ) -> Iterator[Array]:
    config, level = network.config, network.level(tail)
    hop_size = config.hop_size
    keys = noise_key(seed, np.arange(first_voice, first_voice + len(takes)))
    voices = [_Voice(network.state(), key, np.zeros(1)) for key in keys]
    bins = bins_of(band_shapes(config.n_noise_bands, fft_size(hop_size, config.n_noise_bands) // 2 + 1))
    longest = max(take.n_frames for take in takes)
    step = BLOCK_STEPS * math.lcm(config.frames_per_z, frames_per_step(config.frames_per_z))
    over = np.zeros(hop_size, np.float32)  # the last hop of voices that end with a block lies in the next
    for first in range(0, longest, step):
        last = min(first + step, longest)
        n_samples = (last - max(first - 1, 0) - (last < longest)) * hop_size
        audio = np.concatenate([over, np.zeros(n_samples, np.float32)])
        for voice, take in zip(voices, takes):
            if first < take.n_frames:
                sound = _play_piece(network, level, voice, take, first, min(last, take.n_frames), bins)
                audio[: len(sound)] += sound
        yield audio[:n_samples]
        over = audio[n_samples:]


def _play_piece(network: Network, level: Level, voice: _Voice, take: Performance, first: int, last: int, bins: Bins
                ) -> Array:
    """Frames first to last of a take: audio from the frame before them to the last of them, or beyond at the end."""
    hop_size = network.config.hop_size
    f0_hz, periodicity, loudness_db = (np.ascontiguousarray(curve[first:last], dtype=np.float32)
                                       for curve in (take.f0_hz, take.periodicity, take.loudness_db))
    around = np.asarray(take.f0_hz[max(first - 1, 0) : last + 1], dtype=np.float32)
    around = np.pad(around, (int(first == 0), int(last == take.n_frames)), mode="edge")
    highest_hz = np.maximum(f0_hz, np.maximum(around[:-2], around[2:]))
    z = np.asarray(take.z[first // take.frames_per_z : -(-last // take.frames_per_z)], dtype=np.float32)
    frames = (f0_hz, *network.play(f0_hz, periodicity, loudness_db, z, highest_hz, level, voice.state))
    joined = frames if voice.last is None else tuple(np.concatenate(pair) for pair in zip(voice.last, frames))
    voice.last = (frames[0][-1:], frames[1][-1:], frames[2][-1:])
    if last == take.n_frames:  # the last frame is held for a hop
        joined = tuple(np.concatenate([part, part[-1:]]) for part in joined)
    rate = network.config.sample_rate
    audio, voice.phase = play_oscillators(joined[0][None], joined[1][None], voice.phase, rate, hop_size)
    if network.config.with_noise:
        audio += play_filtered_noise(joined[2][None], hop_size, voice.key, max(first - 1, 0) * hop_size, bins)
    sound: Array = audio[0]
    return sound
