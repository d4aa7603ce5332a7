"""Timbre between two takes: at one place in between, or on the way from one to the other."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ddspvae.signals import Performance
from ddspvae.signals.checks import check_choice, check_range, check_shape, fail
from ddspvae.signals.curves import Curve

TINY = 1e-6  # of a sine or a length, below which there is no great circle to follow
MIXABLE = ("pitch", "loudness")


def lerp(a: ArrayLike, b: ArrayLike, weight: ArrayLike) -> NDArray[np.floating[Any]]:
    """On the straight line from a (weight 0) to b (weight 1).

    Args:
        a, b: [..., Z].
        weight: a number, or [...], one a row.

    >>> lerp([0.0, 2.0], [4.0, 2.0], 0.25).tolist()
    [1.0, 2.0]
    """
    share = np.asarray(weight, dtype=np.float64)[..., None]
    return (1 - share) * np.asarray(a, dtype=np.float64) + share * np.asarray(b, dtype=np.float64)


def slerp(a: ArrayLike, b: ArrayLike, weight: ArrayLike) -> NDArray[np.floating[Any]]:
    """On the arc from a (weight 0) to b (weight 1): the direction follows a great circle, the length goes straight.

    Halfway between two rows of N(0, 1), the straight line is shorter than both and sounds more average than either; the
    arc keeps the length. Where a and b point the same way, the opposite way, or nowhere, it is the straight line.

    Args:
        a, b: [..., Z].
        weight: a number, or [...], one a row.
    Source: Shoemake, "Animating rotation with quaternion curves", SIGGRAPH 1985.

    >>> slerp([1.0, 0.0], [0.0, 3.0], 0.5).round(3).tolist()
    [1.414, 1.414]
    """
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    share = np.asarray(weight, dtype=np.float64)[..., None]
    length_a, length_b = (np.linalg.norm(row, axis=-1, keepdims=True) for row in (a, b))
    unit_a, unit_b = a / np.maximum(length_a, TINY), b / np.maximum(length_b, TINY)
    angle = np.arccos((unit_a * unit_b).sum(-1, keepdims=True).clip(-1, 1))  # rad
    is_line = (np.sin(angle) < TINY) | (np.minimum(length_a, length_b) < TINY)
    direction = (np.sin((1 - share) * angle) * unit_a + np.sin(share * angle) * unit_b) / np.where(is_line, 1, np.sin(angle))
    return np.where(is_line, lerp(a, b, weight), lerp(length_a, length_b, weight) * direction)


METHODS: dict[str, Callable[[ArrayLike, ArrayLike, ArrayLike], NDArray]] = {"lerp": lerp, "slerp": slerp}


def interpolate(take_a: Performance, take_b: Performance, weight: float | Sequence[float] | Curve, *,
                method: str = "lerp", mix: Collection[str] = ()) -> Performance:
    """Take A with a timbre between its own and that of take B.

    B is stretched to the length of A, so that its beginning, middle and end meet those of A.

    Args:
        take_a: whose pitch, loudness and length are kept.
        take_b: of the same instrument.
        weight: 0 is A, 1 is B; a number, or a curve of F values.
        method: "lerp" or "slerp", row by row of z.
        mix: "pitch", "loudness" or both: mixed by the same weight instead of taken from A. Pitch is mixed in
            octaves, loudness in dB.
    Raises:
        InputError: takes of two instruments, a weight outside 0 to 1, lengths more than 20-fold apart.
    """
    check_alike("interpolate", take_a, take_b)
    check_choice("interpolate", "method", method, METHODS)
    for name in mix:
        check_choice("interpolate", "mix", name, MIXABLE)
    curve = np.asarray(weight, dtype=np.float64)
    if curve.ndim:
        check_shape("interpolate", "weight", curve.shape, take_a.n_frames)
    for end in (curve.min(), curve.max()):
        check_range("interpolate", "weight", float(end), 0, 1)
    curve = np.broadcast_to(curve, take_a.n_frames)
    other = stretch_to(take_b, take_a.n_frames)
    mixed = replace(take_a, z=METHODS[method](take_a.z, other.z, curve[:: take_a.frames_per_z]))
    if "pitch" in mix:
        log2_f0 = (1 - curve) * np.log2(take_a.f0_hz) + curve * np.log2(other.f0_hz)
        mixed = replace(mixed, f0_hz=2.0**log2_f0,
                        periodicity=((1 - curve) * take_a.periodicity + curve * other.periodicity).clip(0, 1))
    if "loudness" in mix:
        mixed = replace(mixed, loudness_db=(1 - curve) * take_a.loudness_db + curve * other.loudness_db)
    return mixed


def morph(take_a: Performance, take_b: Performance, start_s: float = 0.0, end_s: float | None = None, *,
          method: str = "lerp", mix: Collection[str] = ()) -> Performance:
    """Begin as take A and end as take B: the weight goes from 0 at start_s to 1 at end_s in a straight line.

    Args:
        take_a, take_b: as in `interpolate`.
        start_s: seconds from the beginning of A.
        end_s: seconds; None is the end of A.
        method, mix: as in `interpolate`.
    Raises:
        InputError: as `interpolate`; or end_s not after start_s, or either outside the take.
    """
    end_s = take_a.duration_s if end_s is None else end_s
    check_range("morph", "start_s", start_s, 0, take_a.duration_s)
    check_range("morph", "end_s", end_s, 0, take_a.duration_s + 1e-6)
    if not end_s > start_s:
        raise fail("morph", "end_s", f"come after start_s = {start_s:g}", f"{end_s:g}")
    time_s = np.arange(take_a.n_frames) / take_a.frame_rate_hz
    return interpolate(take_a, take_b, ((time_s - start_s) / (end_s - start_s)).clip(0, 1), method=method, mix=mix)


def stretch_to(take: Performance, n_frames: int) -> Performance:
    """A take played in exactly n_frames frames.

    Raises:
        InputError: that is more than 20 times as long or as short.
    """
    factor = n_frames / take.n_frames
    check_range("stretch_to", "n_frames over those of the take", factor, 0.05, 20, "cut the longer take with slice")
    return take if factor == 1 else take.stretch(factor)


def check_alike(where: str, first: Performance, *others: Performance) -> None:
    """Raise InputError unless the takes have the z of one instrument, at one rate."""
    for other in others:
        for name in ("axis_names", "instrument", "frame_rate_hz", "frames_per_z"):
            if getattr(first, name) != getattr(other, name):
                raise fail(where, name, f"be the same in all takes, here {getattr(first, name)}", getattr(other, name),
                           "analyze them with one preset")
