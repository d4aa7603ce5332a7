"""A table of notes and their controls, played."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ddspvae.editing.calibrate import calibrate
from ddspvae.editing.note_table import read_table
from ddspvae.editing.realise import realise
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
    table = read_table(path)
    controls = table.controls(instrument.control_ranges)
    return calibrate(instrument, realise(instrument, table.notes, controls, seed=seed, tail_s=tail_s), table.notes,
                     controls)
