"""The loudness of one note as three numbers, read from a curve and put into a curve in closed form."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ddspvae.signals import Notes
from ddspvae.signals.units import db_to_power

EDGE_S = 0.080  # of attack at the front and of release, or of the hole before a repeated note, at the back
LONGEST_EDGE = 0.25  # of a note's length
FEWEST_FRAMES = 8  # in which an arch and what goes round it can be told apart
STEEPEST_DB = 60.0  # that a tilt goes up or down from one end to the other
NEWTON_STEPS = 40


def inner_frames(notes: Notes, frame_rate_hz: float, n_frames: int, edge_s: float = EDGE_S) -> list[slice]:
    """The frames of each note without its ends, of which the shortest note keeps one.

    Args:
        notes: of a part.
        frame_rate_hz: frames per second.
        n_frames: that there are.
        edge_s: to leave out on either side, at most a quarter of the note.
    Returns:
        one slice a note, none of them empty, all within n_frames.
    """
    found = []
    for note in notes.notes:
        edge = min(edge_s, LONGEST_EDGE * (note.offset_s - note.onset_s))
        start = min(int(np.ceil((note.onset_s + edge) * frame_rate_hz - 1e-6)), n_frames - 1)
        stop = int(np.floor((note.offset_s - edge) * frame_rate_hz + 1e-6))
        found.append(slice(start, min(max(stop, start + 1), n_frames)))
    return found


def measure_shape(loudness_db: NDArray) -> tuple[float, float, float]:
    """The three numbers of a note's loudness.

    Args:
        loudness_db: [F], the inner frames of one note, dB.
    Returns:
        its mean, dB; the standard deviation of what goes round its arch (the parabola that fits best), dB; and the
        centre of its energy, 0 (all at the front) to 1, 0.5 for an even note.
    """
    curve = np.asarray(loudness_db, dtype=np.float64)
    return float(curve.mean()), float(_around_arch(curve).std()), _centre(curve)


def shape_loudness(loudness_db: NDArray, mean_db: float, fluctuation_db: float, centre: float, wave: NDArray) -> NDArray:
    """The curve nearest to a note's that has the three numbers asked for.

    What goes round the arch is made smaller, or a wave is added to it; neither moves the arch. A tilt, a straight line
    in dB, then moves the centre of energy: of all curves with that centre it has the least relative entropy to this
    one. A constant, last, moves the mean. No step disturbs what the steps before it set.

    Args:
        loudness_db: [F], the inner frames of one note, dB.
        mean_db, fluctuation_db, centre: as `measure_shape` reads them. In notes of fewer than 8 inner frames the
            fluctuation stays as it is.
        wave: [F], any shape; how a larger fluctuation goes.
    Returns:
        [F], dB.
    """
    curve = np.asarray(loudness_db, dtype=np.float64)
    around = _around_arch(curve)
    now, target = float(around.std()), max(fluctuation_db, 0.0)
    if len(curve) >= FEWEST_FRAMES and target < now:
        curve = curve + around * (target / now - 1)
    elif len(curve) >= FEWEST_FRAMES:
        own = _around_arch(np.asarray(wave, dtype=np.float64))
        own -= around * (own @ around) / max(float(around @ around), 1e-12)
        if own.std() > 1e-9:
            curve = curve + own / own.std() * np.sqrt(target**2 - now**2)
    curve = curve + _tilt_db(curve, centre) * _way(len(curve))
    return np.asarray(curve - curve.mean() + mean_db)


def _way(n_frames: int) -> NDArray:
    return (np.arange(n_frames) + 0.5) / n_frames


def _centre(curve: NDArray) -> float:
    return float(np.average(_way(len(curve)), weights=db_to_power(curve - curve.max())))


def _around_arch(curve: NDArray) -> NDArray:
    """A curve without the parabola that fits it best; nothing in notes too short for one."""
    if len(curve) < FEWEST_FRAMES:
        return np.zeros(len(curve))
    basis, _ = np.linalg.qr(np.vander(_way(len(curve)) - 0.5, 3))
    return np.asarray(curve - basis @ (basis.T @ curve))


def _tilt_db(curve: NDArray, centre: float) -> float:
    """By how many dB a line must rise over the note to put its energy there: Newton's method, kept between bounds."""
    low, high, tilt, way = -STEEPEST_DB, STEEPEST_DB, 0.0, _way(len(curve))
    if len(curve) < FEWEST_FRAMES // 2:
        return 0.0
    for _ in range(NEWTON_STEPS):
        tilted = curve + tilt * way
        weights = db_to_power(tilted - tilted.max())
        now = float(np.average(way, weights=weights))
        low, high = (tilt, high) if now < centre else (low, tilt)
        slope = float(np.average((way - now) ** 2, weights=weights)) * np.log(10) / 10
        tilt += (centre - now) / max(slope, 1e-9)
        if not low < tilt < high:
            tilt = (low + high) / 2
    return tilt
