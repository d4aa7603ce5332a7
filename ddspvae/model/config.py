"""Sizes of a model, and how many a bitrate pays for."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields
from typing import Any

from ddspvae.model.form import NAMED_AXES
from ddspvae.model.parts import BOTTLENECKS, DECODERS, ENCODERS, SYNTHESIZERS
from ddspvae.signals.checks import InputError, check_range, fail
from ddspvae.signals.registry import Registry

FASTER = 1000.0  # bit/s, from which on 50 rows a second say most; below, 25 do, and more never did
MOST_DETAIL = 96
TELLING_SHARE = 0.7  # of the rows that sound, those that tell of an axis with a name


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
        encoder: what hears the axes without names, one of model.parts.ENCODERS.
        decoder: what says the shape of the spectrum, one of model.parts.DECODERS.
        bottleneck: one of model.parts.BOTTLENECKS.
        synthesizer: what makes sound of the controls, one of model.parts.SYNTHESIZERS.
        bitrate: bit/s, which decides the sizes of discrete bottlenecks.
        rooms: names of the recording environments; the first is the default.
        by_room: what is typical is learned for each of several rooms by itself, and z says what differs from that; None is
            where the recordings can tell rooms apart. Not of many instruments, whose timbre codes do, nor by a decoder from
            outside.
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
    decoder: str = "stack"
    bottleneck: str = "gaussian"
    bitrate: float = 2000.0
    rooms: tuple[str, ...] = ("room",)
    with_noise: bool = True
    with_reverb: bool = True
    synthesizer: str = "spectral"
    by_room: bool | None = None

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
        for registry, part in self._parts:
            registry.check("ModelConfig", part)
        if self.bottleneck != "gaussian" and not self.n_running:
            raise InputError("ModelConfig: without axes there is nothing to quantize; leave the bottleneck gaussian.")
        if not self.rooms:
            raise fail("ModelConfig", "rooms", "name at least one", 0)

    @property
    def _parts(self) -> tuple[tuple[Registry, str], ...]:
        return ((ENCODERS, self.encoder), (DECODERS, self.decoder), (BOTTLENECKS, self.bottleneck),
                (SYNTHESIZERS, self.synthesizer))

    @property
    def plugins(self) -> dict[str, str]:
        """Parts that come from outside the package, "encoder mine", and the modules that register them."""
        return {f"{registry.kind} {part}": home for registry, part in self._parts if (home := registry.plugin_of(part))}

    @property
    def n_running(self) -> int:
        """Axes of z that change while an instrument plays, and cost bits."""
        return self.n_z - self.n_timbre

    @property
    def n_rooms_apart(self) -> int:
        """Rooms of which something is learned beside what all share."""
        can_be = not self.n_timbre and self.decoder == ModelConfig.decoder
        return len(self.rooms) if can_be and self.by_room is not False and len(self.rooms) > 1 else 0

    @property
    def frame_rate_hz(self) -> float:
        """Frames per second."""
        return self.sample_rate / self.hop_size

    @property
    def z_rate_hz(self) -> float:
        """Rows of z per second."""
        return self.frame_rate_hz / self.frames_per_z

    def to_dict(self) -> dict[str, Any]:
        """As JSON can hold it; the package's own synthesizer goes without saying, as in files of before."""
        values = asdict(self)
        if self.synthesizer == ModelConfig.synthesizer:
            del values["synthesizer"]
        del values["by_room"]
        return {**values, "by_room": True} if self.n_rooms_apart else values

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> ModelConfig:
        """Read back; unknown names mean a newer version."""
        unknown = set(values) - {field.name for field in fields(cls)}
        if unknown:
            raise InputError(f"ModelConfig: unknown settings {', '.join(sorted(unknown))}; "
                             "the file is from a newer ddspvae, upgrade with pip install -U ddspvae.")
        return cls(**{"by_room": False, **values})


def sizes_for(bitrate: float, n_named: int = len(NAMED_AXES)) -> tuple[int, int]:
    """Axes of z and frames that share a row, as a bitrate pays for: the axes that reverse water-filling uses on a violin.

    >>> sizes_for(500), sizes_for(2000), sizes_for(8000)
    ((28, 8), (44, 4), (100, 4))
    """
    n_detail, frames_per_z = round(24 * (bitrate / 500) ** 0.8), 8
    if bitrate >= FASTER:
        n_detail, frames_per_z = round(40 * (bitrate / 2000) ** 0.63), 4
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
