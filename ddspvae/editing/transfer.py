"""Bring a take to another instrument: fit its range and levels, silence what is too soft, tune its notes."""

from __future__ import annotations

import sys
import warnings
from argparse import Namespace
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ddspvae.editing.scales import Scale, read_scale
from ddspvae.features.segments import VOICED, segment_notes
from ddspvae.features.statistics import Statistics
from ddspvae.signals import Performance
from ddspvae.signals.checks import InputError, check_range
from ddspvae.signals.curves import smooth_curve
from ddspvae.signals.units import DB_FLOOR, amplitude_to_db, hz_to_pitch, semitones_to_ratio

MOST_OCTAVES = 5
MARGIN_SEMITONES = 0.5  # a note sung out of tune is in the range still
QUANTILES = (1, *range(5, 100, 5), 99)  # per cent; the extremes are single frames
WORTH_AN_OCTAVE = 0.05  # share of frames that must come into the range for each: fewer may be a tracker's slips
LEAST_SLOPE, MOST_SLOPE = 0.1, 3.0  # dB per dB: a flat map cannot be undone, a steep one plays the tracker's noise
WORTH_A_WARNING = 0.01  # of the sounding frames
FADE_S = 0.020
TUNING_CHANGE_S = 0.080  # from the correction of one note to that of the next


@dataclass(frozen=True, eq=False)
class Fit:
    """How a take was brought to an instrument's range; `undo` takes it back.

    Args:
        octaves: the pitch moves by this many.
        heard_db, played_db: [K] levels, increasing, and what they become; straight lines between, dB for dB above the
            last. The first is silence, which stays silence.
        shift_db: what the median level moves by.
    """

    octaves: int
    heard_db: NDArray
    played_db: NDArray
    shift_db: float

    def apply(self, performance: Performance) -> Performance:
        """The performance in the instrument's range; z, periodicity and time stay."""
        return self._move(performance, self.octaves, self.heard_db, self.played_db)

    def undo(self, performance: Performance) -> Performance:
        """The performance as it was, to rounding; edits made in between stay."""
        return self._move(performance, -self.octaves, self.played_db, self.heard_db)

    @property
    def sentence(self) -> str:
        """What was done, for the user."""
        size = abs(self.octaves)
        pitch = "pitch as it was" if not size else \
            f"{size} octave{'s' if size > 1 else ''} {'up' if self.octaves > 0 else 'down'}"
        return f"fitted: {pitch}, the median level {self.shift_db:+.1f} dB."

    @staticmethod
    def _move(performance: Performance, octaves: int, before_db: NDArray, after_db: NDArray) -> Performance:
        level = performance.loudness_db.astype(np.float64)
        moved = np.interp(level, before_db, after_db)
        moved += np.maximum(level - before_db[-1], 0) + np.minimum(level - before_db[0], 0)
        return replace(performance, f0_hz=performance.f0_hz * np.float32(2.0) ** octaves, loudness_db=moved)


def fit(performance: Performance, statistics: Statistics) -> Fit:
    """Find the octave and the levels at which an instrument can play a foreign take.

    The octave is the one that puts most sounding frames between pitch_low and pitch_high; each octave of the way must
    bring 5 % of them more, so that a tracker's slips move nothing. Levels are mapped quantile to quantile, from the
    median outward, with slopes of 0.1 to 3 dB per dB: it is monotone, and a single note keeps some of its evenness.

    Args:
        performance: the take, with its own pitch and levels.
        statistics: of the instrument's recordings.
    Raises:
        InputError: no pitched note in the take.
    Source: for the levels, Engel et al., "DDSP", ICLR 2020, section on timbre transfer, which shifts octaves and levels.
    """
    sounding = _sounding(performance)
    if not sounding.any():
        raise InputError("fit: the take must hold pitched notes, got none; is this a recording of a melody?")
    pitch = hz_to_pitch(performance.f0_hz[sounding].astype(np.float64))
    low, high = statistics.pitch_low - MARGIN_SEMITONES, statistics.pitch_high + MARGIN_SEMITONES

    def cost(octaves: int) -> tuple[float, float]:
        beyond = np.maximum(low - pitch - 12 * octaves, pitch + 12 * octaves - high).clip(min=0)
        return float((beyond > 0).mean()) + WORTH_AN_OCTAVE * abs(octaves), float(beyond.mean())

    octaves = min(range(-MOST_OCTAVES, MOST_OCTAVES + 1), key=cost)
    level = np.quantile(performance.loudness_db[sounding].astype(np.float64), np.array(QUANTILES) / 100)
    wanted = np.array(statistics.loudness_quantiles_db)[list(QUANTILES)]
    heard, played = _map(level, wanted)
    middle = float(np.quantile(performance.loudness_db[sounding], 0.5))
    return Fit(octaves, heard, played, float(np.interp(middle, heard, played) - middle))


