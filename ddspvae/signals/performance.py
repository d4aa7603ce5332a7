"""How a piece is played: the curves people edit, save, plot and send."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ddspvae.signals.checks import InputError, check_duration, check_range, check_shape, fail
from ddspvae.signals.curves import Curve, check_frames, freeze_curves, resample_curve, resample_pitch, split_vibrato
from ddspvae.signals.files import new_file
from ddspvae.signals.shown import short_repr
from ddspvae.signals.units import semitones_to_ratio

MOST_BYTES = 2_000_000_000  # of the curves of six hours
FILE_FORMAT = "ddspvae performance 1"


@dataclass(frozen=True, eq=False, repr=False)
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

    __repr__ = short_repr

    def __post_init__(self) -> None:
        freeze_curves(self, f0_hz=self.f0_hz, periodicity=self.periodicity,
                loudness_db=self.loudness_db, z=self.z)
        object.__setattr__(self, "axis_names", tuple(self.axis_names))
        check_frames("Performance", self.f0_hz, self.periodicity, self.loudness_db)
        check_range("Performance", "frame_rate_hz", self.frame_rate_hz, 1, 10_000)
        check_range("Performance", "frames_per_z", self.frames_per_z, 1, 1_000_000)
        n_z = -(-self.n_frames // self.frames_per_z)
        check_shape("Performance", "z", self.z.shape, n_z, len(self.axis_names))
        if not np.isfinite(self.z).all():
            raise fail("Performance", "z", "be finite", "NaN or infinity")

    def then(self, other: Performance) -> Performance:
        """This one and another of the same instrument right after it.

        Raises:
            InputError: this one ends within a row of z, or the two differ in rates, axes or instrument.
        """
        if self.n_frames % self.frames_per_z:
            raise fail("Performance.then", "n_frames", f"be a multiple of frames_per_z ({self.frames_per_z})", self.n_frames,
                       "only the last piece may end within a row of z")
        for name in ("axis_names", "frame_rate_hz", "frames_per_z", "instrument"):
            if getattr(self, name) != getattr(other, name):
                raise fail("Performance.then", name, f"be {getattr(self, name)}", getattr(other, name))
        return replace(self, f0_hz=np.concatenate([self.f0_hz, other.f0_hz]),
                       periodicity=np.concatenate([self.periodicity, other.periodicity]),
                       loudness_db=np.concatenate([self.loudness_db, other.loudness_db]),
                       z=np.concatenate([self.z, other.z]))

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
            f0_hz=resample_pitch(self.f0_hz, n_frames),
            periodicity=resample_curve(self.periodicity, n_frames),
            loudness_db=resample_curve(self.loudness_db, n_frames),
            z=resample_curve(self.z, n_z),
        )

    def offset_z(self, offsets: Mapping[str, float]) -> Performance:
        """Add a constant to named axes of z.

        Args:
            offsets: axis name to offset; for axes with names, in standard deviations of the training set.
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
        try:
            with new_file(path) as part, part.open("wb") as file:
                np.savez_compressed(file, f0_hz=self.f0_hz, periodicity=self.periodicity,
                                    loudness_db=self.loudness_db, z=self.z, meta=json.dumps(meta))
        except OSError as error:
            raise InputError(f"save: cannot write {path}: {error.strerror}.") from error

    @staticmethod
    def load(path: str | Path) -> Performance:
        """Read what `save` wrote.

        Raises:
            InputError: missing, not a performance, or from a newer version.
        """
        try:
            with zipfile.ZipFile(path) as archive:
                n_bytes = sum(entry.file_size for entry in archive.infolist())
            if n_bytes > MOST_BYTES:
                raise InputError(f"load: {path} holds {n_bytes / 1e9:.1f} GB of curves, more than the longest piece has.")
            with np.load(path, allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
            meta = json.loads(str(arrays.pop("meta")))
            if meta.pop("format") != FILE_FORMAT:
                raise InputError(f"load: {path} was written by a newer ddspvae; upgrade with pip install -U ddspvae.")
            performance = Performance(**arrays, **meta)
            check_duration("load", path, performance.duration_s)
            return performance
        except FileNotFoundError as error:
            raise InputError(f"load: no file {path}.") from error
        except InputError:
            raise
        except Exception as error:  # zipfile, json and numpy each have their own words for a broken file
            raise InputError(f"load: {path} is not a saved performance.") from error

    def _curve(self, where: str, name: str, value: float | Sequence[float] | Curve) -> Curve:
        curve = np.asarray(value, dtype=np.float64)
        if curve.ndim:
            check_shape(where, name, curve.shape, self.n_frames)
        if not np.isfinite(curve).all():
            raise fail(where, name, "be finite", value)
        return curve
