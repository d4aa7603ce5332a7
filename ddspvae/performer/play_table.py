"""A table of notes and their controls, played."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ddspvae.performer.calibrate import calibrate
from ddspvae.performer.controls import ranges_of
from ddspvae.performer.realise import realise
from ddspvae.performer.table import read_table
from ddspvae.signals import Performance

if TYPE_CHECKING:
    from ddspvae.instrument import Instrument


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
    controls = table.controls(ranges_of(instrument))
    return calibrate(instrument, realise(instrument, table.notes, controls, seed=seed, tail_s=tail_s), table.notes,
                     controls)
