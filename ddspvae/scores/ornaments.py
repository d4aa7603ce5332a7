"""Trills, mordents, turns and tremolos: one written note to the notes that are played for it."""

from __future__ import annotations

from ddspvae.scores.written import WrittenNote

NOTES_PER_S = 12.0  # of a trill
MOST_STROKES_PER_S = 14.0  # of a tremolo: more than that, and none of them would be heard
SHORT_S = 0.080  # of each short note of a mordent or turn, at most
TRILLS = ("trill-mark", "wavy-line", "shake")
# semitone of each note: 0 itself, 1 its neighbour above, -1 below; the last one is held
MORDENTS = {"mordent": (0, -1, 0), "inverted-mordent": (0, 1, 0)}
TURNS = {"turn": (1, 0, -1, 0), "inverted-turn": (-1, 0, 1, 0), "delayed-turn": (1, 0, -1, 0),
         "delayed-inverted-turn": (-1, 0, 1, 0)}

Piece = tuple[float, float, float, bool]  # (from, to) as shares of the note, semitones beside it, bound to the one before


def ornament(note: WrittenNote, marks: frozenset[str], seconds: float, quarters: float) -> list[Piece]:
    """What is played for a note; [(0, 1, 0, False)] for a plain one.

    - A trill begins and ends on its own note, 12 notes a second.
    - A mordent or turn has short notes of 80 ms, or a sixth of the note; a delayed turn begins in the middle.
    - A tremolo is measured as its strokes say, but never faster than 14 a second.

    Args:
        note: with its neighbours and the strokes of its tremolo.
        marks: of it and of the notes tied to it.
        seconds, quarters: that it lasts.
    """
    if note.strokes and not note.alternates:
        count = _strokes(note.strokes, seconds, quarters)
        return [(index / count, (index + 1) / count, 0.0, False) for index in range(count)]
    if any(mark in marks for mark in TRILLS):
        count = max(2 * round((seconds * NOTES_PER_S - 1) / 2) + 1, 3)
        return [(index / count, (index + 1) / count, note.above if index % 2 else 0.0, index > 0) for index in range(count)]
    shape = next((MORDENTS[mark] for mark in MORDENTS if mark in marks), None)
    if shape is not None:
        short = min(SHORT_S / max(seconds, 1e-9), 1 / 6)
        edges = [0.0, short, 2 * short, 1.0]
        return _pieces(note, shape, edges)
    kind = next((mark for mark in TURNS if mark in marks), None)
    if kind is None:
        return [(0.0, 1.0, 0.0, False)]
    short = min(SHORT_S / max(seconds, 1e-9), 1 / 6)
    if kind.startswith("delayed"):
        begin = max(0.5, 1 - 6 * short)
        step = min((1 - begin) / 4, short)
        return _pieces(note, (0, *TURNS[kind]), [0.0, *(begin + index * step for index in range(4)), 1.0])
    return _pieces(note, TURNS[kind], [0.0, short, 2 * short, 3 * short, 1.0])


def _pieces(note: WrittenNote, shape: tuple[int, ...], edges: list[float]) -> list[Piece]:
    semitones = {0: 0.0, 1: note.above, -1: note.below}
    return [(start, end, semitones[way], index > 0)
            for index, (way, start, end) in enumerate(zip(shape, edges, edges[1:]))]


def _strokes(strokes: int, seconds: float, quarters: float) -> int:
    """How many notes a tremolo has in a note: eighths for one stroke, 16ths for two; each beam of the head counts, too."""
    head = 1.0 if quarters >= 1 else 2.0 ** -round(-_log2(quarters))
    count = max(round(quarters / (head / 2**strokes)), 1)
    return max(min(count, int(seconds * MOST_STROKES_PER_S)), 1)


def alternate(strokes: int, seconds: float, quarters: float) -> int:
    """How many notes a tremolo between two notes has, an even number, from the first to the end of the second."""
    count = max(round(quarters * 2**strokes), 2)
    return max(min(count, int(seconds * NOTES_PER_S)) // 2 * 2, 2)


def _log2(value: float) -> float:
    from math import log2

    return log2(max(value, 1e-6))
