"""Curves sampled at frames: what they must obey, resampling, smoothing, taking vibrato apart."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ddspvae.signals.checks import check_shape, fail

Curve = NDArray[np.floating[Any]]  # stored as float32
LEAP_OCTAVES = 2.5 / 12  # a step wider than this between two frames is a new note, not a glide


def freeze_curves(obj: Any, **arrays: Any) -> None:
    """Store read-only float32 copies, so that no two signals ever share memory by accident."""
    for name, value in arrays.items():
        array = np.array(value, dtype=np.float32)
        array.setflags(write=False)
        object.__setattr__(obj, name, array)


def check_frames(where: str, f0_hz: Curve, periodicity: Curve, loudness_db: Curve) -> None:
    """Raise InputError unless the three curves share a length, are finite, and f0 is positive everywhere."""
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


def resample_curve(curve: NDArray, n_frames: int) -> NDArray:
    """Read a curve [F] or [F, C] at n_frames instants spread evenly over the same span, linearly.

    >>> resample_curve(np.array([0.0, 1.0]), 4).tolist()
    [0.0, 0.5, 1.0, 1.0]
    """
    positions = np.arange(n_frames) * (len(curve) / n_frames)
    columns = curve.reshape(len(curve), -1)
    read = np.empty((n_frames, columns.shape[1]))  # with no columns, for a z of no axes
    for at, column in enumerate(columns.T):
        read[:, at] = np.interp(positions, np.arange(len(curve)), column)
    return read.reshape(n_frames, *curve.shape[1:])


def resample_pitch(f0_hz: Curve, n_frames: int) -> NDArray:
    """`resample_curve` for f0 in Hz: linear in log f0, but a step from note to note stays one, however slow it is played."""
    positions = np.arange(n_frames) * (len(f0_hz) / n_frames)
    return read_pitch_at(positions, np.arange(len(f0_hz)), f0_hz.astype(np.float64))


def read_pitch_at(times_s: NDArray, from_times_s: NDArray, f0_hz: NDArray, leap_octaves: float = LEAP_OCTAVES) -> NDArray:
    """Read a pitch curve at other instants: linear in log f0, and the nearer note across a leap.

    Args:
        times_s: [F] seconds.
        from_times_s: [M] seconds, increasing.
        f0_hz: [M] Hz, > 0.
        leap_octaves: neighbours farther apart are two notes.
    Returns:
        [F] Hz; held beyond the ends.
    """
    if len(from_times_s) == 1:
        return np.full(len(times_s), float(f0_hz[0]))
    log2_f0 = np.log2(f0_hz)
    right = np.clip(np.searchsorted(from_times_s, times_s), 1, len(from_times_s) - 1)
    span = from_times_s[right] - from_times_s[right - 1]
    weight = np.clip((times_s - from_times_s[right - 1]) / span, 0, 1)
    before, after = log2_f0[right - 1], log2_f0[right]
    # a pitch half way between two notes was never played
    weight = np.where(np.abs(after - before) > leap_octaves, np.round(weight), weight)
    return 2.0 ** (before + weight * (after - before))


def smooth_curve(curve: NDArray, window_frames: int, segments: NDArray | None = None) -> NDArray:
    """Hann-weighted running mean of a curve [F] that never looks across a segment border.

    Args:
        curve: [F].
        window_frames: length of the window in frames; 1 or less changes nothing.
        segments: [F] labels; frames average only with frames of the same label. None: one segment.
    """
    curve = np.asarray(curve, dtype=np.float64)
    if window_frames <= 1:
        return curve.copy()
    kernel = np.hanning(window_frames + 2)[1:-1]
    labels = np.zeros(len(curve), int) if segments is None else segments
    borders = np.flatnonzero(np.diff(labels)) + 1
    smooth = [
        np.convolve(part, kernel)[_centre(len(kernel), len(part))]
        / np.convolve(np.ones(len(part)), kernel)[_centre(len(kernel), len(part))]
        for part in np.split(curve, borders)
    ]
    return np.concatenate(smooth)


def _centre(kernel_size: int, n_frames: int) -> slice:
    start = (kernel_size - 1) // 2
    return slice(start, start + n_frames)


def split_vibrato(log2_f0: NDArray, frame_rate_hz: float) -> tuple[NDArray, NDArray]:
    """Split a log2 f0 curve [F] into note centres and the vibrato around them; they sum to the curve.

    The centre is a 0.3 s running mean (two cycles of a 6 Hz vibrato) inside each note; a note ends
    where the pitch moves by more than 0.8 semitone within 30 ms, more than any vibrato does.
    """
    lag = max(1, round(0.03 * frame_rate_hz))
    moved = np.zeros(len(log2_f0))
    if len(log2_f0) > lag:
        moved[lag:] = np.abs(log2_f0[lag:] - log2_f0[:-lag]) * 12
    jump = moved > 0.8
    starts = jump & ~np.concatenate([[False], jump[:-1]])
    centre = smooth_curve(log2_f0, round(0.3 * frame_rate_hz), np.cumsum(starts))
    return centre, log2_f0 - centre


def deepest_hole(curve: NDArray) -> float:
    """How far a curve [F] falls, at most, below what it reaches on both sides; 0 for one that rises and falls once.

    >>> float(deepest_hole(np.array([1.0, 5.0, 2.0, 4.0])))
    2.0
    """
    sides = np.minimum(np.maximum.accumulate(curve), np.maximum.accumulate(curve[::-1])[::-1])
    return float((sides - curve).max(initial=0.0))


def on_the_way(ends: NDArray[np.float32], n_steps: int, n_whole: float) -> NDArray[np.float32]:
    """What turns from one row to another, [2, G], in n_whole steps, and then stays: the first n_steps of it."""
    way = np.clip(np.arange(n_steps) / max(n_whole - 1, 1), 0, 1)[:, None]
    return np.asarray(ends[0] + way * (ends[1] - ends[0]), dtype=np.float32)