def _map(level_db: NDArray, wanted_db: NDArray) -> tuple[NDArray, NDArray]:
    """Points of a strictly increasing map from quantiles [Q] to quantiles [Q], and from silence to silence."""
    middle = len(level_db) // 2
    # levels closer than 0.01 dB are one; the map is anchored at the median and bounded on the way out
    heard = level_db + 0.01 * (np.arange(len(level_db)) - middle)
    steps = np.clip(np.diff(wanted_db), LEAST_SLOPE * np.diff(heard), MOST_SLOPE * np.diff(heard))
    played = wanted_db[middle] + np.concatenate([-np.cumsum(steps[:middle][::-1])[::-1], [0.0], np.cumsum(steps[middle:])])
    above_floor = DB_FLOOR + 1.0
    audible = (heard > above_floor) & (played > above_floor)
    return np.concatenate([[DB_FLOOR], heard[audible]]), np.concatenate([[DB_FLOOR], played[audible]])


def gate(performance: Performance, threshold_db: float) -> Performance:
    """Silence what is softer than threshold_db below the loudest frame, with fades of 20 ms; nothing else changes.

    Args:
        performance: any.
        threshold_db: relative to the loudest frame, -120 to 0; -40 keeps the upper 40 dB.
    """
    check_range("gate", "threshold_db", threshold_db, DB_FLOOR, 0)
    level = performance.loudness_db.astype(np.float64)
    kept = np.flatnonzero(level >= level.max() + threshold_db)
    frames = np.arange(len(level))
    after = kept[np.minimum(np.searchsorted(kept, frames), len(kept) - 1)]
    before = kept[np.maximum(np.searchsorted(kept, frames, side="right") - 1, 0)]
    away_s = np.minimum(np.abs(frames - after), np.abs(frames - before)) / performance.frame_rate_hz
    gain = np.cos(np.pi / 2 * np.minimum(away_s / FADE_S, 1)) ** 2
    faded = np.where(gain > 1e-6, level + amplitude_to_db(gain), DB_FLOOR)
    return replace(performance, loudness_db=np.maximum(faded, DB_FLOOR))


