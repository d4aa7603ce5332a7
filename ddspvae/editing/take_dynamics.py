"""What a take does from instant to instant, as a score can say it: velocities, expression, brightness and bends."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ddspvae.features.f0 import VOICED
from ddspvae.midi.closed_forms import velocity_to_level_db
from ddspvae.midi.expression import BRIGHTNESS_RANGE, SOFTEST_DB
from ddspvae.model.form import BRIGHTNESS
from ddspvae.performer.loudness_shape import inner_frames
from ddspvae.performer.transcribe import BEND_RANGE, level_to_velocity
from ddspvae.signals import Notes, Performance, Steps
from ddspvae.signals.units import CENTS_PER_SEMITONE, hz_to_pitch

if TYPE_CHECKING:
    from ddspvae.instrument.instrument import Instrument

STEP_S = 0.01  # between two values of a controller
FULL = 127
REACHED = 0.98  # of a note's frames are to be reached without more than full expression


def follow_take(notes: Notes, take: Performance, instrument: Instrument) -> Notes:
    """Let a score be played as a take was: as loud, as bright and at its pitch from instant to instant.

    Expression can only turn down, so each note becomes as loud as the take's loudest part of it needs, as the instrument's
    performer plays it, and expression says the rest. Brightness (controller 74) says how much brighter than that it is, and
    bends say how far the take lies above the pitch that is played; where that is more than a wheel reaches, nothing.

    Args:
        notes: of the take, one voice.
        take: is followed.
        instrument: whose performer is to play the notes.
    Returns:
        notes with other velocities, with "expression" and "brightness" among the controllers, in steps of 1/127, and with
        bends, every 10 ms at most.
    """
    if not notes.notes:
        return notes
    short_db = _missing_db(take, instrument.perform(notes))
    spans = inner_frames(notes, take.frame_rate_hz, len(short_db))
    wanted_db = (velocity_to_level_db(np.array([note.velocity for note in notes.notes]), instrument.statistics)
                 + [np.quantile(short_db[span], REACHED) for span in spans])
    louder = replace(notes, notes=tuple(
        replace(note, velocity=int(velocity))
        for note, velocity in zip(notes.notes, level_to_velocity(wanted_db, instrument.statistics))))
    played, rate_hz = instrument.perform(louder), take.frame_rate_hz
    # General MIDI: 40 log10(value) dB
    expression = 10 ** (_missing_db(take, played).clip(SOFTEST_DB, 0) / 40)
    sent = {"expression": _steps(expression, louder, rate_hz, FULL)}
    if take.z.shape[1] > BRIGHTNESS and instrument.axis_names[BRIGHTNESS] == "brightness":
        sent["brightness"] = _steps(_brighter(take, played), louder, rate_hz, FULL)
    bends = _steps(_higher_semitones(take, played), louder, rate_hz, CENTS_PER_SEMITONE)
    return replace(louder, controllers={**louder.controllers, **sent}, bend_semitones=bends)


def _missing_db(take: Performance, played: Performance) -> NDArray:
    """How much louder the take is than what is played, [F]."""
    return np.asarray(take.loudness_db, dtype=float) - _at_length(played.loudness_db, take.n_frames)


def _brighter(take: Performance, played: Performance) -> NDArray:
    """How much brighter the take is than what is played, [F], 0 to 1, 0.5 where it is not."""
    more = take.z[:, BRIGHTNESS] - _at_length(played.z[:, BRIGHTNESS], len(take.z))
    frames = more.repeat(take.frames_per_z)[: take.n_frames]
    return 0.5 + frames.clip(-BRIGHTNESS_RANGE, BRIGHTNESS_RANGE) / (2 * BRIGHTNESS_RANGE)


def _higher_semitones(take: Performance, played: Performance) -> NDArray:
    """How far the take lies above what is played, [F]; 0 where it has no sure pitch, or lies too far away."""
    more = hz_to_pitch(take.f0_hz) - hz_to_pitch(_at_length(played.f0_hz, take.n_frames))
    return np.where((np.asarray(take.periodicity) >= VOICED) & (np.abs(more) < BEND_RANGE), more, 0.0)


def _at_length(curve: NDArray, length: int) -> NDArray:
    """Cut, or drawn out with its last value."""
    return np.pad(curve, (0, max(0, length - len(curve))), mode="edge")[:length]


def _steps(curve: NDArray, notes: Notes, frame_rate_hz: float, fineness: float) -> Steps:
    """Values in so many parts of 1, from the first onset to the last end, one where they change."""
    n_frames = max(1, round(STEP_S * frame_rate_hz))
    first, last = (round(at_s * frame_rate_hz) for at_s in (notes.notes[0].onset_s, notes.duration_s))
    steps: list[tuple[float, float]] = []
    for at in range(max(0, first - n_frames), min(last, len(curve)), n_frames):
        value = round(fineness * float(curve[at : at + n_frames].mean()))
        if not steps or value != steps[-1][1]:
            steps.append((at / frame_rate_hz, value))
    return tuple((at_s, value / fineness) for at_s, value in steps)
