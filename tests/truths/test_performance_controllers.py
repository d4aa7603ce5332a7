"""Controllers, pressure, bends and articulation of a score are heard in the curves, by the amount they ask for."""

from dataclasses import replace

import numpy as np
import pytest

from ddspvae.instrument.loading import load
from ddspvae.midi.expression import add_offsets
from ddspvae.midi.notes import read_midi
from ddspvae.midi.rules import perform
from ddspvae.midi.voices import to_one_voice
from ddspvae.signals import Note, Notes
from ddspvae.signals.units import hz_to_pitch
from tests.truths.test_performance_rules import CHURCH, PLUCK, RATE_HZ, VIOLIN, as_heard, cents, frame, score


def difference(name: str, expression: float, asked: Notes, plain: Notes) -> np.ndarray:
    """What a score changes in a curve."""
    before, after = (getattr(perform(notes, VIOLIN, RATE_HZ, expression=expression), name).astype(float)
                     for notes in (plain, asked))
    return after - before


@pytest.mark.parametrize("name", ["expression", "breath"])
def test_expression_and_breath_are_40_log10_decibels(name):
    plain = score((60, 80, 0.0, 2.0))
    asked = replace(plain, controllers={name: ((0.5, 0.5), (1.0, 0.0), (1.5, 1.0))})
    added = difference("loudness_db", 1.0, asked, plain)
    # half is 40 log10(1/2) = -12.04 dB, nothing is -60 dB
    for first, last, want in ((0.01, 0.49, 0), (0.51, 0.99, -12.041), (1.01, 1.49, -60), (1.51, 2, 0)):
        np.testing.assert_allclose(added[frame(first) : frame(last)], want, atol=1e-3)


def test_expression_and_breath_multiply():
    plain = score((60, 80, 0.0, 2.0))
    asked = replace(plain, controllers={"expression": ((0.0, 0.5),), "breath": ((0.0, 0.5),)})
    assert difference("loudness_db", 1.0, asked, plain)[frame(1.0)] == pytest.approx(-24.08, abs=0.01)


def test_a_step_of_expression_takes_10_milliseconds():
    plain = score((60, 80, 0.0, 2.0))
    asked = replace(plain, controllers={"expression": ((1.0, 0.5),)})
    quick = [perform(notes, VIOLIN, 1000.0).loudness_db.astype(float) for notes in (asked, plain)]
    gain = 10 ** ((quick[0] - quick[1])[985:1015] / 40)  # which is the controller's value
    np.testing.assert_allclose(gain, np.interp(np.arange(985, 1015), [995, 1005], [1, 0.5]), atol=1e-3)


def test_the_mixs_own_controllers_change_nothing():
    plain = score((60, 80, 0.0, 1.0))
    asked = replace(plain, controllers={"volume": ((0.0, 0.1),), "pan": ((0.0, 0.0),)})
    assert not difference("loudness_db", 1.0, asked, plain).any()
    assert perform(asked, VIOLIN, RATE_HZ).offsets == {}


def test_the_soft_pedal_takes_3_db_while_it_is_down():
    plain = score((60, 80, 0.0, 2.0))
    asked = replace(plain, controllers={"soft": ((0.5, 64 / 127), (1.0, 63 / 127))})
    added = difference("loudness_db", 0.0, asked, plain)
    assert added[frame(0.75)] == pytest.approx(-3, abs=1e-4)
    assert added[frame(0.4)] == added[frame(1.5)] == 0


@pytest.mark.parametrize("statistics", [VIOLIN, replace(VIOLIN, vibrato_extent_cents=0.0, vibrato_rate_hz=0.0)])
@pytest.mark.parametrize("expression", [0.0, 2.0])
def test_modulation_adds_up_to_50_cents_of_vibrato_at_once(statistics, expression):
    plain = score((60, 80, 0.0, 3.0))
    asked = replace(plain, controllers={"modulation": ((0.0, 1.0),)})
    curves = [perform(notes, statistics, RATE_HZ, expression=expression) for notes in (plain, asked)]
    added = cents(curves[1], 60) - cents(curves[0], 60)
    assert added[: frame(0.2)].max() > 45  # before the vibrato's own delay of 0.25 s
    late = added[frame(1.0) : frame(2.9)]
    assert (late.max(), late.min()) == (pytest.approx(50, abs=1), pytest.approx(-50, abs=1))
    crossings = np.flatnonzero((late[:-1] < 0) & (late[1:] >= 0))
    assert RATE_HZ / np.diff(crossings).mean() == pytest.approx(statistics.vibrato_rate_hz or 5.5, rel=0.02)
    assert not (curves[1].loudness_db - curves[0].loudness_db).any()


