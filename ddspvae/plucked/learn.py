"""Recordings of plucked or struck notes to the decay model, in closed form."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ddspvae.features.segments import segment_notes
from ddspvae.features.statistics import Statistics
from ddspvae.features.weighting import a_weighting
from ddspvae.plucked.model import (
    DARKER_DB,
    HEARD_S,
    USUAL_VELOCITY,
    Plucks,
    fall_coordinates,
    level_coordinates,
    neck_bend,
    stiffness_on,
    trend_of_stiffness,
    velocity_db,
)
from ddspvae.plucked.onset import measure_onset
from ddspvae.plucked.partials import EARLY_S, Ringing, measure_ringing
from ddspvae.plucked.recognise import is_ringing
from ddspvae.plucked.stiffness import STIFFEST
from ddspvae.plucked.surface import Surface, fit_surface
from ddspvae.signals import Features
from ddspvae.signals.units import db_to_power, hz_to_pitch, power_to_db

FEWEST_NOTES = 5
LEAST_S = 0.35
STEADY_SEMITONES = 0.2  # a slide or a bend is no decay
MOST_NOTES = 80
DEEPEST_DB = 55.0  # below the strongest partial, one tells nothing
DENSE = 12  # partials that are all used; of those above every third
DAMP_DB_PER_S, STEEPEST_DB_PER_S = 200.0, 60.0  # usual, and what is steeper than any decay
SPREAD = 1.6  # of a string's stiffness, either way
NOTE_SD = 0.3  # of the logarithm: how all decays of one note differ from the rule, and so over an octave of its partials


@dataclass(frozen=True, eq=False)
class Heard:
    """A take to learn from.

    Args:
        audio: [T].
        features: of it.
        string_hz: the open string it is played on; 0 where that is not known.
    """

    audio: NDArray
    features: Features
    string_hz: float = 0.0


def learn_plucks(takes: Sequence[Heard], sample_rate: int, n_bands: int) -> Plucks | None:
    """Measure every note that rings, and lay surfaces through what was measured.

    Args:
        takes: of one instrument.
        sample_rate: Hz of them all.
        n_bands: of the noise.
    Returns:
        the model; None where fewer than five notes can be measured.
    """
    return fit_plucks(measure_notes(takes, sample_rate), sample_rate, n_bands, _damping(takes))


def fit_plucks(found: Sequence[tuple[Ringing, NDArray]], sample_rate: int, n_bands: int,
               damp_db_per_s: float = DAMP_DB_PER_S) -> Plucks | None:
    """The surfaces through notes that were measured, each with its take."""
    if len(found) < FEWEST_NOTES:
        return None
    notes, sounds = [note for note, _ in found], [sound for _, sound in found]
    strings = _strings(notes)
    if len(strings):
        notes = [_again(note, sound, sample_rate, strings) for note, sound in zip(notes, sounds)]
        pairs = [(note, sound) for note, sound in zip(notes, sounds) if note.string_hz]
        notes, sounds = [note for note, _ in pairs], [sound for _, sound in pairs]
    told = [(note, sound, note_level_db(note)) for note, sound in zip(notes, sounds)]
    return Plucks(
        strings=strings,
        stiffness=_fit_stiffness(notes),
        **_fit_partials(notes),
        onset=measure_onset(told, sample_rate, n_bands),
        numbers=np.array([float(np.median([note_level_db(note) for note in notes])), damp_db_per_s, 0.002]),
        notes=np.array([(note.f0_hz, note.stiffness, note.string_hz, note_level_db(note), note.n_found) for note in notes]))


def measure_notes(takes: Sequence[Heard], sample_rate: int) -> list[tuple[Ringing, NDArray]]:
    """Every note that rings, measured, with the sound of its take; MOST_NOTES at most."""
    return list(_ringing_notes(takes, sample_rate))


def _ringing_notes(takes: Sequence[Heard], sample_rate: int) -> Iterator[tuple[Ringing, NDArray]]:
    left = MOST_NOTES
    for take in takes:
        heard = take.features
        rate = heard.frame_rate_hz
        segments = segment_notes(heard.f0_hz, heard.periodicity, heard.loudness_db, rate)
        for start, stop, pitch in segments:
            steady = hz_to_pitch(heard.f0_hz[start:stop].astype(float)) - pitch
            if (stop - start < LEAST_S * rate or float(np.median(np.abs(steady))) > STEADY_SEMITONES
                    or not is_ringing(heard.loudness_db[start:stop], rate) or not left):
                continue
            f0_hz = float(np.median(heard.f0_hz[start:stop]))
            last_s = len(take.audio) / sample_rate if len(segments) == 1 else stop / rate
            note = measure_ringing(take.audio, sample_rate, f0_hz, (start / rate, last_s), string_hz=take.string_hz)
            if note is not None:
                left -= 1
                yield note, np.asarray(take.audio, np.float64)


def note_level_db(note: Ringing) -> float:
    """A-weighted loudness of a note's partials 0.1 s after its onset."""
    level = note.level_db + note.early_db * np.exp(-HEARD_S / EARLY_S) - np.nan_to_num(note.fall_db_per_s) * HEARD_S
    return float(power_to_db(db_to_power(level) @ a_weighting(note.f0_hz * note.ratios) / 2))


