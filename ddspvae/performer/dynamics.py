"""How loud and how bright a take is from instant to instant, as a score can say it: velocities, expression, brightness."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ddspvae.midi.expression import BRIGHTNESS_RANGE, SOFTEST_DB
from ddspvae.midi.shapes import velocity_to_level_db
from ddspvae.model.axes import BRIGHTNESS
from ddspvae.performer.shape import inner_frames
from ddspvae.performer.transcribe import level_to_velocity
from ddspvae.signals import Notes, Performance, Steps

if TYPE_CHECKING:
    from ddspvae.instrument import Instrument

STEP_S = 0.01  # between two values of a controller
FULL = 127
REACHED = 0.98  # of a note's frames are to be reached without more than full expression


def follow_dynamics(notes: Notes, take: Performance, instrument: Instrument) -> Notes:
    """Let a score be played as loud and as bright as a take from instant to instant.

    Expression can only turn down, so each note becomes as loud as the take's loudest part of it needs, as the instrument's
    performer plays it, and expression says the rest. Brightness (controller 74) says how much brighter than that it is.

    Args:
        notes: of the take, one voice.
        take: its loudness and its brightness are followed.
        instrument: whose performer is to play the notes.
    Returns:
        notes with other velocities, and with "expression" and "brightness" among the controllers, in steps of 1/127 every
        10 ms at most.
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
    # General MIDI: 40 log10(value) dB
    expression = 10 ** (_missing_db(louder, take, instrument).clip(SOFTEST_DB, 0) / 40)
    sent = {"expression": _steps(expression, louder, take.frame_rate_hz)}
    if take.z.shape[1] > BRIGHTNESS and instrument.axis_names[BRIGHTNESS] == "brightness":
        sent["brightness"] = _steps(_brighter(louder, take, instrument), louder, take.frame_rate_hz)
    return replace(louder, controllers={**louder.controllers, **sent})


def _missing_db(notes: Notes, take: Performance, instrument: Instrument) -> NDArray:
    """How much louder the take is than the notes as they are played, [F]."""
    return np.asarray(take.loudness_db, dtype=float) - _at_length(instrument.perform(notes).loudness_db, take.n_frames)


def _brighter(notes: Notes, take: Performance, instrument: Instrument) -> NDArray:
    """How much brighter the take is than the notes as they are played, [F], 0 to 1, 0.5 where it is not."""
    more = take.z[:, BRIGHTNESS] - _at_length(instrument.perform(notes).z[:, BRIGHTNESS], len(take.z))
    frames = more.repeat(take.frames_per_z)[: take.n_frames]
    return 0.5 + frames.clip(-BRIGHTNESS_RANGE, BRIGHTNESS_RANGE) / (2 * BRIGHTNESS_RANGE)


def _at_length(curve: NDArray, length: int) -> NDArray:
    """Cut, or drawn out with its last value."""
    return np.pad(curve, (0, max(0, length - len(curve))), mode="edge")[:length]


def _steps(curve: NDArray, notes: Notes, frame_rate_hz: float) -> Steps:
    """Values 0 to 1 of a controller from the first onset to the last end, one where it changes."""
    n_frames = max(1, round(STEP_S * frame_rate_hz))
    first, last = (round(at_s * frame_rate_hz) for at_s in (notes.notes[0].onset_s, notes.duration_s))
    steps: list[tuple[float, float]] = []
    for at in range(max(0, first - n_frames), min(last, len(curve)), n_frames):
        value = round(FULL * float(curve[at : at + n_frames].mean()))
        if not steps or value != steps[-1][1]:
            steps.append((at / frame_rate_hz, value))
    return tuple((at_s, value / FULL) for at_s, value in steps)
