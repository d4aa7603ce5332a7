"""Performances to sound, piece by piece, without torch."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ddspvae.engine.network import Network, State
from ddspvae.engine.room import in_room
from ddspvae.features.band_tables import band_shapes
from ddspvae.kernels.mixed_noise import mix_filtered_noise
from ddspvae.kernels.noise import bins_of
from ddspvae.kernels.oscillators import add_oscillators
from ddspvae.kernels.plucks import play_sinusoids, stretch
from ddspvae.kernels.spectrum import Level
from ddspvae.model.config import ModelConfig
from ddspvae.model.form import DILATIONS, KERNEL, frames_per_step
from ddspvae.signals import Performance
from ddspvae.signals.ahead import in_stages
from ddspvae.signals.jobs import free_cores
from ddspvae.synth.tails import RoomTail
from ddspvae.synth.white import fft_size, noise_key

Array = NDArray[np.float32]
Stiffness = Callable[[NDArray], NDArray]  # of pitches [F] in Hz, [F]
LEVEL_REACH_S = 2.0  # a room that falls 60 dB in its longest second: what it rang before is 120 dB down
BLOCK_STEPS = 512  # rows of z a block: 10 s at 50 a second
SPAN_STEPS = 32  # of a span, which is short and may be given up on the way


@dataclass
class _Voice:
    """Where one voice is.

    Args:
        state: of the network.
        key: of its noise, [1].
        phase: [1], cycles, at the last frame; of a stiff string [H], of each partial.
        last: f0 [1], heights [1, H] and noise magnitudes [1, K] of the last frame.
    """

    state: State
    key: NDArray[np.uint32]
    phase: NDArray[np.float64]
    last: tuple[Array, ...] | None = None


def play_takes(network: Network, takes: Sequence[Performance], tail: RoomTail | None, response: Array | None,
               after_samples: int, *, seed: int, first_voice: int, span: tuple[int, int] | None = None,
               stiffness: Stiffness | None = None) -> Iterator[Array]:
    """Several performances as the voices of one instrument, in blocks; `instrument.blocks.play_blocks` without torch.

    Args:
        network: of the instrument.
        takes: adapted to it.
        tail: of the room that the level accounts for; None is dry.
        response: [R, L], to play in; None is dry.
        after_samples: to go on for after the last frame, while `response` rings.
        seed, first_voice: of the noise; voices are numbered from the first on.
        span: frames, from the first up to the second, of which alone the sound is wanted; None is all.
        stiffness: of an instrument of stiff strings: whose partials are stretched, and how far at each pitch.
    Yields:
        [T], or [2, T] in a stereo room; of a span what it sounds like within the whole, to 1e-5.
    """
    if span is not None:
        return _play_span(network, takes, tail, response, after_samples, seed, first_voice, span, stiffness)
    return _play(network, takes, tail, response, after_samples, seed, first_voice, 0,
                 max(take.n_frames for take in takes), stiffness)


def _play_span(network: Network, takes: Sequence[Performance], tail: RoomTail | None, response: Array | None,
               after_samples: int, seed: int, first_voice: int, span: tuple[int, int],
               stiffness: Stiffness | None) -> Iterator[Array]:
    """From so far before the span that the networks, the level and the room remember what they would have heard."""
    config = network.config
    rings = 0 if response is None else -(-response.shape[1] // config.hop_size)
    step, every = frames_per_step(config.frames_per_z), math.lcm(config.frames_per_z, frames_per_step(config.frames_per_z))
    reach = rings + step * (1 + sum((KERNEL - 1) * dilation for dilation in DILATIONS))
    reach += math.ceil(LEVEL_REACH_S * config.frame_rate_hz)
    longest = max(take.n_frames for take in takes)
    start = max(0, min(span[0], longest) - reach) // every * every
    last = longest if span[1] + 1 >= longest else span[1] + 1  # the frame after it ends the last hop
    skipped, wanted = (span[0] - start) * config.hop_size, (span[1] - span[0]) * config.hop_size
    after = after_samples + max(0, span[1] - longest) * config.hop_size
    for block in _play(network, takes, tail, response, after, seed, first_voice, start, last, stiffness, SPAN_STEPS):
        part = block[..., skipped : skipped + wanted]
        skipped = max(0, skipped - block.shape[-1])
        wanted -= part.shape[-1]
        if part.shape[-1]:
            yield part


def _play(network: Network, takes: Sequence[Performance], tail: RoomTail | None, response: Array | None,
          after_samples: int, seed: int, first_voice: int, start: int, last: int, stiffness: Stiffness | None,
          n_rows: int = BLOCK_STEPS) -> Iterator[Array]:
    """From a frame, a whole number of the network's steps, to another; a block is n_rows of z."""
    config, shaped = network.config, _shape(network, takes, tail, seed, first_voice, start, last, stiffness, n_rows)

    def sound(pieces: Iterator[Shaped]) -> Iterator[Array]:
        return _sound(pieces, config, start, stiffness)

    def room(dry: Iterator[Array]) -> Iterator[Array]:
        assert response is not None
        n_samples = (last - start) * config.hop_size + after_samples
        return (wet[0] if len(wet) == 1 else wet for wet in in_room(dry, response, n_samples))

    return in_stages(shaped, sound, *([] if response is None else [room]), n_cores=free_cores())


@dataclass(frozen=True, eq=False)
class Shaped:
    """What some voices play from one frame to another.

    Args:
        voices: each with its f0 [F], heights [F, H] and noise magnitudes [F, K].
        first, last: frames of the whole; in all but the first piece, the frame before is the first of each array.
        is_last: whether nothing follows.
    """

    voices: list[tuple[_Voice, tuple[Array, ...]]]
    first: int
    last: int
    is_last: bool


