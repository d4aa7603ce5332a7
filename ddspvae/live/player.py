"""Curves in, dry sound out: decoder, level, harmonics and noise with a memory.

Whole renders take many frames at a time (`control`); live streams one, in two halves (`step`, `frame`), through the same
layers of the decoder, the same level and the same synthesizer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ddspvae.kernels.compiler import HAS_COMPILER
from ddspvae.kernels.noise import bins_of, play_filtered_noise
from ddspvae.kernels.oscillators import play_oscillators
from ddspvae.live.networks import LiveNetworks
from ddspvae.model.autoencoder import Autoencoder
from ddspvae.model.decoder import Memory, rows_of
from ddspvae.model.parts import SYNTHESIZERS
from ddspvae.signals import Controls, Performance
from ddspvae.synth.envelopes import start_phase
from ddspvae.synth.level import Tail, scale, weigh
from ddspvae.synth.noise import bin_shapes, fft_size, noise_key
from ddspvae.synth.reverb import Room
from ddspvae.synth.synthesizers import Synthesizer
from ddspvae.synth.tails import N_ROOM_BANDS


@dataclass(frozen=True, eq=False)
class Frames:
    """What is needed of frames to sound the segments between them.

    Args:
        f0_hz: [V, F, 1], Hz.
        heights: [V, F, H], amplitude of each harmonic.
        noise_magnitudes: [V, F, K].
    """

    f0_hz: Tensor
    heights: Tensor
    noise_magnitudes: Tensor

    @classmethod
    def of(cls, controls: Controls) -> Frames:
        """The frames that controls describe; their distribution is one that may sound."""
        return cls(controls.f0_hz, controls.amplitude * controls.harmonic_distribution, controls.noise_magnitudes)

    @classmethod
    def nothing(cls, n_voices: int, n_harmonics: int, n_noise_bands: int) -> Frames:
        """One silent frame of every voice."""
        return cls(torch.full((n_voices, 1, 1), 440.0), torch.zeros(n_voices, 1, n_harmonics),
                   torch.zeros(n_voices, 1, n_noise_bands))

    def __getitem__(self, index: slice | tuple[Tensor | slice, ...] | Tensor) -> Frames:
        return Frames(self.f0_hz[index], self.heights[index], self.noise_magnitudes[index])

    def then(self, other: Frames) -> Frames:
        """These frames and the other ones after them."""
        return Frames(torch.cat([self.f0_hz, other.f0_hz], dim=1), torch.cat([self.heights, other.heights], dim=1),
                      torch.cat([self.noise_magnitudes, other.noise_magnitudes], dim=1))

    def put(self, rows: slice | Tensor, other: Frames) -> None:
        """Replace voices, in place."""
        self.f0_hz[rows], self.heights[rows] = other.f0_hz, other.heights
        self.noise_magnitudes[rows] = other.noise_magnitudes

    def between(self, other: Frames, way: float) -> Frames:
        """The frame on the way from these to the other ones, 0 to 1."""
        return Frames(torch.lerp(self.f0_hz, other.f0_hz, way), torch.lerp(self.heights, other.heights, way),
                      torch.lerp(self.noise_magnitudes, other.noise_magnitudes, way))

    def scaled(self, factor: float) -> Frames:
        """The same pitches, louder or softer."""
        return Frames(self.f0_hz, self.heights * factor, self.noise_magnitudes * factor)

    @classmethod
    def joined(cls, parts: Sequence[Frames]) -> Frames:
        """The voices of all parts together."""
        return cls(*(torch.cat([getattr(part, name) for part in parts])
                     for name in ("f0_hz", "heights", "noise_magnitudes")))


@dataclass(frozen=True, eq=False)
class Ahead:
    """One frame that some voices are about to play.

    Args:
        voices: [R], which, in rising order.
        f0_hz, periodicity, loudness_db: [R, 1, 1]; z: [R, 1, Z].
        before_hz, after_hz: [R, 1, 1], f0 of the frames around it.
    """

    voices: NDArray[np.int64]
    f0_hz: Tensor
    periodicity: Tensor
    loudness_db: Tensor
    z: Tensor
    before_hz: Tensor
    after_hz: Tensor

    def only(self, chosen: NDArray[np.bool_]) -> Ahead:
        """Some of the voices."""
        rows = torch.from_numpy(np.flatnonzero(chosen))
        return Ahead(self.voices[chosen], self.f0_hz[rows], self.periodicity[rows], self.loudness_db[rows],
                     self.z[rows], self.before_hz[rows], self.after_hz[rows])


class Player:
    """Voices of one instrument, with all that must be remembered of them.

    Args:
        model: the network.
        room: whose tail the level accounts for; None for a dry sound.
        n_voices: V.
        seed: of the noise.
        first_voice: number of the first voice, for its noise.
    """

    def __init__(self, model: Autoencoder, room: Room | None, n_voices: int, *, seed: int = 0, first_voice: int = 0) -> None:
        config = model.config
        self.model, self.room, self.n_voices, self.seed, self.first_voice = model, room, n_voices, seed, first_voice
        self.noise_keys = noise_key(seed, torch.arange(first_voice, first_voice + n_voices))
        self.sample_rate, self.hop_size = config.sample_rate, config.hop_size
        self.tail = None if room is None else Tail(room, config.sample_rate, config.hop_size)
        self._in_room = (torch.zeros(1, N_ROOM_BANDS).double(),) * 3 if self.tail is None else self.tail.constants
        self._synthesizer = SYNTHESIZERS[config.synthesizer](config.sample_rate, config.hop_size, config.n_noise_bands)
        self._is_compiled = HAS_COMPILER and type(self._synthesizer) is Synthesizer
        n_fft = fft_size(config.hop_size, n_bands := config.n_noise_bands)
        self._bins = bins_of(bin_shapes(n_bands, n_fft).numpy(), n_fft)
        self.memory = model.decoder.memory(n_voices)
        self.ringing = np.zeros((n_voices, N_ROOM_BANDS))
        self.last = Frames.nothing(n_voices, config.n_harmonics, n_bands)
        self.phase = torch.zeros(n_voices, 1, 1, dtype=torch.float64)

    def control(self, f0_hz: Tensor, periodicity: Tensor, loudness_db: Tensor, z: Tensor, after_hz: Tensor | None,
                before_hz: Tensor | None) -> Frames:
        """The frames that follow for all voices, in pieces as Decoder.forward wants them.

        Args:
            f0_hz, periodicity, loudness_db: [V, F, 1]; z: [V, M, Z].
            after_hz, before_hz: [V, 1, 1], f0 of the frames around these; None where there is none.
        """
        shape = self.model.balance(*self.model.decoder(f0_hz, periodicity, loudness_db, z, self.memory))
        weighed = weigh(f0_hz, *shape, self.sample_rate, before_hz, after_hz)
        controls, self.ringing = scale(f0_hz, loudness_db, shape[1], *weighed, tail=self.tail, ringing=self.ringing)
        return Frames.of(controls)

    def step(self, networks: LiveNetworks, ahead: Ahead) -> None:
        """Let the stack hear the next frame of the voices for which it is due. Half of control, live."""
        memory, voices = self.memory, ahead.voices
        age = memory.n_frames[voices]
        due = np.flatnonzero(age % self.model.decoder.frames_per_step == 0)
        if not len(due):
            return
        now, stepping = rows_of(due, ahead.z), rows_of(voices[due], memory.now)
        hidden, _, *pasts = networks.step(ahead.f0_hz[now], ahead.periodicity[now], ahead.loudness_db[now], ahead.z[now],
                                       *(past[stepping] for past in memory.pasts))
        for whole, part in zip(memory.pasts, pasts):
            whole[stepping] = part
        memory.before[stepping], memory.now[stepping] = memory.now[stepping], hidden

    def frame(self, networks: LiveNetworks, ahead: Ahead) -> Frames:
        """The next frame of voices whose stack has heard it, whatever the age of each. The other half."""
        memory, voices = self.memory, ahead.voices
        rows = rows_of(voices, memory.now)
        pace = self.model.decoder.frames_per_step
        fade = ((memory.n_frames[voices] % pace + 1) / pace).astype(np.float32)
        heights, noise_magnitudes, memory.curves[rows], ringing = networks.frame(
            ahead.f0_hz, ahead.periodicity, ahead.loudness_db, memory.before[rows], memory.now[rows],
            torch.from_numpy(fade)[:, None, None], memory.curves[rows], ahead.before_hz, ahead.after_hz,
            torch.from_numpy(self.ringing[voices]), *self._in_room)
        memory.n_frames[voices] += 1
        self.ringing[voices] = ringing.numpy()
        return Frames(ahead.f0_hz, heights, noise_magnitudes)

    def attack(self, networks: LiveNetworks, voices: NDArray[np.int64], f0_hz: Tensor, periodicity: Tensor,
               loudness_db: Tensor, z: Tensor) -> Frames:
        """Forget what these voices played and begin new notes, whose first frame is silent: `last`, when this returns.

        Args:
            voices: [R]; f0_hz, periodicity, loudness_db: [R, 3, 1], of the first frame and those after it.
            z: [R, 1, Z].
        Returns:
            the second frame.
        """
        memory, rows = self.memory, rows_of(voices, self.memory.now)
        first = [curve[:, :1] for curve in (f0_hz, periodicity, loudness_db)]
        step, curves, *pasts = networks.step(*first, z, *self.model.decoder.stack.silence(len(voices)))
        for whole, part in zip(memory.pasts, pasts):
            whole[rows] = part
        memory.before[rows] = memory.now[rows] = step  # as if the first frame had always been
        memory.curves[rows] = curves
        memory.n_frames[voices], self.ringing[voices] = 1, 0
        self.last.f0_hz[rows], self.last.heights[rows], self.last.noise_magnitudes[rows] = first[0], 0, 0
        self.phase[rows] = 0
        f0_hz, before_hz, after_hz = f0_hz[:, 1:2], first[0], f0_hz[:, 2:]
        ahead = Ahead(voices, f0_hz, periodicity[:, 1:2], loudness_db[:, 1:2], z, before_hz, after_hz)
        return self.frame(networks, ahead)

    def sound(self, frames: Frames, phase: Tensor, start_sample: int, noise_keys: NDArray[np.uint32]
              ) -> tuple[Tensor, Tensor]:
        """Play the segments between frames.

        Args:
            frames: F + 1 of them.
            phase: [V, 1, 1], at the first frame, cycles.
            start_sample: absolute position of the first frame.
            noise_keys: [V, 1].
        Returns:
            audio [V, F * hop_size], and the phase at the last frame.
        """
        audio, after = self.harmonics(frames, phase, self.hop_size)
        return audio + self.noise(frames, start_sample, noise_keys, self.hop_size), after

    def harmonics(self, frames: Frames, phase: Tensor, length: int) -> tuple[Tensor, Tensor]:
        """The harmonics of segments of `length` samples, and the phase after them."""
        if self._is_compiled:
            f0_hz, begin = frames.f0_hz[..., 0].numpy(), phase[:, 0, 0].numpy()
            audio, after = play_oscillators(f0_hz, frames.heights.numpy(), begin, self.sample_rate, length)
            return torch.from_numpy(audio), torch.from_numpy(after)[:, None, None]
        start = start_phase(frames.f0_hz, self.sample_rate, length, phase)
        return self._synthesizer.harmonics(frames.f0_hz, frames.heights, start[:, :-1], length), start[:, -1:]

    def noise(self, frames: Frames, start_sample: int, noise_keys: NDArray[np.uint32], length: int) -> Tensor:
        """The noise of segments of `length` samples."""
        if not self.model.config.with_noise:
            return torch.zeros(len(noise_keys), (frames.f0_hz.shape[1] - 1) * length)
        if self._is_compiled:
            magnitudes, keys = frames.noise_magnitudes.numpy(), noise_keys[:, 0]
            return torch.from_numpy(play_filtered_noise(magnitudes, length, keys, start_sample, self._bins))
        return self._synthesizer.noise(frames.noise_magnitudes, noise_keys, start_sample, length)

    def warm_up(self) -> None:
        """Load what is compiled, before a note waits for it: a moment of silence."""
        nothing = self.last[:1].then(self.last[:1])
        nothing.noise_magnitudes.fill_(1e-9)  # silence would be left out
        self.sound(nothing, self.phase[:1], 0, self.noise_keys[:1])

    def alone(self, voice: int) -> Player:
        """A player of one of these voices that has played nothing."""
        return Player(self.model, self.room, 1, seed=self.seed, first_voice=self.first_voice + voice)

    def adopt(self, voice: int, other: Player) -> None:
        """Be, in one voice, where another player is in its only one."""
        self._put_memory(np.array([voice]), other.memory, other.ringing)
        row = slice(voice, voice + 1)
        self.last.put(row, other.last)
        self.phase[row] = other.phase

    def remember(self) -> tuple[Memory, NDArray]:
        """What all voices remember now, to go back to."""
        memory = self.memory
        return Memory([past.clone() for past in memory.pasts], memory.before.clone(), memory.now.clone(),
                      memory.curves.clone(), memory.n_frames.copy()), self.ringing.copy()

    def recall(self, voices: NDArray[np.int64], remembered: tuple[Memory, NDArray]) -> None:
        """Go back to it, for some voices."""
        memory, ringing = remembered
        rows = torch.from_numpy(voices)
        self._put_memory(voices, Memory([past[rows] for past in memory.pasts], memory.before[rows], memory.now[rows],
                                        memory.curves[rows], memory.n_frames[voices]), ringing[voices])

    def _put_memory(self, voices: NDArray[np.int64], memory: Memory, ringing: NDArray) -> None:
        rows = torch.from_numpy(voices)
        for own, new in zip([*self.memory.pasts, self.memory.before, self.memory.now, self.memory.curves],
                            [*memory.pasts, memory.before, memory.now, memory.curves]):
            own[rows] = new
        self.memory.n_frames[voices], self.ringing[voices] = memory.n_frames, ringing


def play_whole(player: Player, take: Performance, first: int, last: int) -> Tensor:
    """Frames first to last of a take, as part of the whole: audio from the frame before them to the last of them.

    The final frame of the take is held for a hop, so that F frames give F hops.

    Args:
        player: that played the frames before; of one voice.
        take: adapted to the instrument.
    Returns:
        audio [1, n * hop_size].
    """
    f0_hz, periodicity, loudness_db = (torch.from_numpy(np.array(curve[first:last]))[None, :, None]
                                       for curve in (take.f0_hz, take.periodicity, take.loudness_db))

    def neighbour(frame: int) -> Tensor | None:
        return torch.tensor(float(take.f0_hz[frame])).view(1, 1, 1) if 0 <= frame < take.n_frames else None

    rows = torch.from_numpy(np.array(take.z[first // take.frames_per_z : -(-last // take.frames_per_z)]))[None]
    frames = player.control(f0_hz, periodicity, loudness_db, rows, neighbour(last), neighbour(first - 1))
    joined = frames if first == 0 else player.last.then(frames)
    if last == take.n_frames:
        joined = joined.then(joined[:, -1:])
    start_sample = max(first - 1, 0) * player.hop_size
    audio, player.phase = player.sound(joined, player.phase, start_sample, player.noise_keys)
    player.last = frames[:, -1:]
    return audio
