"""Encoder, decoder, rooms and prior: everything an instrument learns."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields
from typing import Any

import torch
from torch import Tensor, nn

from ddspvae.checks import InputError, check_choice, check_range, fail
from ddspvae.model.axes import NAMED_AXES
from ddspvae.model.bottleneck import BOTTLENECKS, bits_per_second, kl_nats, make_bottleneck
from ddspvae.model.decoder import Decoder
from ddspvae.model.encoder import ENCODERS
from ddspvae.model.heard import Heard
from ddspvae.model.prior import Prior
from ddspvae.model.quantize import Quantizer
from ddspvae.model.stack import mean_rows, scale_curves
from ddspvae.model.timbre import TimbreCode
from ddspvae.signals import Controls, Latents
from ddspvae.synth.level import Hearing, Tail, scale, weigh
from ddspvae.synth.reverb import MAX_DECAY_S, MIN_DECAY_S, N_ROOM_BANDS, Room

STARTING_GAIN = 0.98  # of axes without names: 2.3 bits a row
TELLING_SHARE = 0.7  # of the rows that sound, those that tell of an axis with a name
TINY = 1e-12  # keeps a gradient finite
BODY_SCALE = 0.1  # a tap for a parameter of 1: Adam moves all alike, hundreds of them
MAX_TAIL_ENERGY = 2.0  # a tail 3 dB louder than the direct sound, at the very most


@dataclass(frozen=True)
class ModelConfig:
    """Sizes of a model; saved with the weights.

    Args:
        sample_rate: Hz.
        hop_size: samples per frame.
        frames_per_z: frames that share one row of z.
        n_z: axes of z, the first four with names; more are inferred by the encoder, 0 trains an instrument without.
        n_timbre: the last of them, which tell instruments apart; 0 for a model of one instrument.
        n_harmonics, n_noise_bands: of the synthesizer.
        encoder_channels, decoder_channels: widths of the stacks.
        encoder: what hears the axes without names, one of model.encoder.ENCODERS.
        bottleneck: one of model.bottleneck.BOTTLENECKS.
        bitrate: bit/s, which decides the sizes of discrete bottlenecks.
        rooms: names of the recording environments; the first is the default.
        body_s: how long their bodies ring (see synth.reverb); 0 is without.
        with_noise, with_reverb: False leaves that part out (for ablations).
    """

    sample_rate: int = 48_000
    hop_size: int = 240
    frames_per_z: int = 8
    n_z: int = 4
    n_timbre: int = 0
    n_harmonics: int = 100
    n_noise_bands: int = 65
    encoder_channels: int = 96
    decoder_channels: int = 128
    encoder: str = "harmonics"
    bottleneck: str = "gaussian"
    bitrate: float = 500.0
    rooms: tuple[str, ...] = ("room",)
    body_s: float = 0.005
    with_noise: bool = True
    with_reverb: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "rooms", tuple(self.rooms))
        check_range("ModelConfig", "sample_rate", self.sample_rate, 8_000, 192_000)
        check_range("ModelConfig", "hop_size", self.hop_size, 16, 4096)
        check_range("ModelConfig", "n_z", self.n_z, 0, 256)
        check_range("ModelConfig", "n_timbre", self.n_timbre, 0, max(self.n_z - 1, 0))
        check_range("ModelConfig", "n_harmonics", self.n_harmonics, 1, 2000)
        check_range("ModelConfig", "n_noise_bands", self.n_noise_bands, 2, 1000)
        check_range("ModelConfig", "frames_per_z", self.frames_per_z, 1, 1000)
        for name in ("encoder_channels", "decoder_channels"):
            check_range("ModelConfig", name, getattr(self, name), 1, 4096)
        check_range("ModelConfig", "body_s", self.body_s, 0, 0.25)
        check_choice("ModelConfig", "encoder", self.encoder, ENCODERS)
        check_choice("ModelConfig", "bottleneck", self.bottleneck, BOTTLENECKS)
        if self.bottleneck != "gaussian" and not self.n_running:
            raise InputError("ModelConfig: without axes there is nothing to quantize; leave the bottleneck gaussian.")
        if not self.rooms:
            raise fail("ModelConfig", "rooms", "name at least one", 0)

    @property
    def n_running(self) -> int:
        """Axes of z that change while an instrument plays, and cost bits."""
        return self.n_z - self.n_timbre

    @property
    def frame_rate_hz(self) -> float:
        """Frames per second."""
        return self.sample_rate / self.hop_size

    @property
    def z_rate_hz(self) -> float:
        """Rows of z per second."""
        return self.frame_rate_hz / self.frames_per_z

    def to_dict(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> ModelConfig:
        """Read back; unknown names mean a newer version."""
        unknown = set(values) - {field.name for field in fields(cls)}
        if unknown:
            raise InputError(f"ModelConfig: unknown settings {', '.join(sorted(unknown))}; "
                             "the file is from a newer ddspvae, upgrade with pip install -U ddspvae.")
        return cls(**values)


def bits_a_row(config: ModelConfig) -> float:
    """What an axis with a name may say in a row that tells of it, to begin with; the bitrate decides.

    >>> round(bits_a_row(ModelConfig(bitrate=700)), 3)
    10.0
    """
    return config.bitrate / config.z_rate_hz / max(config.n_running, 1) / TELLING_SHARE


def harmonics_needed(lowest_f0_hz: float, sample_rate: int) -> int:
    """Harmonics from the lowest trained note up to 16 kHz or Nyquist; fewer would leave the rest to noise.

    >>> harmonics_needed(196.0, 48_000)
    82
    """
    return max(8, math.ceil(min(sample_rate / 2, 16_000) / lowest_f0_hz))


class Expected(nn.Module):
    """How the axes without names are distributed where pitch and loudness are all there is: a mean and a deviation.

    The mean is taken off them and the deviation divided out. So neither depends on pitch or loudness any more, and 0 is
    the likeliest everywhere.
    """

    def __init__(self, n_z: int, n_hidden: int = 32) -> None:
        super().__init__()
        self.hidden = nn.Sequential(nn.Linear(3, n_hidden), nn.Tanh(), nn.Linear(n_hidden, n_hidden), nn.Tanh())
        self.mean, self.logvar = nn.Linear(n_hidden, n_z), nn.Linear(n_hidden, n_z)

    def forward(self, heard: Heard, frames_per_z: int) -> tuple[Tensor, Tensor]:
        """Mean and log-variance, [B, M, n_z] each."""
        hidden = self.hidden(mean_rows(scale_curves(*heard.curves), frames_per_z))
        return self.mean(hidden), self.logvar(hidden).clamp(-8, 8)

    @torch.no_grad()
    def permute(self, order: Tensor, sign: Tensor) -> None:
        """Axis i becomes what axis order_i was, times sign_i."""
        for layer in (self.mean, self.logvar):
            layer.weight.copy_(layer.weight[order])
            layer.bias.copy_(layer.bias[order])
        self.mean.weight.mul_(sign[:, None])
        self.mean.bias.mul_(sign)


class Autoencoder(nn.Module):
    """The model. `encode` listens, `decode` gives Controls; audio is made by `synth`, outside."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.n_named = min(config.n_running, len(NAMED_AXES))
        self.n_unnamed = config.n_running - self.n_named
        if self.n_unnamed:
            self.encoder = ENCODERS[config.encoder](
                n_channels=config.encoder_channels, n_z=self.n_unnamed, frames_per_z=config.frames_per_z,
                sample_rate=config.sample_rate, hop_size=config.hop_size)
            self.expected = Expected(self.n_unnamed)
            self.gain = nn.Parameter(torch.full((self.n_unnamed,), _logit(STARTING_GAIN)))
        self.decoder = Decoder(config.decoder_channels, (1, 2, 4, 8), config.n_z, config.frames_per_z,
                               config.n_harmonics, config.n_noise_bands, config.sample_rate, config.n_timbre)
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
        n_taps = round(config.body_s * config.sample_rate)
        self.room_body = nn.Parameter(torch.zeros(n_rooms, n_taps)) if n_taps else None

    def encode(self, heard: Heard) -> Latents:
        """What was heard to Latents [B, M, Z], the axes with names first, and the code of who plays, in a model of many."""
        n_rows = -(-heard.f0_hz.shape[1] // self.config.frames_per_z)
        if not self.config.n_running:
            nothing = heard.f0_hz.new_zeros(len(heard.f0_hz), n_rows, 0)
            return Latents(z_mean=nothing, z_logvar=nothing, gain=nothing)
        held = None
        if self.config.n_timbre:
            held = (self.timbre(heard) if heard.code is None else heard.code)[:, None]
        deviations, seen = self.decoder.typical.read(heard, self.config.frames_per_z, held)
        seen = seen[..., : self.n_named]
        # the best Gaussian channel of b bits for a number of unit variance: noise of 2^-2b, and a gain at both ends that
        # leaves unit variance
        logvar = -2 * math.log(2) * nn.functional.softplus(self.named_bits) * seen
        gain = seen if self.bottleneck.discrete else (1 - logvar.exp() + TINY).sqrt() * seen
        mean = gain * deviations[..., : self.n_named]
        if self.n_unnamed:
            others = self.encoder(heard)
            with torch.no_grad():
                expected, spread = self.expected(heard, self.config.frames_per_z)
            around = torch.sigmoid(self.gain) * (others.z_mean - expected) * (-spread / 2).exp()
            mean, logvar = torch.cat([mean, around], dim=-1), torch.cat([logvar, others.z_logvar], dim=-1)
            gain = torch.cat([gain, torch.ones_like(around)], dim=-1)
        return Latents(mean, logvar, gain, None if held is None else held.expand(-1, n_rows, -1))

    def to_z(self, latents: Latents) -> Tensor:
        """The z of a Performance [B, M, Z]: the means, through the bottleneck."""
        return self.bottleneck.deterministic(latents)

    def bits_per_axis(self, latents: Latents, rows: Tensor) -> Tensor:
        """Rate of each axis, or of each code, over rows [B, M] that count: [Z] or [G], bit/s."""
        if isinstance(self.bottleneck, Quantizer):
            return self.bottleneck.nominal_bits
        return bits_per_second(kl_nats(latents), self.config.z_rate_hz, rows)

    def expectation_loss(self, heard: Heard) -> Tensor:
        """How unlikely the other axes are by what `expected` makes of pitch and loudness; trains nothing else."""
        if not self.n_unnamed:
            return heard.f0_hz.new_zeros(())
        with torch.no_grad():
            told = self.encoder(heard).z_mean
        mean, logvar = self.expected(heard, self.config.frames_per_z)
        return 0.5 * (logvar + (told - mean).square() * (-logvar).exp()).mean()

    def room(self, index: Tensor | None = None) -> Room | None:
        """The rooms at index [B], or the first; None for a model without."""
        if not self.config.with_reverb:
            return None
        rows = slice(0, 1) if index is None else index
        decay_s = MIN_DECAY_S + (MAX_DECAY_S - MIN_DECAY_S) * torch.sigmoid(self.room_decay[rows])
        body = None if self.room_body is None else BODY_SCALE * self.room_body[rows]
        return Room(MAX_TAIL_ENERGY * torch.sigmoid(self.room_energy[rows]), decay_s, body)

    def room_tail_energy(self) -> float:
        """The wettest room's mean tail energy, relative to the direct sound."""
        return float((MAX_TAIL_ENERGY * torch.sigmoid(self.room_energy.detach())).mean(-1).max())

    def decode(self, f0_hz: Tensor, periodicity: Tensor, loudness_db: Tensor, z: Tensor, room: Room | None) -> Controls:
        """Curves [B, F, 1] and z [B, M, Z] to Controls whose level, in that room, is the one asked for."""
        config = self.config
        hearing = Hearing.within(room, config.n_noise_bands, config.sample_rate, like=f0_hz)
        body = hearing.of_harmonics(f0_hz, config.n_harmonics)
        shape = self.balance(*self.decoder(f0_hz, periodicity, loudness_db, z, body))
        tail = None if room is None else Tail(room, config.sample_rate, config.hop_size)
        return scale(f0_hz, loudness_db, shape[1], *weigh(f0_hz, *shape, hearing, body), tail=tail)[0]

    def balance(self, distribution: Tensor, noise_shape: Tensor, share: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The decoder's word on the spectrum's shape; a model without noise gives all power to the harmonics."""
        return distribution, noise_shape, share if self.config.with_noise else torch.ones_like(share)


def inverse_softplus(x: float) -> float:
    """What softplus makes x > 0 of."""
    return x + math.log(-math.expm1(-x))


def _logit(p: float) -> float:
    return math.log(p / (1 - p))
