"""Ticks to seconds: the tempo map of a MIDI file, or its SMPTE frames."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable

DEFAULT_TEMPO = 500_000  # microseconds per quarter note: 120 bpm until the file says otherwise


class Clock:
    """Ticks to seconds, for tracks that share one time line.

    Args:
        tempos: (tick, microseconds per quarter note) from all tracks together, in order of tick.
        division: of the file's header: ticks per quarter note; negative for SMPTE, whose high byte is minus the frames per
            second and whose low byte the ticks per frame. Tempo then means nothing.
    Source: Standard MIDI Files 1.0 (RP-001), header chunk and set tempo.

    >>> clock = Clock([(96, 1_000_000)], 96)
    >>> clock(96), clock(192)
    (0.5, 1.5)
    """

    def __init__(self, tempos: Iterable[tuple[int, int]], division: int) -> None:
        self._ticks, self._seconds = [0], [0.0]
        if division < 0:
            frames_per_s = -(division >> 8)
            exact = 30_000 / 1001 if frames_per_s == 29 else frames_per_s  # 29 stands for 29.97 drop-frame
            self._s_per_tick = [1 / (exact * (division & 0xFF))]
            return
        self._s_per_tick = [DEFAULT_TEMPO * 1e-6 / division]
        for tick, tempo in tempos:
            seconds = self(tick)
            self._ticks.append(tick)
            self._seconds.append(seconds)
            self._s_per_tick.append(tempo * 1e-6 / division)

    def __call__(self, tick: int) -> float:
        """Seconds from the start of the piece."""
        index = bisect_right(self._ticks, tick) - 1
        return self._seconds[index] + (tick - self._ticks[index]) * self._s_per_tick[index]
