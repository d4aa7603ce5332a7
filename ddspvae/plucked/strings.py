"""Which string plays which note, as a player would have it: one note a string, hands that move little."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

FRETS = 24.5
CHORD_S = 0.020  # notes that begin closer together want strings of their own
TRAVEL, POSITION, RINGING, CHORD = 1.0, 0.2, 40.0, 400.0  # costs: a fret of way, a fret up the neck, a string in use


class Fingering:
    """Strings for notes as they come.

    Args:
        open_pitches: [S], MIDI numbers of the open strings. None at all: every pitch has a string of its own, as on a harp.
    """

    def __init__(self, open_pitches: Sequence[float] | NDArray) -> None:
        self._open: NDArray = np.asarray(open_pitches, float)
        self._rings = np.zeros(len(self._open), bool)
        self._begun_s = np.full(len(self._open), -np.inf)
        self._hand = 2.0  # the fret where it is

    def take(self, pitch: float, at_s: float) -> int:
        """A string for a note: that of the shortest way for the hand, of those that do not sound, if any is left.

        >>> strings = Fingering([40, 45, 50, 55, 59, 64])
        >>> [strings.take(pitch, 0.0) for pitch in (48, 52, 55, 60, 64)]
        [1, 2, 3, 4, 5]
        """
        if not len(self._open):
            return round(pitch)
        fret = pitch - self._open
        reach = (fret > -0.5) & (fret < FRETS)
        if not reach.any():  # outside of all, it is the nearest string, tuned another way
            reach[int(np.abs(fret - FRETS / 2).argmin())] = True
        way = np.where(fret < 0.5, 0.0, TRAVEL * np.abs(fret - self._hand)) + POSITION * fret.clip(0)
        cost = way + RINGING * self._rings + CHORD * (at_s - self._begun_s < CHORD_S)
        string = int(np.where(reach, cost, np.inf).argmin())
        if fret[string] > 0.5:
            self._hand += 0.5 * (float(fret[string]) - self._hand)
        self._rings[string], self._begun_s[string] = True, at_s
        return string

    def free(self, string: int) -> None:
        """The note on a string has been damped."""
        if len(self._open):
            self._rings[string] = False
