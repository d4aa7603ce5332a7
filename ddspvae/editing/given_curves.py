"""Curves that a person gives for some spans of a performance: from a take, an array, or a CSV drawn by hand."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ddspvae.features.f0_csv import read_f0_csv
from ddspvae.features.segments import VOICED
from ddspvae.signals import Performance
from ddspvae.signals.checks import InputError, check_choice, check_range, check_shape, fail
from ddspvae.signals.tables import read_cells
from ddspvae.signals.units import DB_FLOOR, hz_to_pitch

COLUMNS = {"f0": "f0_hz", "loudness": "loudness_db"}  # of a CSV; an axis of z is called by its name
RANGES = {"f0": (10.0, 10_000.0), "loudness": (DB_FLOOR, 20.0)}
AXIS_RANGE = (-10.0, 10.0)
ON_POINT_S = 1e-6  # a frame this near a point is that point, whatever the rounding
SHORTEST_S = 0.03
SLIP_SEMITONES_PER_S = 200.0  # no finger glides so fast


@dataclass(frozen=True, eq=False)
class Given:
    """One curve of a performance, known for some spans of time and open elsewhere.

    Args:
        curve: "f0" in Hz, "loudness" in dB, or the name of an axis of z.
        time_s: [N] seconds from the start of the piece, increasing.
        values: [N]; straight from point to point (in semitones for f0). NaN is open, up to the points beside it;
            so is all before the first point and after the last.
    Raises:
        InputError: lengths differ, times that do not increase, a value out of range, no value at all.
    """

    curve: str
    time_s: NDArray[np.float64]
    values: NDArray[np.float64]

    def __post_init__(self) -> None:
        for name in ("time_s", "values"):
            array = np.array(getattr(self, name), dtype=np.float64)
            array.setflags(write=False)
            object.__setattr__(self, name, array)
        check_shape("Given", "time_s", self.time_s.shape, None)
        check_shape("Given", "values", self.values.shape, len(self.time_s))
        if not np.isfinite(self.time_s).all() or (np.diff(self.time_s) <= 0).any():
            raise fail("Given", "time_s", "increase", "times that do not, or NaN")
        known = self.values[~np.isnan(self.values)]
        if len(known) == 0:
            raise fail("Given", "values", "hold a number somewhere", "NaN everywhere", f"leave {self.curve} out instead")
        for value in (known.min(), known.max()):
            check_range("Given", COLUMNS.get(self.curve, self.curve), value, *RANGES.get(self.curve, AXIS_RANGE))

    @staticmethod
    def of_frames(curve: str, values: ArrayLike, frame_rate_hz: float) -> Given:
        """An array with one value per frame (for an axis, per row of z), NaN where it is open."""
        array = np.asarray(values, dtype=np.float64)
        return Given(curve, np.arange(len(array)) / frame_rate_hz, array)

    @staticmethod
    def of_take(curve: str, take: Performance) -> Given:
        """A curve of a take. Loudness and z are given everywhere, f0 where it is pitched (periodicity >= 0.5).

        A stretch of f0 shorter than 30 ms between jumps (a semitone within 5 ms) is a tracker's slip and stays open.
        """
        check_choice("Given.of_take", "curve", curve, (*COLUMNS, *take.axis_names))
        if curve == "f0":
            pitch, sure = hz_to_pitch(take.f0_hz.astype(np.float64)), take.periodicity >= VOICED
            borders = (np.diff(sure) != 0) | (np.abs(np.diff(pitch)) > SLIP_SEMITONES_PER_S / take.frame_rate_hz)
            stretch = np.concatenate([[0], np.cumsum(borders)])
            sure &= np.bincount(stretch)[stretch] >= SHORTEST_S * take.frame_rate_hz
            if not sure.any():
                raise InputError("Given.of_take: f0 must come from a take with a pitch, got one without any.")
            return Given.of_frames(curve, np.where(sure, take.f0_hz, np.nan), take.frame_rate_hz)
        if curve == "loudness":
            return Given.of_frames(curve, np.maximum(take.loudness_db, DB_FLOOR), take.frame_rate_hz)
        return Given.of_frames(curve, take.z[:, take.axis_names.index(curve)], take.frame_rate_hz / take.frames_per_z)

    def within(self, start_s: float, stop_s: float) -> Given:
        """Only what lies from start_s to stop_s; the rest is open."""
        check_range("Given.within", "stop_s", stop_s, start_s, math.inf)
        inside = (self.time_s >= start_s - ON_POINT_S) & (self.time_s <= stop_s + ON_POINT_S)
        return Given(self.curve, self.time_s, np.where(inside, self.values, np.nan))

    def at(self, n_frames: int, frame_rate_hz: float) -> NDArray[np.float64]:
        """The curve at frames [F], NaN where it is open; f0 as a MIDI number."""
        points = hz_to_pitch(self.values) if self.curve == "f0" else self.values
        time_s = np.arange(n_frames) / frame_rate_hz
        before = np.searchsorted(self.time_s, time_s + ON_POINT_S, side="right") - 1
        left, right = np.maximum(before, 0), np.minimum(before + 1, len(points) - 1)
        since_s = time_s - self.time_s[left]
        way = (since_s / np.maximum(self.time_s[right] - self.time_s[left], ON_POINT_S)).clip(0, 1)
        # points[right] may be NaN: then only a frame on the point itself is given
        curve = np.where(np.abs(since_s) <= ON_POINT_S, points[left], points[left] * (1 - way) + points[right] * way)
        outside = (before < 0) | (time_s > self.time_s[-1] + ON_POINT_S)
        return np.where(outside, np.nan, curve)


def read_given_csv(path: str | Path, curve: str) -> Given:
    """Read a curve drawn by hand: a header line `time_s,f0_hz` (or loudness_db, or the axis), then a point a line.

    A line without a value ends a span. For f0, the three columns of `ddspvae analyze --csv` are read as well; what has
    a periodicity below 0.5 is open.

    Raises:
        InputError: missing, empty, or a line that cannot be right; the sentence names the line.
    """
    rows = read_cells("read_given_csv", path)
    column = COLUMNS.get(curve, curve)
    header = [cell.strip() for cell in rows[0]] if rows else []
    if curve == "f0" and len(header) == 3:
        track = read_f0_csv(path)
        return Given(curve, track.times_s, np.where(track.periodicity >= VOICED, track.f0_hz, np.nan))
    if header not in (["time_s", column], ["time_s", "value"]):
        raise InputError(f"read_given_csv: {path} line 1 must be the header 'time_s,{column}', got '{','.join(header)}'.")
    points: list[tuple[float, float]] = []
    for line, row in enumerate(rows[1:], start=2):
        if row:
            points.append(_read_point(f"read_given_csv: {path} line {line}", curve, row, points[-1][0] if points else -1.0))
    if not any(math.isfinite(value) for _, value in points):
        raise InputError(f"read_given_csv: {path} holds no value; expected lines of time_s,{column}.")
    return Given(curve, *np.array(points).T)


def _read_point(where: str, curve: str, row: list[str], after_s: float) -> tuple[float, float]:
    try:
        time_s, value = (float(cell) if cell.strip() else math.nan for cell in row)
    except ValueError:
        time_s = math.inf
    if not math.isfinite(time_s):
        raise InputError(f"{where} must hold a time and a value (or none, to end a span), got '{','.join(row)}'.")
    low, high = RANGES.get(curve, AXIS_RANGE)
    if not (time_s >= 0 and time_s > after_s):
        raise InputError(f"{where}: time_s must increase from 0, got {time_s:g} after {max(after_s, 0):g}.")
    if not (math.isnan(value) or low <= value <= high):
        raise InputError(f"{where}: {COLUMNS.get(curve, curve)} must lie between {low:g} and {high:g}, got {value:g}.")
    return time_s, value
