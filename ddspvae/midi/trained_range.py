"""Scores against the range that an instrument was trained on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ddspvae.features.statistics import Statistics
from ddspvae.midi.notes import pitch_to_name
from ddspvae.signals import Note, Notes

FAR = 12.0  # semitones


def _is_outside(note: Note, statistics: Statistics) -> bool:
    return not statistics.pitch_low - 0.5 <= note.pitch <= statistics.pitch_high + 0.5


def outside_range(notes: Notes, statistics: Statistics) -> str | None:
    """A sentence for the user if notes lie outside what the instrument was trained on, else None."""
    outside = [note.pitch for note in notes.notes if _is_outside(note, statistics)]
    if not outside:
        return None
    lies = f"{len(outside)} of {len(notes.notes)} notes lie" if len(outside) > 1 else "1 note lies"
    trained = f"{pitch_to_name(statistics.pitch_low)}–{pitch_to_name(statistics.pitch_high)}"
    reach = f"{pitch_to_name(min(outside))}–{pitch_to_name(max(outside))}"
    return f"{lies} outside the trained range {trained} (at {reach}); transpose, or fold octaves (--fold)."


def fold_octaves(notes: Notes, statistics: Statistics) -> Notes:
    """Move notes outside the trained range by whole octaves, as few as it takes; the others stay.

    In a range smaller than an octave, a pitch class may have no place; it goes as near as it gets.
    """
    low, high = statistics.pitch_low - 0.5, statistics.pitch_high + 0.5

    def fold(note: Note) -> Note:
        up, down = np.ceil((low - note.pitch) / 12), np.ceil((note.pitch - high) / 12)
        shift = 12 * (max(up, 0) - max(down, 0))
        choices = [pitch for pitch in (note.pitch + shift, note.pitch + shift - 12, note.pitch + shift + 12)
                   if 0 <= pitch <= 127] or [note.pitch]
        misses = [max(low - pitch, pitch - high, 0.0) for pitch in choices]
        pitch = choices[int(np.argmin(misses))]
        source = None if note.glide_from is None else min(max(note.glide_from + pitch - note.pitch, 0.0), 127.0)
        return replace(note, pitch=pitch, glide_from=source)

    return replace(notes, notes=tuple(fold(note) if _is_outside(note, statistics) else note for note in notes.notes))


def tongue_far(notes: Notes, statistics: Statistics) -> Notes:
    """Nothing is bound to a note more than an octave outside the trained range: it is a keyswitch, or a mistake."""
    far = [not statistics.pitch_low - FAR <= note.pitch <= statistics.pitch_high + FAR for note in notes.notes]
    if not any(far):
        return notes
    return replace(notes, notes=tuple(
        replace(note, legato=False, glide_from=None) if is_far or before_is_far else note
        for note, is_far, before_is_far in zip(notes.notes, far, [False, *far])))
