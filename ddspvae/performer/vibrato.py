"""The vibrato of one note: how wide, in cents, and how fast, in Hz."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

EDGE_S = 0.040  # of a note's ends, which scoops and glides bend
SHORTEST_S = 0.2  # of what is left; at 5 Hz one cycle
WINDOW_S = 0.5  # in which rate and extent stay about the same
HOP_S = 0.1
RATES_HZ = np.arange(3.0, 9.01, 0.1)
LEAST_SHARE = 0.4  # of the pitch's motion that is vibrato, or it is something else
MOST_CENTS = 250.0  # from the middle; further off, the tracker slipped: by octaves, or to what is held
OCTAVE_CENTS = 1200.0


def measure_vibrato(cents: NDArray, frame_rate_hz: float) -> tuple[float, float]:
    """Fit a sine, beside a drifting pitch, to windows of half a second: one rate for the note, an extent a window.

    Args:
        cents: [F], the pitch of one note without its ends, from any reference.
        frame_rate_hz: frames per second.
    Returns:
        extent, +- cents, the mean over the note; and rate, 3 to 9 Hz. Both 0 where there is none: the note is shorter
        than 0.2 s, or less than 0.4 of the motion is one sine. Twice the curve gives twice the extent; frames that a tracker
        heard an octave off, in a noisy attack, count as where they belong.
    """
    if len(cents) < SHORTEST_S * frame_rate_hz:
        return 0.0, 0.0
    curve = np.asarray(cents, dtype=np.float64)
    curve = _without_slips(curve - np.sort(curve)[len(curve) // 2])
    size = min(len(curve), round(WINDOW_S * frame_rate_hz))
    starts = np.linspace(0, len(curve) - size, 1 + int(np.ceil((len(curve) - size) / (HOP_S * frame_rate_hz)))).astype(int)
    windows = np.stack([curve[start : start + size] for start in starts])
    drift, cosines, sines, amplitudes, rates = _bases(size, frame_rate_hz)
    straight = windows - windows @ drift @ drift.T
    parts = np.einsum("wf,rfk->wrk", straight, np.stack([cosines, sines], axis=-1))
    explained = np.square(parts).sum(axis=(0, 2))
    total = float(np.square(straight).sum())
    best = int(explained.argmax())
    if total <= 0 or explained[best] < LEAST_SHARE * total or (best in (0, len(rates) - 1) and len(rates) > 2):
        return 0.0, 0.0
    extents = np.linalg.norm(np.einsum("wk,kj->wj", parts[:, best], amplitudes[best]), axis=-1)
    return float(extents.mean()), float(rates[best])


def _without_slips(cents: NDArray) -> NDArray:
    """Cents, one of which is 0: octaves off is the same motion elsewhere; what else is far off is held as beside it."""
    folded = cents - OCTAVE_CENTS * np.round(cents / OCTAVE_CENTS)
    near, at = np.abs(folded) <= MOST_CENTS, np.arange(len(folded))
    return np.asarray(np.interp(at, at[near], folded[near]))


@lru_cache(maxsize=256)
def _bases(size: int, frame_rate_hz: float) -> tuple[NDArray, NDArray, NDArray, NDArray, NDArray]:
    """For windows of one size: an orthonormal drift [F, D]; per rate, two orthonormal waves [R, F] each that are free of
    drift, and the matrices [R, 2, 2] from their coefficients to those of cosine and sine; and the rates [R]."""
    time_s = (np.arange(size) - (size - 1) / 2) / frame_rate_hz
    seconds = size / frame_rate_hz
    drift, _ = np.linalg.qr(np.vander(time_s, 3 if seconds >= 0.4 else 2))
    rates = RATES_HZ[RATES_HZ * seconds >= 0.95]
    waves = np.stack([np.cos(2 * np.pi * rates[:, None] * time_s), np.sin(2 * np.pi * rates[:, None] * time_s)], axis=-1)
    waves = waves - drift @ (drift.T @ waves)
    q, r = np.linalg.qr(waves)
    # coefficients c on q are r^-1 c on cosine and sine
    return drift, q[..., 0], q[..., 1], np.linalg.inv(r).transpose(0, 2, 1), rates
