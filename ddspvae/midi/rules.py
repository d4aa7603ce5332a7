"""A score to curves by rules, with the habits of the recordings: levels, attacks, releases, glides, vibrato."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from ddspvae.features.statistics import Statistics
from ddspvae.midi.closed_forms import VIBRATO_FADE_S, fade_periodicity, velocity_to_level_db, vibrato_cents
from ddspvae.midi.expression import Expression, hold_steps, read_expression
from ddspvae.signals import Note, Notes
from ddspvae.signals.checks import check_range, fail
from ddspvae.signals.units import CENTS_PER_SEMITONE, DB_FLOOR, amplitude_to_db, pitch_to_hz

LEGATO_GAP_S = 0.050
SAME_SEMITONES = 0.5  # closer pitches are one key's
LONGEST_GLIDE_S = 0.060  # half of it before the onset: a slower glide would be heard as a late note
LONGEST_ATTACK_S = 0.150
EARLIEST_S = 0.015  # an attack begins up to this long before the onset, which lies where it is heard
RETRIGGER_S = 0.070  # longer than the 42 ms through which loudness is measured
RETRIGGER_DB = 15.0  # of which that measurement leaves 6 or more
LEGATO_DIP_DB = 2.0
LEGATO_CHANGE_S = 0.040
REST_DB = DB_FLOOR  # true silence, which the engine need not compute
PHRASE_GAP_S = 0.35
SWELL_S = 5.0  # one arch of a phrase
SWELL_DB = 3.0  # from the ends of an arch to its top
SHORTEST_VIBRATO_S = 0.3
SLOWEST_VIBRATO_HZ, USUAL_VIBRATO_HZ = 1.0, 5.5  # an instrument that was heard without gets the usual rate when asked


@dataclass(frozen=True, eq=False)
class Curves:
    """A `Performance` without its timbre.

    Args:
        f0_hz: [F], Hz, > 0 everywhere; held through rests.
        periodicity: [F], 1 in notes, falling to 0 in rests.
        loudness_db: [F], dB.
        offsets: [F] by name of an axis of z, in standard deviations from what is typical; absent is 0.
    """

    f0_hz: NDArray[np.float32]
    periodicity: NDArray[np.float32]
    loudness_db: NDArray[np.float32]
    offsets: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Habits:
    """How loud each note is and how it begins, [N] each.

    Args:
        level_db: of the note.
        attack_s: of the straight rise in amplitude of a note that is not bound.
        glide_s: from the pitch of the note before, of one that is.
    """

    level_db: NDArray
    attack_s: NDArray
    glide_s: NDArray

    @classmethod
    def usual(cls, notes: Notes, statistics: Statistics) -> Habits:
        """Levels by velocity, and the instrument's medians."""
        velocity = np.array([note.velocity for note in notes.notes], dtype=float)
        same = np.ones(len(velocity))
        return cls(velocity_to_level_db(velocity, statistics), statistics.attack_s * same, statistics.glide_s * same)


def find_bound(notes: Sequence[Note]) -> NDArray[np.bool_]:
    """Which notes [N] of one voice are bound to the one before: as they say, or, closer than 50 ms, at another pitch."""
    onset_s, offset_s, pitch = np.array([(note.onset_s, note.offset_s, note.pitch) for note in notes]).T
    close = (onset_s[1:] - offset_s[:-1] < LEGATO_GAP_S) & ~_is_same(pitch)
    return np.array([False, *(by_gap if note.legato is None else note.legato for note, by_gap in zip(notes[1:], close))])


def _is_same(pitch: NDArray) -> NDArray[np.bool_]:
    """Which notes but the first have the pitch of the one before, [N - 1]."""
    return np.abs(np.diff(pitch)) < SAME_SEMITONES


@dataclass(frozen=True, eq=False)
class _Plan:
    """What each note does, [N] each; `index` [F] says which note a frame belongs to, `time_s` [F] when it is."""

    pitch: NDArray
    begins_db: NDArray  # its level at its onset
    ends_db: NDArray  # and where its release begins
    start_s: NDArray  # when it begins to sound
    onset_s: NDArray
    offset_s: NDArray  # when its release begins
    legato: NDArray  # bound to the note before
    glide_from: NDArray  # where a portamento comes from; its own pitch is none
    glide_s: NDArray  # of the portamento; 0 is none
    attack_s: NDArray
    bound_glide_s: NDArray
    release_db_per_s: NDArray
    time_s: NDArray
    index: NDArray
    level_db: NDArray  # [F]


