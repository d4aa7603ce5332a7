"""Chords and overlaps to one voice: what a violin, a flute or a singer can play."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

from ddspvae.signals import Note, Notes

TOGETHER_S = 0.020  # notes that start closer than this are one chord
LEGATO_OVERLAP_S = 0.100  # overlaps up to this are how legato is written: cutting them loses nothing


@dataclass(frozen=True)
class OneVoice:
    """A part of which no two notes sound at once, and what was lost on the way.

    Args:
        notes: the part.
        n_left_out: notes dropped because a higher one started with them.
        n_cut: notes that the next one ended more than 100 ms early.
    """

    notes: Notes
    n_left_out: int
    n_cut: int

    @property
    def warning(self) -> str | None:
        """One sentence for the user, or None when nothing was lost."""
        if not self.n_left_out and not self.n_cut:
            return None
        whose = f"part '{self.notes.name}'" if self.notes.name else f"channel {self.notes.channel + 1}"
        return (f"{whose} holds chords, but the instrument plays one note at a time: "
                f"{self.n_left_out} notes are left out and {self.n_cut} cut where a newer one starts.")


def to_one_voice(notes: Notes) -> OneVoice:
    """Keep the newest note at any time; of notes that start within 20 ms, the highest.

    A note is cut where the next one starts, and does not return when that one ends. Onsets, and the
    offsets of notes that do not overlap, stay exactly as they are.

    >>> chord = Notes((Note(60, 80, 0.0, 1.0), Note(64, 80, 0.0, 1.0), Note(62, 80, 0.9, 2.0)))
    >>> [(note.pitch, note.offset_s) for note in to_one_voice(chord).notes.notes]
    [(64, 0.9), (62, 2.0)]
    """
    kept: list[Note] = []
    for note in notes.notes:
        if not kept or note.onset_s - kept[-1].onset_s >= TOGETHER_S:
            kept.append(note)
        elif (note.pitch, note.offset_s) > (kept[-1].pitch, kept[-1].offset_s):
            kept[-1] = note
    n_cut = 0
    for index, (note, following) in enumerate(pairwise(kept)):
        overlap_s = note.offset_s - following.onset_s
        if overlap_s > 0:
            kept[index] = replace(note, offset_s=following.onset_s)
            n_cut += overlap_s > LEGATO_OVERLAP_S
    return OneVoice(replace(notes, notes=tuple(kept)), len(notes.notes) - len(kept), n_cut)
