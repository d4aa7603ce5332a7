"""What partitura reads of a score: note heads with their places, lengths, ties, grace notes and slurs."""

from __future__ import annotations

import contextlib
import io
import tempfile
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ddspvae.scores.source import MISSING, WHERE, Element
from ddspvae.signals.checks import InputError

SEMITONES = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
SHARPS = "FCGDAEB"  # in the order in which a key gets them
HEAD_QUARTERS = {"breve": 8.0, "whole": 4.0, "half": 2.0, "quarter": 1.0, "eighth": 0.5, "16th": 0.25, "32nd": 0.125,
                 "64th": 0.0625}


@dataclass(frozen=True)
class Head:
    """A note head.

    Args:
        id: of its element.
        start, length: quarters; the length is that of its head for a grace note.
        step, octave, alter: as written; alter without its microtonal part.
        voice: number in the part.
        grace: "acciaccatura", "appoggiatura", "grace", or "" for no grace note.
        steals: share of a neighbour that it takes, where that is said.
        tied_from: id of the note that it prolongs, or "".
        fifths: of the key.
    """

    id: str
    start: float
    length: float
    step: str
    octave: int
    alter: int
    voice: int
    grace: str
    steals: float | None
    tied_from: str
    fifths: int

    @property
    def pitch(self) -> int:
        """As written, a MIDI number."""
        return 12 * (self.octave + 1) + SEMITONES[self.step] + self.alter

    def neighbour(self, by: int, alter: int | None = None) -> float:
        """Semitones to the next step above (by = 1) or below (-1), in the key or with an accidental of its own."""
        steps = "CDEFGAB"
        index = steps.index(self.step) + by
        step, octaves = steps[index % 7], index // 7
        altered = in_key(step, self.fifths) if alter is None else alter
        return SEMITONES[step] + 12 * octaves + altered - SEMITONES[self.step] - self.alter


@dataclass
class PartHeads:
    """One part: its id or name, its heads, its slurs by ids, and its bars in quarters."""

    id: str
    name: str
    heads: list[Head] = field(default_factory=list)
    slurs: list[tuple[str, str]] = field(default_factory=list)
    bars: list[tuple[float, float]] = field(default_factory=list)


def in_key(step: str, fifths: int) -> int:
    """How a key alters a step: 1, 0 or -1.

    >>> in_key("F", 1), in_key("B", -2), in_key("C", 1)
    (1, -1, 0)
    """
    if fifths >= 0:
        return int(step in SHARPS[:fifths])
    return -int(step in SHARPS[::-1][:-fifths])


def read_heads(root: Element, path: Path, kind: str) -> list[PartHeads]:
    """Have partitura read a tree of elements.

    Args:
        root: of notes alone, see `musicxml` and `mei`; every note has an id.
        path: for messages.
        kind: "musicxml" or "mei".
    Raises:
        InputError: what partitura cannot read; or it is not installed.
    """
    from lxml import etree

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from partitura import score as structure
            from partitura.io.importmei import load_mei
            from partitura.io.importmusicxml import load_musicxml
    except ImportError as error:
        raise InputError(MISSING) from error
    text = etree.tostring(root, xml_declaration=True, encoding="UTF-8")
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        try:
            if kind == "musicxml":
                score = load_musicxml(io.BytesIO(text))
            else:
                with tempfile.TemporaryDirectory() as folder:
                    file = Path(folder) / "score.mei"
                    file.write_bytes(text)
                    score = load_mei(str(file))
            return [_read_part(part, structure, path) for part in score.parts]
        except InputError:
            raise
        except Exception as error:  # partitura has its own words for everything that it does not know
            raise InputError(f"{WHERE}: {path} is not a score that partitura can read ({type(error).__name__}: "
                             f"{str(error).splitlines()[0] if str(error) else 'no reason given'}); open it in a notation "
                             "program and export it as MusicXML.") from error


def _read_part(part: Any, structure: Any, path: Path) -> PartHeads:
    found = PartHeads(str(part.id), str(part.part_name or ""))
    to_quarter = part.quarter_map
    first = float(to_quarter(0))

    def place(point: Any) -> float:
        return float(to_quarter(point.t)) - first

    keys = sorted((place(key.start), key.fifths or 0) for key in part.iter_all(structure.KeySignature))
    for note in part.iter_all(structure.Note, include_subclasses=True):
        start = place(note.start)
        if str(note.step).upper() not in SEMITONES or note.octave is None:
            raise InputError(f"{WHERE}: {path} has a note without a pitch that can be read, at quarter {start:g}; export it "
                             "again.")
        is_grace = isinstance(note, structure.GraceNote)
        symbolic = note.symbolic_duration or {}
        length = HEAD_QUARTERS.get(symbolic.get("type", ""), 0.5) if is_grace else place(note.end) - start
        fifths = next((fifths for at, fifths in reversed(keys) if at <= start + 1e-9), 0)
        found.heads.append(Head(
            str(note.id), start, length, note.step.upper(), note.octave, int(note.alter or 0), int(note.voice or 1),
            note.grace_type if is_grace else "", getattr(note, "steal_proportion", None),
            str(note.tie_prev.id) if note.tie_prev is not None else "", fifths))
    found.slurs = [(str(slur.start_note.id), str(slur.end_note.id)) for slur in part.iter_all(structure.Slur)
                   if slur.start_note is not None and slur.end_note is not None]
    found.bars = [(place(bar.start), place(bar.end)) for bar in part.iter_all(structure.Measure)]
    return found
