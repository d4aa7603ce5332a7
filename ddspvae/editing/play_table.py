"""A table of notes and their controls, played."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ddspvae.editing.calibrate import calibrate
from ddspvae.editing.note_table import NoteTable, read_table
from ddspvae.editing.realise import realise
from ddspvae.midi.voices import seed_of
from ddspvae.signals import Performance

if TYPE_CHECKING:
    from ddspvae.instrument.instrument import Instrument


def play_table(path: str | Path, instrument: Instrument, seed: int | None = None, tail_s: float = 1.0) -> Performance:
    """What `render notes.csv` plays.

    Args:
        path: of the table.
        instrument: whose ranges 0 and 1 stand for.
        seed: of z.
        tail_s: seconds after the last note.
    Raises:
        InputError: a table at fault, or notes that start together.
    """
    return play_lines([read_table(path)], instrument, seed, tail_s)[0]


def play_lines(tables: Sequence[NoteTable], instrument: Instrument, seed: int | None = None, tail_s: float = 1.0
               ) -> list[Performance]:
    """As `play_table`, of several voices: each draws its z for itself."""
    return [_play(table, instrument, seed_of(seed, at), tail_s) for at, table in enumerate(tables)]


def _play(table: NoteTable, instrument: Instrument, seed: int | None, tail_s: float) -> Performance:
    controls = table.controls(instrument.control_ranges)
    return calibrate(instrument, realise(instrument, table.notes, controls, seed=seed, tail_s=tail_s), table.notes,
                     controls)
