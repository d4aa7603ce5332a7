"""Whether an instrument rings by itself: notes that fall from their first instants on, as nobody feeds them."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from ddspvae.features.segments import segment_notes
from ddspvae.signals import Features

SHORTEST_S = 0.3  # of a note that tells
EARLY_S = 0.15  # by when it is loudest
LEAST_FALL_DB = 6.0  # over the whole note
EVEN = 1.9  # how many times as long the whole fall takes as its first third: 3 where it is even, about 1 where it comes last
RISE_DB = 3.0  # that a falling note may rise by again, from beats
MOST_FALL_DB = 24.0
SURE_SHARE = 0.6  # of the notes from which an instrument counts as plucked or struck


def is_ringing(loudness_db: NDArray, frame_rate_hz: float) -> bool | None:
    """Whether a note falls by itself; None where it is too short to tell.

    Args:
        loudness_db: [F], from its onset to its end.
    """
    if len(loudness_db) < SHORTEST_S * frame_rate_hz:
        return None
    width = max(1, round(0.03 * frame_rate_hz))
    level = np.convolve(np.pad(loudness_db, width // 2, mode="edge"), np.ones(width) / width, "valid")[: len(loudness_db)]
    top = int(level.argmax())
    if top > EARLY_S * frame_rate_hz + width:
        return False
    fall = level[top] - level[top:]
    whole_db = min(float(fall[-max(1, len(fall) // 10):].mean()), MOST_FALL_DB)
    lowest = np.maximum.accumulate(fall)
    rise_db = float((lowest - fall)[: int(np.argmax(lowest >= whole_db)) + 1].max())
    if whole_db < LEAST_FALL_DB or rise_db > RISE_DB + whole_db / 3:
        return False
    first, last = (int(np.argmax(lowest >= share * whole_db)) for share in (1 / 3, 0.95))
    return last >= EVEN * max(first, 1)


def count_ringing(f0_hz: NDArray, periodicity: NDArray, loudness_db: NDArray, frame_rate_hz: float) -> tuple[int, int]:
    """Notes of a take that are long enough to tell, and those of them that fall by themselves.

    Args:
        f0_hz, periodicity, loudness_db: [F] each.
        frame_rate_hz: frames per second.
    """
    told = [verdict for start, stop, _ in segment_notes(f0_hz, periodicity, loudness_db, frame_rate_hz)
            if (verdict := is_ringing(loudness_db[start:stop], frame_rate_hz)) is not None]
    return len(told), sum(told)


def plucked_share(takes: Iterable[Features]) -> float:
    """Of the notes that are long enough to tell, the share that falls by itself; 0 where there is none.

    Args:
        takes: of one instrument.
    """
    counts = [count_ringing(take.f0_hz, take.periodicity, take.loudness_db, take.frame_rate_hz) for take in takes]
    return sum(ringing for _, ringing in counts) / max(sum(notes for notes, _ in counts), 1)
