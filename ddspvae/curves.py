"""Curves sampled at frames: what they must obey, resampling, smoothing, taking vibrato apart."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ddspvae.checks import check_shape, fail

Curve = NDArray[np.floating[Any]]  # stored as float32


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
    read = [np.interp(positions, np.arange(len(curve)), column) for column in columns.T]
    return np.stack(read, axis=1).reshape(n_frames, *curve.shape[1:])


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