def test_pressure_adds_half_the_vibrato_and_3_db_to_its_own_note_or_to_all():
    plain = score((60, 80, 0.0, 1.5), (67, 80, 2.0, 3.5))
    first, second = plain.notes
    own = replace(plain, notes=(first, replace(second, pressure=((2.0, 1.0), (3.0, 0.0)))))
    added = difference("loudness_db", 0.0, own, plain)
    assert added[: frame(1.95)].max() == 0
    assert added[frame(2.5)] == pytest.approx(3, abs=1e-4)
    assert added[frame(3.2)] == 0
    swing = cents(perform(own, VIOLIN, RATE_HZ, expression=0), 67)[frame(2.2) : frame(2.9)]
    assert swing.max() == pytest.approx(25, abs=0.5)
    both = replace(own, controllers={"pressure": ((0.0, 0.5),)})
    assert difference("loudness_db", 0.0, both, plain)[frame(1.0)] == pytest.approx(1.5, abs=1e-4)
    assert difference("loudness_db", 0.0, both, plain)[frame(2.5)] == pytest.approx(3, abs=1e-4)  # and no more


def test_bends_of_single_notes_are_followed_exactly_and_add_to_those_of_all():
    plain = score((60, 80, 0.0, 1.0), (64, 80, 1.5, 2.5))
    first, second = plain.notes
    asked = replace(plain, notes=(replace(first, bend_semitones=((0.25, 1.5), (0.5, -0.37))),
                                  replace(second, bend_semitones=((1.5, 0.43),))), bend_semitones=((0.75, 2.0),))
    moved = hz_to_pitch(perform(asked, VIOLIN, RATE_HZ).f0_hz.astype(float)) - hz_to_pitch(
        perform(plain, VIOLIN, RATE_HZ).f0_hz.astype(float))
    # the second note attacks 15 ms before its onset, bent already
    want = np.repeat([0, 1.5, -0.37, 1.63, 2.43], [frame(0.25), frame(0.25), frame(0.25), frame(0.735), frame(2.015)])
    np.testing.assert_allclose(moved, want, atol=1e-4)


@pytest.mark.parametrize(("name", "n_bends"), [("pitchbend_test", 76), ("microtonal_pitchbend_heavy", 1213)])
def test_the_bends_of_real_scores_are_followed_to_the_cent(shared_dir, name, n_bends):
    (part,) = read_midi(shared_dir / "midi" / f"{name}.mid")
    assert len(part.bend_semitones) == n_bends
    notes = to_one_voice(part).notes
    heard = hz_to_pitch(perform(notes, VIOLIN, RATE_HZ, expression=0).f0_hz.astype(float))
    for note in notes.notes:
        for time_s, _ in notes.bend_semitones:
            if note.onset_s + 0.05 < time_s < note.offset_s - 0.05:
                at = int(np.ceil(time_s * RATE_HZ))
                last = [value for other_s, value in notes.bend_semitones if other_s <= at / RATE_HZ + 5e-7][-1]
                assert abs(heard[at] - note.pitch - last) < 0.01


def test_a_bound_note_goes_on_from_the_bend_of_the_one_before():
    slide = Notes((Note(60, 80, 0.0, 1.0, bend_semitones=((0.5, 4.0),)), Note(64, 80, 1.0, 2.0)))
    pitch = hz_to_pitch(perform(slide, VIOLIN, RATE_HZ, expression=0).f0_hz.astype(float))
    np.testing.assert_allclose(pitch[frame(0.51) : frame(2.0)], 64, atol=1e-4)


def test_a_note_that_says_legato_is_bound_across_a_rest():
    apart = score((60, 80, 0.0, 0.8), (64, 80, 1.0, 1.5))
    bound = replace(apart, notes=(apart.notes[0], replace(apart.notes[1], legato=True)))
    curves = perform(bound, VIOLIN, RATE_HZ, expression=0)
    assert (curves.periodicity[: frame(1.5)] == 1).all()
    dip = curves.loudness_db[frame(0.3) : frame(1.4)].min()
    assert curves.loudness_db[frame(0.5)] - dip == pytest.approx(2, abs=0.01)
    assert hz_to_pitch(float(curves.f0_hz[frame(1.0)])) == pytest.approx(62, abs=0.01)