def _strings(notes: Sequence[Ringing]) -> NDArray:
    """What the strings that were named are like, [S, 4], from the lowest on: open pitch, and log(B / f0^2) as a constant and
    what it changes by over two octaves of the neck, linear and squared, which all strings have in common."""
    named = [note for note in notes if note.string_hz]
    opens = sorted({round(float(hz_to_pitch(note.string_hz)), 2) for note in named})
    if not opens:
        return np.zeros((0, 4))
    pitch = np.array([float(hz_to_pitch(note.string_hz)) for note in named])
    way = np.array([float(hz_to_pitch(note.f0_hz)) for note in named]) - pitch
    lines = np.concatenate([np.abs(pitch[:, None] - np.array(opens)) < 0.01, neck_bend(way)], axis=1).astype(float)
    logs = np.array([np.log(max(note.stiffness, 1e-7) / note.f0_hz**2) for note in named])
    weight = np.array([note.n_found for note in named], float)
    ridge = np.diag([1e-3] * len(opens) + [4.0] * 2) * weight.mean()
    middle = np.concatenate([[np.median(logs[line > 0]) for line in lines.T[: len(opens)]], [0, 0]])
    found = middle
    for _ in range(10):
        miss = logs - lines @ found
        own = weight / np.maximum(np.abs(miss) / 0.15, 1)
        found = np.linalg.solve(lines.T @ (lines * own[:, None]) + ridge, lines.T @ (logs * own) + ridge @ middle)
    return np.array([(pitch, found[at], *found[-2:]) for at, pitch in enumerate(opens)])


def _again(note: Ringing, audio: NDArray, sample_rate: int, strings: NDArray) -> Ringing:
    """The note measured once more near the stiffness that all notes of its string have in common."""
    if not note.string_hz:
        return note
    own = strings[int(np.abs(strings[:, 0] - float(hz_to_pitch(note.string_hz))).argmin())]
    expected = stiffness_on(own, note.f0_hz)
    if expected / SPREAD <= note.stiffness <= expected * SPREAD:
        return note
    span = note.onset_s, len(note.curves_db[0]) * 0.005 + note.onset_s
    return measure_ringing(audio, sample_rate, note.f0_hz, span, (expected / SPREAD, min(expected * SPREAD, STIFFEST)),
                           note.string_hz) or note


def _fit_stiffness(notes: Sequence[Ringing]) -> Surface:
    octaves = np.log2([note.f0_hz / 440 for note in notes])
    logs = np.log([max(note.stiffness, 1e-7) for note in notes])
    return fit_surface(octaves[:, None], trend_of_stiffness(octaves), logs, 0.3, 0.3, (-8.0, 0.5, 0.0), (3.0, 2.0, 0.5))


def _fit_partials(notes: Sequence[Ringing]) -> dict[str, Surface]:
    """The surfaces of level, early and fall."""
    usual_db = float(np.median([note_level_db(note) for note in notes]))
    rows, of_note = [], []
    for number, note in enumerate(notes):
        level_db = note_level_db(note)
        open_hz = note.string_hz or note.f0_hz
        strongest = note.level_db.max()
        for at, ratio in enumerate(note.ratios):
            if note.level_db[at] < strongest - DEEPEST_DB or (at >= DENSE and at % 3):
                continue
            if np.isnan(note.fall_db_per_s[at]) and at >= 8:
                continue
            rows.append((note.f0_hz, ratio, open_hz, level_db - usual_db, note.level_db[at] - level_db, note.early_db[at],
                         note.fall_db_per_s[at]))
            of_note.append(number)
    f0_hz, ratios, open_hz, above, level, early, fall = np.array(rows).T
    place, trend = level_coordinates(f0_hz, ratios, open_hz, above)
    prior = np.zeros(trend.shape[1])
    prior[-1], spread = DARKER_DB, np.full(trend.shape[1], 20.0)
    spread[-1] = 0.1
    known = ~np.isnan(fall)
    fall_place, fall_trend = fall_coordinates(f0_hz[known], ratios[known], open_hz[known], above[known])
    fall_spread = np.full(fall_trend.shape[1], 1.0)
    fall_spread[0], fall_spread[-1] = 5.0, 0.2
    same = NOTE_SD * (np.array(of_note)[known, None] == np.arange(len(notes)))
    common = np.concatenate([same, same * (np.log2(ratios[known]) - 2)[:, None]], axis=1)
    return {
        "level": fit_surface(place, trend, level, 6.0, 3.0, prior, spread),
        "early": fit_surface(place, trend, early, 2.0, 3.0, np.zeros(trend.shape[1]), spread / 4),
        "fall": fit_surface(fall_place, fall_trend, np.log(fall[known]), 0.5, 0.25, np.zeros(len(fall_spread)), fall_spread,
                            common)}


def _damping(takes: Sequence[Heard]) -> float:
    """How fast notes end that somebody ends: the median of the steepest 50 ms at ends steeper than any decay."""
    slopes = []
    for take in takes:
        heard, rate = take.features, take.features.frame_rate_hz
        width = round(0.05 * rate)
        for start, stop, _ in segment_notes(heard.f0_hz, heard.periodicity, heard.loudness_db, rate):
            ending = heard.loudness_db[max(start, stop - 4 * width) : stop + 4 * width].astype(float)
            if len(ending) > 2 * width:
                steepest = float((ending[:-width] - ending[width:]).max() / 0.05)
                if steepest > STEEPEST_DB_PER_S:
                    slopes.append(steepest)
    return float(np.clip(np.median(slopes), 100, 600)) if len(slopes) >= 3 else DAMP_DB_PER_S


def played_statistics(statistics: Statistics, plucks: Plucks) -> Statistics:
    """Statistics by which velocities stand for the levels at which plucks begin, and nothing vibrates."""
    from dataclasses import replace

    velocities = np.interp(np.linspace(0, 1, 101), (0.05, 0.98), (1, 127))
    levels = plucks.usual_db + np.array([velocity_db(max(velocity, USUAL_VELOCITY / 16)) for velocity in velocities])
    return replace(statistics, loudness_quantiles_db=tuple(levels.tolist()), vibrato_extent_cents=0.0,
                   attack_s=min(statistics.attack_s, 0.02), release_db_per_s=plucks.damp_db_per_s)


