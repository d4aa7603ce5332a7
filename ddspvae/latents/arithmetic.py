"""What sets some takes apart from others, as one direction of z, to be added to a third."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ddspvae.features.segments import VOICED
from ddspvae.latents.mixing import check_alike
from ddspvae.model.bottleneck import SOUNDING_DB
from ddspvae.signals import Performance
from ddspvae.signals.checks import InputError, check_range, fail

RIDGE = 1.0  # rows' worth of evidence that z does not depend on pitch or loudness
LEAST_EXPLAINED = 0.02  # of the variance of z; a direction that explains less is chance, and what it would take away too
LEAST_KEPT = 0.01  # of the length of a difference; less is rounding
CURVES = ("pitch", "loudness")


@dataclass(frozen=True, eq=False)
class Difference:
    """How the z of some takes differs from that of others.

    Args:
        direction: [Z], without what goes along with pitch and loudness.
        raw: [Z], mean minus mean, with it.
        removed: which of "pitch" and "loudness" z depends on, so that its direction was taken out.
        axis_names: Z names.
    """

    direction: NDArray[np.float64]
    raw: NDArray[np.float64]
    removed: tuple[str, ...]
    axis_names: tuple[str, ...]

    @property
    def kept_share(self) -> float:
        """Length of the direction over that of the raw difference, 0 to 1."""
        return float(np.linalg.norm(self.direction) / np.linalg.norm(self.raw))


def difference(plus: Sequence[Performance], minus: Sequence[Performance],
               beside: Sequence[Performance] = ()) -> Difference:
    """The mean z of some takes minus the mean z of others, over the rows that sound and have a sure pitch.

    The directions of pitch and loudness, projected out, are the coefficients of a ridge regression of z on log f0 and
    loudness within each of the groups; within, so that what sets the groups apart is not taken for an effect of pitch.

    Args:
        plus, minus: takes of one instrument, at least one each.
        beside: more takes for the regression alone.
    Raises:
        InputError: takes of several instruments, without a sure pitch, or that differ in nothing but pitch and loudness.
    """
    if not plus or not minus:
        raise fail("difference", "plus and minus", "hold at least one take each", f"{len(plus)} and {len(minus)}")
    check_alike("difference", *plus, *minus, *beside)
    groups = [_stack(takes) for takes in (plus, minus, beside) if takes]
    raw: NDArray = groups[0][0].mean(0) - groups[1][0].mean(0)
    if np.linalg.norm(raw) < 1e-6:
        raise InputError("difference: the two groups of takes have the same mean z; give takes that sound different.")
    directions = _directions([z for z, _ in groups], [place for _, place in groups])
    clean = raw
    if directions:
        basis = np.linalg.qr(np.stack(list(directions.values()), axis=1))[0]
        clean = raw - basis @ (basis.T @ raw)
    if np.linalg.norm(clean) < LEAST_KEPT * np.linalg.norm(raw):
        raise InputError("difference: the takes differ in z only as their pitch and loudness do; "
                         "give takes of like pitch and loudness.")
    return Difference(clean, raw, tuple(directions), plus[0].axis_names)


def add(take: Performance, what: Difference, amount: float = 1.0) -> Performance:
    """A take with `amount` times the difference added to every row of z.

    Raises:
        InputError: another instrument's axes, an amount beyond +-10, or an axis moved by more than 10.
    """
    check_range("add", "amount", amount, -10, 10)
    if take.axis_names != what.axis_names:
        raise fail("add", "axis_names", f"be {what.axis_names}", take.axis_names, "analyze all takes with one preset")
    return take.offset_z({name: amount * float(step) for name, step in zip(take.axis_names, what.direction)})


def telling_rows(take: Performance) -> tuple[NDArray, NDArray]:
    """The rows of z that sound (within 50 dB of the loudest frame) and have a sure pitch.

    Returns:
        z [N, Z]; log2 f0 in octaves and loudness in dB [N, 2], means over the frames of each row.
    Raises:
        InputError: there are none.
    """
    starts = np.arange(0, take.n_frames, take.frames_per_z)
    lengths = np.diff(starts, append=take.n_frames)
    periodicity, log2_f0, loudness_db = (
        np.add.reduceat(curve.astype(np.float64), starts) / lengths
        for curve in (take.periodicity, np.log2(take.f0_hz), take.loudness_db))
    sounding = np.maximum.reduceat(take.loudness_db, starts) > take.loudness_db.max() - SOUNDING_DB
    tells = sounding & (periodicity >= VOICED)
    if not tells.any():
        raise InputError("difference: a take has no row that sounds with a sure pitch; leave it out.")
    return take.z[tells].astype(np.float64), np.stack([log2_f0, loudness_db], axis=1)[tells]


def _stack(takes: Sequence[Performance]) -> tuple[NDArray, NDArray]:
    rows = [telling_rows(take) for take in takes]
    return np.concatenate([z for z, _ in rows]), np.concatenate([place for _, place in rows])


def _directions(z_of: Sequence[NDArray], place_of: Sequence[NDArray]) -> dict[str, NDArray]:
    """Where z goes with pitch and with loudness [Z] each; only those that it goes with at all."""
    z = np.concatenate([part - part.mean(0) for part in z_of])
    place = np.concatenate([part - part.mean(0) for part in place_of])
    place /= np.maximum(place.std(0), 1e-6)
    slopes = np.linalg.solve(place.T @ place + RIDGE * np.eye(2), place.T @ z)  # per standard deviation
    explained = (slopes**2).sum(1) / max(float(z.var(0).sum()), 1e-12)
    return {name: slope for name, slope, share in zip(CURVES, slopes, explained) if share >= LEAST_EXPLAINED}
