"""What the folders hand to each other, and nothing else: read this file first.

    audio -> Features -> Latents -> Performance -> Controls -> audio
    MIDI  -> Notes ----------------^

`Features`, `Notes` and `Performance` describe one take and hold numpy arrays; `Latents` and
`Controls` live inside the network and the synthesizer, hold torch tensors and have a batch axis.
Frame n describes the instant n / frame_rate_hz. `f0_hz` is finite and positive in every frame;
voicing lives in `periodicity`, 0 to 1.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ddspvae.checks import InputError, check_range, check_shape, fail
from ddspvae.curves import resample_curve, split_vibrato
from ddspvae.units import semitones_to_ratio

if TYPE_CHECKING:
    from torch import Tensor

Curve = NDArray[np.floating[Any]]  # stored as float32

LONGEST_S = 1e6  # eleven days; beyond, somebody meant samples or ticks
FILE_FORMAT = "ddspvae performance 1"


def _freeze(obj: Any, **arrays: Any) -> None:
    """Store read-only float32 copies, so that no two signals ever share memory by accident."""
    for name, value in arrays.items():
        array = np.array(value, dtype=np.float32)
        array.setflags(write=False)
        object.__setattr__(obj, name, array)


def _check_frames(where: str, f0_hz: Curve, periodicity: Curve, loudness_db: Curve) -> None:
    n_frames = len(f0_hz) if f0_hz.ndim else 0
    for name, curve in (("f0_hz", f0_hz), ("periodicity", periodicity), ("loudness_db", loudness_db)):
        check_shape(where, name, curve.shape, n_frames)
        if not np.isfinite(curve).all():
            raise fail(where, name, "be finite in every frame", "NaN or infinity",
                       "unvoiced frames carry a filled-in f0 and a low periodicity")
    if n_frames == 0:
        raise fail(where, "f0_hz", "have at least one frame", 0)
    if f0_hz.min() <= 0:
        raise fail(where, "f0_hz", "be positive in every frame", f"{f0_hz.min():g}",
                   "mark unvoiced frames in periodicity, not with f0 = 0")
    if periodicity.min() < 0 or periodicity.max() > 1:
        raise fail(where, "periodicity", "lie between 0 and 1",
                   f"{periodicity.min():g} to {periodicity.max():g}")


@dataclass(frozen=True, eq=False)
class Features:
    """What is heard in a recording, frame by frame, before any network.

    Args:
        f0_hz: [F], Hz, > 0 everywhere, filled in through unvoiced stretches.
        periodicity: [F], 0 (noise, silence) to 1 (surely pitched).
        loudness_db: [F], A-weighted, dB; 0 dB is a full-scale 1 kHz square wave's power.
        timbre: [F, C], level-normalised frames for the encoder.
        frame_rate_hz: frames per second.
    """

    f0_hz: Curve
    periodicity: Curve
    loudness_db: Curve
    timbre: Curve
    frame_rate_hz: float

    def __post_init__(self) -> None:
        _freeze(self, f0_hz=self.f0_hz, periodicity=self.periodicity,
                loudness_db=self.loudness_db, timbre=self.timbre)
        _check_frames("Features", self.f0_hz, self.periodicity, self.loudness_db)
        check_shape("Features", "timbre", self.timbre.shape, len(self.f0_hz), None)


@dataclass(frozen=True)
class Note:
    """One note of a score.

    Args:
        pitch: MIDI note number, 0 to 127 (fractions allowed for microtones).
        velocity: 1 to 127.
        onset_s, offset_s: seconds from the start of the piece; offset_s > onset_s.
    """

    pitch: float
    velocity: int
    onset_s: float
    offset_s: float

    def __post_init__(self) -> None:
        check_range("Note", "pitch", self.pitch, 0, 127)
        check_range("Note", "velocity", self.velocity, 1, 127)
        check_range("Note", "onset_s", self.onset_s, 0, LONGEST_S)
        check_range("Note", "offset_s", self.offset_s, 0, LONGEST_S)
        if not self.offset_s > self.onset_s:
            raise fail("Note", "offset_s", f"come after onset_s = {self.onset_s:g}", f"{self.offset_s:g}")


@dataclass(frozen=True)
class Notes:
    """One part of a score: notes in order of onset, and the bends that belong to them.

    Args:
        notes: in order of onset.
        name: the track's name, may be empty.
        channel: MIDI channel 0 to 15.
        program: General MIDI program 0 to 127.
        bend_semitones: (time_s, semitones) steps of the pitch wheel, in order of time.
    """

    notes: tuple[Note, ...]
    name: str = ""
    channel: int = 0
    program: int = 0
    bend_semitones: tuple[tuple[float, float], ...] = ()

    def __post_init__(self) -> None:
        onsets = [note.onset_s for note in self.notes]
        for index, (before, after) in enumerate(pairwise(onsets), start=1):
            if after < before:
                raise fail("Notes", "onset_s", "not decrease", f"{after:g} after {before:g} at note {index}",
                           "are these delta times? Convert to seconds from the start")

    @property
    def duration_s(self) -> float:
        """When the last note ends, in seconds."""
        return max((note.offset_s for note in self.notes), default=0.0)


@dataclass(frozen=True, eq=False)
class Performance:
    """How a piece is played: the curves people edit, save, plot and send.

    Args:
        f0_hz: [F], Hz, > 0 everywhere.
        periodicity: [F], 0 to 1.
        loudness_db: [F], A-weighted dB of the sound with its room.
        z: [M, Z], timbre, M = ceil(F / frames_per_z); row m covers frames m * frames_per_z and on.
        axis_names: Z names.
        frame_rate_hz: frames per second.
        frames_per_z: frames that share one row of z.
        instrument: identity of the instrument whose z this is; empty if it is nobody's (a curve drawn by hand).

    Every edit returns a new Performance and leaves this one as it was.
    """

    f0_hz: Curve
    periodicity: Curve
    loudness_db: Curve
    z: Curve
    axis_names: tuple[str, ...]
    frame_rate_hz: float
    frames_per_z: int
    instrument: str = ""

    def __post_init__(self) -> None:
        _freeze(self, f0_hz=self.f0_hz, periodicity=self.periodicity,
                loudness_db=self.loudness_db, z=self.z)
        object.__setattr__(self, "axis_names", tuple(self.axis_names))
        _check_frames("Performance", self.f0_hz, self.periodicity, self.loudness_db)
        check_range("Performance", "frame_rate_hz", self.frame_rate_hz, 1, 10_000)
        check_range("Performance", "frames_per_z", self.frames_per_z, 1, 1_000_000)
        n_z = -(-self.n_frames // self.frames_per_z)
        check_shape("Performance", "z", self.z.shape, n_z, len(self.axis_names))
        if not np.isfinite(self.z).all():
            raise fail("Performance", "z", "be finite", "NaN or infinity")

    @property
    def n_frames(self) -> int:
        """Number of frames F."""
        return len(self.f0_hz)

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.n_frames / self.frame_rate_hz

    def transpose(self, semitones: float | Sequence[float] | Curve) -> Performance:
        """Move the pitch by a constant or by a curve of F values, in semitones; nothing else changes.

        Raises:
            InputError: not finite, not F values, or beyond +-60 semitones.
        """
        curve = self._curve("transpose", "semitones", semitones)
        check_range("transpose", "semitones", float(np.abs(curve).max()), 0, 60)
        return replace(self, f0_hz=self.f0_hz * semitones_to_ratio(curve))

    def change_loudness(self, db: float | Sequence[float] | Curve) -> Performance:
        """Make it louder or softer by a constant or by a curve of F values, in dB; nothing else changes."""
        curve = self._curve("change_loudness", "db", db)
        check_range("change_loudness", "db", float(np.abs(curve).max()), 0, 120)
        return replace(self, loudness_db=self.loudness_db + curve)

    def scale_vibrato(self, scale: float) -> Performance:
        """Multiply the extent of the vibrato (0 removes it, 1 leaves it); note centres stay."""
        check_range("scale_vibrato", "scale", scale, 0, 10)
        centre, vibrato = split_vibrato(np.log2(self.f0_hz), self.frame_rate_hz)
        return replace(self, f0_hz=2.0 ** (centre + scale * vibrato))

    def stretch(self, factor: float) -> Performance:
        """Play `factor` times as long, pitch, loudness and timbre unchanged."""
        check_range("stretch", "factor", factor, 0.05, 20)
        n_frames = max(1, round(self.n_frames * factor))
        n_z = -(-n_frames // self.frames_per_z)
        return replace(
            self,
            f0_hz=2.0 ** resample_curve(np.log2(self.f0_hz), n_frames),
            periodicity=resample_curve(self.periodicity, n_frames),
            loudness_db=resample_curve(self.loudness_db, n_frames),
            z=resample_curve(self.z, n_z),
        )

    def offset_z(self, offsets: Mapping[str, float]) -> Performance:
        """Add a constant to named axes of z.

        Args:
            offsets: axis name to offset, in the axis's own unit (standard deviations of the prior).
        """
        z = np.array(self.z)
        for name, offset in offsets.items():
            if name not in self.axis_names:
                raise fail("offset_z", "axis", f"be one of {', '.join(self.axis_names)}", f"'{name}'")
            check_range("offset_z", name, offset, -10, 10)
            z[:, self.axis_names.index(name)] += offset
        return replace(self, z=z)

    def slice(self, start_s: float = 0.0, stop_s: float | None = None) -> Performance:
        """The part from start_s to stop_s seconds; start_s falls on a row of z (the one it lies in)."""
        stop_s = self.duration_s if stop_s is None else stop_s
        check_range("slice", "start_s", start_s, 0, self.duration_s)
        check_range("slice", "stop_s", stop_s, start_s, self.duration_s + 1e-6)
        # z rows cannot be split: begin at the row that holds start_s
        first = int(start_s * self.frame_rate_hz + 1e-6) // self.frames_per_z * self.frames_per_z
        last = max(first + 1, min(self.n_frames, round(stop_s * self.frame_rate_hz)))
        rows = slice(first // self.frames_per_z, -(-last // self.frames_per_z))
        return replace(self, f0_hz=self.f0_hz[first:last], periodicity=self.periodicity[first:last],
                       loudness_db=self.loudness_db[first:last], z=self.z[rows])

    @staticmethod
    def concatenate(parts: Sequence[Performance]) -> Performance:
        """Play one after the other. A part's last frame is held to the end of its last row of z."""
        if not parts:
            raise fail("concatenate", "parts", "hold at least one performance", 0)
        first = parts[0]
        for part in parts[1:]:
            if (part.axis_names, part.instrument, part.frame_rate_hz, part.frames_per_z) != (
                    first.axis_names, first.instrument, first.frame_rate_hz, first.frames_per_z):
                raise fail("concatenate", "parts", "share axis names and rates",
                           f"{part.axis_names} beside {first.axis_names}", "analyze both with one preset")

        def joined(name: str) -> Curve:
            curves = []
            for index, part in enumerate(parts):
                curve = getattr(part, name)
                missing = -part.n_frames % part.frames_per_z if index < len(parts) - 1 else 0
                curves.append(np.pad(curve, (0, missing), mode="edge"))
            return np.concatenate(curves)
        return replace(first, f0_hz=joined("f0_hz"), periodicity=joined("periodicity"),
                       loudness_db=joined("loudness_db"), z=np.concatenate([p.z for p in parts]))

    def save(self, path: str | Path) -> None:
        """Write everything to one .npz file; `load` gives back the same values, bit by bit."""
        path = Path(path)
        meta = {"format": FILE_FORMAT, "axis_names": self.axis_names,
                "frame_rate_hz": self.frame_rate_hz, "frames_per_z": self.frames_per_z, "instrument": self.instrument}
        part = path.with_name(path.name + ".part")
        try:
            with part.open("wb") as file:
                np.savez_compressed(file, f0_hz=self.f0_hz, periodicity=self.periodicity,
                                    loudness_db=self.loudness_db, z=self.z, meta=json.dumps(meta))
            part.replace(path)
        except OSError as error:
            part.unlink(missing_ok=True)
            raise InputError(f"save: cannot write {path}: {error.strerror}.") from error

    @staticmethod
    def load(path: str | Path) -> Performance:
        """Read what `save` wrote.

        Raises:
            InputError: missing, not a performance, or from a newer version.
        """
        try:
            with np.load(path, allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
            meta = json.loads(str(arrays.pop("meta")))
            if meta.pop("format") != FILE_FORMAT:
                raise InputError(f"load: {path} was written by a newer ddspvae; upgrade with pip install -U ddspvae.")
            return Performance(**arrays, **meta)
        except FileNotFoundError as error:
            raise InputError(f"load: no file {path}.") from error
        except InputError:
            raise
        except Exception as error:  # zipfile, json and numpy each have their own words for a broken file
            raise InputError(f"load: {path} is not a saved performance ({error}).") from error

    def _curve(self, where: str, name: str, value: float | Sequence[float] | Curve) -> Curve:
        curve = np.asarray(value, dtype=np.float64)
        if curve.ndim:
            check_shape(where, name, curve.shape, self.n_frames)
        if not np.isfinite(curve).all():
            raise fail(where, name, "be finite", value)
        return curve


@dataclass(frozen=True, eq=False)
class Latents:
    """What the encoder believes about the timbre: a Gaussian per axis and row.

    Args:
        z_mean, z_logvar: [B, M, Z]; log-variance in nats.
    """

    z_mean: Tensor
    z_logvar: Tensor

    def __post_init__(self) -> None:
        check_shape("Latents", "z_logvar", self.z_logvar.shape, *self.z_mean.shape)


@dataclass(frozen=True, eq=False)
class Controls:
    """What the synthesizer plays. Can be written by hand: `synth` needs no network.

    Args:
        f0_hz: [B, F, 1], Hz, > 0.
        amplitude: [B, F, 1], linear, >= 0; harmonic k has the peak amplitude amplitude * distribution[k].
        harmonic_distribution: [B, F, H], >= 0, sums to 1.
        noise_magnitudes: [B, F, K], linear, >= 0; 1 everywhere is white noise of unit power.
    """

    f0_hz: Tensor
    amplitude: Tensor
    harmonic_distribution: Tensor
    noise_magnitudes: Tensor = field(repr=False)

    def __post_init__(self) -> None:
        check_shape("Controls", "f0_hz", self.f0_hz.shape, None, None, 1)
        batch, frames, _ = self.f0_hz.shape
        check_shape("Controls", "amplitude", self.amplitude.shape, batch, frames, 1)
        check_shape("Controls", "harmonic_distribution", self.harmonic_distribution.shape, batch, frames, None)
        check_shape("Controls", "noise_magnitudes", self.noise_magnitudes.shape, batch, frames, None)
