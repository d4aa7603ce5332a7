"""What is remembered of recordings, and what is played of it: on takes whose every note is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ddspvae.features.statistics import measure
from ddspvae.kernels.compiler import HAS_COMPILER
from ddspvae.midi import rules
from ddspvae.performer import learned
from ddspvae.performer.gestures import RATE_HZ, Gestures, find_notes, learn_gestures, score_of
from ddspvae.performer.learned import choose, play, stretch
from ddspvae.signals import Features, Note, Notes
from ddspvae.signals.checks import InputError

FRAME_RATE_HZ, FRAMES_PER_Z = 200.0, 8
PITCHES = (60, 64, 62, 67, 65, 60)


def take(extents_cents=(0, 20, 40, 0, 30, 50), rate_hz=6.0, rest_s=0.2, note_s=0.6, pitches=PITCHES):
    """Notes apart by rests, each with its own vibrato; the second axis of z says which note it is."""
    f0, sure, level, z = [], [], [], []
    for number, (pitch, extent) in enumerate(zip(pitches, extents_cents)):
        time_s = np.arange(round(note_s * FRAME_RATE_HZ)) / FRAME_RATE_HZ
        rest = np.zeros(round(rest_s * FRAME_RATE_HZ))
        f0 += [np.full(len(rest), float(pitch)), pitch + extent / 100 * np.sin(2 * np.pi * rate_hz * time_s)]
        sure += [rest, np.ones(len(time_s))]
        level += [rest - 90, -20 + 20 * np.log10(np.clip(time_s / 0.05, 1e-3, 1))]
        z += [np.full(len(rest), number), np.full(len(time_s), number)]
    f0_hz = 440 * 2 ** ((np.concatenate(f0) - 69) / 12)
    n = len(f0_hz)
    features = Features(f0_hz, np.concatenate(sure), np.concatenate(level), np.zeros((n, 64)), np.zeros((n, 41)),
                        FRAME_RATE_HZ)
    rows = np.concatenate(z)[::FRAMES_PER_Z, None].astype(np.float32)
    return features, np.concatenate([0 * rows, rows], axis=1)


def learned_from(*takes):
    features = [one for one, _ in takes]
    statistics = measure(features)
    return learn_gestures(features, [z for _, z in takes], statistics, FRAMES_PER_Z), statistics


def swing_cents(curves, note):
    """Half of what the pitch swings in the middle of a note."""
    start, stop = (round(at * FRAME_RATE_HZ) for at in (note.onset_s + 0.15, note.offset_s - 0.15))
    return 600 * np.ptp(np.log2(curves.f0_hz[start:stop]))


def test_every_note_is_remembered_with_its_context():
    gestures, _ = learned_from(take())
    assert len(gestures) == 6 and gestures.n_bound == 0
    assert gestures["pitch"] == pytest.approx(PITCHES, abs=0.1)
    assert gestures["interval_before"][1:] == pytest.approx(np.diff(PITCHES), abs=0.2)
    assert gestures["gap_before_s"][0] == 9 and gestures["gap_before_s"][1:] == pytest.approx(0.2, abs=0.05)
    for number, extent in enumerate((0, 20, 40, 0, 30, 50)):
        cents, level_db, z = gestures.note(number)
        assert np.ptp(cents[10:-10]) / 2 == pytest.approx(extent, abs=4)
        assert len(cents) == len(level_db) and len(z) == -(-len(cents) // 4) and (z[1:-1, 1] == number).all()


@pytest.fixture
def only_the_nearest(monkeypatch):
    """The timbre of a note is that of the one gesture that fits it best."""
    monkeypatch.setattr(learned, "ALIKE", 1e-9)


def test_the_same_score_is_played_as_it_was_heard(only_the_nearest):
    heard, z = take()
    gestures, statistics = learned_from((heard, z))
    notes, _, _ = score_of(heard, find_notes(heard), statistics)
    curves, played_z = play(notes, statistics, gestures, FRAME_RATE_HZ, FRAMES_PER_Z)
    for number, note in enumerate(notes.notes):
        middle = slice(*(round(at * FRAME_RATE_HZ) for at in (note.onset_s + 0.1, note.offset_s - 0.1)))
        cents = 1200 * np.log2(curves.f0_hz[middle] / heard.f0_hz[middle])
        assert np.abs(cents - np.median(cents)).max() < 8
        assert (played_z[(middle.start + 8) // 8 : middle.stop // 8, 1] == number).all()


def test_a_seed_gives_another_performance_and_the_same_seed_the_same():
    gestures, statistics = learned_from(take(), take((50, 10, 30, 45, 0, 25), 5.0), take((15, 35, 0, 20, 55, 5), 7.0))
    notes = Notes(tuple(Note(61 + at % 5, 64, 0.1 + 0.8 * at, 0.7 + 0.8 * at) for at in range(8)))

    def f0_hz(seed):
        return play(notes, statistics, gestures, FRAME_RATE_HZ, FRAMES_PER_Z, seed=seed)[0].f0_hz

    assert (f0_hz(3) == f0_hz(3)).all() and (f0_hz(None) == f0_hz(None)).all()
    assert len({f0_hz(seed).tobytes() for seed in (None, 1, 2, 3)}) >= 3


def test_expression_scales_what_goes_beyond_the_rules():
    gestures, statistics = learned_from(take((40,) * 6))
    notes = Notes((Note(64, 64, 0.2, 1.0), Note(62, 64, 1.2, 2.0)))
    swings = [swing_cents(play(notes, statistics, gestures, FRAME_RATE_HZ, FRAMES_PER_Z, expression=x)[0], notes.notes[0])
              for x in (0.0, 0.5, 1.0, 2.0)]
    assert swings == pytest.approx([0, 20, 40, 80], abs=5)
    deadpan = rules.perform(notes, replace(statistics, vibrato_extent_cents=0.0), FRAME_RATE_HZ, expression=0.0)
    played = play(notes, statistics, gestures, FRAME_RATE_HZ, FRAMES_PER_Z, expression=0.0)[0]
    np.testing.assert_allclose(played.f0_hz, deadpan.f0_hz, rtol=1e-6)


@pytest.mark.parametrize("length_s", [0.3, 0.6, 1.5, 4.0])
def test_vibrato_keeps_its_rate_whatever_the_length(length_s):
    gestures, statistics = learned_from(take((40,) * 6))
    notes = Notes((Note(64, 64, 0.2, 0.2 + length_s),))
    curves, _ = play(notes, statistics, gestures, FRAME_RATE_HZ, FRAMES_PER_Z)
    start, stop = round(0.25 * FRAME_RATE_HZ), round((0.2 + length_s - 0.05) * FRAME_RATE_HZ)
    cents = 1200 * np.log2(curves.f0_hz[start:stop] / curves.f0_hz[start:stop].mean())
    speed = np.abs(np.diff(cents)).max() * FRAME_RATE_HZ  # of a swing of 40 cents at 6 Hz: 1508 cents a second
    assert 1000 < speed < 2600
    assert len(curves.f0_hz) == round((1.2 + length_s) * FRAME_RATE_HZ)


def test_positions_never_leave_the_note_and_ends_stay_whole():
    for heard_s in (0.05, 0.4, 2.0):
        for length_s in (0.05, 0.3, 1.0, 5.0):
            time_s = np.arange(0, length_s, 1 / FRAME_RATE_HZ)
            first, second, fade = stretch(heard_s, time_s)
            assert min(first.min(), second.min()) >= 0 and max(first.max(), second.max()) <= heard_s
            assert second[-1] == pytest.approx(heard_s) and fade[-1] == 1
            if length_s > 0.5:
                assert first[0] == 0 and fade[0] == 0


def test_a_short_note_is_played_as_a_short_one_was_and_a_high_one_as_a_high_one():
    gestures, _ = learned_from(take(note_s=0.3), take(note_s=1.5), take(note_s=0.3, pitches=[p + 24 for p in PITCHES]))
    notes = tuple(Note(pitch, 64, onset, onset + length) for pitch, onset, length in (
        (62, 0.0, 0.3), (62, 0.5, 1.5), (62, 2.2, 0.3), (86, 2.7, 0.3), (86, 3.2, 0.3)))
    chosen = choose(notes, np.full(5, float(gestures["level_db"].mean())), gestures)
    assert gestures["n_frames"][chosen] == pytest.approx([30, 150, 30, 30, 30], abs=6)
    assert (gestures["pitch"][chosen[:3]] < 70).all() and (gestures["pitch"][chosen[3:]] > 80).all()


def test_a_note_with_a_hole_in_it_is_not_remembered():
    features, z = take(rest_s=0.02, pitches=(60, 64, 62, 67, 65, 60))
    level = features.loudness_db.copy()
    at = round(1.5 * 0.62 * FRAME_RATE_HZ)
    level[at - 8 : at + 8] -= 5.6 * np.hanning(16)
    clean, _ = learned_from((features, z))
    holed, _ = learned_from((replace(features, loudness_db=level), z))
    assert len(holed) == len(clean) - 1


def test_gestures_survive_the_file():
    gestures, _ = learned_from(take())
    weights = {"decoder.weight": np.ones(3, np.float32)}
    kept, again = Gestures.split({**weights, **gestures.to_arrays()})
    assert kept.keys() == weights.keys() and again is not None
    assert all((getattr(again, name) == getattr(gestures, name)).all() for name in ("context", "cents", "level_db", "z"))
    assert Gestures.split(weights) == (weights, None)
    broken = gestures.to_arrays()
    del broken["gestures.z"]
    with pytest.raises(InputError, match="hold context, cents, level_db, z"):
        Gestures.split(broken)
    with pytest.raises(InputError, match="cents"):
        Gestures(gestures.context, gestures.cents[:-1], gestures.level_db, gestures.z)


def test_nothing_remembered_is_nothing_played():
    silent = Features(np.full(200, 220.0), np.zeros(200), np.full(200, -90.0), np.zeros((200, 64)), np.zeros((200, 41)),
                      FRAME_RATE_HZ)
    _, statistics = learned_from(take())
    gestures = learn_gestures([silent], [np.zeros((25, 4), np.float32)], statistics, FRAMES_PER_Z)
    assert len(gestures) == 0 and gestures.z.shape == (0, 4)
    with pytest.raises(InputError, match="let the rules perform"):
        play(Notes((Note(60, 64, 0, 1),)), statistics, gestures, FRAME_RATE_HZ, FRAMES_PER_Z)
    assert RATE_HZ == 100


@pytest.mark.parametrize("gap_s", [0.01, 0.03, 0.1, 0.5])
def test_a_gesture_does_not_end_at_once_where_its_note_does(gap_s):
    gestures, measured = learned_from(take((0,) * 6))
    statistics = replace(measured, release_db_per_s=200.0)  # these takes stop dead
    rising = [np.linspace(-30, 30, int(n_frames)) for n_frames in gestures["n_frames"]]
    gestures = replace(gestures, cents=np.concatenate(rising), level_db=np.full_like(gestures.level_db, -4))
    onsets_s = 0.2 + (0.5 + gap_s) * np.arange(4)
    notes = Notes(tuple(Note(60 + at % 2, 64, onset_s, onset_s + 0.5) for at, onset_s in enumerate(onsets_s)))
    played = play(notes, statistics, gestures, FRAME_RATE_HZ, FRAMES_PER_Z)[0]
    rules_own = rules.perform(notes, replace(statistics, vibrato_extent_cents=0.0), FRAME_RATE_HZ)
    added_db = played.loudness_db - rules_own.loudness_db
    added_cents = 1200 * np.log2(played.f0_hz / rules_own.f0_hz)
    for note in notes.notes:  # within 25 ms it has hardly begun to fall
        end = round(note.offset_s * FRAME_RATE_HZ)
        assert np.abs(np.diff(added_db[end - 2 : end + 5])).max() < 1
        assert np.abs(np.diff(added_cents[end - 2 : end + 5])).max() < 10


def test_no_notes_are_refused_in_words():
    gestures, statistics = learned_from(take())
    with pytest.raises(InputError, match="perform: notes must hold at least one note"):
        play(Notes(()), statistics, gestures, FRAME_RATE_HZ, FRAMES_PER_Z)


def rows_at_random(features, frames_per_z, n_axes=6):
    n_rows = -(-len(features.f0_hz) // frames_per_z)
    return np.random.default_rng(0).normal(size=(n_rows, n_axes)).astype(np.float32)


@pytest.mark.parametrize("frames_per_z, rows_every", [(8, 4), (4, 2), (2, 1)])
def test_z_is_kept_at_its_own_rate_and_played_row_for_row(frames_per_z, rows_every, only_the_nearest):
    heard, _ = take()
    z = rows_at_random(heard, frames_per_z)
    statistics = measure([heard])
    gestures = learn_gestures([heard], [z], statistics, frames_per_z)
    assert gestures.rows_every == rows_every and gestures.z.shape[1] == 6
    notes, _, _ = score_of(heard, find_notes(heard), statistics)
    played = play(notes, statistics, gestures, FRAME_RATE_HZ, frames_per_z)[1]
    for note in notes.notes:  # brightness is evened out; the end of a note is aligned with its end
        rows = slice(*(round(at * FRAME_RATE_HZ / frames_per_z) for at in (note.onset_s + 0.1, note.offset_s - 0.3)))
        np.testing.assert_allclose(played[rows, 1:], z[rows, 1:], atol=1e-4)
    _, again = Gestures.split(gestures.to_arrays())
    assert again.rows_every == rows_every and (again.note(3)[2] == gestures.note(3)[2]).all()


@pytest.mark.parametrize("is_compiled", [True, False] if HAS_COMPILER else [False])
def test_timbre_is_the_mean_of_the_notes_that_fit_weighed_by_how_well(is_compiled, monkeypatch):
    heard, _ = take()
    longer, _ = take((0,) * 6, note_s=0.9)
    rows = [np.random.default_rng(at).normal(size=(-(-len(one.f0_hz) // 4), 6)).astype(np.float32)
            for at, one in enumerate((heard, longer))]
    gestures = learn_gestures([heard, longer], rows, measure([heard, longer]), 4)
    cost = np.random.default_rng(2).uniform(1, 4, len(gestures))
    time_s, length_s = np.arange(37) * 0.02, 0.74
    weights, expected = np.exp(-cost) / np.exp(-cost).sum(), np.zeros((37, 6))
    for number in range(len(gestures)):  # one by one, as pitch and loudness are read
        cents, _, z = gestures.note(number)
        position = stretch(len(cents) / RATE_HZ, np.append(time_s, length_s))[:, :-1]
        expected += weights[number] * learned._at(z, position, RATE_HZ / gestures.rows_every)
    monkeypatch.setattr(learned, "HAS_COMPILER", is_compiled)
    np.testing.assert_allclose(learned._timbre(gestures, cost, time_s, length_s), expected, atol=1e-6)


def test_z_has_no_seam_where_notes_touch(only_the_nearest):
    first, second = take((0,) * 6), take((0,) * 6, pitches=(72, 76, 74, 79, 77, 72))
    rows = [np.full((-(-len(one.f0_hz) // 4), 6), sign, np.float32) for (one, _), sign in ((first, 1.0), (second, -1.0))]
    statistics = measure([first[0], second[0]])
    gestures = learn_gestures([first[0], second[0]], rows, statistics, 4)
    z = play(Notes((Note(62, 64, 0.2, 0.8), Note(76, 64, 0.8, 1.4))), statistics, gestures, FRAME_RATE_HZ, 4)[1]
    assert z[30, 5] == 1 and z[60, 5] == -1
    steps = np.abs(np.diff(z[25:65], axis=0)).max(axis=0)
    assert steps[5] < 0.8 and steps[3] == 2  # a note begins with its own bite


def test_notes_that_are_least_alike_are_kept_where_all_are_too_many():
    takes = [take((20,) * 6, pitches=(60, 61, 60, 61, 60, 61)) for _ in range(3)] + [take((20,) * 6, pitches=(84,) * 6)]
    statistics = measure([one for one, _ in takes])
    everything = learn_gestures([one for one, _ in takes], [z for _, z in takes], statistics, FRAMES_PER_Z)
    size = sum(array.size for array in everything.to_arrays().values()) * 2
    few = learn_gestures([one for one, _ in takes], [z for _, z in takes], statistics, FRAMES_PER_Z, size // 4)
    assert 4 <= len(few) <= len(everything) / 4
    assert sum(array.size for array in few.to_arrays().values()) * 2 <= size // 4
    assert few["pitch"].min() < 62 and few["pitch"].max() > 83
    for number in range(len(few)):  # whole, and each still with its own curves
        same = np.flatnonzero((everything.context == few.context[number]).all(axis=1))[0]
        assert all((one == other).all() for one, other in zip(few.note(number), everything.note(same)))


def test_a_repeated_note_goes_round_more_than_two_gestures():
    gestures, _ = learned_from(*(take((20, 22, 24, 26, 28, 30), pitches=(64,) * 6) for _ in range(2)))
    notes = tuple(Note(64, 64, 0.1 + 0.8 * at, 0.7 + 0.8 * at) for at in range(12))
    chosen = choose(notes, np.full(12, gestures["level_db"].mean()), gestures)
    for at in range(4, 12):
        assert len(set(chosen[at - 4 : at + 1])) == 5
