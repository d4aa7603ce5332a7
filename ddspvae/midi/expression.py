"""What controllers, pressure and bends say at every frame: steps to curves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ddspvae.signals import CONTROLLERS, Note, Notes, Steps
from ddspvae.signals.units import amplitude_to_db

SMOOTH_S = 0.010  # over which a step of a controller is spread
SOFTEST_DB = -60.0  # of expression and breath together
PRESSURE_DB = 3.0  # at full pressure
SOFT_PEDAL_DB = -3.0
MODULATION_CENTS = 50.0  # vibrato at full modulation, +- this far
PRESSURE_CENTS = 25.0  # and at full pressure
BRIGHTNESS_RANGE = 2.0  # standard deviations from the middle of controller 74 to its end


def hold_steps(steps: Steps, time_s: NDArray, before: float = 0.0) -> NDArray:
    """Steps at instants [F]: each value holds until the next, `before` until the first.

    >>> hold_steps(((1.0, 5.0), (2.0, 7.0)), np.array([0.5, 1.0, 2.5])).tolist()
    [0.0, 5.0, 7.0]
    """
    if not steps:
        return np.full(len(time_s), before)
    at_s, values = np.array(steps, dtype=float).T
    return np.concatenate([[before], values])[np.searchsorted(at_s, time_s, side="right")]


def smooth_steps(steps: Steps, time_s: NDArray, before: float = 0.0, width_s: float = SMOOTH_S) -> NDArray:
    """Steps at instants [F], each spread along a straight line of width_s around it."""
    if not steps:
        return np.full(len(time_s), before)
    at_s, values = np.array(steps, dtype=float).T
    edges_s = np.concatenate([[min(at_s[0], time_s[0]) - 1], at_s, [max(at_s[-1], time_s[-1]) + 1]])
    held = np.concatenate([[before], values])
    area = np.concatenate([[0.0], np.cumsum(held * np.diff(edges_s))])
    later, sooner = (np.interp(time_s + half_s, edges_s, area) for half_s in (width_s / 2, -width_s / 2))
    return (later - sooner) / width_s


def to_gain_db(loud: NDArray | float, pressure: NDArray | float, soft: NDArray | float) -> NDArray:
    """What expression times breath, pressure and the soft pedal, 0 to 1 each, do to the level: 40 log10 of the first."""
    quieter_db = (2 * amplitude_to_db(np.asarray(loud))).clip(SOFTEST_DB, 0)
    return np.asarray(quieter_db + PRESSURE_DB * pressure + SOFT_PEDAL_DB * soft)


def to_vibrato_cents(modulation: NDArray | float, pressure: NDArray | float) -> NDArray:
    """The vibrato that modulation and pressure, 0 to 1, ask for, +- this far."""
    return np.asarray(MODULATION_CENTS * np.asarray(modulation) + PRESSURE_CENTS * np.asarray(pressure))


@dataclass(frozen=True, eq=False)
class Expression:
    """What a part's controllers and its notes' own curves ask for, [F] each.

    Args:
        gain_db: expression, breath, pressure and soft pedal: 0 where nothing changes.
        vibrato_cents: asked for by modulation and pressure, +- this far.
        bend_semitones: of the part.
        note_bend_semitones: of the note that each frame belongs to.
        offsets: of axes of z, in standard deviations; only of those that anything was said about.
    """

    gain_db: NDArray
    vibrato_cents: NDArray
    bend_semitones: NDArray
    note_bend_semitones: NDArray
    offsets: dict[str, NDArray[np.float32]]


def read_expression(notes: Notes, time_s: NDArray, index: NDArray) -> Expression:
    """The expression of a part of one voice.

    General MIDI's expression is 40 log10(value) dB; breath is taken the same way. Full pressure adds 3 dB and 25 cents of
    vibrato, full modulation 50 cents; the soft pedal takes 3 dB. Brightness moves the axis of that name by up to 2 standard
    deviations. Volume and pan are the mix's.

    Args:
        notes: one voice.
        time_s: [F], of the frames.
        index: [F], the note that each frame belongs to; does not decrease.
    """
    sent = notes.controllers

    def curve(name: str) -> NDArray:
        return smooth_steps(sent.get(name, ()), time_s, CONTROLLERS[name])

    def own(steps_of: Callable[[Note], Steps], smooth: bool = True) -> NDArray:
        values = np.zeros(len(time_s))
        for number, note in enumerate(notes.notes):
            if steps_of(note):
                frames = slice(*np.searchsorted(index, [number, number + 1]))
                # an attack that begins before the onset begins with what the onset will say
                read = smooth_steps if smooth else hold_steps
                values[frames] = read(steps_of(note), np.maximum(time_s[frames], note.onset_s + smooth * SMOOTH_S / 2))
        return values

    pressure = (curve("pressure") + own(lambda note: note.pressure)).clip(0, 1)
    pedal = smooth_steps(tuple((at_s, float(value >= 0.5)) for at_s, value in sent.get("soft", ())), time_s)
    gain_db = to_gain_db(curve("expression") * curve("breath"), pressure, pedal)
    offsets = {}
    if "brightness" in sent or any(note.brightness for note in notes.notes):
        brightness = 2 * curve("brightness") - 1 + own(lambda note: note.brightness)
        offsets["brightness"] = (BRIGHTNESS_RANGE * brightness.clip(-1, 1)).astype(np.float32)
    return Expression(gain_db, to_vibrato_cents(curve("modulation"), pressure),
                      hold_steps(notes.bend_semitones, time_s),
                      own(lambda note: note.bend_semitones, smooth=False), offsets)


def add_offsets(z: NDArray[Any], offsets: Mapping[str, NDArray], axis_names: tuple[str, ...], frames_per_z: int
                ) -> NDArray[np.float32]:
    """Move axes of z by curves, averaged over the frames of each row; axes that z does not have are left out.

    Args:
        z: [M, Z].
        offsets: [F] by name of axis, M = ceil(F / frames_per_z).
        axis_names: Z names.
        frames_per_z: frames that share a row.
    """
    moved = np.array(z, dtype=np.float32)
    for name, curve in offsets.items():
        if name in axis_names:
            full = np.pad(curve, (0, len(moved) * frames_per_z - len(curve)), mode="edge")
            moved[:, axis_names.index(name)] += full.reshape(-1, frames_per_z).mean(axis=1)
    return moved