@pytest.mark.parametrize("statistics", [VIOLIN, CHURCH, PLUCK])
def test_a_tongued_note_is_struck_though_there_is_no_gap(statistics):
    bound = score((60, 80, 0.0, 1.0), (64, 80, 1.0, 1.5))
    tongued = replace(bound, notes=(bound.notes[0], replace(bound.notes[1], legato=False)))
    curves = perform(tongued, statistics, RATE_HZ, expression=0)
    heard = as_heard(curves.loudness_db)
    assert heard[frame(0.5)] - heard[frame(0.9) : frame(1.05)].min() >= 6
    assert set(np.round(hz_to_pitch(curves.f0_hz.astype(float)), 4)) == {60.0, 64.0}


@pytest.mark.parametrize("legato", [True, None])
@pytest.mark.parametrize("gap_s", [0.0, 0.3])
def test_a_portamento_takes_its_time_from_the_onset_on(legato, gap_s):
    notes = Notes((Note(60, 80, 0.0, 1.0 - gap_s), Note(72, 80, 1.0, 2.0, legato, 60.0, 0.4)))
    pitch = hz_to_pitch(perform(notes, VIOLIN, RATE_HZ, expression=0).f0_hz.astype(float))
    assert pitch[frame(0.9)] == pytest.approx(60, abs=1e-3)
    # half a cosine: 1/2 half way, (1 - cos(pi / 4)) / 2 = 0.1464 after a quarter
    np.testing.assert_allclose(pitch[[frame(1.0), frame(1.1), frame(1.2), frame(1.4), frame(1.8)]],
                               [60, 60 + 12 * 0.1464, 66, 72, 72], atol=0.01)
    assert abs(np.diff(pitch)).max() < 0.3


def test_a_portamento_ends_with_its_note():
    notes = Notes((Note(60, 80, 0.0, 1.0, None, 48.0, 5.0), Note(62, 80, 1.0, 2.0)))
    pitch = hz_to_pitch(perform(notes, VIOLIN, RATE_HZ, expression=0).f0_hz.astype(float))
    assert pitch[0] == pytest.approx(48, abs=1e-3)
    assert pitch[frame(1.0)] == pytest.approx(61, abs=0.01)  # half way of the glide between bound notes
    assert abs(np.diff(pitch)).max() < 0.5


def test_brightness_is_an_offset_of_the_axis_of_that_name():
    notes = replace(score((60, 80, 0.0, 1.0), (64, 80, 1.5, 2.5)), controllers={"brightness": ((0.25, 1.0), (0.75, 0.5))})
    bright = perform(notes, VIOLIN, RATE_HZ).offsets["brightness"]
    assert bright.shape == (frame(3.5),)
    np.testing.assert_allclose(bright[[frame(t) for t in (0.1, 0.5, 0.9, 2.0)]], [0, 2, 0, 0], atol=1e-6)
    own = replace(notes, notes=(notes.notes[0], replace(notes.notes[1], brightness=((1.5, -0.5),))))
    both = perform(own, VIOLIN, RATE_HZ).offsets["brightness"]
    np.testing.assert_allclose(both[[frame(0.5), frame(2.0)]], [2, -1], atol=1e-6)


def test_brightness_moves_that_axis_of_an_instrument_and_nothing_else():
    violin = load("violin")
    plain = score((67, 80, 0.0, 1.0))
    before, after = (violin.perform(notes) for notes in (
        plain, replace(plain, controllers={"brightness": ((0.0, 1.0),)})))
    moved = after.z - before.z
    axis = violin.axis_names.index("brightness")
    np.testing.assert_allclose(moved[1:, axis], 2, atol=1e-6)
    assert not np.delete(moved, axis, axis=1).any()
    assert after.f0_hz.tobytes() == before.f0_hz.tobytes()
    assert after.loudness_db.tobytes() == before.loudness_db.tobytes()


def test_offsets_are_added_at_the_rate_of_z():
    z = np.ones((3, 2), dtype=np.float32)
    curve = np.array([0, 0, 2, 2, 4, 6, 8], dtype=np.float32)
    moved = add_offsets(z, {"brightness": curve, "roughness": curve}, ("z1", "brightness"), 3)
    # rows of three frames: 2/3, 4, and 8 held to the end of the last row
    np.testing.assert_allclose(moved, [[1, 1 + 2 / 3], [1, 5], [1, 9]], rtol=1e-6)
    assert (z == 1).all()
