"""Controls to a performance: every note played so that measuring it gives its controls back."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ddspvae.features.statistics import Statistics
from ddspvae.midi.closed_forms import VIBRATO_FADE_S, vibrato_cents
from ddspvae.midi.voices import TOGETHER_S
from ddspvae.performer.controls import NoteControls
from ddspvae.performer.loudness_shape import inner_frames, shape_loudness
from ddspvae.performer.measure import measure_controls, note_rows
from ddspvae.performer.transcribe import level_to_velocity
from ddspvae.performer.vibrato import EDGE_S, RATES_HZ, measure_vibrato
from ddspvae.signals import Notes, Performance
from ddspvae.signals.checks import fail
from ddspvae.signals.units import CENTS_PER_SEMITONE, DB_FLOOR, semitones_to_ratio

if TYPE_CHECKING:
    from ddspvae.instrument.instrument import Instrument

FASTEST_HZ = 10.0  # of a fluctuation, one wave of which a note must hold: loudness is heard through 42 ms
REST_S = 0.3  # a gap this long lets a note's change of level fade out with its release
RELEASE_S, AHEAD_S = 0.15, 0.1  # how long after a note, and before the next, its change of level holds then
LEAST_VIBRATO = 0.2  # of a sine's extent that is found in a note too short for vibrato


def realise(instrument: Instrument, notes: Notes, controls: NoteControls, *, seed: int | None = None,
            tail_s: float = 1.0) -> Performance:
    """Play notes with the controls asked for.

    Pitch, timing, attacks, releases, glides and what is bound are the rules' (`midi.rules`), without their vibrato and
    swells. Then each note's loudness gets its mean, fluctuation and centre of energy, its pitch a vibrato, and its rows
    of z brightness and bite. `measure_controls` on the result gives the controls back, but that notes shorter than 0.3 s
    have no vibrato, and those shorter than 0.2 s no more fluctuation than the rules gave them. Velocity counts where the
    volume is open.

    Args:
        instrument: which plays.
        notes: one voice; what overlaps is cut where the next note starts.
        controls: one row a note, in the same order; NaN is played as the rules have it.
        seed: of z, tail_s: as in `Instrument.perform`.
    Raises:
        InputError: another number of controls than of notes, or notes that start together.
    """
    if len(controls) != len(notes.notes):
        raise fail("realise", "controls", f"have one row a note ({len(notes.notes)})", len(controls))
    notes = _one_line(notes)
    if any(np.isnan(values).any() for values in vars(controls).values()):
        controls = controls.filled(measure_controls(instrument.perform(notes, performer="rules"), notes))
    velocities = level_to_velocity(controls.volume, instrument.statistics)
    scored = replace(notes, notes=tuple(replace(note, velocity=int(velocity))
                                        for note, velocity in zip(notes.notes, velocities)))
    played = instrument.perform(scored, expression=0.0, performer="rules", seed=seed, tail_s=tail_s)
    cents = _vibrato(played, notes, controls, instrument.statistics)
    shaped = replace(played, f0_hz=played.f0_hz * semitones_to_ratio(cents / CENTS_PER_SEMITONE),
                     loudness_db=_loudness(played, notes, controls))
    return move_axes(shaped, notes, controls, measure_controls(shaped, notes))


def _one_line(notes: Notes) -> Notes:
    """Every note cut where the next one starts."""
    line = list(notes.notes)
    for index in range(len(line) - 1):
        if line[index + 1].onset_s - line[index].onset_s < TOGETHER_S:
            raise fail("realise", "notes", "start one after the other", f"notes {index + 1} and {index + 2} at "
                       f"{line[index].onset_s:g} s", "controls are for one voice")
        line[index] = replace(line[index], offset_s=min(line[index].offset_s, line[index + 1].onset_s))
    return replace(notes, notes=tuple(line))


def _vibrato(played: Performance, notes: Notes, controls: NoteControls, statistics: Statistics) -> NDArray:
    """Cents [F], scaled so that the extent measured in each note is the one asked for."""
    time_s = np.arange(played.n_frames) / played.frame_rate_hz
    cents = np.zeros(played.n_frames)
    spans = inner_frames(notes, played.frame_rate_hz, played.n_frames, EDGE_S)
    for note, extent, asked_hz, span in zip(notes.notes, controls.vibrato, controls.vibrato_hz, spans):
        rate_hz = float(np.clip(asked_hz, *RATES_HZ[[1, -2]])) if asked_hz > 0 else statistics.vibrato_rate_hz
        length_s = note.offset_s - note.onset_s
        own = (time_s >= note.onset_s) & (time_s < note.offset_s)
        since_s = time_s[own] - note.onset_s
        fade = np.clip((length_s - since_s) / VIBRATO_FADE_S, 0, 1)
        wave = np.zeros(played.n_frames)
        wave[own] = vibrato_cents(1.0, since_s, since_s - min(statistics.vibrato_delay_s, 0.4 * length_s), fade,
                                  replace(statistics, vibrato_rate_hz=rate_hz))
        found, _ = measure_vibrato(wave[span], played.frame_rate_hz)
        if extent > 0 and found > LEAST_VIBRATO:
            cents += extent / found * wave
    return cents


def _loudness(played: Performance, notes: Notes, controls: NoteControls) -> NDArray:
    """The rules' loudness, changed within notes as asked; in between, the change goes over from one to the next."""
    rate_hz, base = played.frame_rate_hz, played.loudness_db.astype(np.float64)
    frames: list[NDArray] = []
    changes: list[NDArray] = []
    ended_s = np.inf
    for index, (note, span) in enumerate(zip(notes.notes, inner_frames(notes, rate_hz, played.n_frames))):
        size = span.stop - span.start
        wave_hz = max(controls.vibrato_hz[index], rate_hz / size)
        wave = (wave_hz <= FASTEST_HZ) * np.sin(2 * np.pi * wave_hz * (np.arange(size) / rate_hz))
        asked = (controls.volume[index], controls.volume_fluctuation[index], controls.volume_peak_position[index])
        change = shape_loudness(base[span], *asked, wave) - base[span]
        if note.onset_s - ended_s > REST_S:
            frames.append(np.array([(ended_s + RELEASE_S) * rate_hz, (note.onset_s - AHEAD_S) * rate_hz]))
            changes.append(np.array([changes[-1][-1], change[0]]))
        frames.append(np.arange(span.start, span.stop, dtype=float))
        changes.append(change)
        ended_s = note.offset_s
    change = np.interp(np.arange(played.n_frames), np.concatenate(frames), np.concatenate(changes))
    return np.where(base > DB_FLOOR, np.maximum(base + change, DB_FLOOR), base)


def move_axes(performance: Performance, notes: Notes, asked: NoteControls, found: NoteControls, most: float = np.inf
              ) -> Performance:
    """The performance with the axes brightness and bite moved, note by note, by what was asked for less what was found.

    Args:
        performance: that plays the notes.
        notes, asked, found: one row of controls a note; where one is NaN, nothing moves.
        most: standard deviations that a note is moved by, either way.
    """
    z = performance.z.astype(np.float64)
    rows = note_rows(performance, notes)
    ends = [*(span.start for span in rows[1:]), len(z)]
    for axis, missing in (("brightness", asked.brightness - found.brightness),
                          ("bite", asked.attack_noise - found.attack_noise)):
        if axis in performance.axis_names:
            for span, end, by in zip(rows, ends, np.nan_to_num(missing).clip(-most, most)):
                z[span.start : end, performance.axis_names.index(axis)] += by
    return replace(performance, z=z)