def _shape(network: Network, takes: Sequence[Performance], tail: RoomTail | None, seed: int, first_voice: int,
           start: int, end: int, stiffness: Stiffness | None, n_rows: int) -> Iterator[Shaped]:
    config, level = network.config, network.level(tail)
    keys = noise_key(seed, np.arange(first_voice, first_voice + len(takes)))
    voices = [_Voice(network.state(), key, phase_at(take, start, config, stiffness)) for key, take in zip(keys, takes)]
    step = n_rows * math.lcm(config.frames_per_z, frames_per_step(config.frames_per_z))
    for first in range(start, end, step):
        last = min(first + step, end)
        yield Shaped([(voice, _shape_piece(network, level, voice, take, first, min(last, take.n_frames)))
                      for voice, take in zip(voices, takes) if first < take.n_frames], first, last, last == end)


def highest_around(take: Performance, first: int, last: int) -> Array:
    """The highest f0 of each frame and its neighbours, Hz, from frame first up to last."""
    around = np.asarray(take.f0_hz[max(first - 1, 0) : last + 1], dtype=np.float32)
    around = np.pad(around, (int(first == 0), int(last == take.n_frames)), mode="edge")
    return np.maximum(around[1:-1], np.maximum(around[:-2], around[2:]))


def phase_at(take: Performance, frame: int, config: ModelConfig, stiffness: Stiffness | None = None
             ) -> NDArray[np.float64]:
    """Cycles [1] or [H] at a frame of a take that began at 0: pitch goes in straight lines from frame to frame."""
    f0_hz = np.asarray(take.f0_hz[: frame + 1], dtype=np.float64)
    if stiffness is not None:
        total, nothing = np.zeros(config.n_harmonics), np.zeros((BLOCK_STEPS + 1, config.n_harmonics))
        for first in range(0, frame, BLOCK_STEPS):
            piece = f0_hz[first : first + BLOCK_STEPS + 1]
            partials_hz, _ = stretch(piece, nothing[: len(piece)], stiffness(piece))
            total += ((partials_hz[:-1] + partials_hz[1:]) * (config.hop_size / config.sample_rate / 2)).sum(axis=0)
            total -= np.floor(total)
        return total
    cycles = (f0_hz[:-1] + f0_hz[1:]) * (config.hop_size / config.sample_rate / 2)
    return np.array([np.sum(cycles - np.floor(cycles)) % 1])


def _shape_piece(network: Network, level: Level, voice: _Voice, take: Performance, first: int, last: int
                 ) -> tuple[Array, ...]:
    """Frames first to last of a take, after the frame before them and, at the end, before the last one once more."""
    f0_hz, periodicity, loudness_db = (np.ascontiguousarray(curve[first:last], dtype=np.float32)
                                       for curve in (take.f0_hz, take.periodicity, take.loudness_db))
    highest_hz = highest_around(take, first, last)
    z = np.asarray(take.z[first // take.frames_per_z : -(-last // take.frames_per_z)], dtype=np.float32)
    begin, n_held = int(voice.last is not None), int(last == take.n_frames)  # the last frame is held for a hop
    own = slice(begin, begin + last - first)
    n_rows, config = own.stop + n_held, network.config
    frames = (np.empty(n_rows, np.float32), np.empty((n_rows, config.n_harmonics), np.float32),
              np.empty((n_rows, config.n_noise_bands), np.float32))
    frames[0][own] = f0_hz
    network.play(f0_hz, periodicity, loudness_db, z, highest_hz, level, voice.state,
                 (frames[1][own], frames[2][own]))
    for part, before in zip(frames, voice.last or ()):
        part[:begin] = before
    voice.last = tuple(part[own][-1:].copy() for part in frames)
    for part, end in zip(frames, voice.last):
        part[own.stop :] = end
    return frames


def _sound(pieces: Iterator[Shaped], config: ModelConfig, start: int, stiffness: Stiffness | None) -> Iterator[Array]:
    """The dry sound of all voices."""
    hop_size, n_bands = config.hop_size, config.n_noise_bands
    n_fft = fft_size(hop_size, n_bands)
    bins = bins_of(band_shapes(n_bands, n_fft // 2 + 1), n_fft)
    over = np.zeros(hop_size, np.float32)  # the last hop of voices that end with a piece lies in the next
    for piece in pieces:
        begin = max(piece.first - 1, start)
        n_samples = (piece.last - begin - (not piece.is_last)) * hop_size
        audio = np.concatenate([over, np.zeros(n_samples, np.float32)])
        noises: dict[int, list[tuple[NDArray[np.uint32], Array]]] = {}  # of voices that end together
        for voice, (f0_hz, heights, magnitudes) in piece.voices:
            if stiffness is None:
                sound = audio[None, : (len(f0_hz) - 1) * hop_size]
                voice.phase = add_oscillators(f0_hz[None], heights[None], voice.phase, config.sample_rate, hop_size, sound)
            else:
                partials = stretch(f0_hz, heights, stiffness(f0_hz))
                pluck = play_sinusoids(*partials, voice.phase, config.sample_rate, hop_size)
                audio[: len(pluck)] += pluck
            noises.setdefault(len(magnitudes), []).append((voice.key, magnitudes))
        for alike in noises.values() if config.with_noise else ():
            keys, levels = np.concatenate([key for key, _ in alike]), np.stack([magnitudes for _, magnitudes in alike])
            noise = mix_filtered_noise(levels, hop_size, keys, begin * hop_size, bins)
            audio[: len(noise)] += noise
        yield audio[:n_samples]
        over = audio[n_samples : n_samples + hop_size]
