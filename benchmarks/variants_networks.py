"""Instruments that differ from the plain one in a part that ModelConfig cannot name."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from ddspvae.model.autoencoder import Autoencoder
from ddspvae.model.axes import find_onsets, from_rest
from ddspvae.model.config import ModelConfig
from ddspvae.model.encoder_inputs import EncoderInputs
from ddspvae.model.stack import GatedStack, scale_curves
from ddspvae.signals import Controls
from ddspvae.signals.units import db_to_amplitude
from ddspvae.synth.convolve import fft_convolve
from ddspvae.synth.harmonic import POINTS_PER_HARMONIC
from ddspvae.synth.render import render
from ddspvae.synth.reverb import Room, impulse_response

TABLE_POINTS = 8  # per harmonic while training: 65 dB is more than a loss can see
N_ATOMS, ATOM_S = 8, 0.025
TAP_SCALE = 0.01  # of a free impulse response: Adam moves every tap alike, 48,000 of them
BLOCK, N_RESIDUAL, MOST_RESIDUAL = 16, 32, 0.5  # samples, channels, of the amplitude that the loudness asks for


class Plain(Autoencoder):
    """The package's own model. What the others change are the steps of `play`."""

    def play(self, heard: EncoderInputs, z: Tensor, place: Tensor | None, seed: Tensor | int = 0) -> Tensor:
        """Curves and z [B, M, Z] to audio [B, F * hop_size], in the rooms at place [B], or dry for None."""
        room = None if place is None else self.room(place)
        controls = self.decode(*heard.curves, z, room, **self.beside(heard))
        audio = render(controls, self.config.sample_rate, self.config.hop_size, seed=seed, with_noise=self.config.with_noise,
                       points_per_harmonic=TABLE_POINTS if self.training else POINTS_PER_HARMONIC)
        audio = self.before_room(audio, heard, z)
        response = None if place is None else self.response(place, room)
        return self.after_room(audio if response is None else fft_convolve(audio, response), heard, z)

    def response(self, place: Tensor, room: Room | None) -> Tensor | None:
        """Impulse responses [B, L]."""
        if room is None:
            return None
        each, which = place.unique(return_inverse=True)
        alone = self.room(each)
        return None if alone is None else impulse_response(alone, self.config.sample_rate)[which]

    def before_room(self, audio: Tensor, heard: EncoderInputs, z: Tensor) -> Tensor:
        """What becomes of the dry audio [B, T]."""
        return audio

    def after_room(self, audio: Tensor, heard: EncoderInputs, z: Tensor) -> Tensor:
        """What becomes of the audio in its room [B, T]."""
        return audio

    def frames_of(self, heard: EncoderInputs, z: Tensor) -> Tensor:
        """Scaled curves and z at frames, [B, F, 3 + Z]."""
        curves = scale_curves(*heard.curves)
        held = z.repeat_interleave(self.config.frames_per_z, dim=1)[:, : curves.shape[1]]
        return torch.cat([curves, held], dim=-1)


class Forgetful(Plain):
    """A prior that expects every row of z around 0, whatever the row before said."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        with torch.no_grad():
            self.persistence.fill_(-100.0)  # of a sigmoid
        self.persistence.requires_grad_(False)


class FreeLevel(Plain):
    """The network says how loud harmonics and noise are; the loudness curve is an input, and where it starts from."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        self.level_stack = GatedStack(3 + config.n_z, 64, (1, 2, 4, 8))
        self.level_head = nn.Linear(64, 2)
        nn.init.normal_(self.level_head.weight, std=0.01)
        with torch.no_grad():  # a spectrum of eight equal harmonics has the asked power; breath lies 26 dB below
            self.level_head.bias.copy_(torch.tensor([math.log(4.0), math.log(0.05)]))

    def decode(self, f0_hz: Tensor, periodicity: Tensor, loudness_db: Tensor, z: Tensor, room: Room | None, **beside: Tensor
               ) -> Controls:
        """As Autoencoder's, but for the level."""
        distribution, noise_shape, share = self.balance(*self.decoder(f0_hz, periodicity, loudness_db, z, **beside))
        curves = scale_curves(f0_hz, periodicity, loudness_db)
        held = z.repeat_interleave(self.config.frames_per_z, dim=1)[:, : curves.shape[1]]
        levels = self.level_head(self.level_stack(torch.cat([curves, held], dim=-1))[0]).clamp(-8, 8).exp()
        amplitude = levels * db_to_amplitude(loudness_db)
        noise = amplitude[..., 1:] * (1 - share).clamp(min=1e-6).sqrt()
        return Controls(f0_hz=f0_hz, amplitude=amplitude[..., :1] * share.clamp(min=1e-6).sqrt(),
                        harmonic_distribution=distribution, noise_magnitudes=noise_shape * noise)


