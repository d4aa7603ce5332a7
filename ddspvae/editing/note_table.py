"""Notes and their controls as a table that a spreadsheet can edit: notes.csv, one row a note."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
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
TRANSITIONS = ("legato", "glide_from", "glide_s")  # columns written where a note has them
COLUMNS = (*NOTE_COLUMNS, *CONTROLS[:4], RATE_COLUMN, *CONTROLS[4:])
BOUNDS: Mapping[str, tuple[float, float]] = {
    "onset_s": (0, LONGEST_S), "offset_s": (0, LONGEST_S), "pitch": (0, 127), "velocity": (1, 127),
    **dict.fromkeys(CONTROLS, (0.0, 1.0)), RATE_COLUMN: (0, 20), "legato": (0, 1), "glide_from": (0, 127),
    "glide_s": (0, 60)}
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


def write_table(table: NoteTable, path: str | Path) -> None:
    """Write a header of column names and a row a note; `read_table` gives back the same numbers, bit by bit.

    Wheel, controllers, and bends of single notes have no column.

    Raises:
        InputError: the file cannot be written.
    """
    extra = [name for name in TRANSITIONS if any(getattr(note, name) not in (None, 0.0) or getattr(note, name) is False
                                                 for note in table.notes.notes)]
    path = Path(path)
    try:
        with new_file(path) as part, part.open("w", newline="", encoding="utf-8") as file:
            rows = csv.writer(file, lineterminator="\n")
            rows.writerow([*COLUMNS, *extra])
            for index, note in enumerate(table.notes.notes):
                rows.writerow([_to_cell(_value(table, note, index, name)) for name in (*COLUMNS, *extra)])
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
        InputError: missing, empty, an unknown or a missing column, or a cell that cannot be right; the sentence names
            row (1 is the header) and column.
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
    rows.sort(key=lambda row: row["onset_s"])
    check_duration("read_table", path, max(row["offset_s"] for row in rows))
    columns = {name: np.array([row.get(name, np.nan) for row in rows]) for name in (*CONTROLS, RATE_COLUMN)}
    return NoteTable(Notes(tuple(map(_to_note, rows))), {name: columns[name] for name in CONTROLS}, columns[RATE_COLUMN])


def _to_note(row: Mapping[str, float]) -> Note:
    legato, glide_from = row.get("legato", math.nan), row.get("glide_from", math.nan)
    glide_s = row.get("glide_s", math.nan)
    return Note(row["pitch"], int(row["velocity"]), row["onset_s"], row["offset_s"],
                legato=None if math.isnan(legato) else bool(legato),
                glide_from=None if math.isnan(glide_from) else glide_from, glide_s=0.0 if math.isnan(glide_s) else glide_s)


def _check_header(path: str | Path, header: list[str]) -> None:
    known = (*COLUMNS, *TRANSITIONS)
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
    if column in ("velocity", "legato") and not value.is_integer():
        raise InputError(f"{where} must be a whole number, got {value:g}.")
    return value
