"""Chords and overlaps to lines of one note at a time: what a violin, a flute or a singer can play, alone or in a group."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby, pairwise, product

from ddspvae.midi.allocate import Allocator
from ddspvae.signals import Note, Notes
from ddspvae.signals.checks import check_range

TOGETHER_S = 0.020  # notes that start closer than this are one chord
LEGATO_OVERLAP_S = 0.100  # overlaps up to this are how legato is written: cutting them loses nothing
MOST_VOICES = 16
SHORTEST_S = 0.010  # what is left of a note that is cut sooner is nothing
RINGING_S = 0.250  # after its end, a note would still be heard under the same pitch on another line
LARGEST_BOUND_SEMITONES = 7  # a leap beyond is tongued where the line had another part of the chord before


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
        return (f"{_whose(self.notes)} holds chords, but the instrument plays one note at a time: "
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


@dataclass(frozen=True)
class Voices:
    """A part as lines of one note at a time, and what was lost on the way.

    Args:
        lines: the part's notes; each line has the name, program, bends and controllers of the part.
        n_left_out: notes that no line plays.
        n_cut: notes that end more than 100 ms early.
        limit: how many lines were allowed.
    """

    lines: tuple[Notes, ...]
    n_left_out: int
    n_cut: int
    limit: int

    @property
    def warning(self) -> str | None:
        """One sentence for the user, or None when nothing was lost."""
        if not self.n_left_out and not self.n_cut:
            return None
        if self.limit == 1:
            return OneVoice(self.lines[0], self.n_left_out, self.n_cut).warning
        return (f"{_whose(self.lines[0])} needs more than {self.limit} voices at once: "
                f"{self.n_left_out} notes are left out and {self.n_cut} cut where a newer one starts.")


def to_voices(notes: Notes, *, voices: int = MOST_VOICES) -> Voices:
    """As many lines as the part needs; a part that never overlaps by more than 100 ms is one, as is any with voices=1.

    In several lines every note keeps its onset and offset, but for these:
    - Above the limit, `Allocator` says which note ends for a newer one: the oldest but the lowest.
    - A pitch that is struck again while it sounds ends there; the new note lasts as long as either.
    - A note that must be bound (`legato`) ends the one before it.

    The same pitch again stays on its line, so that nothing fills the dip before it; any other note goes on from the line
    whose last pitch is nearest, of those the longest silent. Leaps of more than a fifth are tongued.

    >>> chord = Notes((Note(60, 80, 0.0, 1.0), Note(64, 80, 0.0, 1.5), Note(62, 80, 1.0, 2.0), Note(65, 80, 1.5, 2.0)))
    >>> [[note.pitch for note in line.notes] for line in to_voices(chord).lines]
    [[60, 62], [64, 65]]
    """
    check_range("to_voices", "voices", voices, 1, 128)
    one = to_one_voice(notes)
    if voices == 1 or not (one.n_left_out or one.n_cut):
        return Voices((one.notes,), one.n_left_out, one.n_cut, voices)
    kept, n_left_out, n_cut = _limit(notes.notes, voices)
    lines = _to_lines(kept, voices)
    return Voices(tuple(replace(notes, notes=tuple(line)) for line in lines), n_left_out, n_cut, voices)


def _whose(notes: Notes) -> str:
    return f"part '{notes.name}'" if notes.name else f"channel {notes.channel + 1}"


def _is_bound(note: Note, before: Note) -> bool:
    return bool(note.legato) and note.onset_s - before.onset_s >= TOGETHER_S


def _limit(notes: Sequence[Note], voices: int) -> tuple[list[Note], int, int]:
    """The notes that voices can play, with the offsets they get; how many are left out, and how many cut."""
    allocator = Allocator(voices)
    ends = [note.offset_s for note in notes]
    sounding: dict[int, int] = {}  # index by voice
    n_left_out = n_cut = 0

    def end(voice: int) -> int:
        index = sounding.pop(voice)
        allocator.note_off(notes[index].pitch)
        allocator.free(voice)
        return index

    for index, note in enumerate(notes):
        for voice, other in list(sounding.items()):
            if ends[other] <= note.onset_s:
                end(voice)
            elif notes[other].pitch == note.pitch:
                ends[index] = max(ends[index], ends[other])
                ends[end(voice)] = note.onset_s
            elif other == index - 1 and _is_bound(note, notes[other]):
                ends[end(voice)] = note.onset_s
        taken = allocator.note_on(note.pitch, note.velocity).voice
        assert taken is not None
        if taken in sounding:
            other = sounding[taken]
            is_nothing = note.onset_s - notes[other].onset_s < SHORTEST_S
            n_left_out += is_nothing
            n_cut += not is_nothing and ends[other] - note.onset_s > LEGATO_OVERLAP_S
            ends[other] = note.onset_s
        sounding[taken] = index
    kept = [note if note.offset_s == end_s else replace(note, offset_s=end_s) for note, end_s in zip(notes, ends)
            if end_s - note.onset_s >= SHORTEST_S or end_s == note.offset_s]
    return kept, n_left_out, n_cut


def _to_lines(notes: Sequence[Note], voices: int) -> list[list[Note]]:
    """Notes of which at most `voices` sound at once, each on a line."""
    onsets: defaultdict[float, list[float]] = defaultdict(list)
    for note in notes:
        onsets[note.pitch].append(note.onset_s)
    lines: list[list[Note]] = []
    before: Note | None = None

    def is_awaited(line: list[Note], note: Note) -> bool:
        """The line's own pitch comes again, too soon for another line."""
        last = line[-1]
        again = bisect_left(onsets[last.pitch], note.onset_s)
        return (last.pitch != note.pitch and again < len(onsets[last.pitch])
                and onsets[last.pitch][again] - last.offset_s < RINGING_S)

    def cost(choice: tuple[Note, list[Note]]) -> tuple[bool, bool, float, float]:
        note, line = choice
        is_next = line[-1] is before and _is_bound(note, line[-1])
        return not is_next, is_awaited(line, note), _leap(line[-1], note), line[-1].offset_s

    for onset_s, group in groupby(notes, key=lambda note: note.onset_s):
        waiting = list(group)
        newest = waiting[-1]
        free = [line for line in lines if line[-1].offset_s <= onset_s]
        while waiting:
            choice = min(product(waiting, free), key=cost, default=None)
            if choice is None or (is_awaited(choice[1], choice[0]) and len(lines) < voices):
                lines.append([waiting.pop(0)])
            else:
                note, line = choice
                free = [other for other in free if other is not line]
                waiting.remove(note)
                line.append(_tongue(line[-1], note))
        before = newest
    return lines


def _leap(before: Note, note: Note) -> float:
    """Semitones from one note to the next, or to where its portamento begins."""
    return abs(before.pitch - (note.pitch if note.glide_from is None else note.glide_from))


def _tongue(before: Note, note: Note) -> Note:
    """Bind nothing by chance: what lay on one line without belonging together."""
    is_close = note.onset_s - before.offset_s < LEGATO_OVERLAP_S
    return replace(note, legato=False) if note.legato is None and is_close and _leap(before, note) > \
        LARGEST_BOUND_SEMITONES else note


def seed_of(seed: int | None, player: int) -> int | None:
    """What the player of a line draws its choices from: each another seed; without one the first plays what is likeliest.

    Args:
        seed: of the whole.
        player: which of those that play the same instrument, from 0.
    """
    return seed if player == 0 else (seed or 0) + player