def perform(notes: Notes, statistics: Statistics, frame_rate_hz: float, *, expression: float = 1.0,
            tail_s: float = 1.0, habits: Habits | None = None) -> Curves:
    """Play a score of one voice the way the instrument was heard to play.

    - Velocity picks a level among those of the recordings, and so do the dynamics within a note. Phrases swell by up to 3 dB
      where dynamics are not written.
    - A note after 50 ms or more of silence attacks; its pitch and its attack are there at the onset.
    - Closer notes are bound: the pitch glides across the onset, the level dips by 2 dB.
    - The same pitch again is struck again: the level falls by more than 6 dB in between.
    - A note that says legato or tongued is; a portamento takes the place of the glide, from the onset on.
    - Notes of 0.3 s or more get vibrato after its delay. Bends are followed exactly.
    - Controllers and pressure change loudness, vibrato and brightness as `midi.expression` says, whatever `expression` is.

    Equal arguments give equal curves.

    Args:
        notes: one voice, as `to_one_voice` returns it.
        statistics: of the instrument's recordings.
        frame_rate_hz: frames per second.
        expression: scales vibrato and swell; 0 is a machine, 1 is usual.
        tail_s: seconds after the last note, for the release.
        habits: of each note; None takes the usual ones.
    Returns:
        Curves of ceil((duration + tail_s) * frame_rate_hz) frames.
    Raises:
        InputError: no notes, notes that overlap, or a number out of range.
    """
    check_range("perform", "frame_rate_hz", frame_rate_hz, 1, 10_000)
    check_range("perform", "expression", expression, 0, 10)
    check_range("perform", "tail_s", tail_s, 0, 600)
    plan = _plan(notes, statistics, frame_rate_hz, tail_s, habits or Habits.usual(notes, statistics))
    asked = read_expression(notes, plan.time_s, plan.index)
    pitch = _glides(plan, notes, asked) + asked.bend_semitones
    pitch += _vibrato_cents(plan, statistics, expression, asked) / CENTS_PER_SEMITONE
    swell_db = 0.0 if notes.has_dynamics else expression * _swell_db(plan)
    loudness_db = _levels(plan) + swell_db + asked.gain_db
    rest_s = plan.time_s - plan.offset_s[plan.index]
    periodicity = fade_periodicity(rest_s, plan.release_db_per_s[plan.index])
    periodicity[plan.time_s < plan.start_s[0]] = 0
    return Curves(
        f0_hz=pitch_to_hz(pitch).astype(np.float32),
        periodicity=periodicity.astype(np.float32),
        loudness_db=np.maximum(loudness_db, REST_DB).astype(np.float32),
        offsets=asked.offsets,
    )


