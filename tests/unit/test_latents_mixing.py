"""z between two takes and beyond them, with numbers worked by hand."""

from dataclasses import replace

import numpy as np
import pytest

from ddspvae.latents.arithmetic import add, difference, telling_rows
from ddspvae.latents.mixing import interpolate, lerp, morph, slerp, stretch_to
from ddspvae.signals import Performance
from ddspvae.signals.checks import InputError

AXES = ("first", "second", "third", "fourth")


def take(z, f0_hz=440.0, loudness_db=-20.0, periodicity=1.0, n_frames=None, instrument="one") -> Performance:
    z = np.asarray(z, dtype=float)
    n_frames = 8 * len(z) if n_frames is None else n_frames
    curves = [np.broadcast_to(np.asarray(curve, dtype=float), n_frames) for curve in (f0_hz, periodicity, loudness_db)]
    return Performance(*curves, z, AXES, 200.0, 8, instrument)


def test_the_arc_keeps_the_length_where_the_line_cuts_the_corner():
    a, b = np.array([[2.0, 0, 0, 0]]), np.array([[0, 2.0, 0, 0]])
    assert np.linalg.norm(lerp(a, b, 0.5)) == pytest.approx(2 / 2**0.5)
    assert np.linalg.norm(slerp(a, b, 0.5)) == pytest.approx(2)
    third = slerp(a, b, 1 / 3)[0]
    assert third[:2] == pytest.approx([2 * np.cos(np.pi / 6), 2 * np.sin(np.pi / 6)])


def test_both_ways_begin_and_end_at_the_takes():
    random = np.random.default_rng(0)
    a, b = random.standard_normal((2, 50, 4))
    for mixed in (lerp, slerp):
        assert mixed(a, b, np.zeros(50)) == pytest.approx(a) and mixed(a, b, np.ones(50)) == pytest.approx(b)


@pytest.mark.parametrize("other", [[0.0, 0.0], [-1.0, 0.0], [2.0, 0.0]])
def test_the_arc_is_the_line_where_there_is_no_arc(other):
    assert slerp([1.0, 0.0], other, 0.25) == pytest.approx(lerp([1.0, 0.0], other, 0.25))


def test_interpolation_keeps_pitch_and_loudness_and_mixes_them_when_asked():
    low, high = take(np.zeros((5, 4)), 220.0, -30.0), take(np.ones((5, 4)), 880.0, -10.0)
    mixed = interpolate(low, high, 0.5)
    assert mixed.z == pytest.approx(0.5) and mixed.f0_hz == pytest.approx(220) and mixed.loudness_db == pytest.approx(-30)
    mixed = interpolate(low, high, 0.25, mix=("pitch", "loudness"))  # a quarter of two octaves, of 20 dB
    assert mixed.f0_hz == pytest.approx(220 * 2**0.5) and mixed.loudness_db == pytest.approx(-25)


def test_the_other_take_is_stretched_so_that_its_middle_meets_the_middle():
    ramp = np.repeat(np.arange(10.0)[:, None], 4, axis=1)
    mixed = interpolate(take(np.zeros((20, 4)), n_frames=159), take(ramp), 1.0)
    assert mixed.n_frames == 159 and mixed.z[10] == pytest.approx(5, abs=0.1) and mixed.z[-1] == pytest.approx(9)
    assert stretch_to(take(ramp), 37).n_frames == 37


def test_a_morph_is_one_take_before_and_the_other_after():
    a, b = take(np.zeros((50, 4))), take(np.ones((50, 4)))  # 2 s, 25 rows a second
    z = morph(a, b, 0.4, 1.2).z[:, 0]
    assert (z[:11] == 0).all() and (z[30:] == 1).all() and z[20] == pytest.approx(0.5)
    assert (np.diff(z) >= 0).all()
    assert morph(a, b).z[25, 0] == pytest.approx(0.5)