def autotune(performance: Performance, amount: float, scale: Scale | None = None) -> Performance:
    """Move every note toward the nearest pitch of a scale, as a whole: its vibrato, scoops and glides stay.

    A note's centre is its mean pitch under a Hann window, which vibrato, scoops and slips hardly move. From note to note
    the correction changes within 80 ms, half of it on either side.

    Args:
        performance: a melody.
        amount: 0 changes nothing, 1 moves the centres onto the scale (A4 = 440 Hz).
        scale: None is chromatic.
    """
    check_range("autotune", "amount", amount, 0, 1)
    scale = scale or Scale()
    notes = _notes(performance)
    if not notes or amount == 0:
        return performance
    centres = np.array([pitch for _, _, pitch in notes])
    corrections = amount * (scale.nearest(centres) - centres)
    # a rest belongs half to the note before it and half to the next
    borders = [(before[1] + after[0]) // 2 for before, after in pairwise(notes)]
    lengths = np.diff([0, *borders, performance.n_frames])
    curve = smooth_curve(np.repeat(corrections, lengths), round(TUNING_CHANGE_S * performance.frame_rate_hz))
    return replace(performance, f0_hz=performance.f0_hz * semitones_to_ratio(curve))


@dataclass(frozen=True)
class Outside:
    """What part of a performance lies outside what an instrument was trained on.

    Args:
        pitch, loudness: shares of the sounding frames, 0 to 1.
    """

    pitch: float
    loudness: float

    @property
    def sentence(self) -> str:
        """For the user."""
        return (f"{self.pitch:.0%} of the sounding frames lie outside the trained range in pitch, "
                f"{self.loudness:.0%} in loudness.")


def find_outside(performance: Performance, statistics: Statistics) -> Outside:
    """The shares of sounding frames beyond the pitches and the levels of the recordings; 0 where nothing sounds."""
    sounding = _sounding(performance)
    if not sounding.any():
        return Outside(0.0, 0.0)
    pitch = hz_to_pitch(performance.f0_hz[sounding].astype(np.float64))
    level = performance.loudness_db[sounding]
    low, high = statistics.pitch_low - MARGIN_SEMITONES, statistics.pitch_high + MARGIN_SEMITONES
    softest, loudest = statistics.loudness_quantiles_db[0], statistics.loudness_quantiles_db[-1]
    return Outside(float(((pitch < low) | (pitch > high)).mean()), float(((level < softest) | (level > loudest)).mean()))


def check_transfer_options(args: Namespace) -> None:
    """What can be wrong in --threshold, --autotune and --scale, before anything is analyzed."""
    check_range("edit", "autotune", args.autotune, 0, 1)
    if args.threshold is not None:
        check_range("edit", "threshold", args.threshold, DB_FLOOR, 0, "it is in dB below the loudest frame")
    if args.autotune == 0 and args.scale != "chromatic":
        raise InputError(f"edit: --scale {args.scale} is what --autotune moves notes to; add --autotune 1.")
    read_scale(args.scale)


def transfer(performance: Performance, statistics: Statistics, args: Namespace) -> tuple[Performance, dict[str, Any]]:
    """What --threshold, --autotune and --fit ask for, in this order; and for --json, what --fit did."""
    if args.threshold is not None:
        performance = gate(performance, args.threshold)
    performance = autotune(performance, args.autotune, read_scale(args.scale))
    if not args.fit:
        return performance, {}
    fitted = fit(performance, statistics)
    print(f"edit: {fitted.sentence}", file=sys.stderr)
    return fitted.apply(performance), {"octaves": fitted.octaves, "level_shift_db": round(fitted.shift_db, 2)}


def report_outside(performance: Performance, statistics: Statistics, args: Namespace) -> dict[str, Any]:
    """Warn of a performance outside the trained range; for --json, the shares."""
    outside = find_outside(performance, statistics)
    if max(outside.pitch, outside.loudness) > WORTH_A_WARNING:
        hint = "" if args.fit else " --fit moves them into it."
        warnings.warn(f"edit: {outside.sentence}{hint}", stacklevel=2)
    return {"outside_pitch": round(outside.pitch, 4), "outside_loudness": round(outside.loudness, 4)}


def _notes(performance: Performance) -> list[tuple[int, int, float]]:
    return segment_notes(performance.f0_hz, performance.periodicity, performance.loudness_db, performance.frame_rate_hz)


def _sounding(performance: Performance) -> NDArray[np.bool_]:
    """Frames [F] inside notes and surely pitched: what `statistics.measure` counts."""
    inside = np.zeros(performance.n_frames, dtype=bool)
    for start, stop, _ in _notes(performance):
        inside[start:stop] = True
    return inside & (performance.periodicity >= VOICED)
