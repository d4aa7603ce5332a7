"""The voices of a stream in compiled loops, in memory that stays where it is: what plays where there is a compiler."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ddspvae.engine.frames import Ahead, Array, Frames
from ddspvae.engine.live import LiveNetwork
from ddspvae.engine.network import State
from ddspvae.engine.playing import LEVEL_REACH_S, highest_around, phase_at
from ddspvae.kernels.compiler import bind
from ddspvae.kernels.noise import FewSegments, play_filtered_noise
from ddspvae.kernels.oscillators import FewOscillators, play_oscillators
from ddspvae.kernels.spectrum import shape_frames
from ddspvae.kernels.stepping import read_heads, step_stack
from ddspvae.model.form import (
    DB_PER_UNIT,
    DILATIONS,
    KERNEL,
    NEWTON_STEPS,
    ONSET_FRAMES,
    QUIETEST_DB,
    SEMITONES_PER_UNIT,
    TAPS,
)
from ddspvae.signals import Performance
from ddspvae.synth.tails import N_ROOM_BANDS, RoomTail
from ddspvae.synth.white import noise_key


@dataclass(frozen=True, eq=False)
class _Stepping:
    """What a step of the stack is given, and what plays it."""

    rows: NDArray[np.int64]
    frames: Array
    inputs: Array
    beside: Array
    play: Callable[[], None]


@dataclass(frozen=True, eq=False)
class _Framing:
    """What a frame is given, and what the heads say of it and what becomes of that."""

    rows: NDArray[np.int64]
    places: NDArray[np.int64]
    frames: Array
    highest_hz: Array
    read: Callable[[], None]
    shape: Callable[[], None]


class LivePlayer:
    """See Player.

    Args:
        network: of the instrument.
        tail: of the room that the level accounts for; None for a dry sound.
        n_voices: V.
        seed: of the noise.
    """

    def __init__(self, network: LiveNetwork, tail: RoomTail | None, n_voices: int, seed: int = 0) -> None:
        config, n = network.config, n_voices
        self._network, self._level = network, network.level(tail)
        self.noise_keys = np.ascontiguousarray(noise_key(seed, np.arange(n))[:, 0])
        self.sample_rate, self.hop_size = config.sample_rate, config.hop_size
        n_harmonics, n_bands, wide = config.n_harmonics, config.n_noise_bands, network.n_channels
        self.last = Frames.nothing(n, n_harmonics, n_bands)
        self.phase = np.zeros(n)
        # what is remembered of each voice
        self._rings, n_hidden = network.rings(), wide + network.n_beside
        self._pasts = np.zeros((n, int(self._rings.sum()), wide), np.float32)
        self._n_steps, self.n_frames = np.zeros((2, n), np.int64)
        self._before, self._now = np.zeros((2, n, n_hidden), np.float32)
        self._seen = np.zeros((n, ONSET_FRAMES + 1, 3), np.float32)
        self._ringing = np.zeros((n, N_ROOM_BANDS))
        self._remembered: list[NDArray[Any]] = [self._n_steps, self.n_frames, self._before, self._now, self._seen,
                                                self._ringing]
        self._units = np.array([SEMITONES_PER_UNIT, DB_PER_UNIT, QUIETEST_DB], np.float32)
        self._found = Frames.nothing(n, n_harmonics, n_bands)
        self._stepping: dict[int, _Stepping] = {}  # by the number of voices
        self._framing: dict[int, _Framing] = {}
        self._bins = network.bins()
        self._noise = FewSegments(n_bands, self.hop_size, self._bins)
        self._oscillators = FewOscillators(n_harmonics, self.hop_size, self.sample_rate)

    def step(self, ahead: Ahead) -> None:
        """See Player."""
        due = np.flatnonzero(self.n_frames[ahead.voices] % self._network.pace == 0)
        if len(due):
            self._step(ahead.voices[due], (ahead.f0_hz[due], ahead.periodicity[due], ahead.loudness_db[due]), ahead.z[due])

    def _step(self, voices: NDArray[np.int64], curves: tuple[Array, Array, Array], z: Array) -> None:
        n, n_named = len(voices), self._network.n_named
        if n not in self._stepping:
            self._stepping[n] = self._prepare_step(n)
        given = self._stepping[n]
        given.rows[:], given.inputs[:, 3:], given.beside[:, :n_named] = voices, z[:, n_named:], z[:, :n_named]
        given.beside[:, n_named:] = z[:, z.shape[1] - self._network.config.n_timbre :]
        given.frames[0], given.frames[1], given.frames[2] = curves
        given.play()

    def _prepare_step(self, n: int) -> _Stepping:
        network, config, wide = self._network, self._network.config, self._network.n_channels
        rows, frames = np.zeros(n, np.int64), np.zeros((3, n), np.float32)
        inputs, beside, hidden, taps, gates, gated = (np.zeros((n, size), np.float32) for size in (
            3 + config.n_z - network.n_named, network.n_named + config.n_timbre, wide, KERNEL * wide, 2 * wide, wide))
        play = bind(step_stack, network.stack, rows, frames, self._units, inputs, beside, self._pasts, self._n_steps, hidden,
                    taps, gates, gated, self._before, self._now)
        return _Stepping(rows, frames, inputs, beside, play)

    def frame(self, ahead: Ahead) -> Frames:
        """See Player."""
        n = len(ahead.voices)
        if n not in self._framing:
            self._framing[n] = self._prepare_frame(n)
        given = self._framing[n]
        given.rows[:] = ahead.voices
        np.multiply(ahead.voices, ONSET_FRAMES + 1, out=given.places)
        np.add(given.places, ONSET_FRAMES, out=given.places)
        given.frames[0], given.frames[1], given.frames[2] = ahead.f0_hz, ahead.periodicity, ahead.loudness_db
        np.maximum(ahead.before_hz, ahead.after_hz, out=given.highest_hz)
        np.maximum(ahead.f0_hz, given.highest_hz, out=given.highest_hz)
        given.read()
        given.shape()
        return Frames(ahead.f0_hz, self._found.heights[:n], self._found.noise_magnitudes[:n])

    def _prepare_frame(self, n: int) -> _Framing:
        network, config, wide = self._network, self._network.config, self._network.n_channels
        heads, n_harmonics, n_bands = network.heads, config.n_harmonics, config.n_noise_bands
        rows, places, frames, highest_hz = *np.zeros((2, n), np.int64), np.zeros((3, n), np.float32), np.zeros(n, np.float32)
        said = [np.zeros((n, size), np.float32) for size in (  # spectrum, nodes, noise envelope, named, code, balance
            len(heads.spectrum), len(network.stack.envelope) - n_bands, n_bands, network.n_named, config.n_timbre, 3)]
        work = [np.zeros(shape, np.float32) for shape in (self._now.shape[1], (1, 3 * TAPS), (1, wide),
                                                          len(heads.balance_layer))]
        read = bind(read_heads, heads, rows, frames, self._units, self._seen, self._before, self._now, self.n_frames,
                    network.pace, network.n_named, *work, *said)
        shape = bind(shape_frames, network.form, self._level, frames[0], highest_hz, frames[2], self._seen.reshape(-1, 3),
                     places, *said, config.with_noise, ONSET_FRAMES, NEWTON_STEPS, config.sample_rate / 2, rows,
                     self._ringing, np.zeros(n_harmonics + n_bands + 4, np.float32), np.zeros(2 * N_ROOM_BANDS + 4),
                     self._found.heights[:n], self._found.noise_magnitudes[:n])
        return _Framing(rows, places, frames, highest_hz, read, shape)

    def attack(self, voices: NDArray[np.int64], f0_hz: Array, periodicity: Array, loudness_db: Array, z: Array) -> Frames:
        """See Player."""
        self._pasts[voices] = 0
        self._step(voices, (f0_hz[:, 0], periodicity[:, 0], loudness_db[:, 0]), z)
        self._before[voices] = self._now[voices]  # as if the first frame had always been
        self._seen[voices] = self._stepping[len(voices)].inputs[:, None, :3]
        self.n_frames[voices], self._ringing[voices] = 1, 0
        self.last.f0_hz[voices], self.last.heights[voices], self.last.noise_magnitudes[voices] = f0_hz[:, 0], 0, 0
        self.phase[voices] = 0
        return self.frame(Ahead(voices, f0_hz[:, 1], periodicity[:, 1], loudness_db[:, 1], z, f0_hz[:, 0], f0_hz[:, 2]))

    def harmonics(self, begin: Frames, end: Frames, phase: NDArray[np.float64], length: int
                  ) -> tuple[Array, NDArray[np.float64]]:
        """See Player."""
        return self._oscillators((begin.f0_hz, begin.heights), (end.f0_hz, end.heights), phase, length)

    def noise(self, begin: Frames, end: Frames, start_sample: int, keys: NDArray[np.uint32], length: int) -> Array:
        """See Player."""
        if not self._network.config.with_noise:
            return np.zeros((len(keys), length), np.float32)
        return self._noise(begin.noise_magnitudes, end.noise_magnitudes, length, keys, start_sample)

    def remember(self) -> list[NDArray[Any]]:
        """See Player. (What the rings of the stack lose with a step is no more wanted if that step is taken back.)"""
        return [array.copy() for array in self._remembered]

    def recall(self, voices: NDArray[np.int64], remembered: list[NDArray[Any]]) -> None:
        """See Player."""
        for own, before in zip(self._remembered, remembered):
            own[voices] = before[voices]

    @property
    def reach_frames(self) -> int:
        """See Player."""
        config, n_steps = self._network.config, 1 + sum((KERNEL - 1) * dilation for dilation in DILATIONS)
        return n_steps * self._network.pace + math.ceil(LEVEL_REACH_S * config.frame_rate_hz)

    def replay(self, voice: int, take: Performance, first: int, last: int, n_hops: int) -> Array | None:
        """See Player."""
        network, config, per_row, state = self._network, self._network.config, take.frames_per_z, self._network.state()
        f0_hz, periodicity, loudness_db = (np.ascontiguousarray(curve[first : last + 1], dtype=np.float32)
                                           for curve in (take.f0_hz, take.periodicity, take.loudness_db))
        z = np.asarray(take.z[first // per_row : last // per_row + 1], dtype=np.float32)
        heights, magnitudes = network.play(f0_hz, periodicity, loudness_db, z, highest_around(take, first, last + 1),
                                           self._level, state)
        self.last.put(slice(voice, voice + 1), Frames(f0_hz[-1:], heights[-1:], magnitudes[-1:]))
        self._take_over(voice, state)
        self.n_frames[voice], self.phase[voice] = last + 1, phase_at(take, last, config)[0]
        if not n_hops:
            return None
        curves = [np.concatenate([curve, curve[-1:]])[None, : n_hops + 1] for curve in (f0_hz, heights, magnitudes)]
        sound, _ = play_oscillators(curves[0], curves[1], phase_at(take, first, config), config.sample_rate, config.hop_size)
        if config.with_noise:
            sound += play_filtered_noise(curves[2], config.hop_size, self.noise_keys[voice : voice + 1],
                                         first * config.hop_size, self._bins)
        played: Array = sound[0]
        return played

    def _take_over(self, voice: int, state: State) -> None:
        """Let a voice remember what was played elsewhere."""
        assert state.before is not None and state.now is not None
        self._before[voice], self._now[voice] = state.before[0], state.now[0]
        self._seen[voice, 1:], self._ringing[voice] = state.curves, state.ringing[0]
        self._n_steps[voice] = n_steps = int(self._rings.max())
        begin = 0
        for size, past in zip(self._rings.tolist(), state.pasts):
            self._pasts[voice, begin + (n_steps - np.arange(len(past), 0, -1)) % size] = past
            begin += size