def test_what_cannot_be_mixed_is_refused():
    a = take(np.zeros((5, 4)))
    with pytest.raises(InputError, match="instrument must be the same in all takes, here one, got two; analyze them"):
        interpolate(a, take(np.zeros((5, 4)), instrument="two"), 0.5)
    with pytest.raises(InputError, match="weight must lie between 0 and 1, got 1.5"):
        interpolate(a, a, 1.5)
    with pytest.raises(InputError, match="weight must lie between 0 and 1, got nan"):
        interpolate(a, a, float("nan"))
    with pytest.raises(InputError, match="method must be one of lerp, slerp"):
        interpolate(a, a, 0.5, method="cubic")
    with pytest.raises(InputError, match="mix must be one of loudness, pitch"):
        interpolate(a, a, 0.5, mix=["tempo"])
    with pytest.raises(InputError, match="cut the longer take with slice"):
        interpolate(a, take(np.zeros((200, 4))), 0.5)
    with pytest.raises(InputError, match="end_s must come after start_s = 0.1, got 0.1"):
        morph(a, a, 0.1, 0.1)


def test_only_rows_that_sound_with_a_sure_pitch_count():
    periodicity, loudness = np.ones(32), np.full(32, -20.0)
    periodicity[8:16], loudness[16:24] = 0.2, -71.0
    z, place = telling_rows(take(np.arange(16.0).reshape(4, 4), periodicity=periodicity, loudness_db=loudness))
    assert z[:, 0].tolist() == [0, 12] and place == pytest.approx(np.array([[np.log2(440), -20]] * 2))
    with pytest.raises(InputError, match="no row that sounds with a sure pitch; leave it out"):
        telling_rows(take(np.zeros((4, 4)), periodicity=0.0))


def group(seed: int, offset, pitch_slope, octaves: float) -> Performance:
    """z that moves by pitch_slope an octave around a mean pitch, with noise, plus what sets the group apart."""
    random = np.random.default_rng(seed)
    place = random.uniform(-0.5, 0.5, 200)
    z = np.outer(place, pitch_slope) + 0.01 * random.standard_normal((200, 4)) + offset
    return take(z, f0_hz=np.repeat(440 * 2 ** (octaves + place), 8), loudness_db=np.repeat(random.uniform(-30, -10, 200), 8))


def test_the_difference_is_what_sets_the_groups_apart_without_what_pitch_does():
    slope = np.array([0.0, 2.0, 0.0, 0.0])
    plus = group(0, np.array([1.0, 0, 0, 0]) + 1.0 * slope, slope, octaves=1.0)
    minus = group(1, np.zeros(4), slope, octaves=0.0)
    found = difference([plus], [minus])
    assert found.raw == pytest.approx([1, 2, 0, 0], abs=0.3) and found.removed == ("pitch",)
    assert found.direction == pytest.approx([1, 0, 0, 0], abs=0.05)
    moved = add(minus, found, -2.0)
    assert (moved.z - minus.z).mean(0) == pytest.approx([-2, 0, 0, 0], abs=0.1)
    assert np.array_equal(moved.f0_hz, minus.f0_hz)


def test_however_far_the_groups_are_apart_the_effect_of_pitch_within_them_is_found():
    slope = np.array([0.0, 2.0, 0.0, 0.0])
    found = difference([group(0, np.full(4, 10.0), slope, octaves=0.0)], [group(1, np.zeros(4), slope, octaves=0.0)])
    assert found.removed == ("pitch",) and found.direction == pytest.approx([10, 0, 10, 10], abs=0.1)


def test_groups_at_two_pitches_keep_their_difference_where_pitch_does_nothing_to_z():
    offset = np.array([0.0, 1.5, 0.0, 0.0])
    plus, minus = group(0, offset, np.zeros(4), octaves=1.0), group(1, np.zeros(4), np.zeros(4), octaves=0.0)
    found = difference([plus], [minus])
    assert found.removed == () and found.direction == pytest.approx(offset, abs=0.01)
    assert found.kept_share == pytest.approx(1)


def test_a_difference_of_nothing_is_refused():
    slope = np.array([0.0, 2.0, 0.0, 0.0])
    one = group(0, np.zeros(4), slope, octaves=0.0)
    with pytest.raises(InputError, match="the same mean z; give takes that sound different"):
        difference([one], [one])
    with pytest.raises(InputError, match="only as their pitch and loudness do"):
        difference([replace(one, z=one.z + slope)], [one])
    with pytest.raises(InputError, match="hold at least one take each, got 1 and 0"):
        difference([one], [])
    with pytest.raises(InputError, match="amount must lie between -10 and 10"):
        add(one, difference([group(1, np.ones(4), slope, 0.0)], [one]), 11)
