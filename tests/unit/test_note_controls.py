from dataclasses import replace

import numpy as np
import pytest

from ddspvae import load
from ddspvae.editing.realise import realise
from ddspvae.features.statistics import Statistics
from ddspvae.performer.controls import (
    CONTROLS,
    ControlRanges,
    NoteControls,
    measure_ranges,
    typical_ranges,
)
from ddspvae.performer.loudness_shape import inner_frames, measure_shape, shape_loudness
from ddspvae.performer.measure import measure_controls, ranges_of_takes
from ddspvae.performer.transcribe import level_to_velocity
from ddspvae.performer.vibrato import measure_vibrato
from ddspvae.signals import Note, Notes, Performance
from ddspvae.signals.checks import InputError

RATE_HZ = 200.0
STATISTICS = Statistics(pitch_low=55, pitch_high=96, loudness_quantiles_db=tuple(np.linspace(-50, -10, 101)), silence_db=-70,
                        attack_s=0.05, release_db_per_s=120, vibrato_extent_cents=20, vibrato_rate_hz=5.5,
                        vibrato_delay_s=0.2, glide_s=0.04, minutes=5)
# bound, detached, repeated, short, very short, after a rest
TUNE = Notes(tuple(Note(*note) for note in (
    (69, 80, 0.1, 0.9), (72, 90, 0.9, 1.7), (72, 60, 1.7, 2.3), (67, 40, 2.35, 2.5), (65, 100, 2.5, 2.56),
    (76, 70, 3.4, 4.6))))


@pytest.fixture(scope="module")
def violin():
    return load("violin")


def drawn(n_notes, seed=0):
    """Controls drawn over their whole ranges."""
    random = np.random.default_rng(seed)
    ranges = typical_ranges(STATISTICS)
    scaled = {name: random.uniform(0, 1, n_notes) for name in CONTROLS}
    return NoteControls.from_scaled(scaled, random.uniform(4.5, 6.5, n_notes), ranges)


def test_inner_frames_leave_80_ms_out_on_either_side_but_never_more_than_a_quarter():
    notes = Notes((Note(60, 80, 0.0, 1.0), Note(60, 80, 1.0, 1.1), Note(60, 80, 1.1, 1.102)))
    assert inner_frames(notes, RATE_HZ, 400) == [slice(16, 184), slice(205, 215), slice(221, 222)]


def test_the_shape_of_a_note_by_hand():
    assert measure_shape(np.full(40, -20.0)) == pytest.approx((-20, 0, 0.5))
    # all the energy in the first half, of which the middle is a quarter
    assert measure_shape(np.repeat([-20.0, -200.0], 50))[2] == pytest.approx(0.25, abs=1e-6)
    # a parabola is an arch, and not fluctuation; a sine of many cycles is, and its deviation is 1 / sqrt 2
    time = np.linspace(0, 1, 400)
    arch = -20 - 30 * (time - 0.4) ** 2
    assert measure_shape(arch)[1] == pytest.approx(0, abs=1e-9)
    assert measure_shape(arch + 2 * np.sin(2 * np.pi * 12 * time))[1] == pytest.approx(2**0.5, rel=0.02)


@pytest.mark.parametrize("n_frames", [12, 60, 300])
@pytest.mark.parametrize("asked", [(-20.0, 0.0, 0.5), (-31.0, 2.5, 0.3), (-5.0, 0.2, 0.75), (-18.0, 4.0, 0.5)])
def test_a_curve_gets_exactly_the_shape_asked_for(n_frames, asked):
    random = np.random.default_rng(n_frames)
    curve = -25 + random.normal(0, 1, n_frames)
    shaped = shape_loudness(curve, *asked, np.sin(np.arange(n_frames)))
    assert measure_shape(shaped) == pytest.approx(asked, abs=1e-6)


def test_a_tilt_is_a_straight_line():
    moved = shape_loudness(np.full(100, -20.0), -20.0, 0.0, 0.65, np.sin(np.arange(100)))
    assert np.ptp(np.diff(moved)) < 1e-9 and moved[-1] > moved[0]


@pytest.mark.parametrize(("extent", "rate_hz", "seconds"), [(10, 5.5, 0.3), (40, 4.4, 0.6), (25, 6.9, 2.0), (60, 5.0, 0.25)])
def test_a_vibrato_is_measured_whatever_the_length_and_the_drift(extent, rate_hz, seconds):
    time_s = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    cents = 6900 + 30 * time_s + extent * np.sin(2 * np.pi * rate_hz * time_s + 1)
    found, heard_hz = measure_vibrato(cents, RATE_HZ)
    assert found == pytest.approx(extent, rel=0.04) and heard_hz == pytest.approx(rate_hz, abs=0.21)
    assert measure_vibrato(6900 + 2 * (cents - 6900), RATE_HZ)[0] == pytest.approx(2 * found)


