"""How loud a take is from instant to instant, as a score can say it: velocities, and expression within the notes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ddspvae.midi.expression import SOFTEST_DB
from ddspvae.midi.shapes import velocity_to_level_db
from ddspvae.performer.shape import inner_frames
from ddspvae.performer.transcribe import level_to_velocity
from ddspvae.signals import Notes, Performance, Steps

if TYPE_CHECKING:
    from ddspvae.instrument import Instrument

STEP_S = 0.01  # between two values of expression
FULL = 127
REACHED = 0.98  # of a note's frames are to be reached without more than full expression


def follow_dynamics(notes: Notes, take: Performance, instrument: Instrument) -> Notes:
    """Let a score be played as loud as a take from instant to instant.

    Expression can only turn down, so each note becomes as loud as the take's loudest part of it needs, as the instrument's
    performer plays it, and expression says the rest.

    Args:
        notes: of the take, one voice.
        take: its loudness is followed.
        instrument: whose performer is to play the notes.
    Returns:
        notes with other velocities, and with "expression" among the controllers, in steps of 1/127 every 10 ms at most.
    """
    if not notes.notes:
        return notes
    short_db = _missing_db(notes, take, instrument)
    spans = inner_frames(notes, take.frame_rate_hz, len(short_db))
    wanted_db = (velocity_to_level_db(np.array([note.velocity for note in notes.notes]), instrument.statistics)
                 + [np.quantile(short_db[span], REACHED) for span in spans])
    louder = replace(notes, notes=tuple(
        replace(note, velocity=int(velocity))
        for note, velocity in zip(notes.notes, level_to_velocity(wanted_db, instrument.statistics))))
    gain_db = _missing_db(louder, take, instrument)
    return replace(louder, controllers={**louder.controllers, "expression": _steps(gain_db, louder, take.frame_rate_hz)})


def _missing_db(notes: Notes, take: Performance, instrument: Instrument) -> NDArray:
    """How much louder the take is than the notes as they are played, [F]."""
    played = instrument.perform(notes).loudness_db
    asked = np.asarray(take.loudness_db, dtype=float)
    return asked - np.pad(played, (0, max(0, len(asked) - len(played))), mode="edge")[: len(asked)]


def _steps(gain_db: NDArray, notes: Notes, frame_rate_hz: float) -> Steps:
    """Values of expression from the first onset to the last end, one where it changes."""
    n_frames = max(1, round(STEP_S * frame_rate_hz))
    first, last = (round(at_s * frame_rate_hz) for at_s in (notes.notes[0].onset_s, notes.duration_s))
    steps: list[tuple[float, float]] = []
    for at in range(max(0, first - n_frames), min(last, len(gain_db)), n_frames):
        # General MIDI: 40 log10(value) dB
        value = round(FULL * 10 ** (float(np.clip(gain_db[at : at + n_frames].mean(), SOFTEST_DB, 0)) / 40))
        if not steps or value != steps[-1][1]:
            steps.append((at / frame_rate_hz, value))
    return tuple((at_s, value / FULL) for at_s, value in steps)
