"""A score survives the rules: an independent segmentation of the curves finds its notes again."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ddspvae.features.segments import segment_notes
from ddspvae.features.statistics import Statistics
from ddspvae.midi.notes import read_midi
from ddspvae.midi.rules import perform
from ddspvae.midi.trained_range import fold_octaves, outside_range
from ddspvae.midi.voices import to_one_voice
from ddspvae.signals import Note, Notes
from ddspvae.signals.checks import InputError
from ddspvae.signals.units import db_to_power, hz_to_cents, hz_to_pitch, pitch_to_hz, power_to_db

RATE_HZ = 200.0
VIOLIN = Statistics(
    pitch_low=55.0, pitch_high=90.0, loudness_quantiles_db=tuple(np.linspace(-45, -12, 101)), silence_db=-75.0,
    attack_s=0.06, release_db_per_s=120.0, vibrato_extent_cents=25.0, vibrato_rate_hz=5.6, vibrato_delay_s=0.25,
    glide_s=0.05, minutes=10.0)
CHURCH = replace(VIOLIN, attack_s=0.14, release_db_per_s=40.0, glide_s=0.1, vibrato_delay_s=0.01)
PLUCK = replace(VIOLIN, attack_s=0.003, release_db_per_s=60.0)
MELODY = Path(__file__).parents[2] / "examples" / "melody.mid"


def score(*rows) -> Notes:
    return Notes(tuple(Note(*row) for row in rows))


def frame(time_s: float) -> int:
    return round(time_s * RATE_HZ)


def as_heard(loudness_db, window_s=0.042):
    """What a loudness meter with a Hann window of 42 ms reads."""
    window = np.hanning(round(window_s * RATE_HZ) + 2)[1:-1] ** 2
    return power_to_db(np.convolve(db_to_power(loudness_db.astype(float)), window / window.sum(), mode="same"))


def f_measure(notes: Notes, statistics: Statistics) -> float:
    curves = perform(notes, statistics, RATE_HZ)
    found = segment_notes(curves.f0_hz, curves.periodicity, as_heard(curves.loudness_db), RATE_HZ)
    onset_s = np.array([start for start, *_ in found]) / RATE_HZ
    pitch = np.array([p for *_, p in found])
    free = np.ones(len(found), dtype=bool)
    for note in notes.notes:
        hits = np.flatnonzero(free & (abs(onset_s - note.onset_s) <= 0.05) & (abs(pitch - note.pitch) <= 0.5))
        free[hits[:1]] = False
    return 2 * float((~free).sum()) / (len(found) + len(notes.notes))


@pytest.mark.parametrize("statistics", [VIOLIN, CHURCH])
def test_the_melody_is_found_again(statistics):
    (part,) = read_midi(MELODY)
    assert f_measure(to_one_voice(part).notes, statistics) == 1.0


@pytest.mark.parametrize("statistics", [VIOLIN, CHURCH])
@pytest.mark.filterwarnings("ignore:read_midi")
@pytest.mark.parametrize("name", ["bach_bwv1007_prelude_cello", "trad_english1_type0", "ode_to_joy"])
def test_real_scores_are_found_again(shared_dir, statistics, name):
    part = read_midi(shared_dir / "midi" / f"{name}.mid")[0]
    assert f_measure(to_one_voice(part).notes, statistics) >= 0.99


def test_shapes_and_rests():
    notes = score((60, 80, 0.5, 1.0), (67, 80, 3.0, 3.5))
    curves = perform(notes, VIOLIN, RATE_HZ, tail_s=0.7)
    assert curves.f0_hz.shape == curves.periodicity.shape == curves.loudness_db.shape == (frame(4.2),)
    assert curves.f0_hz.dtype == curves.periodicity.dtype == curves.loudness_db.dtype == np.float32
    assert np.isfinite(curves.f0_hz).all() and np.isfinite(curves.loudness_db).all()
    # true silence, not the -75 of the recordings
    assert curves.loudness_db[0] == curves.loudness_db[frame(2.5)] == -120
    assert curves.periodicity[0] == curves.periodicity[frame(2.5)] == 0
    assert (curves.periodicity[frame(0.5) : frame(1.0)] == 1).all()
    np.testing.assert_allclose(curves.f0_hz[frame(2.5)], pitch_to_hz(60), rtol=1e-6)  # held


def test_attack_starts_just_before_the_onset_and_lasts_as_long_as_measured():
    curves = perform(score((60, 127, 0.5, 2.0)), VIOLIN, RATE_HZ, expression=0)
    top_db = VIOLIN.loudness_quantiles_db[98]
    first = np.flatnonzero(curves.loudness_db > -90)[0] / RATE_HZ
    assert 0.485 <= first <= 0.5
    full = np.flatnonzero(curves.loudness_db > top_db - 0.01)[0] / RATE_HZ
    assert full - first == pytest.approx(0.06, abs=0.011)
    # half way up the ramp the amplitude is half: -6.02 dB
    assert curves.loudness_db[frame(0.515)] == pytest.approx(top_db - 6.02, abs=0.1)


def test_release_falls_as_measured():
    curves = perform(score((60, 80, 0.0, 1.0)), VIOLIN, RATE_HZ, expression=0)
    assert curves.loudness_db[frame(1.1)] - curves.loudness_db[frame(1.3)] == pytest.approx(24, abs=0.01)
    assert (np.diff(curves.periodicity[frame(1.0) :]) <= 0).all()


def test_velocity_picks_a_level_of_the_recordings():
    levels = [perform(score((60, velocity, 0.0, 1.0)), VIOLIN, RATE_HZ, expression=0).loudness_db[frame(0.5)]
              for velocity in (1, 64, 127)]
    # quantiles 0.05, 0.515, 0.98 of -45 to -12 dB
    np.testing.assert_allclose(levels, [-43.35, -28.005, -12.66], atol=0.01)


@pytest.mark.parametrize(("gap_s", "first", "second"), [
    (-0.0, 80, 80), (0.03, 80, 80), (0.06, 80, 80), (0.0, 110, 40), (0.0, 40, 110), (0.1, 110, 40)])
@pytest.mark.parametrize("statistics", [VIOLIN, CHURCH, PLUCK])
def test_a_repeated_note_is_struck_again(gap_s, first, second, statistics):
    curves = perform(score((60, first, 0.0, 0.5 - gap_s), (60, second, 0.5, 1.0)), statistics, RATE_HZ)
    heard = as_heard(curves.loudness_db)
    dip = heard[frame(0.4) : frame(0.55)].min()
    assert heard[frame(0.25)] - dip >= 6
    assert heard[frame(0.75)] - dip >= 6
    assert abs(np.argmin(heard[frame(0.4) : frame(0.55)]) / RATE_HZ + 0.4 - 0.5) <= 0.05


def test_fast_repeated_notes_are_struck_again():
    notes = score(*((60, 80, 0.12 * i, 0.12 * i + 0.12) for i in range(20)))
    assert f_measure(notes, VIOLIN) == 1.0


def test_bound_notes_glide_across_the_onset_and_dip_a_little():
    curves = perform(score((60, 80, 0.0, 0.97), (64, 80, 1.0, 1.5)), VIOLIN, RATE_HZ, expression=0)
    pitch = hz_to_pitch(curves.f0_hz.astype(float))
    assert pitch[frame(1.0)] == pytest.approx(62, abs=0.01)
    assert pitch[frame(0.97)] == pytest.approx(60, abs=0.01)  # half of 50 ms before
    assert pitch[frame(1.03)] == pytest.approx(64, abs=0.01)
    assert (np.diff(pitch[frame(0.97) : frame(1.03)]) >= 0).all()
    steady = curves.loudness_db[frame(0.7)]
    assert steady - curves.loudness_db[frame(1.0)] == pytest.approx(2, abs=0.01)
    assert (curves.periodicity[: frame(1.5)] == 1).all()


def test_a_slow_player_is_still_in_time():
    slow = replace(VIOLIN, glide_s=0.5, attack_s=0.5)
    curves = perform(score((60, 80, 0.0, 1.0), (64, 80, 1.0, 1.5)), slow, RATE_HZ, expression=0)
    assert curves.loudness_db[frame(0.15)] == pytest.approx(curves.loudness_db[frame(0.5)], abs=0.01)
    pitch = hz_to_pitch(curves.f0_hz.astype(float))
    assert pitch[frame(0.965)] == pytest.approx(60, abs=0.01)
    assert pitch[frame(1.035)] == pytest.approx(64, abs=0.01)


def test_detached_notes_jump():
    curves = perform(score((60, 80, 0.0, 0.9), (64, 80, 1.0, 1.5)), VIOLIN, RATE_HZ, expression=0)
    pitch = hz_to_pitch(curves.f0_hz.astype(float))
    assert set(np.round(pitch, 4)) == {60.0, 64.0}
    assert pitch[frame(1.0)] == pytest.approx(64)
    heard = as_heard(curves.loudness_db)
    assert heard[frame(0.5)] - heard[frame(0.9) : frame(1.0)].min() >= 6


def test_a_release_rings_into_the_next_attack():
    curves = perform(score((60, 80, 0.0, 0.94), (64, 80, 1.0, 1.5)), CHURCH, RATE_HZ, expression=0)
    # 15 dB in the 60 ms between them, and no hole of silence where the attack begins
    deepest = curves.loudness_db[frame(0.5)] - curves.loudness_db[frame(0.9) : frame(1.1)].min()
    assert 10 < deepest < 20


def test_notes_sound_in_their_order_however_short():
    notes = score(*((60 + (i + 1) // 2, 80, 0.012 * i, 0.012 * i + 0.012) for i in range(40)))
    curves = perform(notes, replace(VIOLIN, glide_s=0.0), 1000.0, expression=0)
    pitch = hz_to_pitch(curves.f0_hz.astype(float))
    assert (np.diff(pitch) > -1e-4).all()
    # each is heard within 5 ms of its onset
    np.testing.assert_allclose(pitch[[12 * i + 5 for i in range(40)]], [n.pitch for n in notes.notes], atol=1e-4)


def cents(curves, pitch):
    return hz_to_cents(curves.f0_hz.astype(float), float(pitch_to_hz(pitch)))


def test_vibrato_comes_late_and_has_the_extent_and_rate_of_the_recordings():
    swing = cents(perform(score((60, 80, 0.0, 3.0)), VIOLIN, RATE_HZ), 60)
    late = swing[frame(1.0) : frame(2.9)]
    assert late.max() == pytest.approx(25, abs=0.5)
    assert late.min() == pytest.approx(-25, abs=0.5)
    crossings = np.flatnonzero((late[:-1] < 0) & (late[1:] >= 0))
    assert RATE_HZ / np.diff(crossings).mean() == pytest.approx(5.6, rel=0.02)
    assert abs(swing[: frame(0.1)]).max() < 2
    assert abs(swing[frame(2.995) :]).max() < 3  # and is over when the note is
    np.testing.assert_allclose(cents(perform(score((60, 80, 0.0, 3.0)), VIOLIN, RATE_HZ, expression=0.5), 60),
                               swing / 2, atol=0.01)


def test_short_notes_have_no_vibrato():
    assert abs(cents(perform(score((60, 80, 0.0, 0.29)), VIOLIN, RATE_HZ), 60)).max() < 1e-3
    assert abs(cents(perform(score((60, 80, 0.0, 0.6)), VIOLIN, RATE_HZ), 60)).max() > 5


def test_the_pitch_wheel_is_followed_exactly():
    notes = score((60, 80, 0.0, 1.0), (64, 80, 1.0, 2.0))
    bent = replace(notes, bend_semitones=((0.25, 1.5), (1.5, -0.37)))
    moved = hz_to_pitch(perform(bent, VIOLIN, RATE_HZ).f0_hz.astype(float)) - hz_to_pitch(
        perform(notes, VIOLIN, RATE_HZ).f0_hz.astype(float))
    want = np.repeat([0, 1.5, -0.37], [frame(0.25), frame(1.25), frame(1.5)])
    np.testing.assert_allclose(moved, want, atol=1e-4)


def test_phrases_swell():
    notes = score(*((60 + i % 3, 80, 0.5 * i, 0.5 * i + 0.5) for i in range(10)))
    flat = perform(notes, VIOLIN, RATE_HZ, expression=0).loudness_db
    swelling = perform(notes, VIOLIN, RATE_HZ, expression=1).loudness_db
    added = (swelling - flat)[frame(0.05) : frame(4.95)]
    assert added.max() == pytest.approx(1.5, abs=0.05)
    assert added.min() == pytest.approx(-1.5, abs=0.05)
    assert abs(np.diff(added)).max() < 0.05
    assert abs(np.argmax(added) / len(added) - 0.5) < 0.05


@pytest.mark.parametrize("rate_hz", [100.0, 44100 / 240, 200.0])
def test_any_rate_and_any_score_stays_finite(rate_hz):
    rng = np.random.default_rng(3)
    onset_s = np.cumsum(rng.choice([0.001, 0.02, 0.05, 0.3, 1.0], 200))
    length_s = rng.choice([0.01, 0.05, 0.3, 2.0], 200)
    notes = to_one_voice(score(*((int(rng.integers(0, 128)), int(rng.integers(1, 128)), onset, onset + length)
                                 for onset, length in zip(onset_s, length_s, strict=True)))).notes
    for statistics in (VIOLIN, CHURCH, replace(VIOLIN, attack_s=0.0, glide_s=0.0, vibrato_delay_s=0.0)):
        curves = perform(notes, statistics, rate_hz)
        assert np.isfinite(curves.f0_hz).all() and curves.f0_hz.min() > 0
        assert np.isfinite(curves.loudness_db).all()
        assert curves.loudness_db.max() < -12 + 2 and curves.loudness_db.min() >= -120
        assert curves.periodicity.min() >= 0
        assert curves.periodicity.max() == 1


def test_equal_scores_give_equal_curves():
    first, second = (perform(to_one_voice(read_midi(MELODY)[0]).notes, VIOLIN, RATE_HZ) for _ in range(2))
    assert first.f0_hz.tobytes() == second.f0_hz.tobytes()
    assert first.loudness_db.tobytes() == second.loudness_db.tobytes()


@pytest.mark.parametrize(("call", "match"), [
    (lambda: perform(score(), VIOLIN, RATE_HZ), "perform: notes must hold at least one note"),
    (lambda: perform(score((60, 80, 0.0, 1.0), (64, 80, 0.5, 1.0)), VIOLIN, RATE_HZ),
     "notes must not overlap, got note 1 before the end of note 0; call to_one_voice first"),
    (lambda: perform(score((60, 80, 0.0, 1.0)), VIOLIN, 0), "frame_rate_hz must lie between"),
    (lambda: perform(score((60, 80, 0.0, 1.0)), VIOLIN, RATE_HZ, expression=-1), "expression must lie between"),
    (lambda: perform(score((60, 80, 0.0, 1.0)), VIOLIN, RATE_HZ, tail_s=float("nan")), "tail_s must lie between"),
])
def test_errors(call, match):
    with pytest.raises(InputError, match=match):
        call()


def test_outside_range_names_the_trained_range():
    assert outside_range(score((55, 80, 0.0, 1.0), (90, 80, 1.0, 2.0)), VIOLIN) is None
    sentence = outside_range(score((40, 80, 0.0, 1.0), (60, 80, 1.0, 2.0), (91, 80, 2.0, 3.0)), VIOLIN)
    assert sentence.startswith("2 of 3 notes lie outside the trained range G3–F#6 (at E2–G6)")
    assert "1 note lies" in outside_range(score((40, 80, 0.0, 1.0)), VIOLIN)


def test_fold_octaves_moves_only_what_is_outside():
    notes = score((40, 80, 0.0, 1.0), (60, 80, 1.0, 2.0), (91, 80, 2.0, 3.0), (115, 80, 3.0, 4.0))
    folded = fold_octaves(notes, VIOLIN)
    assert [note.pitch for note in folded.notes] == [64, 60, 79, 79]
    assert outside_range(folded, VIOLIN) is None


def test_fold_octaves_goes_as_near_as_it_gets():
    fifth = replace(VIOLIN, pitch_low=60.0, pitch_high=67.0)
    folded = fold_octaves(score((49, 80, 0.0, 1.0), (57, 80, 1.0, 2.0), (83, 80, 2.0, 3.0), (45, 80, 3.0, 4.0)), fifth)
    assert [note.pitch for note in folded.notes] == [61, 69, 59, 69]  # 57 misses by 2.5, 69 by 1.5


def test_fold_octaves_takes_a_portamento_along():
    notes = Notes((Note(40, 80, 0.0, 1.0, glide_from=43.0, glide_s=0.2),))
    (note,) = fold_octaves(notes, VIOLIN).notes
    assert (note.pitch, note.glide_from) == (64, 67)
