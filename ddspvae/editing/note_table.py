"""Notes and their controls as a table that a spreadsheet can edit: notes.csv, one row a note, of one voice or of many."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ddspvae.performer.controls import CONTROLS, ControlRanges, NoteControls
from ddspvae.signals import LONGEST_S, Note, Notes
from ddspvae.signals.checks import InputError, check_duration, check_shape
from ddspvae.signals.files import new_file
from ddspvae.signals.tables import read_cells

NOTE_COLUMNS = ("onset_s", "offset_s", "pitch", "velocity")  # what a row must hold
RATE_COLUMN = "vibrato_hz"
PLACES = ("part", "voice")  # columns of a table of several lines; 1 where there are none
TRANSITIONS = ("legato", "glide_from", "glide_s")  # columns written where a note has them
COLUMNS = (*NOTE_COLUMNS, *CONTROLS[:4], RATE_COLUMN, *CONTROLS[4:])
BOUNDS: Mapping[str, tuple[float, float]] = {
    "onset_s": (0, LONGEST_S), "offset_s": (0, LONGEST_S), "pitch": (0, 127), "velocity": (1, 127),
    **dict.fromkeys(CONTROLS, (0.0, 1.0)), RATE_COLUMN: (0, 20), "legato": (0, 1), "glide_from": (0, 127),
    "glide_s": (0, 60), "part": (1, 999), "voice": (1, 128)}
WHOLE = ("velocity", "legato", *PLACES)
DIGITS = 4  # of a control from 0 to 1: a person is to read it


@dataclass(frozen=True, eq=False)
class NoteTable:
    """What notes.csv holds.

    Args:
        notes: one voice, in order of onset.
        scaled: the six controls by name, [N] each, 0 to 1; NaN, an empty cell, is played as the rules have it.
        vibrato_hz: [N], rates; NaN, or 0 beside a vibrato, is the instrument's own.
    """

    notes: Notes
    scaled: Mapping[str, NDArray]
    vibrato_hz: NDArray

    def __post_init__(self) -> None:
        for name, values in (*self.scaled.items(), (RATE_COLUMN, self.vibrato_hz)):
            check_shape("NoteTable", name, np.shape(values), len(self.notes.notes))

    @staticmethod
    def of(notes: Notes, controls: NoteControls, ranges: ControlRanges) -> NoteTable:
        """Notes with their controls from 0 to 1 on an instrument, to four digits."""
        return NoteTable(notes, {name: values.round(DIGITS) for name, values in controls.scaled(ranges).items()},
                         controls.vibrato_hz.round(2))

    def controls(self, ranges: ControlRanges) -> NoteControls:
        """What the numbers stand for on an instrument, in units."""
        return NoteControls.from_scaled(self.scaled, self.vibrato_hz, ranges)


@dataclass(frozen=True, eq=False)
class TableLine:
    """One voice of one part in a table of several.

    Args:
        part: of the score, from 1.
        voice: of the part, from 1.
        table: its notes.
    """

    part: int
    voice: int
    table: NoteTable


def write_table(table: NoteTable, path: str | Path) -> None:
    """Write a header of column names and a row a note; `read_table` gives back the same numbers, bit by bit.

    Wheel, controllers, and bends of single notes have no column.

    Raises:
        InputError: the file cannot be written.
    """
    write_lines([TableLine(1, 1, table)], path)


def write_lines(lines: Sequence[TableLine], path: str | Path) -> None:
    """As `write_table`, for several voices and parts: with columns `part` and `voice` where there are several.

    The ending .tsv writes tabs.
    """
    extra = [name for name in TRANSITIONS if any(getattr(note, name) not in (None, 0.0) or getattr(note, name) is False
                                                 for line in lines for note in line.table.notes.notes)]
    places = PLACES if len(lines) > 1 else ()
    path = Path(path)
    try:
        with new_file(path) as part, part.open("w", newline="", encoding="utf-8") as file:
            rows = csv.writer(file, lineterminator="\n", delimiter="\t" if path.suffix.lower() == ".tsv" else ",")
            rows.writerow([*places, *COLUMNS, *extra])
            for line in lines:
                where = [str(getattr(line, name)) for name in places]
                for index, note in enumerate(line.table.notes.notes):
                    cells = [_to_cell(_value(line.table, note, index, name)) for name in (*COLUMNS, *extra)]
                    rows.writerow([*where, *cells])
    except OSError as error:
        raise InputError(f"write_table: cannot write {path} ({error.strerror}); does the folder exist?") from error


def _value(table: NoteTable, note: Note, index: int, name: str) -> float | None:
    if name in CONTROLS:
        return float(table.scaled[name][index])
    return float(table.vibrato_hz[index]) if name == RATE_COLUMN else getattr(note, name)


def _to_cell(value: float | None) -> str:
    if value is None or math.isnan(value):
        return ""
    return str(int(value)) if float(value).is_integer() else repr(float(value))


def read_table(path: str | Path) -> NoteTable:
    """Read notes.csv, in any order of rows and columns; columns after the first four, and their cells, may be missing.

    What spreadsheets make of it is understood: see `signals.tables`; and empty rows at the end.

    Raises:
        InputError: missing, empty, an unknown or a missing column, a cell that cannot be right, or several lines, which
            `read_lines` reads; the sentence names row (1 is the header) and column.
    """
    lines = read_lines(path)
    if len(lines) > 1:
        raise InputError(f"read_table: {path} holds {len(lines)} lines, of several voices or parts; read_lines reads them.")
    return lines[0].table


def read_lines(path: str | Path) -> list[TableLine]:
    """As `read_table`, of several voices and parts, in that order: the columns `part` and `voice` tell them apart.

    Where they are missing, or a cell of them is empty, it is 1.
    """
    table = read_cells("read_table", path)
    header = [name.strip() for name in table[0]] if table else []
    _check_header(path, header)
    rows = []
    for number, cells in enumerate(table[1:], start=2):
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) > len(header):
            raise InputError(f"read_table: {path} row {number} must hold {len(header)} cells, got {len(cells)}.")
        filled = [*cells, *[""] * (len(header) - len(cells))]
        rows.append({name: _to_number(path, number, name, cell)
                     for name, cell in zip(header, filled)})
        if not rows[-1]["offset_s"] > rows[-1]["onset_s"]:
            raise InputError(f"read_table: {path} row {number}, column offset_s must come after onset_s = "
                             f"{rows[-1]['onset_s']:g}, got {rows[-1]['offset_s']:g}.")
    if not rows:
        raise InputError(f"read_table: {path} holds no notes; expected rows of {','.join(NOTE_COLUMNS)} and controls.")
    check_duration("read_table", path, max(row["offset_s"] for row in rows))
    found: dict[tuple[int, int], list[dict[str, float]]] = {}
    for row in rows:
        part, voice = (1 if math.isnan(row.get(name, 1.0)) else int(row.get(name, 1.0)) for name in PLACES)
        found.setdefault((part, voice), []).append(row)
    return [TableLine(*place, _to_table(found[place])) for place in sorted(found)]


def _to_table(rows: list[dict[str, float]]) -> NoteTable:
    rows.sort(key=lambda row: row["onset_s"])
    columns = {name: np.array([row.get(name, np.nan) for row in rows]) for name in (*CONTROLS, RATE_COLUMN)}
    return NoteTable(Notes(tuple(map(_to_note, rows))), {name: columns[name] for name in CONTROLS}, columns[RATE_COLUMN])


def _to_note(row: Mapping[str, float]) -> Note:
    legato, glide_from = row.get("legato", math.nan), row.get("glide_from", math.nan)
    glide_s = row.get("glide_s", math.nan)
    return Note(row["pitch"], int(row["velocity"]), row["onset_s"], row["offset_s"],
                legato=None if math.isnan(legato) else bool(legato),
                glide_from=None if math.isnan(glide_from) else glide_from, glide_s=0.0 if math.isnan(glide_s) else glide_s)


def _check_header(path: str | Path, header: list[str]) -> None:
    known = (*COLUMNS, *TRANSITIONS, *PLACES)
    for name in header:
        if name not in known or header.count(name) > 1:
            what = "stand once" if name in known else f"be one of {', '.join(known)}"
            raise InputError(f"read_table: {path} row 1, column '{name}' must {what}.")
    missing = [name for name in NOTE_COLUMNS if name not in header]
    if missing:
        raise InputError(f"read_table: {path} row 1 must name {', '.join(NOTE_COLUMNS)}; {missing[0]} is missing.")


def _to_number(path: str | Path, row: int, column: str, cell: str) -> float:
    where = f"read_table: {path} row {row}, column {column}"
    if not cell.strip() and column not in NOTE_COLUMNS:
        return math.nan
    try:
        value = float(cell)
    except ValueError as error:
        raise InputError(f"{where} must be a number, got '{cell}'.") from error
    low, high = BOUNDS[column]
    if not low <= value <= high:
        raise InputError(f"{where} must lie between {low:g} and {high:g}, got {value:g}.")
    if column in WHOLE and not value.is_integer():
        raise InputError(f"{where} must be a whole number, got {value:g}.")
    return value
