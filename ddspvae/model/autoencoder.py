"""Encoder, decoder, rooms and prior: everything an instrument learns."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ddspvae.model.bottleneck import bits_per_second, kl_nats
from ddspvae.model.bottlenecks import make_bottleneck
from ddspvae.model.config import ModelConfig, bits_a_row
from ddspvae.model.encoder_inputs import EncoderInputs
from ddspvae.model.form import DILATIONS, MOST_LEFT, N_EXPECTED, N_NODES, NAMED_AXES, row_middle
from ddspvae.model.parts import DECODERS, ENCODERS
from ddspvae.model.prior import Prior
from ddspvae.model.quantize import Quantizer
from ddspvae.model.stack import rows_around, scale_curves
from ddspvae.model.target import Shape, decoded_shape, frame_weights, measured_shape
from ddspvae.model.timbre import TimbreCode
from ddspvae.signals import Controls, Latents
from ddspvae.synth.level import Tail, scale, weigh
from ddspvae.synth.reverb import Room
from ddspvae.synth.tails import MAX_DECAY_S, MAX_TAIL_ENERGY, MIN_DECAY_S, N_ROOM_BANDS

MOST_PERSISTENT = 0.98  # a row of its predecessor
TINY = 1e-12  # keeps a gradient finite


class Expected(nn.Module):
    """Where the axes without names are to be expected when pitch and loudness are all there is.

    That is taken off them, so that 0 is the likeliest everywhere.
    """

    def __init__(self, n_z: int, n_hidden: int = N_EXPECTED) -> None:
        super().__init__()
        self.hidden = nn.Sequential(nn.Linear(3, n_hidden), nn.Tanh(), nn.Linear(n_hidden, n_hidden), nn.Tanh())
        self.mean = nn.Linear(n_hidden, n_z)
        nn.init.zeros_(self.mean.weight)
        nn.init.zeros_(self.mean.bias)

    def forward(self, heard: EncoderInputs, frames_per_z: int) -> Tensor:
        """[B, M, n_z]."""
        curves = rows_around(scale_curves(*heard.curves), frames_per_z, row_middle(frames_per_z))
        mean: Tensor = self.mean(self.hidden(curves))
        return mean

    @torch.no_grad()
    def permute(self, order: Tensor, sign: Tensor) -> None:
        """Axis i becomes what axis order_i was, times sign_i."""
        self.mean.weight.copy_(self.mean.weight[order] * sign[:, None])
        self.mean.bias.copy_(self.mean.bias[order] * sign)


@dataclass(frozen=True, eq=False)
class Listened:
    """What a model hears in takes.

    Args:
        latents: of all axes.
        explained: what pitch, loudness and the named axes alone make of them; None where there is no spectrum to compare.
        measured: what was there.
        left: [B, F, N_NODES + K], what is left of it in nepers, where it counts.
        surprise: how far the axes without names are from where pitch and loudness let expect them, mean square, scalar;
            trains nothing but that expectation.
    """

    latents: Latents
    explained: Shape | None = None
    measured: Shape | None = None
    left: Tensor | None = None
    surprise: Tensor | None = None


class Autoencoder(nn.Module):
    """The model. `encode` listens, `decode` gives Controls; audio is made by `synth`, outside."""

    coarseness: Tensor

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.n_named = min(config.n_running, len(NAMED_AXES))
        self.n_unnamed = config.n_running - self.n_named
        if self.n_unnamed:
            self.encoder = ENCODERS[config.encoder](
                n_channels=config.encoder_channels, n_z=self.n_unnamed, frames_per_z=config.frames_per_z,
                sample_rate=config.sample_rate, hop_size=config.hop_size, n_left=N_NODES + config.n_noise_bands)
            self.expected = Expected(self.n_unnamed)
        self.persistence = nn.Parameter(torch.zeros(config.n_running))
        self.register_buffer("coarseness", torch.zeros(()))
        self.decoder = DECODERS[config.decoder](config.decoder_channels, DILATIONS, config.n_z, config.frames_per_z,
                               config.n_harmonics, config.n_noise_bands, config.sample_rate, config.n_timbre,
                               **({"n_rooms": config.n_rooms_apart} if config.n_rooms_apart else {}))
        if config.n_timbre:
            self.timbre = TimbreCode(config.n_timbre)
        self.bottleneck = make_bottleneck(config.bottleneck, config.n_running, config.z_rate_hz, config.bitrate)
        # of each row that tells, one number for all axes with names: each alone, the loss would rather not hear of breath
        self.named_bits = nn.Parameter(torch.tensor(inverse_softplus(bits_a_row(config))))
        self.prior = Prior(max(config.n_running, 1))
        # a dry start: tails 26 dB down, 0.4 s
        n_rooms = len(config.rooms)
        self.room_energy = nn.Parameter(torch.full((n_rooms, N_ROOM_BANDS), _logit(0.0025 / MAX_TAIL_ENERGY)))
        self.room_decay = nn.Parameter(
            torch.full((n_rooms, N_ROOM_BANDS), _logit((0.4 - MIN_DECAY_S) / (MAX_DECAY_S - MIN_DECAY_S))))

    def encode(self, heard: EncoderInputs) -> Latents:
        """What was heard to Latents [B, M, Z], the axes with names first, and the code of who plays, in a model of many."""
        return self.listen(heard).latents

    def listen(self, heard: EncoderInputs) -> Listened:
        """As `encode`, and what was there to be heard.

        The axes with names are read in closed form. What the decoder makes of these and the curves explains a part of the
        measured spectrum; the encoder hears the rest.
        """
        named = self._read_named(heard)
        if not heard.spectrum.shape[-1]:
            n_rows = named.z_mean.shape[1]
            nothing = heard.f0_hz.new_zeros(len(heard.f0_hz), n_rows, self.n_unnamed)
            return Listened(self._joined(named, nothing, nothing))
        config = self.config
        blank = named.z_mean.new_zeros(*named.z_mean.shape[:2], self.n_unnamed)
        explained = self.explain(heard, self._joined(named, blank, blank).to_z())
        measured = measured_shape(heard.spectrum, heard.f0_hz, config.n_harmonics, config.n_noise_bands, config.sample_rate)
        if not self.n_unnamed:
            return Listened(named, explained, measured)
        left = measured.less(explained, heard.f0_hz).detach().clamp(-MOST_LEFT, MOST_LEFT)
        left = left * frame_weights(heard.loudness_db, float(self.decoder.typical.loud_db))
        others = self.encoder(heard, left)
        expected = self.expected(heard, config.frames_per_z)
        latents = self._joined(named, others.z_mean - expected.detach(), others.z_logvar + self.coarseness)
        return Listened(latents, explained, measured, left, (others.z_mean.detach() - expected).square().mean())

    def beside(self, heard: EncoderInputs) -> dict[str, Tensor]:
        """What a decoder must know of takes beside curves and z: their room, [B], where the model tells rooms apart.

        Takes from elsewhere are heard in the room that the model plays in.
        """
        if not self.config.n_rooms_apart:
            return {}
        if heard.place is not None:
            return {"place": heard.place}
        if heard.room not in self.config.rooms:
            return {}
        return {"place": torch.tensor([self.config.rooms.index(heard.room)], device=heard.f0_hz.device)}

    def explain(self, heard: EncoderInputs, z: Tensor) -> Shape:
        """The shape that z [B, M, Z] and the curves of takes ask for, as it is heard in a dry room."""
        config = self.config
        shape = self.balance(*self.decoder(*heard.curves, z, **self.beside(heard)))
        return decoded_shape(*shape, heard.f0_hz, config.sample_rate)

    def _joined(self, named: Latents, mean: Tensor, logvar: Tensor) -> Latents:
        """The axes with names, and the others."""
        if not self.n_unnamed:
            return named
        assert named.gain is not None and named.persistence is not None
        persistence = MOST_PERSISTENT * torch.sigmoid(self.persistence[self.n_named :]).expand_as(mean)
        return Latents(torch.cat([named.z_mean, mean], dim=-1), torch.cat([named.z_logvar, logvar], dim=-1),
                       torch.cat([named.gain, torch.ones_like(mean)], dim=-1), named.code,
                       torch.cat([named.persistence, persistence], dim=-1))

    def _read_named(self, heard: EncoderInputs) -> Latents:
        n_rows = -(-heard.f0_hz.shape[1] // self.config.frames_per_z)
        if not self.config.n_running:
            nothing = heard.f0_hz.new_zeros(len(heard.f0_hz), n_rows, 0)
            return Latents(z_mean=nothing, z_logvar=nothing, gain=nothing)
        held = None
        if self.config.n_timbre:
            held = (self.timbre(heard) if heard.code is None else heard.code)[:, None]
        deviations, seen = self.decoder.typical.read(heard, self.config.frames_per_z, held, self.beside(heard).get("place"))
        seen = seen[..., : self.n_named]
        # the best Gaussian channel of b bits for a number of unit variance: noise of 2^-2b, and a gain at both ends that
        # leaves unit variance
        bits = nn.functional.softplus(self.named_bits) - self.coarseness / (2 * math.log(2))
        logvar = -2 * math.log(2) * bits.clamp(min=1e-3) * seen
        gain = seen if self.bottleneck.discrete else (1 - logvar.exp() + TINY).sqrt() * seen
        mean = gain * deviations[..., : self.n_named]
        follows = seen * nn.functional.pad(seen[:, :-1], (0, 0, 1, 0))  # a row after one that tells nothing begins anew
        persistence = MOST_PERSISTENT * torch.sigmoid(self.persistence[: self.n_named]) * follows
        return Latents(mean, logvar, gain, None if held is None else held.expand(-1, n_rows, -1), persistence)

    def to_z(self, latents: Latents) -> Tensor:
        """The z of a Performance [B, M, Z]: the means, through the bottleneck."""
        return self.bottleneck.deterministic(latents)

    def bits_per_axis(self, latents: Latents, rows: Tensor) -> Tensor:
        """Rate of each axis, or of each code, over rows [B, M] that count: [Z] or [G], bit/s."""
        if isinstance(self.bottleneck, Quantizer):
            return self.bottleneck.nominal_bits
        return bits_per_second(kl_nats(latents), self.config.z_rate_hz, rows)

    def room(self, index: Tensor | None = None) -> Room | None:
        """The rooms at index [B], or the first; None for a model without."""
        if not self.config.with_reverb:
            return None
        rows = slice(0, 1) if index is None else index
        decay_s = MIN_DECAY_S + (MAX_DECAY_S - MIN_DECAY_S) * torch.sigmoid(self.room_decay[rows])
        return Room(MAX_TAIL_ENERGY * torch.sigmoid(self.room_energy[rows]), decay_s)

    def room_tail_energy(self) -> float:
        """The wettest room's mean tail energy, relative to the direct sound."""
        return float((MAX_TAIL_ENERGY * torch.sigmoid(self.room_energy.detach())).mean(-1).max())

    def decode(self, f0_hz: Tensor, periodicity: Tensor, loudness_db: Tensor, z: Tensor, room: Room | None, **beside: Tensor
               ) -> Controls:
        """Curves [B, F, 1] and z [B, M, Z] to Controls whose level, in that room, is the one asked for."""
        config = self.config
        shape = self.balance(*self.decoder(f0_hz, periodicity, loudness_db, z, **beside))
        tail = None if room is None else Tail(room, config.sample_rate, config.hop_size)
        return scale(f0_hz, loudness_db, shape[1], *weigh(f0_hz, *shape, config.sample_rate), tail=tail)[0]

    def balance(self, distribution: Tensor, noise_shape: Tensor, share: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The decoder's word on the spectrum's shape; a model without noise gives all power to the harmonics."""
        return distribution, noise_shape, share if self.config.with_noise else torch.ones_like(share)


def inverse_softplus(x: float) -> float:
    """What softplus makes x > 0 of."""
    return x + math.log(-math.expm1(-x))


def _logit(p: float) -> float:
    return math.log(p / (1 - p))
