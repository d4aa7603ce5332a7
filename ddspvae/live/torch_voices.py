"""The voices of a stream in torch: what plays where there is no compiler, or a part is not the package's own."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ddspvae.engine.frames import Ahead, Array, Frames
from ddspvae.engine.playing import LEVEL_REACH_S
from ddspvae.live.networks import LiveNetworks
from ddspvae.live.torch_player import TensorFrames, TensorPlayer
from ddspvae.model.decoder import Memory
from ddspvae.signals import Performance
from ddspvae.synth.envelopes import start_phase
from ddspvae.synth.reverb import Room
from ddspvae.synth.tails import N_ROOM_BANDS, RoomTail
from ddspvae.threads import one_thread


class TorchPlayer:
    """See Player.

    Args:
        networks: of the instrument.
        tail: of the room that the level accounts for; None for a dry sound.
        n_voices: V.
        seed: of the noise.
    """

    def __init__(self, networks: LiveNetworks, tail: RoomTail | None, n_voices: int, seed: int = 0) -> None:
        model, config = networks.model, networks.model.config
        room = None if tail is None else Room(torch.from_numpy(tail.energy)[None], torch.from_numpy(tail.decay_s)[None])
        self._model, self._networks, self._room, self._seed = model, networks, room, seed
        self._player = TensorPlayer(model, room, n_voices, seed=seed)
        nothing = torch.zeros(1, N_ROOM_BANDS, dtype=torch.float64)
        self._in_room = (nothing, nothing, nothing) if self._player.tail is None else self._player.tail.constants
        self.noise_keys = self._player.noise_keys[:, 0]
        self.sample_rate, self.hop_size = config.sample_rate, config.hop_size
        self.last = Frames.nothing(n_voices, config.n_harmonics, config.n_noise_bands)
        self.phase = np.zeros(n_voices)
        with torch.inference_mode():
            self._memory = model.decoder.memory(n_voices)
        self._ringing = np.zeros((n_voices, N_ROOM_BANDS))

    @property
    def n_frames(self) -> NDArray[np.int64]:
        """See Player."""
        return self._memory.n_frames

    @torch.inference_mode()
    @one_thread()
    def step(self, ahead: Ahead) -> None:
        """See Player."""
        memory, voices = self._memory, ahead.voices
        due = np.flatnonzero(memory.n_frames[voices] % self._model.decoder.frames_per_step == 0)
        if not len(due):
            return
        stepping = torch.from_numpy(voices[due])
        curves = [_column(curve[due]) for curve in (ahead.f0_hz, ahead.periodicity, ahead.loudness_db)]
        hidden, _, *pasts = self._networks.step(*curves, torch.from_numpy(ahead.z[due])[:, None],
                                                *(past[stepping] for past in memory.pasts))
        for whole, part in zip(memory.pasts, pasts):
            whole[stepping] = part
        memory.before[stepping], memory.now[stepping] = memory.now[stepping], hidden

    @torch.inference_mode()
    @one_thread()
    def frame(self, ahead: Ahead) -> Frames:
        """See Player."""
        memory, voices = self._memory, ahead.voices
        rows = torch.from_numpy(voices)
        pace = self._model.decoder.frames_per_step
        fade = ((memory.n_frames[voices] % pace + 1) / pace).astype(np.float32)
        f0_hz, periodicity, loudness_db, before_hz, after_hz = map(_column, (
            ahead.f0_hz, ahead.periodicity, ahead.loudness_db, ahead.before_hz, ahead.after_hz))
        heights, magnitudes, memory.curves[rows], ringing = self._networks.frame(
            f0_hz, periodicity, loudness_db, memory.before[rows], memory.now[rows], _column(fade), memory.curves[rows],
            before_hz, after_hz, torch.from_numpy(self._ringing[voices]), *self._in_room)
        memory.n_frames[voices] += 1
        self._ringing[voices] = ringing.numpy()
        return Frames(ahead.f0_hz, heights[:, 0].numpy(), magnitudes[:, 0].numpy())

    @torch.inference_mode()
    @one_thread()
    def attack(self, voices: NDArray[np.int64], f0_hz: Array, periodicity: Array, loudness_db: Array, z: Array) -> Frames:
        """See Player."""
        memory, rows = self._memory, torch.from_numpy(voices)
        first = [_column(curve[:, 0]) for curve in (f0_hz, periodicity, loudness_db)]
        step, curves, *pasts = self._networks.step(*first, torch.from_numpy(z)[:, None],
                                                   *self._model.decoder.stack.silence(len(voices)))
        for whole, part in zip(memory.pasts, pasts):
            whole[rows] = part
        memory.before[rows] = memory.now[rows] = step  # as if the first frame had always been
        memory.curves[rows] = curves
        memory.n_frames[voices], self._ringing[voices] = 1, 0
        self.last.f0_hz[voices], self.last.heights[voices], self.last.noise_magnitudes[voices] = f0_hz[:, 0], 0, 0
        self.phase[voices] = 0
        return self.frame(Ahead(voices, f0_hz[:, 1], periodicity[:, 1], loudness_db[:, 1], z, f0_hz[:, 0], f0_hz[:, 2]))

    @torch.inference_mode()
    @one_thread()
    def harmonics(self, begin: Frames, end: Frames, phase: NDArray[np.float64], length: int
                  ) -> tuple[Array, NDArray[np.float64]]:
        """See Player."""
        audio, after = self._player.harmonics(_segments(begin, end), torch.from_numpy(phase)[:, None, None], length)
        return audio.numpy(), after[:, 0, 0].numpy()

    @torch.inference_mode()
    @one_thread()
    def noise(self, begin: Frames, end: Frames, start_sample: int, keys: NDArray[np.uint32], length: int) -> Array:
        """See Player."""
        played: Array = self._player.noise(_segments(begin, end), start_sample, keys[:, None], length).numpy()
        return played

    @torch.inference_mode()
    def remember(self) -> tuple[Memory, NDArray[np.float64]]:
        """See Player."""
        memory = self._memory
        return Memory([past.clone() for past in memory.pasts], memory.before.clone(), memory.now.clone(),
                      memory.curves.clone(), memory.n_frames.copy()), self._ringing.copy()

    @torch.inference_mode()
    def recall(self, voices: NDArray[np.int64], remembered: tuple[Memory, NDArray[np.float64]]) -> None:
        """See Player."""
        (memory, ringing), rows = remembered, torch.from_numpy(voices)
        self._put(voices, [past[rows] for past in _tensors(memory)], memory.n_frames[voices], ringing[voices])

    @property
    def reach_frames(self) -> int:
        """See Player."""
        decoder = self._model.decoder
        return decoder.frames_per_step * decoder.stack.receptive_field \
            + math.ceil(LEVEL_REACH_S * self._model.config.frame_rate_hz)

    @torch.inference_mode()
    @one_thread()
    def replay(self, voice: int, take: Performance, first: int, last: int, n_hops: int) -> Array | None:
        """See Player."""
        past = TensorPlayer(self._model, self._room, 1, seed=self._seed, first_voice=voice)
        past.memory.n_frames += first
        f0_hz, periodicity, loudness_db = (_curve(curve[first : last + 1])
                                           for curve in (take.f0_hz, take.periodicity, take.loudness_db))
        z = torch.from_numpy(np.array(take.z[first // take.frames_per_z : last // take.frames_per_z + 1]))[None]
        frames = past.control(f0_hz, periodicity, loudness_db, z, _one(take.f0_hz, last + 1), _one(take.f0_hz, first - 1))
        phases = start_phase(_curve(take.f0_hz[: last + 1]), self.sample_rate, self.hop_size)
        self._put(np.array([voice]), _tensors(past.memory), past.memory.n_frames, past.ringing)
        self.last.put(slice(voice, voice + 1), Frames(*(part[:, -1].numpy().reshape(1, *size) for part, size in (
            (frames.f0_hz, ()), (frames.heights, (-1,)), (frames.noise_magnitudes, (-1,))))))
        self.phase[voice] = float(phases[0, -1, 0])
        if not n_hops:
            return None
        held = frames.then(frames[:, -1:])[:, : n_hops + 1]
        audio, _ = past.sound(held, phases[:, first : first + 1], first * self.hop_size, past.noise_keys)
        played: Array = audio[0].numpy()
        return played

    def _put(self, voices: NDArray[np.int64], tensors: list[Tensor], n_frames: NDArray[np.int64],
             ringing: NDArray[np.float64]) -> None:
        rows = torch.from_numpy(voices)
        for own, new in zip(_tensors(self._memory), tensors):
            own[rows] = new
        self._memory.n_frames[voices], self._ringing[voices] = n_frames, ringing


def _tensors(memory: Memory) -> list[Tensor]:
    return [*memory.pasts, memory.before, memory.now, memory.curves]


def _column(curve: Array) -> Tensor:
    """[R] to [R, 1, 1]."""
    return torch.from_numpy(np.ascontiguousarray(curve))[:, None, None]


def _curve(curve: NDArray[Any]) -> Tensor:
    """[F] to [1, F, 1]."""
    return torch.from_numpy(np.array(curve, dtype=np.float32))[None, :, None]


def _one(curve: NDArray[Any], frame: int) -> Tensor | None:
    """[1, 1, 1], or None where the curve has no such frame."""
    return _curve(curve[frame : frame + 1]) if 0 <= frame < len(curve) else None


def _segments(begin: Frames, end: Frames) -> TensorFrames:
    """From the frames at both ends of a segment of each voice."""
    f0_hz, heights, magnitudes = (torch.from_numpy(np.stack(ends, axis=1)) for ends in (
        (begin.f0_hz, end.f0_hz), (begin.heights, end.heights), (begin.noise_magnitudes, end.noise_magnitudes)))
    return TensorFrames(f0_hz[..., None], heights, magnitudes)
