"""Scales: which pitches a melody may rest on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ddspvae.signals.checks import check_choice, fail

SEMITONES = {
    "chromatic": tuple(range(12)),
    "major": (0, 2, 4, 5, 7, 9, 11),
    "minor": (0, 2, 3, 5, 7, 8, 10),
    "harmonic-minor": (0, 2, 3, 5, 7, 8, 11),
    "melodic-minor": (0, 2, 3, 5, 7, 9, 11),
    "dorian": (0, 2, 3, 5, 7, 9, 10),
    "phrygian": (0, 1, 3, 5, 7, 8, 10),
    "lydian": (0, 2, 4, 6, 7, 9, 11),
    "mixolydian": (0, 2, 4, 5, 7, 9, 10),
    "locrian": (0, 1, 3, 5, 6, 8, 10),
    "major-pentatonic": (0, 2, 4, 7, 9),
    "minor-pentatonic": (0, 3, 5, 7, 10),
    "blues": (0, 3, 5, 6, 7, 10),
    "whole-tone": (0, 2, 4, 6, 8, 10),
}
LETTERS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
ACCIDENTALS = {"": 0, "#": 1, "b": -1}


@dataclass(frozen=True)
class Scale:
    """The pitch classes of a scale.

    Args:
        name: one of SEMITONES.
        tonic: pitch class of the first step, 0 (C) to 11 (B).
    """

    name: str = "chromatic"
    tonic: int = 0

    def __post_init__(self) -> None:
        check_choice("Scale", "name", self.name, SEMITONES)
        if self.tonic not in range(12):
            raise fail("Scale", "tonic", "be a pitch class, 0 to 11", self.tonic)

    def nearest(self, pitch: NDArray | float) -> NDArray:
        """The nearest pitch of the scale; halfway between two, the lower.

        >>> Scale("major").nearest([61.4, 66.5, 71.6]).tolist()
        [62.0, 67.0, 72.0]
        """
        pitch = np.asarray(pitch, dtype=np.float64)
        octave = self.tonic + 12 * np.floor((pitch - self.tonic) / 12)
        steps = np.array([*SEMITONES[self.name], 12])  # the tonic above may be nearer than the last step
        candidates = octave[..., None] + steps
        best = np.abs(candidates - pitch[..., None]).argmin(axis=-1)
        return np.asarray(np.take_along_axis(candidates, best[..., None], axis=-1)[..., 0])


def read_scale(text: str) -> Scale:
    """A scale by name, with its tonic after a colon; C where none is given.

    >>> read_scale("minor:F#")
    Scale(name='minor', tonic=6)

    Raises:
        InputError: no such scale, or no such tonic.
    """
    name, colon, key = text.partition(":")
    check_choice("read_scale", "scale", name, SEMITONES)
    if not colon:
        return Scale(name)
    letter, accidental = key[:1].upper(), key[1:]
    if letter not in LETTERS or accidental not in ACCIDENTALS:
        raise fail("read_scale", "scale", "end with a tonic like C, F# or Bb", f"'{text}'", f"write {name}:C")
    return Scale(name, (LETTERS[letter] + ACCIDENTALS[accidental]) % 12)
