"""A sustained note that goes round: the frames of a performance made periodic, and the noise with them.

Whoever samples a recorded instrument looks for two moments that happen to be alike. Here pitch, heights and noise are
frames before they are sound: the last ones of the loop lead over to those before its beginning, the loop holds a whole
number of periods of the pitch, and the white noise behind the filters repeats. So the sound repeats to the bit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ddspvae.signals.units import CENTS_PER_SEMITONE

SHORTEST_S, LONGEST_S = 0.9, 2.2  # a loop: vibrato goes round several times, and noise is not heard to come again
LEAD_S = 0.12  # in which the end leads over to the beginning
MOST_CENTS = 0.5  # that the pitch may give way to hold whole periods
LOUDNESS_CENTS = 4.0  # of pitch, that one dB between the two ends counts as much as


@dataclass(frozen=True)
class Loop:
    """From which frame to before which; the frame `end` is the frame `begin` again.

    Args:
        begin, end: frames.
        n_periods: of the fundamental.
    """

    begin: int
    end: int
    n_periods: int


def find_loop(f0_hz: NDArray, loudness_db: NDArray, target_hz: float, earliest: int, frame_rate_hz: float) -> Loop:
    """The best loop of a held note: both ends alike, and nearly a whole number of periods of the pitch it should have.

    Args:
        f0_hz, loudness_db: [F], of the note while it is held.
        target_hz: its pitch without vibrato.
        earliest: the first frame that may be in the loop.
        frame_rate_hz: frames per second.
    Returns:
        a loop of SHORTEST_S to LONGEST_S that ends before the last frame.
    """
    lead = max(1, round(LEAD_S * frame_rate_hz))
    pitch_cents = 12 * CENTS_PER_SEMITONE * np.log2(f0_hz)
    best, least = None, np.inf
    begin = max(earliest, lead)
    for end in range(begin + round(SHORTEST_S * frame_rate_hz), min(len(f0_hz), begin + round(LONGEST_S * frame_rate_hz))):
        n_cycles = target_hz * (end - begin) / frame_rate_hz
        n_periods = max(1, round(n_cycles))
        bent_cents = abs(12 * CENTS_PER_SEMITONE * np.log2(n_periods / n_cycles))
        ends, begins = slice(end - lead, end + 1), slice(begin - lead, begin + 1)
        apart = np.abs(pitch_cents[ends] - pitch_cents[begins]).mean() \
            + LOUDNESS_CENTS * np.abs(loudness_db[ends] - loudness_db[begins]).mean()
        cost = apart + 20 * max(bent_cents - MOST_CENTS, 0) + bent_cents
        if cost < least:
            best, least = Loop(begin, end, n_periods), cost
    assert best is not None, "a held note is longer than a loop"
    return best


def close_loop(curve: NDArray, loop: Loop, frame_rate_hz: float) -> NDArray:
    """Frames [F, ...] up to `loop.end` included, of which the last LEAD_S lead over to those before the loop.

    So what follows `loop.end` may be what follows `loop.begin`: the frames at both are equal.
    """
    lead = max(1, round(LEAD_S * frame_rate_hz))
    closed = curve[: loop.end + 1].copy()
    way = (np.arange(lead + 1, dtype=curve.dtype) / lead).reshape(-1, *[1] * (curve.ndim - 1))
    before, last = closed[loop.begin - lead : loop.begin + 1].copy(), closed[loop.end - lead :]
    closed[loop.end - lead :] = last + (before - last) * way
    closed[loop.end] = closed[loop.begin]
    return closed


def tune_loop(f0_hz: NDArray, loop: Loop, frame_rate_hz: float) -> NDArray[np.float64]:
    """f0 [loop.end + 1] of a closed loop, bent as a whole so that the loop holds exactly its whole number of periods."""
    inside = f0_hz[loop.begin : loop.end + 1].astype(np.float64)
    n_cycles = ((inside[:-1] + inside[1:]) / 2).sum() / frame_rate_hz
    tuned: NDArray[np.float64] = f0_hz.astype(np.float64) * (loop.n_periods / n_cycles)
    return tuned


def periodic_places(n_samples: int, first: int, loop_begin: int, loop_samples: int, reach: int) -> NDArray[np.int64]:
    """Which sample of a noise to take at each place, so that it repeats in the loop and `reach` samples before it.

    Args:
        n_samples: how many places.
        first: the first place.
        loop_begin, loop_samples: of the loop.
        reach: of a filter, to either side.
    Returns:
        [n_samples].
    """
    place = np.arange(first, first + n_samples)
    since = loop_begin - reach
    return np.where(place < since, place, since + (place - since) % loop_samples)