class FreeRoom(Plain):
    """A room of one free second, as the DDSP paper has it; the level knows nothing of it."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        self.taps = nn.Parameter(torch.zeros(len(config.rooms), config.sample_rate))

    def room(self, index: Tensor | None = None) -> Room | None:
        """None: a free response has no decay to solve a level by."""
        return None

    def response(self, place: Tensor, room: Room | None) -> Tensor | None:
        """A direct sound of 1, and the free taps behind it."""
        return nn.functional.pad(TAP_SCALE * self.taps[place][:, 1:], (1, 0)) + _direct(self.taps[place])


class Transients(Plain):
    """Bursts of 25 ms at onsets: a few learned waveforms, weighted by what is played and by z."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        n_samples = round(ATOM_S * config.sample_rate)
        decay = torch.exp(-torch.arange(n_samples) / (0.3 * n_samples))
        self.atoms = nn.Parameter(0.3 * torch.randn(N_ATOMS, n_samples) * decay)
        self.weigh = nn.Sequential(nn.Linear(3 + config.n_z, 32), nn.Tanh(), nn.Linear(32, N_ATOMS))

    def before_room(self, audio: Tensor, heard: EncoderInputs, z: Tensor) -> Tensor:
        """Add the bursts; those that would ring past the end are cut."""
        onset = find_onsets(from_rest(scale_curves(*heard.curves)))
        begins = nn.functional.pad((onset[:, 1:] - onset[:, :-1]).clamp(min=0), (0, 0, 1, 0))  # sums to 1 over an onset
        weights = begins * db_to_amplitude(heard.loudness_db) * torch.tanh(self.weigh(self.frames_of(heard, z)))
        hop, n_samples = self.config.hop_size, self.atoms.shape[1]
        bursts = (weights @ self.atoms).transpose(1, 2)  # [B, L, F]
        n_frames = bursts.shape[-1]
        added = nn.functional.fold(bursts, (1, (n_frames - 1) * hop + n_samples), (1, n_samples), stride=(1, hop))
        return audio + added[:, 0, 0, : audio.shape[1]]


class Residual(Plain):
    """A causal network on the finished audio adds what is missing; bounded, and as loud as the audio it hears."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        self.residual_stack = GatedStack(BLOCK + 3 + config.n_z, N_RESIDUAL, (1, 2, 4, 8))
        self.residual_head = nn.Linear(N_RESIDUAL, BLOCK)
        nn.init.normal_(self.residual_head.weight, std=0.001)
        nn.init.zeros_(self.residual_head.bias)

    def after_room(self, audio: Tensor, heard: EncoderInputs, z: Tensor) -> Tensor:
        """Blocks of 16 samples, with the curves beside them."""
        hop = self.config.hop_size
        amplitude = nn.functional.interpolate(db_to_amplitude(heard.loudness_db).clamp(min=1e-5).transpose(1, 2),
                                              scale_factor=hop, mode="linear")[:, 0, : audio.shape[1]]
        blocks = (audio / amplitude).unflatten(1, (-1, BLOCK))
        frames = self.frames_of(heard, z).repeat_interleave(hop // BLOCK, dim=1)
        hidden = self.residual_stack(torch.cat([blocks, frames], dim=-1))[0]
        added = MOST_RESIDUAL * torch.tanh(self.residual_head(hidden))
        return audio + added.flatten(1) * amplitude


def _direct(taps: Tensor) -> Tensor:
    return nn.functional.one_hot(torch.zeros(len(taps), dtype=torch.long), taps.shape[1]).to(taps)