@pytest.mark.parametrize("extent", [0.0, 20.0])
@pytest.mark.parametrize("slipped, off", [(slice(0, 14), -1200), (slice(0, 14), 1200), (slice(30, 34), 1902),
                                          (slice(0, 29), -1200)])
def test_an_octave_that_the_tracker_slips_is_no_vibrato(extent, slipped, off):
    # the first 70 ms of an A5 of 0.37 s, heard as A4 in the noise of its attack, were 82 cents of vibrato
    cents = 8100 + extent * np.sin(2 * np.pi * 6 * np.arange(58) / RATE_HZ)
    cents[slipped] += off
    assert measure_vibrato(cents, RATE_HZ)[0] == pytest.approx(extent, abs=2)


def test_what_is_no_vibrato_measures_0():
    random = np.random.default_rng(0)
    assert measure_vibrato(random.normal(0, 3, 400), RATE_HZ) == (0, 0)
    assert measure_vibrato(np.linspace(0, 100, 200), RATE_HZ) == (0, 0)
    assert measure_vibrato(30 * np.sin(np.arange(38)), RATE_HZ) == (0, 0)  # 190 ms


def test_ranges_scale_clip_and_come_back():
    ranges = typical_ranges(STATISTICS)
    low, high = ranges.volume
    assert (low, high) == pytest.approx((-48, -10.8))
    levels_db = np.array([low - 5, low, (low + high) / 2, high, 0])
    np.testing.assert_allclose(ranges.scale("volume", levels_db), [0, 0, 0.5, 1, 1])
    np.testing.assert_allclose(ranges.unscale("vibrato", np.array([0, 0.5, 1])), [0, 30, 60])
    assert ControlRanges.from_dict(ranges.to_dict()) == ranges
    with pytest.raises(InputError, match="ControlRanges: values must hold volume, .*, got another loud, volume"):
        ControlRanges.from_dict({**{name: (0, 1) for name in CONTROLS[1:]}, "loud": (0, 1)})
    with pytest.raises(InputError, match="ControlRanges: vibrato must rise from low to high, got 3, 3"):
        replace(ranges, vibrato=(3, 3))
    with pytest.raises(InputError, match="control must be one of .*, got 'vibrat'; did you mean 'vibrato'"):
        ranges.scale("vibrat", np.zeros(1))


def test_measured_ranges_are_quantiles_and_never_too_narrow():
    n_notes = 101
    spread = np.linspace(-40, 0, n_notes)
    controls = NoteControls(spread, np.full(n_notes, 0.2), np.full(n_notes, 0.5), np.linspace(0, 80, n_notes), spread / 10,
                            spread / 20, np.full(n_notes, 5.0))
    ranges = measure_ranges([controls], STATISTICS)
    assert ranges.volume == pytest.approx((-38, -2)) and ranges.vibrato == pytest.approx((0, 76))
    assert ranges.volume_fluctuation == (0, 2) and ranges.volume_peak_position == pytest.approx((0.35, 0.65))
    assert measure_ranges([], STATISTICS) == typical_ranges(STATISTICS)


def test_an_instruments_ranges_are_those_of_the_notes_in_its_takes(violin):
    silence = violin.perform(TUNE, performer="rules").change_loudness(-100)
    takes = [realise(violin, TUNE, drawn(6, seed).with_all(vibrato=30.0, vibrato_hz=5.5)) for seed in range(4)]
    found = ranges_of_takes([*takes, replace(silence, periodicity=0 * silence.periodicity)], violin.statistics)
    assert found.vibrato == pytest.approx((0, 30), abs=2)
    assert found != typical_ranges(violin.statistics)
    assert ranges_of_takes([silence.slice(0, 0.1)], violin.statistics) == typical_ranges(violin.statistics)


def test_the_instruments_card_says_what_0_and_1_are(violin):
    ranges = violin.control_ranges
    other = replace(ranges, vibrato=(0.0, 123.0))
    violin.card["note_controls"] = other.to_dict()
    try:
        assert violin.control_ranges == other
    finally:
        violin.card["note_controls"] = ranges.to_dict()


def test_realised_controls_are_measured_again(violin):
    asked = drawn(len(TUNE.notes))
    played = realise(violin, TUNE, asked)
    found = measure_controls(played, TUNE)
    np.testing.assert_allclose(found.volume, asked.volume, atol=1e-3)
    np.testing.assert_allclose(found.volume_peak_position, asked.volume_peak_position, atol=1e-4)
    np.testing.assert_allclose(found.brightness, asked.brightness, atol=1e-4)
    np.testing.assert_allclose(found.attack_noise, asked.attack_noise, atol=1e-4)
    # notes of 150 and of 60 ms hold no fluctuation and no vibrato
    longer = [0, 1, 2, 5]
    np.testing.assert_allclose(found.volume_fluctuation[longer], asked.volume_fluctuation[longer], atol=1e-3)
    np.testing.assert_allclose(found.vibrato[longer], asked.vibrato[longer], rtol=0.05)
    np.testing.assert_allclose(found.vibrato_hz[longer], asked.vibrato_hz[longer], atol=0.3)
    assert not found.vibrato[[3, 4]].any()


