"""Encoder, decoder, rooms and prior: everything an instrument learns."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields
from typing import Any

import torch
from torch import Tensor, nn

from ddspvae.checks import InputError, check_choice, check_range, fail
from ddspvae.model.axes import NAMED_AXES
from ddspvae.model.bottleneck import bits_per_second, kl_nats
from ddspvae.model.bottlenecks import BOTTLENECKS, make_bottleneck
from ddspvae.model.decoder import Decoder
from ddspvae.model.encoder import ENCODERS
from ddspvae.model.envelope import N_NODES
from ddspvae.model.heard import Heard
from ddspvae.model.prior import Prior
from ddspvae.model.quantize import Quantizer
from ddspvae.model.stack import row_middle, rows_around, scale_curves
from ddspvae.model.target import Shape, decoded_shape, frame_weights, measured_shape
from ddspvae.model.timbre import TimbreCode
from ddspvae.signals import Controls, Latents
from ddspvae.synth.level import Tail, scale, weigh
from ddspvae.synth.reverb import MAX_DECAY_S, MIN_DECAY_S, N_ROOM_BANDS, Room

MOST_LEFT = 2.5  # nepers, 22 dB: beyond, something was measured where nothing sounds
MOST_PERSISTENT = 0.98  # a row of its predecessor
FASTER = ((1000.0, 4), (5000.0, 2))  # bit/s, and frames that share a row from there on; below, 25 rows a second say most
MOST_DETAIL = 96
TELLING_SHARE = 0.7  # of the rows that sound, those that tell of an axis with a name
TINY = 1e-12  # keeps a gradient finite
MAX_TAIL_ENERGY = 2.0  # a tail 3 dB louder than the direct sound, at the very most


@dataclass(frozen=True)
class ModelConfig:
    """Sizes of a model; saved with the weights.

    Args:
        sample_rate: Hz.
        hop_size: samples per frame.
        frames_per_z: frames that share one row of z.
        n_z: axes of z, the first four with names; the others are details that the encoder infers; 0 trains an instrument
            without.
        n_timbre: the last of them, which tell instruments apart; 0 for a model of one instrument.
        n_harmonics, n_noise_bands: of the synthesizer.
        encoder_channels, decoder_channels: widths of the stacks.
        encoder: what hears the axes without names, one of model.encoder.ENCODERS.
        bottleneck: one of model.bottlenecks.BOTTLENECKS.
        bitrate: bit/s, which decides the sizes of discrete bottlenecks.
        rooms: names of the recording environments; the first is the default.
        with_noise, with_reverb: False leaves that part out (for ablations).
    """

    sample_rate: int = 48_000
    hop_size: int = 240
    frames_per_z: int = 4
    n_z: int = 44
    n_timbre: int = 0
    n_harmonics: int = 100
    n_noise_bands: int = 65
    encoder_channels: int = 96
    decoder_channels: int = 128
    encoder: str = "harmonics"
    bottleneck: str = "gaussian"
    bitrate: float = 2000.0
    rooms: tuple[str, ...] = ("room",)
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


def sizes_for(bitrate: float, n_named: int = len(NAMED_AXES)) -> tuple[int, int]:
    """Axes of z and frames that share a row, as a bitrate pays for: the axes that reverse water-filling uses on a violin.

    >>> sizes_for(500), sizes_for(2000), sizes_for(8000)
    ((28, 8), (44, 4), (100, 2))
    """
    frames_per_z = 8
    n_detail = round(24 * (bitrate / 500) ** 0.8)
    for fastest, frames in FASTER:
        if bitrate >= fastest:
            n_detail, frames_per_z = round(40 * (bitrate / 2000) ** 0.63), frames
    return n_named + max(4, min(n_detail, MOST_DETAIL)), frames_per_z


def bits_a_row(config: ModelConfig) -> float:
    """What an axis with a name may say in a row that tells of it, to begin with; the bitrate decides.

    >>> round(bits_a_row(ModelConfig(bitrate=700, n_z=4, frames_per_z=8)), 3)
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
    """Where the axes without names are to be expected when pitch and loudness are all there is.

    That is taken off them, so that 0 is the likeliest everywhere.
    """

    def __init__(self, n_z: int, n_hidden: int = 32) -> None:
        super().__init__()
        self.hidden = nn.Sequential(nn.Linear(3, n_hidden), nn.Tanh(), nn.Linear(n_hidden, n_hidden), nn.Tanh())
        self.mean = nn.Linear(n_hidden, n_z)
        nn.init.zeros_(self.mean.weight)
        nn.init.zeros_(self.mean.bias)

    def forward(self, heard: Heard, frames_per_z: int) -> Tensor:
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

    def encode(self, heard: Heard) -> Latents:
        """What was heard to Latents [B, M, Z], the axes with names first, and the code of who plays, in a model of many."""
        return self.listen(heard).latents

    def listen(self, heard: Heard) -> Listened:
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

    def explain(self, heard: Heard, z: Tensor) -> Shape:
        """The shape that z [B, M, Z] and the curves of takes ask for, as it is heard in a dry room."""
        config = self.config
        shape = self.balance(*self.decoder(*heard.curves, z))
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

    def _read_named(self, heard: Heard) -> Latents:
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

    def decode(self, f0_hz: Tensor, periodicity: Tensor, loudness_db: Tensor, z: Tensor, room: Room | None) -> Controls:
        """Curves [B, F, 1] and z [B, M, Z] to Controls whose level, in that room, is the one asked for."""
        config = self.config
        shape = self.balance(*self.decoder(f0_hz, periodicity, loudness_db, z))
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
