"""Curves in, dry sound out, in torch: decoder, level, harmonics and noise with a memory, many frames at a time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ddspvae.kernels.compiler import HAS_COMPILER
from ddspvae.kernels.noise import bins_of, play_filtered_noise
from ddspvae.kernels.oscillators import play_oscillators
from ddspvae.model.autoencoder import Autoencoder
from ddspvae.model.parts import SYNTHESIZERS
from ddspvae.signals import Controls, Performance
from ddspvae.synth.envelopes import start_phase
from ddspvae.synth.level import Tail, scale, weigh
from ddspvae.synth.noise import bin_shapes, fft_size, noise_key
from ddspvae.synth.reverb import Room
from ddspvae.synth.synthesizers import Synthesizer
from ddspvae.synth.tails import N_ROOM_BANDS


@dataclass(frozen=True, eq=False)
class TensorFrames:
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
    def of(cls, controls: Controls) -> TensorFrames:
        """The frames that controls describe; their distribution is one that may sound."""
        return cls(controls.f0_hz, controls.amplitude * controls.harmonic_distribution, controls.noise_magnitudes)

    @classmethod
    def nothing(cls, n_voices: int, n_harmonics: int, n_noise_bands: int) -> TensorFrames:
        """One silent frame of every voice."""
        return cls(torch.full((n_voices, 1, 1), 440.0), torch.zeros(n_voices, 1, n_harmonics),
                   torch.zeros(n_voices, 1, n_noise_bands))

    def __getitem__(self, index: slice | tuple[Tensor | slice, ...] | Tensor) -> TensorFrames:
        return TensorFrames(self.f0_hz[index], self.heights[index], self.noise_magnitudes[index])

    def then(self, other: TensorFrames) -> TensorFrames:
        """These frames and the other ones after them."""
        return TensorFrames(torch.cat([self.f0_hz, other.f0_hz], dim=1), torch.cat([self.heights, other.heights], dim=1),
                            torch.cat([self.noise_magnitudes, other.noise_magnitudes], dim=1))


class TensorPlayer:
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
        self._synthesizer = SYNTHESIZERS[config.synthesizer](config.sample_rate, config.hop_size, config.n_noise_bands)
        self._is_compiled = HAS_COMPILER and type(self._synthesizer) is Synthesizer
        n_fft = fft_size(config.hop_size, config.n_noise_bands)
        self._bins = bins_of(bin_shapes(config.n_noise_bands, n_fft).numpy(), n_fft)
        self.memory = model.decoder.memory(n_voices)
        self.ringing = np.zeros((n_voices, N_ROOM_BANDS))
        self.last = TensorFrames.nothing(n_voices, config.n_harmonics, config.n_noise_bands)
        self.phase = torch.zeros(n_voices, 1, 1, dtype=torch.float64)

    def control(self, f0_hz: Tensor, periodicity: Tensor, loudness_db: Tensor, z: Tensor, after_hz: Tensor | None,
                before_hz: Tensor | None) -> TensorFrames:
        """The frames that follow for all voices, in pieces as Decoder.forward wants them.

        Args:
            f0_hz, periodicity, loudness_db: [V, F, 1]; z: [V, M, Z].
            after_hz, before_hz: [V, 1, 1], f0 of the frames around these; None where there is none.
        """
        shape = self.model.balance(*self.model.decoder(f0_hz, periodicity, loudness_db, z, self.memory))
        weighed = weigh(f0_hz, *shape, self.sample_rate, before_hz, after_hz)
        controls, self.ringing = scale(f0_hz, loudness_db, shape[1], *weighed, tail=self.tail, ringing=self.ringing)
        return TensorFrames.of(controls)

    def sound(self, frames: TensorFrames, phase: Tensor, start_sample: int, noise_keys: NDArray[np.uint32]
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

    def harmonics(self, frames: TensorFrames, phase: Tensor, length: int) -> tuple[Tensor, Tensor]:
        """The harmonics of segments of `length` samples, and the phase after them."""
        if self._is_compiled:
            f0_hz, begin = frames.f0_hz[..., 0].numpy(), phase[:, 0, 0].numpy()
            audio, after = play_oscillators(f0_hz, frames.heights.numpy(), begin, self.sample_rate, length)
            return torch.from_numpy(audio), torch.from_numpy(after)[:, None, None]
        start = start_phase(frames.f0_hz, self.sample_rate, length, phase)
        return self._synthesizer.harmonics(frames.f0_hz, frames.heights, start[:, :-1], length), start[:, -1:]

    def noise(self, frames: TensorFrames, start_sample: int, noise_keys: NDArray[np.uint32], length: int) -> Tensor:
        """The noise of segments of `length` samples."""
        if not self.model.config.with_noise:
            return torch.zeros(len(noise_keys), (frames.f0_hz.shape[1] - 1) * length)
        if self._is_compiled:
            magnitudes, keys = frames.noise_magnitudes.numpy(), noise_keys[:, 0]
            return torch.from_numpy(play_filtered_noise(magnitudes, length, keys, start_sample, self._bins))
        return self._synthesizer.noise(frames.noise_magnitudes, noise_keys, start_sample, length)


def play_whole(player: TensorPlayer, take: Performance, first: int, last: int) -> Tensor:
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