def _plan(notes: Notes, statistics: Statistics, frame_rate_hz: float, tail_s: float, habits: Habits) -> _Plan:
    if not notes.notes:
        raise fail("perform", "notes", "hold at least one note", 0)
    pitch, onset_s, offset_s = np.array([(note.pitch, note.onset_s, note.offset_s) for note in notes.notes], dtype=float).T
    gap_s = onset_s[1:] - offset_s[:-1]
    if len(gap_s) and gap_s.min() < -1e-6:
        raise fail("perform", "notes", "not overlap", f"note {int(gap_s.argmin()) + 1} before the end of "
                          f"note {int(gap_s.argmin())}", "call to_one_voice first")
    legato = find_bound(notes.notes)
    tongued = np.array([note.legato is False for note in notes.notes[1:]], dtype=bool)
    struck = (_is_same(pitch) | tongued) & ~legato[1:]
    # a quarter at most of the way back to the last onset, so that starts stay in order
    apart_s = np.concatenate([[np.inf], np.diff(onset_s)])
    early_s = np.minimum(np.minimum(EARLIEST_S, 0.25 * habits.attack_s), 0.25 * apart_s)
    start_s = np.where(legato, onset_s, np.maximum(onset_s - early_s, 0.0))
    # the note before makes room: a bound one lasts to the onset; the same pitch again, or a tongued note, leaves a hole
    room_s = np.where(struck, np.minimum(RETRIGGER_S, 0.4 * np.diff(start_s)), 0.0)
    offset_s[:-1] = np.where(legato[1:], onset_s[1:], np.minimum(offset_s[:-1], start_s[1:] - room_s))
    release = np.full(len(pitch), statistics.release_db_per_s)
    begins_db, ends_db = (habits.level_db + _beyond_velocity_db(notes.notes, statistics, at_s) for at_s in
                          (onset_s, offset_s))
    fall_db = RETRIGGER_DB + np.maximum(ends_db[:-1] - begins_db[1:], 0.0)
    hole_s = np.maximum(start_s[1:] - offset_s[:-1], 1 / frame_rate_hz)
    release[:-1] = np.where(legato[1:], release[:-1], np.maximum(release[:-1], fall_db / hole_s))
    # half a microsecond: an onset that lies on a frame starts in it, whatever the rounding
    time_s = np.arange(int(np.ceil((notes.duration_s + tail_s) * frame_rate_hz - 1e-6))) / frame_rate_hz + 5e-7
    index = np.maximum(np.searchsorted(start_s, time_s, side="right") - 1, 0)
    length_s = np.maximum(offset_s - onset_s, 0.0)
    glide_s = np.minimum([0.0 if note.glide_from is None else note.glide_s for note in notes.notes], length_s)
    glide_from = np.array([note.pitch if note.glide_from is None else note.glide_from for note in notes.notes])
    attack_s = np.minimum(habits.attack_s, LONGEST_ATTACK_S)
    attack_s = attack_s * np.array([note.attack for note in notes.notes], attack_s.dtype)
    level_db = habits.level_db[index]
    for number, note in enumerate(notes.notes):
        if note.dynamics:
            frames = slice(*np.searchsorted(index, [number, number + 1]))
            level_db[frames] += _reach_db(note, statistics, time_s[frames])
    return _Plan(pitch, begins_db, ends_db, start_s, onset_s, offset_s, legato, glide_from, glide_s,
                 np.minimum(attack_s, LONGEST_ATTACK_S), np.minimum(habits.glide_s, LONGEST_GLIDE_S), release, time_s, index,
                 level_db)


def _reach_db(note: Note, statistics: Statistics, time_s: NDArray) -> NDArray:
    """How far a note's dynamics are above its velocity at instants [F]."""
    at_s, velocity = np.array(note.dynamics, dtype=float).T
    return (velocity_to_level_db(np.interp(time_s, at_s, velocity), statistics)
            - velocity_to_level_db(float(note.velocity), statistics))


def _beyond_velocity_db(notes: Sequence[Note], statistics: Statistics, at_s: NDArray) -> NDArray:
    """The same of each note at an instant of its own, [N]."""
    return np.array([_reach_db(note, statistics, at)[()] if note.dynamics else 0.0 for note, at in zip(notes, at_s)])


def _join(plan: _Plan, own: NDArray, begins: NDArray, ends: NDArray, bound: NDArray, width_s: NDArray) -> NDArray:
    """Curves of single notes, own [F], that begin and end at values [N], joined where a note is bound [N].

    They change along half a cosine of width_s [N] centred on the start of the bound note.
    """
    index, last = plan.index, len(begins) - 1
    before, after = np.maximum(index - 1, 0), np.minimum(index + 1, last)
    width = np.maximum(width_s, 1e-6)

    def remaining(distance_s: NDArray, of: NDArray) -> NDArray:
        # 1/2 at the border, 0 from width / 2 on
        x = np.clip(2 * distance_s / width[of], 0, 1)
        return 0.5 - 0.5 * np.sin(np.pi / 2 * x)

    from_before = np.where(bound[index], ends[before] - begins[index], 0.0)
    to_after = np.where(bound[after] & (after > index), begins[after] - ends[index], 0.0)
    return (own + from_before * remaining(plan.time_s - plan.start_s[index], index)
            + to_after * remaining(plan.start_s[after] - plan.time_s, after))


