"""A take brought to another instrument: octaves, levels, threshold, tuning, and what is still out of range."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ddspvae.editing.scales import SEMITONES, Scale, read_scale
from ddspvae.editing.transfer import autotune, find_outside, fit, gate
from ddspvae.features.statistics import Statistics
from ddspvae.signals import Performance
from ddspvae.signals.checks import InputError
from ddspvae.signals.units import hz_to_pitch, pitch_to_hz

RATE = 200.0


def statistics(softest_db: float = -50.0, loudest_db: float = -10.0) -> Statistics:
    levels = tuple(np.linspace(softest_db, loudest_db, 101))
    return Statistics(60.0, 84.0, levels, -70.0, 0.05, 120.0, 0.0, 5.5, 0.2, 0.04, 1.0)


def take(*pitches: float, vibrato_cents: float = 0.0, seconds: float = 0.6) -> Performance:
    """Notes of equal length with rests of 0.2 s; levels from -45 to -25 dB, and digital silence between."""
    n, rest = round(seconds * RATE), round(0.2 * RATE)
    swing = vibrato_cents / 100 * np.sin(2 * np.pi * 5.5 * np.arange(n) / RATE)
    arch = -25 - 20 * np.abs(np.linspace(-1, 1, n))
    pitch = np.concatenate([np.concatenate([p + swing, np.full(rest, p)]) for p in pitches])
    level = np.concatenate([arch, np.full(rest, -120.0)] * len(pitches))
    sure = np.concatenate([np.ones(n), np.zeros(rest)] * len(pitches))
    return Performance(pitch_to_hz(pitch), sure, level, np.zeros((-(-len(pitch) // 8), 1)), ("a",), RATE, 8)


def cents(after: Performance, before: Performance) -> np.ndarray:
    return 1200 * np.log2(after.f0_hz.astype(float) / before.f0_hz.astype(float))


@pytest.mark.parametrize("pitches, octaves", [((64, 67, 71), 0), ((40, 43, 47), 2), ((100, 103), -2), ((58, 62, 65, 67), 1),
                                              ((36, 70, 72), 0), ((84.4, 60), 0)])
def test_the_octave_puts_most_frames_into_the_range_and_moves_no_further(pitches, octaves):
    before = take(*pitches)
    fitted = fit(before, statistics())
    assert fitted.octaves == octaves
    np.testing.assert_allclose(cents(fitted.apply(before), before), 1200 * octaves, atol=1e-3)


def test_a_slip_of_the_tracker_moves_no_octave():
    before = take(*[64] * 30, 50, seconds=0.2)
    assert fit(before, statistics()).octaves == 0


def test_levels_follow_the_quantiles_of_the_recordings():
    before = take(64, 67, 71)
    after = fit(before, statistics()).apply(before)
    sounding = before.periodicity > 0
    wanted = np.array(statistics().loudness_quantiles_db)
    for percent in (10, 25, 50, 75, 90):
        assert np.percentile(after.loudness_db[sounding], percent) == pytest.approx(wanted[percent], abs=1.0)
    order = np.argsort(before.loudness_db, kind="stable")
    assert (np.diff(after.loudness_db[order]) >= 0).all()


def test_silence_stays_silence():
    before = take(64, 67)
    after = fit(before, statistics(softest_db=-30, loudest_db=-5)).apply(before)
    assert (after.loudness_db[before.periodicity == 0] == -120).all()


def test_a_fit_is_undone_to_rounding_and_edits_in_between_stay():
    before = take(40, 44.3, 47, vibrato_cents=30)
    fitted = fit(before, statistics())
    back = fitted.undo(fitted.apply(before))
    assert np.array_equal(back.f0_hz, before.f0_hz)
    np.testing.assert_allclose(back.loudness_db, before.loudness_db, atol=1e-4)
    assert np.array_equal(back.z, before.z) and np.array_equal(back.periodicity, before.periodicity)
    np.testing.assert_allclose(cents(fitted.undo(fitted.apply(before).transpose(3)), before), 300, atol=1e-3)


def test_an_even_take_stays_rather_even():
    flat = replace(take(64), loudness_db=np.full(160, -40.0) + np.where(np.arange(160) % 2, 0.1, -0.1))
    after = fit(flat, statistics()).apply(flat)
    assert np.ptp(after.loudness_db) < 2 and np.median(after.loudness_db) == pytest.approx(-30, abs=0.5)


def test_a_fit_says_what_it_did():
    fitted = fit(take(40, 43, 47), statistics())
    assert fitted.sentence == f"fitted: 2 octaves up, the median level {fitted.shift_db:+.1f} dB."
    assert fit(take(64), statistics()).sentence.startswith("fitted: pitch as it was, ")
    assert "1 octave down" in fit(take(90, 95), statistics()).sentence
    with pytest.raises(InputError, match="must hold pitched notes, got none"):
        fit(replace(take(64), periodicity=np.zeros(160)), statistics())


def test_a_threshold_silences_what_is_softer_with_short_fades():
    before = take(64, 67)
    after = gate(before, -12)
    loud = before.loudness_db >= before.loudness_db.max() - 12
    assert np.array_equal(after.loudness_db[loud], before.loudness_db[loud])
    near = np.convolve(loud, np.ones(9), mode="same") > 0  # 20 ms are 4 frames
    assert (after.loudness_db[~near] == -120).all()
    fade = after.loudness_db[np.flatnonzero(loud)[0] - 4 : np.flatnonzero(loud)[0] + 1]
    assert (np.diff(fade) > 0).all() and fade[3] > -45
    assert np.array_equal(after.f0_hz, before.f0_hz)
    assert np.array_equal(gate(before, -120).loudness_db, before.loudness_db)
    with pytest.raises(InputError, match="threshold_db must lie between -120 and 0, got 6"):
        gate(before, 6)


@pytest.mark.parametrize("amount, left", [(0.0, 1.0), (0.5, 0.5), (1.0, 0.0)])
def test_autotune_moves_a_note_as_a_whole(amount, left):
    before = take(64.3, 66.8, 71.2, vibrato_cents=30)
    after = autotune(before, amount)
    for index, off in enumerate((0.3, -0.2, 0.2)):
        frames = slice(index * 160 + 20, index * 160 + 100)
        centre = hz_to_pitch(after.f0_hz[frames].astype(float))[: round(2 * RATE / 5.5)].mean()
        assert centre - np.round((64.3, 66.8, 71.2)[index]) == pytest.approx(left * off, abs=0.04)
        moved = cents(after, before)[frames]
        assert np.ptp(moved) < 0.1  # the vibrato and whatever else the note does stay


def test_autotune_keeps_a_glide_between_bound_notes():
    way = np.clip((np.arange(300) - 140) / 20, 0, 1)
    pitch = 64.4 + (66.6 - 64.4) * way
    before = Performance(pitch_to_hz(pitch), np.ones(300), np.full(300, -20.0), np.zeros((38, 0)), (), RATE, 8)
    after = hz_to_pitch(autotune(before, 1.0).f0_hz.astype(float))
    assert after[60] == pytest.approx(64, abs=0.02) and after[250] == pytest.approx(67, abs=0.02)
    assert np.diff(after[100:200]).min() > -0.01 and np.diff(after).max() < 0.25  # without a way of 80 ms: 0.9


def test_autotune_follows_the_scale():
    before = take(61.2, 66.4)
    after = hz_to_pitch(autotune(before, 1.0, read_scale("major")).f0_hz.astype(float))
    np.testing.assert_allclose(after[[60, 220]], [62, 67], atol=0.01)
    after = hz_to_pitch(autotune(before, 1.0, read_scale("major:Db")).f0_hz.astype(float))
    np.testing.assert_allclose(after[[60, 220]], [61, 66], atol=0.01)


def test_frames_out_of_range_are_counted():
    before = take(64, 67, 71, 90)
    outside = find_outside(before, statistics(softest_db=-32.0))
    level = before.loudness_db[before.periodicity > 0]
    assert outside.pitch == pytest.approx(0.25) and outside.loudness == pytest.approx((level < -32).mean(), abs=0.01)
    assert outside.sentence.startswith("25% of the sounding frames lie outside the trained range in pitch, ")
    silent = replace(before, periodicity=np.zeros(before.n_frames))
    assert find_outside(silent, statistics()).pitch == 0


def test_the_nearest_pitch_of_a_scale_may_be_the_tonic_above():
    assert Scale("major-pentatonic", 0).nearest(np.array([71.4, 70.4, 60.0])).tolist() == [72, 69, 60]
    assert Scale("minor", 9).nearest(np.array([68.1, 68.0])).tolist() == [69, 67]  # A minor has no G#; halfway is the lower
    assert Scale("chromatic", 5).nearest(60.4) == 60


def test_every_scale_lies_within_an_octave_and_rises():
    for steps in SEMITONES.values():
        assert steps[0] == 0 and steps[-1] < 12 and (np.diff(steps) > 0).all()


@pytest.mark.parametrize("text, words", [("mayor:C", "did you mean 'major'"), ("major:H", "a tonic like C, F# or Bb"),
                                         ("major:", "write major:C"), ("major:Cx", "write major:C")])
def test_a_wrong_scale_gets_one_sentence(text, words):
    with pytest.raises(InputError, match=words):
        read_scale(text)


def test_tonics_are_read_with_sharps_and_flats():
    assert [read_scale(f"major:{key}").tonic for key in ("C", "C#", "Db", "cb", "Bb", "B#")] == [0, 1, 1, 11, 10, 0]


def test_a_scale_without_autotune_is_refused():
    from argparse import Namespace

    from ddspvae.editing.transfer import check_transfer_options

    with pytest.raises(InputError, match=r"edit: --scale major:D is what --autotune moves notes to; add --autotune 1\."):
        check_transfer_options(Namespace(autotune=0.0, threshold=None, scale="major:D", fit=False))
    check_transfer_options(Namespace(autotune=0.5, threshold=None, scale="major:D", fit=False))
