"""Performances of which a person gives a part: a hummed pitch, the loudness of a recording, an axis drawn by hand."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ddspvae.editing.given_curves import COLUMNS, Given, read_given_csv
from ddspvae.signals import Performance
from ddspvae.signals.checks import InputError, check_choice, fail
from ddspvae.signals.units import DB_FLOOR, hz_to_pitch, pitch_to_hz

if TYPE_CHECKING:
    from ddspvae.instrument.instrument import Instrument

JOIN_S = 0.1  # from what is given to what is played
TURN_S = 0.08  # from the slope of the one to that of the other; longer would overshoot more
DRAWN_IN_S = 0.02  # an attack begins up to 15 ms before its onset, and spans like to end on onsets
BRIDGED_S = 0.06  # open gaps shorter than this are drawn from end to end
# per second: what is given goes on at the first slope at most, what is played begins at the second at most
STEEPEST = {"f0": (200.0, 50.0), "loudness": (600.0, 200.0)}  # semitones, dB
STEEPEST_AXIS = (20.0, 20.0)
LIFTED_DB = (20.0, 40.0)  # a rest lifted so far begins to have a pitch, and has it

__all__ = ["Given", "apply_given", "fill", "read_given_csv"]


def fill(performance: Performance, given: Sequence[Given]) -> Performance:
    """Play what is given where it is given, and what the performer plays everywhere else, without a seam.

    What is given stays as it is. The open side bends: within 0.1 s after a border its value, within 0.08 s its slope
    goes over into the performer's own, by polynomials of fifth degree without curvature at either end, so the second
    difference across the border is nearly 0. Open gaps of less than 0.06 s are drawn from one end to the other. A rest
    that a given loudness lifts by 40 dB or more gets a pitch: the one the performer holds there.

    Args:
        performance: of the performer, of the whole piece.
        given: where two say something of the same curve and time, the later one holds. What lies after the end of the
            performance is not used.
    Returns:
        a Performance as long as the first.
    Raises:
        InputError: a curve that the performance does not have, or nothing within its time.
    """
    n_rows, row_rate_hz = len(performance.z), performance.frame_rate_hz / performance.frames_per_z
    known: dict[str, NDArray] = {}
    for one in given:
        check_choice("fill", "curve", one.curve, (*COLUMNS, *performance.axis_names))
        frames = (performance.n_frames, performance.frame_rate_hz) if one.curve in COLUMNS else (n_rows, row_rate_hz)
        curve = one.at(*frames)
        if np.isnan(curve).all():
            raise fail("fill", one.curve, f"be given within the {performance.duration_s:.2f} s that are played",
                       f"{one.time_s[0]:.2f} to {one.time_s[-1]:.2f} s")
        known[one.curve] = np.where(np.isnan(curve), known.get(one.curve, np.nan), curve)
    f0_hz, periodicity, loudness_db = performance.f0_hz, performance.periodicity, performance.loudness_db
    z = np.array(performance.z)
    for name, curve in known.items():
        if name == "f0":
            played = hz_to_pitch(performance.f0_hz.astype(np.float64))
            f0_hz = pitch_to_hz(_join(played, curve, performance.frame_rate_hz, STEEPEST[name]))
        elif name == "loudness":
            joined = _join(performance.loudness_db.astype(np.float64), curve, performance.frame_rate_hz, STEEPEST[name])
            loudness_db = np.maximum(joined, DB_FLOOR)
            low, high = LIFTED_DB
            lifted = (loudness_db - performance.loudness_db - low) / (high - low)
            periodicity = np.maximum(periodicity, lifted.clip(0, 1))
        else:
            axis = performance.axis_names.index(name)
            z[:, axis] = _join(z[:, axis].astype(np.float64), curve, row_rate_hz, STEEPEST_AXIS)
    return replace(performance, f0_hz=f0_hz, periodicity=periodicity, loudness_db=loudness_db, z=z)


def _join(played: NDArray, known: NDArray, rate_hz: float, steepest: tuple[float, float]) -> NDArray:
    """`known` [F] where it is not NaN, and elsewhere `played` [F], bent so that value and slope agree at every border."""
    is_open = np.isnan(known)
    joined = np.where(is_open, played, known)
    carried, begun = (per_s / rate_hz for per_s in steepest)
    n_drawn = round(DRAWN_IN_S * rate_hz)
    for start, stop in np.flatnonzero(np.diff(np.concatenate([[False], is_open, [False]]))).reshape(-1, 2).tolist():
        before, after = known[:start][-2:], known[stop : stop + 2][::-1]
        own = played[start:stop]
        if len(before) and len(after) and len(own) < BRIDGED_S * rate_hz:
            own = np.zeros(len(own))
        if len(before):
            own = _draw_in(own, n_drawn, begun)
        if len(after):
            own = _draw_in(own[::-1], n_drawn, begun)[::-1]
        joined[start:stop] = own
        if len(before):
            joined[start:stop] += _bend(before, own, rate_hz, carried)
        if len(after):
            joined[start:stop] += _bend(after, own[::-1], rate_hz, carried)[::-1]
    return joined


def _draw_in(played: NDArray, n_frames: int, steepest: float) -> NDArray:
    """Without what is too steep in the first n_frames after a border: a note that changes there changes in the join."""
    steps = np.diff(played[: n_frames + 1])
    too_much = steps - steps.clip(-steepest, steepest)
    drawn = np.array(played)
    drawn[: len(steps)] += np.cumsum(too_much[::-1])[::-1]
    return drawn


def _bend(known: NDArray, played: NDArray, rate_hz: float, steepest: float) -> NDArray:
    """What to add to `played` [n], which follows the one or two frames of `known`.

    The two are compared at the last known frame, to which `played` is carried back along its own first slope. Both parts
    reach 0 within n, so the bends of both ends of a gap add up to one that fits both.
    """
    slope = _slope(played[:2], steepest)
    turn = _slope(known, steepest) - slope if np.isfinite(known).all() and len(known) > 1 else 0.0
    away = known[-1] - (played[0] - slope)
    n_join, n_turn = (min(max(2, round(length_s * rate_hz)), len(played) + 1) for length_s in (JOIN_S, TURN_S))
    frames = np.arange(1, len(played) + 1)
    x, y = np.minimum(frames / n_join, 1), np.minimum(frames / n_turn, 1)
    # quintic Hermite: 1 to 0, and slope 1 to 0, every other derivative up to the second 0 at both ends
    return np.asarray(away * (1 - x**3 * (10 - 15 * x + 6 * x**2)) + turn * n_turn * (y - y**3 * (6 - 8 * y + 3 * y**2)))


def _slope(pair: NDArray, steepest: float) -> float:
    return float(np.clip(pair[1] - pair[0], -steepest, steepest)) if len(pair) > 1 else 0.0


def apply_given(performance: Performance, options: Sequence[str], instrument: Instrument) -> Performance:
    """What `--given CURVE=FILE` asks for: `fill` with curves from takes, saved performances and CSV files.

    Args:
        performance: of the instrument.
        options: "loudness=take.wav", "f0=hum.npz@1.5-4" (only from 1.5 to 4 s), "brightness=drawn.csv".
        instrument: who plays; it also listens to audio files.
    Raises:
        InputError: an option that cannot be read, a curve this instrument does not have, or a fault of the file.
    """
    takes: dict[Path, Performance] = {}
    curves = (*COLUMNS, *(name for name in instrument.axis_names if name not in instrument.trimmed_axes))
    given = []
    for option in options:
        curve, _, source = option.partition("=")
        if not source:
            raise fail("render", "--given", "look like loudness=take.wav or f0=hum.npz@1.5-4", f"'{option}'")
        check_choice("render", "--given", curve, curves)
        span = re.fullmatch(r"(.+)@(\d+(?:\.\d*)?)-(\d+(?:\.\d*)?)", source)
        path = Path(span[1] if span else source)
        if path.suffix.lower() == ".csv":
            one = read_given_csv(path, curve)
        else:
            if path not in takes:
                takes[path] = _read_take(path, instrument)
            if curve not in COLUMNS and takes[path].instrument not in ("", instrument.identity):
                raise InputError(f"render: {path} was analyzed with another preset, and its {curve} is not that of "
                                 f"{instrument.name}; give the recording itself, or analyze it with {instrument.name}.")
            one = Given.of_take(curve, takes[path])
        given.append(one.within(float(span[2]), float(span[3])) if span else one)
    return fill(performance, given)


def _read_take(path: Path, instrument: Instrument) -> Performance:
    if path.suffix.lower() == ".npz":
        return Performance.load(path)
    from ddspvae.audio import read_audio

    return instrument.analyze(*read_audio(path))