def _neighbours_s(plan: _Plan) -> NDArray:
    """Length of the shorter of each note and the one before it."""
    length = plan.offset_s - plan.start_s
    return np.minimum(length, np.concatenate([length[:1], length[:-1]]))


def _glides(plan: _Plan, notes: Notes, asked: Expression) -> NDArray:
    """Pitch with the notes' own bends, portamento, and glides between bound notes."""
    width_s = np.minimum(plan.bound_glide_s, 0.5 * _neighbours_s(plan))
    begins, ends = plan.pitch.copy(), plan.pitch.copy()
    for number, note in enumerate(notes.notes):
        if note.bend_semitones:
            to_s = plan.start_s[min(number + 1, len(begins) - 1)]
            bends = hold_steps(note.bend_semitones, np.array([note.onset_s, max(to_s, note.onset_s)]))
            begins[number] += bends[0]
            ends[number] += bends[1]
    index = plan.index
    glided = ((plan.time_s - plan.onset_s[index]) / np.maximum(plan.glide_s[index], 1e-6)).clip(0, 1)
    left = (plan.glide_from - plan.pitch)[index] * (0.5 + 0.5 * np.cos(np.pi * glided))
    own = plan.pitch[index] + asked.note_bend_semitones + np.where(plan.glide_s[index] > 0, left, 0.0)
    return _join(plan, own, begins, ends, plan.legato & (plan.glide_s == 0), width_s)


def _vibrato_cents(plan: _Plan, statistics: Statistics, expression: float, asked: Expression) -> NDArray:
    if statistics.vibrato_rate_hz < SLOWEST_VIBRATO_HZ:
        statistics = replace(statistics, vibrato_rate_hz=USUAL_VIBRATO_HZ, vibrato_extent_cents=0.0)
    length = plan.offset_s - plan.onset_s
    # a note that is barely long enough vibrates sooner and less
    delay = np.minimum(statistics.vibrato_delay_s, 0.4 * length)
    extent = statistics.vibrato_extent_cents * np.clip(length / (2 * SHORTEST_VIBRATO_S), 0, 1)
    extent = expression * np.where(length >= SHORTEST_VIBRATO_S, extent, 0.0)
    since = plan.time_s - (plan.onset_s + delay)[plan.index]
    left = (plan.offset_s[plan.index] - plan.time_s) / VIBRATO_FADE_S
    since_onset_s = plan.time_s - plan.onset_s[plan.index]
    return vibrato_cents(extent[plan.index], since_onset_s, since, np.clip(left, 0, 1), statistics, asked.vibrato_cents)


def _levels(plan: _Plan) -> NDArray:
    """Attack, level and release of every note; where two sound, the louder."""
    index, before = plan.index, np.maximum(plan.index - 1, 0)
    neighbours = _neighbours_s(plan)
    level = _join(plan, plan.level_db, plan.begins_db, plan.ends_db, plan.legato,
                  np.minimum(LEGATO_CHANGE_S, 0.5 * neighbours))
    dip = np.minimum(LEGATO_CHANGE_S, 0.5 * neighbours)
    border = np.where(plan.legato, plan.start_s, np.inf)
    after = np.concatenate([border[1:], [np.inf]])[index] - plan.time_s
    near = np.minimum(np.abs(plan.time_s - border[index]), after)
    level -= LEGATO_DIP_DB * np.maximum(1 - near / np.maximum(dip[index], 1e-6), 0)

    length = plan.offset_s - plan.start_s
    attack = np.minimum(plan.attack_s, 0.5 * length)[index]
    since = plan.time_s - plan.start_s[index]
    ramp = np.where(plan.legato[index], 1.0, np.clip(since / np.maximum(attack, 1e-6), 0, 1))
    release = plan.release_db_per_s[index] * np.maximum(plan.time_s - plan.offset_s[index], 0)
    own = level + amplitude_to_db(ramp) - release
    ringing = plan.ends_db[before] - plan.release_db_per_s[before] * (plan.time_s - plan.offset_s[before])
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
