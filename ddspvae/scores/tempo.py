"""Tempo marks, ritardandi and fermatas: places in the score to seconds."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from ddspvae.scores.written import Tempo, TempoChange

USUAL_PER_MINUTE = 120.0  # MusicXML's own, where nothing is said
HELD = 1.75  # as long as written, under a fermata
STEP = 0.125  # quarters, of a tempo that changes
LONGEST_CHANGE = 16.0  # quarters, of one whose end is not written


class TempoMap:
    """Where each place of the score lies in time, as written: repeats are not played out.

    Args:
        tempi, changes: in any order.
        fermatas: spans of the notes and rests that bear one, quarters; parts that hold together count once.
        end: of the score, quarters.
    """

    def __init__(self, tempi: Iterable[Tempo], changes: Iterable[TempoChange], fermatas: Iterable[tuple[float, float]],
                 end: float) -> None:
        self._end = end
        self._at, self._per_minute = _tempo_points(sorted(tempi, key=lambda tempo: tempo.at), list(changes), end)
        held = _together(fermatas)
        places = {0.0, end, *self._at, *(place for span in held for place in span)}
        for change in changes:
            places.update(np.arange(change.start, min(change.end or end, end), STEP))
        knots = np.array(sorted(place for place in places if 0 <= place <= end))
        middle = (knots[1:] + knots[:-1]) / 2
        slower = np.ones(len(middle))
        for first, last in held:
            slower[(middle > first) & (middle < last)] = HELD
        seconds = np.diff(knots) * 60 / self.per_minute(middle) * slower
        self._knots, self._seconds = knots, np.concatenate([[0.0], np.cumsum(seconds)])

    def per_minute(self, quarters: NDArray | float) -> NDArray:
        """Quarters a minute, fermatas apart."""
        return np.interp(quarters, self._at, self._per_minute)

    def __call__(self, quarters: float) -> float:
        """Seconds from the start."""
        if quarters > self._end:  # a note that its bar does not hold
            return float(self._seconds[-1] + (quarters - self._end) * 60 / self.per_minute(self._end))
        return float(np.interp(quarters, self._knots, self._seconds))

    def inverse(self, seconds: float) -> float:
        """Quarters from the start."""
        return float(np.interp(seconds, self._seconds, self._knots))


def _tempo_points(tempi: list[Tempo], changes: list[TempoChange], end: float) -> tuple[NDArray, NDArray]:
    """Places and tempi that hold there, joined by straight lines; a place that stands twice is a jump."""
    first = next((tempo.per_minute for tempo in tempi if tempo.per_minute > 0), USUAL_PER_MINUTE)
    was_set = now = first if not tempi or tempi[0].at <= 0 else USUAL_PER_MINUTE
    if tempi and tempi[0].at > 0 and all(tempo.per_minute <= 0 for tempo in tempi):
        was_set = now = first
    points = [(0.0, now)]

    def change_by(change: TempoChange, until: float, to: float) -> float:
        points.append((change.start, now))
        points.append((max(until, change.start + 1e-6), to))
        return to

    events: list[tuple[float, int, Tempo | TempoChange]] = [(tempo.at, 0, tempo) for tempo in tempi]
    events += [(change.start, 1, change) for change in changes]
    events.sort(key=lambda event: event[:2])
    for index, (at, _, event) in enumerate(events):
        if isinstance(event, Tempo):
            new = {0: was_set, -1: first}.get(int(event.per_minute), event.per_minute) if event.per_minute <= 0 \
                else event.per_minute
            points += [(at, now), (at, new)]
            was_set = now = new
        else:
            next_at = next((other[0] for other in events[index + 1 :] if other[0] > at), end)
            until = min(event.end if event.end is not None else at + LONGEST_CHANGE, next_at, end)
            now = change_by(event, until, was_set * event.factor)
    return np.array([point[0] for point in points]), np.array([point[1] for point in points])


def _together(spans: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    """Of spans that overlap the stretch that all of them share: what holds when all hold."""
    found: list[tuple[float, float]] = []
    for start, end in sorted(spans):
        if found and start < found[-1][1] - 1e-9:
            found[-1] = (max(start, found[-1][0]), min(end, found[-1][1]))
        elif end > start:
            found.append((start, end))
    return found
