"""A score to curves by rules, with the habits of the recordings: levels, attacks, releases, glides, vibrato."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ddspvae import checks
from ddspvae.features.statistics import Statistics
from ddspvae.midi.notes import pitch_to_name
from ddspvae.signals import Note, Notes
from ddspvae.units import CENTS_PER_SEMITONE, DB_FLOOR, amplitude_to_db, pitch_to_hz

LEGATO_GAP_S = 0.050
LONGEST_GLIDE_S = 0.060  # half of it before the onset: a slower glide would be heard as a late note
LONGEST_ATTACK_S = 0.150
EARLIEST_S = 0.015  # an attack begins up to this long before the onset, which lies where it is heard
RETRIGGER_S = 0.070  # longer than the 42 ms through which loudness is measured
RETRIGGER_DB = 15.0  # of which that measurement leaves 6 or more
LEGATO_DIP_DB = 2.0
LEGATO_CHANGE_S = 0.040
FADED_DB = 40.0  # a release this far down is no longer pitched
REST_DB = DB_FLOOR  # true silence, which the engine need not compute
PHRASE_GAP_S = 0.35
SWELL_S = 5.0  # one arch of a phrase
SWELL_DB = 3.0  # from the ends of an arch to its top
SHORTEST_VIBRATO_S = 0.3
VIBRATO_FADE_S = 0.060
QUANTILE_OF_VELOCITY = (0.05, 0.98)  # where velocities 1 and 127 fall among the levels that were heard


@dataclass(frozen=True, eq=False)
class Curves:
    """A `Performance` without its timbre.

    Args:
        f0_hz: [F], Hz, > 0 everywhere; held through rests.
        periodicity: [F], 1 in notes, falling to 0 in rests.
        loudness_db: [F], dB.
    """

    f0_hz: NDArray[np.float32]
    periodicity: NDArray[np.float32]
    loudness_db: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class _Plan:
    """What each note does, [N] each; `index` [F] says which note a frame belongs to, `time_s` [F] when it is."""

    pitch: NDArray
    level_db: NDArray
    start_s: NDArray  # when it begins to sound
    onset_s: NDArray
    offset_s: NDArray  # when its release begins
    legato: NDArray  # bound to the note before
    release_db_per_s: NDArray
    time_s: NDArray
    index: NDArray


def perform(notes: Notes, statistics: Statistics, frame_rate_hz: float, *, expression: float = 1.0,
            tail_s: float = 1.0) -> Curves:
    """Play a score of one voice the way the instrument was heard to play.

    - Velocity picks a level among those of the recordings. Phrases swell by up to 3 dB.
    - A note after 50 ms or more of silence attacks; its pitch and its attack are there at the onset.
    - Closer notes are bound: the pitch glides across the onset, the level dips by 2 dB.
    - The same pitch again is struck again: the level falls by more than 6 dB in between.
    - Notes of 0.3 s or more get vibrato after its delay. The pitch wheel is followed exactly.

    Equal arguments give equal curves.

    Args:
        notes: one voice, as `to_one_voice` returns it.
        statistics: of the instrument's recordings.
        frame_rate_hz: frames per second.
        expression: scales vibrato and swell; 0 is a machine, 1 is usual.
        tail_s: seconds after the last note, for the release.
    Returns:
        Curves of ceil((duration + tail_s) * frame_rate_hz) frames.
    Raises:
        InputError: no notes, notes that overlap, or a number out of range.
    """
    checks.check_range("perform", "frame_rate_hz", frame_rate_hz, 1, 10_000)
    checks.check_range("perform", "expression", expression, 0, 10)
    checks.check_range("perform", "tail_s", tail_s, 0, 600)
    plan = _plan(notes, statistics, frame_rate_hz, tail_s)
    pitch = _glides(plan, statistics) + _bend(notes, plan.time_s)
    pitch += expression * _vibrato_cents(plan, statistics) / CENTS_PER_SEMITONE
    loudness_db = _levels(plan, statistics) + expression * _swell_db(plan)
    rest_s = plan.time_s - plan.offset_s[plan.index]
    periodicity = fade_periodicity(rest_s, plan.release_db_per_s[plan.index])
    periodicity[plan.time_s < plan.start_s[0]] = 0
    return Curves(
        f0_hz=pitch_to_hz(pitch).astype(np.float32),
        periodicity=periodicity.astype(np.float32),
        loudness_db=np.maximum(loudness_db, REST_DB).astype(np.float32),
    )


def velocity_to_level_db(velocity: NDArray | float, statistics: Statistics) -> NDArray:
    """Levels of the recordings that MIDI velocities stand for: 1 to 127 span the quantiles 0.05 to 0.98."""
    low, high = QUANTILE_OF_VELOCITY
    quantile = low + (velocity - 1) / 126 * (high - low)
    return np.asarray(np.interp(quantile * 100, np.arange(101), statistics.loudness_quantiles_db))


def fade_periodicity(rest_s: NDArray, release_db_per_s: NDArray | float) -> NDArray:
    """Periodicity rest_s seconds after a release began: 1 until then, 0 once it has faded by 40 dB."""
    return (1 - rest_s * release_db_per_s / FADED_DB).clip(0, 1)


def vibrato_cents(extent_cents: NDArray | float, since_onset_s: NDArray, since_delay_s: NDArray, fade: NDArray,
                  statistics: Statistics) -> NDArray:
    """Vibrato that rises after its delay.

    Args:
        extent_cents: +- this far at full height.
        since_onset_s: since the note began, where the vibrato is 0.
        since_delay_s: since the end of its delay, where half the extent is reached.
        fade: 1 while the note lasts, to 0 at its end.
        statistics: of the instrument's recordings, for the rate and the rise.
    Returns:
        cents, in the shape that the arguments share.
    """
    rise_s = max(statistics.vibrato_delay_s, 1 / max(statistics.vibrato_rate_hz, 1.0)) / 2
    # the delay is measured to half the extent, so the rise is centred on it
    envelope = (0.5 + since_delay_s / (2 * rise_s)).clip(0, 1)
    started = (since_onset_s / VIBRATO_FADE_S).clip(0, 1)
    return extent_cents * envelope * fade * started * np.sin(2 * np.pi * statistics.vibrato_rate_hz * since_delay_s)


def _plan(notes: Notes, statistics: Statistics, frame_rate_hz: float, tail_s: float) -> _Plan:
    if not notes.notes:
        raise checks.fail("perform", "notes", "hold at least one note", 0)
    table = np.array([(note.pitch, note.velocity, note.onset_s, note.offset_s) for note in notes.notes], dtype=float)
    pitch, velocity, onset_s, offset_s = table.T
    gap_s = onset_s[1:] - offset_s[:-1]
    if len(gap_s) and gap_s.min() < -1e-6:
        raise checks.fail("perform", "notes", "not overlap", f"note {int(gap_s.argmin()) + 1} before the end of "
                          f"note {int(gap_s.argmin())}", "call to_one_voice first")
    level_db = velocity_to_level_db(velocity, statistics)
    same = np.abs(np.diff(pitch)) < 0.5
    legato = np.concatenate([[False], (gap_s < LEGATO_GAP_S) & ~same])
    # a quarter at most of the way back to the last onset, so that starts stay in order
    apart_s = np.concatenate([[np.inf], np.diff(onset_s)])
    early_s = np.minimum(min(EARLIEST_S, 0.25 * statistics.attack_s), 0.25 * apart_s)
    start_s = np.where(legato, onset_s, np.maximum(onset_s - early_s, 0.0))
    # the note before makes room: a bound one lasts to the onset, the same pitch again leaves a hole
    room_s = np.where(same, np.minimum(RETRIGGER_S, 0.4 * np.diff(start_s)), 0.0)
    offset_s[:-1] = np.where(legato[1:], onset_s[1:], np.minimum(offset_s[:-1], start_s[1:] - room_s))
    release = np.full(len(pitch), statistics.release_db_per_s)
    fall_db = RETRIGGER_DB + np.maximum(level_db[:-1] - level_db[1:], 0.0)
    hole_s = np.maximum(start_s[1:] - offset_s[:-1], 1 / frame_rate_hz)
    release[:-1] = np.where(legato[1:], release[:-1], np.maximum(release[:-1], fall_db / hole_s))
    # half a microsecond: an onset that lies on a frame starts in it, whatever the rounding
    time_s = np.arange(int(np.ceil((notes.duration_s + tail_s) * frame_rate_hz - 1e-6))) / frame_rate_hz + 5e-7
    index = np.maximum(np.searchsorted(start_s, time_s, side="right") - 1, 0)
    return _Plan(pitch, level_db, start_s, onset_s, offset_s, legato, release, time_s, index)


def _across(plan: _Plan, values: NDArray, width_s: NDArray) -> NDArray:
    """Values [N] at frames, changing along half a cosine of width_s [N] centred on the starts of bound notes."""
    index, last = plan.index, len(values) - 1
    after = np.minimum(index + 1, last)
    width = np.maximum(width_s, 1e-6)

    def remaining(distance_s: NDArray, of: NDArray) -> NDArray:
        # 1/2 at the border, 0 from width / 2 on
        x = np.clip(2 * distance_s / width[of], 0, 1)
        return 0.5 - 0.5 * np.sin(np.pi / 2 * x)

    from_before = np.where(plan.legato[index], values[np.maximum(index - 1, 0)] - values[index], 0.0)
    to_after = np.where(plan.legato[after] & (after > index), values[after] - values[index], 0.0)
    return (values[index] + from_before * remaining(plan.time_s - plan.start_s[index], index)
            + to_after * remaining(plan.start_s[after] - plan.time_s, after))


def _neighbours_s(plan: _Plan) -> NDArray:
    """Length of the shorter of each note and the one before it."""
    length = plan.offset_s - plan.start_s
    return np.minimum(length, np.concatenate([length[:1], length[:-1]]))


def _glides(plan: _Plan, statistics: Statistics) -> NDArray:
    return _across(plan, plan.pitch, np.minimum(min(statistics.glide_s, LONGEST_GLIDE_S), 0.5 * _neighbours_s(plan)))


def _bend(notes: Notes, time_s: NDArray) -> NDArray:
    """Semitones of the pitch wheel at frames: each step holds until the next."""
    if not notes.bend_semitones:
        return np.zeros(len(time_s))
    at_s, semitones = np.array(notes.bend_semitones, dtype=float).T
    return np.concatenate([[0.0], semitones])[np.searchsorted(at_s, time_s, side="right")]


def _vibrato_cents(plan: _Plan, statistics: Statistics) -> NDArray:
    length = plan.offset_s - plan.onset_s
    # a note that is barely long enough vibrates sooner and less
    delay = np.minimum(statistics.vibrato_delay_s, 0.4 * length)
    extent = statistics.vibrato_extent_cents * np.clip(length / (2 * SHORTEST_VIBRATO_S), 0, 1)
    extent = np.where(length >= SHORTEST_VIBRATO_S, extent, 0.0)
    since = plan.time_s - (plan.onset_s + delay)[plan.index]
    left = (plan.offset_s[plan.index] - plan.time_s) / VIBRATO_FADE_S
    since_onset_s = plan.time_s - plan.onset_s[plan.index]
    return vibrato_cents(extent[plan.index], since_onset_s, since, np.clip(left, 0, 1), statistics)


def _levels(plan: _Plan, statistics: Statistics) -> NDArray:
    """Attack, level and release of every note; where two sound, the louder."""
    index, before = plan.index, np.maximum(plan.index - 1, 0)
    neighbours = _neighbours_s(plan)
    level = _across(plan, plan.level_db, np.minimum(LEGATO_CHANGE_S, 0.5 * neighbours))
    dip = np.minimum(LEGATO_CHANGE_S, 0.5 * neighbours)
    border = np.where(plan.legato, plan.start_s, np.inf)
    after = np.concatenate([border[1:], [np.inf]])[index] - plan.time_s
    near = np.minimum(np.abs(plan.time_s - border[index]), after)
    level -= LEGATO_DIP_DB * np.maximum(1 - near / np.maximum(dip[index], 1e-6), 0)

    length = plan.offset_s - plan.start_s
    attack = np.minimum(min(statistics.attack_s, LONGEST_ATTACK_S), 0.5 * length)[index]
    since = plan.time_s - plan.start_s[index]
    ramp = np.where(plan.legato[index], 1.0, np.clip(since / np.maximum(attack, 1e-6), 0, 1))
    release = plan.release_db_per_s[index] * np.maximum(plan.time_s - plan.offset_s[index], 0)
    own = level + amplitude_to_db(ramp) - release
    ringing = plan.level_db[before] - plan.release_db_per_s[before] * (plan.time_s - plan.offset_s[before])
    return np.where(plan.legato[index] | (index == 0), own, np.maximum(own, ringing))


def _swell_db(plan: _Plan) -> NDArray:
    """Arches over phrases, which end at rests of 0.35 s; long phrases get one per 5 s or so. Mean level kept."""
    first = np.concatenate([[True], plan.onset_s[1:] - plan.offset_s[:-1] >= PHRASE_GAP_S])
    phrase = np.cumsum(first) - 1
    begin = plan.start_s[first]
    end = plan.offset_s[np.concatenate([first[1:], [True]])]
    length = end - begin
    n_arches = np.maximum(np.round(length / SWELL_S), 1)
    here = phrase[plan.index]
    way = np.clip((plan.time_s - begin[here]) / length[here], 0, 1)
    depth = SWELL_DB * np.clip(length / SWELL_S, 0, 1)
    return depth[here] * (np.sin(np.pi * n_arches[here] * way) ** 2 - 0.5)


def _is_outside(note: Note, statistics: Statistics) -> bool:
    return not statistics.pitch_low - 0.5 <= note.pitch <= statistics.pitch_high + 0.5


def check_range(notes: Notes, statistics: Statistics) -> str | None:
    """A sentence for the user if notes lie outside what the instrument was trained on, else None."""
    outside = [note.pitch for note in notes.notes if _is_outside(note, statistics)]
    if not outside:
        return None
    lies = f"{len(outside)} of {len(notes.notes)} notes lie" if len(outside) > 1 else "1 note lies"
    trained = f"{pitch_to_name(statistics.pitch_low)}–{pitch_to_name(statistics.pitch_high)}"
    reach = f"{pitch_to_name(min(outside))}–{pitch_to_name(max(outside))}"
    return f"{lies} outside the trained range {trained} (at {reach}); transpose, or fold octaves (--fold)."


def fold_octaves(notes: Notes, statistics: Statistics) -> Notes:
    """Move notes outside the trained range by whole octaves, as few as it takes; the others stay.

    In a range smaller than an octave, a pitch class may have no place; it goes as near as it gets.
    """
    low, high = statistics.pitch_low - 0.5, statistics.pitch_high + 0.5

    def fold(note: Note) -> Note:
        up, down = np.ceil((low - note.pitch) / 12), np.ceil((note.pitch - high) / 12)
        shift = 12 * (max(up, 0) - max(down, 0))
        choices = [note.pitch + shift, note.pitch + shift - 12, note.pitch + shift + 12]
        misses = [max(low - pitch, pitch - high, 0.0) for pitch in choices]
        return replace(note, pitch=choices[int(np.argmin(misses))])

    return replace(notes, notes=tuple(fold(note) if _is_outside(note, statistics) else note for note in notes.notes))