@pytest.mark.parametrize("seed", [1, 2])
def test_a_seed_changes_the_timbre_in_between_and_not_the_controls(violin, seed):
    asked = drawn(len(TUNE.notes))
    plain, sampled = realise(violin, TUNE, asked), realise(violin, TUNE, asked, seed=seed)
    assert np.abs(plain.z - sampled.z).max() > 0.1
    for name in ("brightness", "attack_noise", "volume"):
        np.testing.assert_allclose(getattr(measure_controls(sampled, TUNE), name), getattr(asked, name), atol=1e-3)


def test_one_control_leaves_the_others_where_they_are(violin):
    usual = measure_controls(violin.perform(TUNE, performer="rules"), TUNE)
    before = measure_controls(realise(violin, TUNE, usual), TUNE)
    ranges = typical_ranges(STATISTICS)
    for moved in CONTROLS:
        after = measure_controls(realise(violin, TUNE, usual.with_all(**{moved: ranges.unscale(moved, 0.8)})), TUNE)
        for name in CONTROLS:
            apart = np.abs(getattr(after, name) - getattr(before, name))
            assert name == moved or apart.max() <= 1e-2 * np.ptp(getattr(ranges, name)), (moved, name)


def test_open_controls_are_played_as_the_rules_have_them(violin):
    usual = measure_controls(violin.perform(TUNE, performer="rules"), TUNE)
    nothing = NoteControls(*np.full((7, len(TUNE.notes)), np.nan))
    found = measure_controls(realise(violin, TUNE, nothing), TUNE)
    np.testing.assert_allclose(found.volume, usual.volume, atol=1e-3)
    np.testing.assert_allclose(found.vibrato, usual.vibrato, rtol=0.1, atol=0.2)


def test_silence_stays_silence_and_releases_stay_steep(violin):
    loud = drawn(len(TUNE.notes)).with_all(volume=-12.0)
    played = realise(violin, TUNE, loud)
    rules = violin.perform(TUNE, expression=0.0, performer="rules")
    assert played.loudness_db[0] == rules.loudness_db[0] == -120
    rest = slice(round(3.2 * RATE_HZ), round(3.35 * RATE_HZ))
    assert played.loudness_db[rest].max() < -70


def test_no_seam_between_notes(violin):
    """The change of level goes over from note to note: beside the rules' own steps, none of more than 2 dB a frame."""
    asked = drawn(6)
    velocities = level_to_velocity(asked.volume, violin.statistics)
    scored = replace(TUNE, notes=tuple(replace(note, velocity=int(v)) for note, v in zip(TUNE.notes, velocities)))
    played, rules = realise(violin, TUNE, asked), violin.perform(scored, expression=0.0, performer="rules")
    audible = np.minimum(played.loudness_db, rules.loudness_db) > -60
    steps = np.abs(np.diff(played.loudness_db) - np.diff(rules.loudness_db))[audible[1:] & audible[:-1]]
    assert steps.max() < 2.0


def test_pitch_and_timing_are_the_scores(violin):
    played = realise(violin, TUNE, drawn(6).with_all(vibrato=0.0))
    np.testing.assert_allclose(played.f0_hz, violin.perform(TUNE, expression=0.0, performer="rules").f0_hz, rtol=1e-6)


def test_a_take_without_named_axes_measures_0():
    take = Performance(np.full(400, 440.0), np.ones(400), np.full(400, -20.0), np.zeros((400, 0)), (), RATE_HZ, 1)
    found = measure_controls(take, Notes((Note(69, 80, 0.1, 1.9),)))
    assert found.brightness == found.attack_noise == 0 and found.volume == pytest.approx(-20)


def test_controls_at_fault_are_refused(violin):
    with pytest.raises(InputError, match=r"realise: controls must have one row a note \(6\), got 5"):
        realise(violin, TUNE, drawn(5))
    chord = Notes((Note(60, 80, 0.0, 1.0), Note(64, 80, 0.0, 1.0)))
    with pytest.raises(InputError, match="realise: notes must start one after the other, got notes 1 and 2 at 0 s"):
        realise(violin, chord, drawn(2))
    with pytest.raises(InputError, match="NoteControls: vibrato must have shape"):
        replace(drawn(3), vibrato=np.zeros(2))
