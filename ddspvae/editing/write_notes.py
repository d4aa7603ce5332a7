"""The notes of a take as a MIDI file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ddspvae.editing.take_dynamics import follow_take
from ddspvae.performer.transcribe import round_pitches, transcribe, write_midi
from ddspvae.signals import Performance
from ddspvae.signals.checks import InputError

if TYPE_CHECKING:
    from ddspvae.instrument.instrument import Instrument


def write_take_notes(take: Performance, instrument: Instrument, path: str | Path) -> dict[str, Any]:
    """What `analyze --notes take.mid` writes: the notes of a take as MIDI, as loud, as bright and as high as it was.

    Returns:
        for the report: notes, how many; tuning_cents, how far the take lies from A = 440 Hz.
    Raises:
        InputError: no notes in the take, or a file that cannot be written.
    """
    notes, tuning_cents = round_pitches(transcribe(take, instrument.statistics))
    if not notes.notes:
        raise InputError("analyze: the take holds no notes to write; leave out --notes.")
    write_midi(follow_take(notes, take, instrument), path)
    return {"notes": len(notes.notes), "tuning_cents": round(tuning_cents, 1)}
