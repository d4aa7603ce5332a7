"""Where a take sounds and its pitch could not be followed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ddspvae.features.segments import VOICED
from ddspvae.signals import Performance

SOUNDING_DB = 40.0  # below the loudest frame; softer is mostly the room
SHORTEST_S = 0.03  # an attack, or the step from note to note, is without pitch for less


@dataclass(frozen=True)
class Lost:
    """What was not followed.

    Args:
        seconds: of sound, in stretches of 30 ms or more, without a sure pitch or with one out of the range.
        outside_s: of these, those with a pitch out of the range.
        spans_s: (from, to) of each stretch.
    """

    seconds: float
    outside_s: float
    spans_s: tuple[tuple[float, float], ...]

    @property
    def first_s(self) -> float | None:
        """Where it begins."""
        return self.spans_s[0][0] if self.spans_s else None

    @property
    def sentence(self) -> str:
        """For the user; empty where all was followed."""
        if not self.spans_s:
            return ""
        outside = f", {self.outside_s:.2f} s of them out of the instrument's range" if self.outside_s else ""
        return (f"the pitch of {self.seconds:.2f} s of sound is not sure, the first at {self.first_s:.2f} s{outside}; it is "
                "held there or joined to what is near.")


def find_lost(performance: Performance, range_hz: tuple[float, float] | None = None) -> Lost:
    """Where a take sounds within 40 dB of its loudest and is unpitched, held, or out of a range.

    Args:
        performance: of a recording.
        range_hz: the lowest and highest pitch to expect; None expects any.
    """
    sounding = performance.loudness_db > performance.loudness_db.max() - SOUNDING_DB
    sure = performance.periodicity >= VOICED
    outside = np.zeros(performance.n_frames, dtype=bool)
    if range_hz is not None:
        outside = sure & ((performance.f0_hz < range_hz[0]) | (performance.f0_hz > range_hz[1]))
    rate_hz = performance.frame_rate_hz
    spans = _spans(sounding & (~sure | outside), round(SHORTEST_S * rate_hz))
    return Lost(sum(stop - start for start, stop in spans) / rate_hz,
                sum(int(outside[start:stop].sum()) for start, stop in spans) / rate_hz,
                tuple((start / rate_hz, stop / rate_hz) for start, stop in spans))


def _spans(mask: NDArray, shortest: int) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(int)))
    return [(start, stop) for start, stop in edges.reshape(-1, 2).tolist() if stop - start >= shortest]
