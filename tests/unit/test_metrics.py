import math
import sys

import numpy as np
import pytest

from ddspvae.evaluation.metrics import (
    SURE,
    UNPITCHED,
    PitchTrack,
    compare_tracks,
    harmonic_error,
    loudness_error,
    other_tracker,
    pitch_error,
    spectral_distance,
    track_pitch,
    tracker_floor,
)
from ddspvae.evaluation.transcription import note_scores
from ddspvae.features.f0 import TRACKERS, VOICED
from ddspvae.signals import Note, Notes
from ddspvae.signals.checks import InputError


def tone(f0_hz, sample_rate=48_000, duration_s=1.5, level=0.2):
    """Eight harmonics falling like 1/h, the same phases at every pitch."""
    time_s = np.arange(int(duration_s * sample_rate)) / sample_rate
    return level * sum(np.sin(2 * np.pi * h * f0_hz * time_s + h) / h for h in range(1, 9))


def glide(sample_rate, cents=0.0):
    """An octave upward from 220 Hz in 2 s; a tracker is off by a few cents here and there, but not on average."""
    time_s = np.arange(2 * sample_rate) / sample_rate
    phase = 2 * np.pi * np.cumsum(220 * 2 ** (time_s / 2 + cents / 1200)) / sample_rate
    return 0.2 * sum(np.sin(h * phase + h) / h for h in range(1, 9))


def track(f0_hz, periodicity, tracker="swift"):
    return PitchTrack(np.array(f0_hz, np.float32), np.array(periodicity, np.float32), tracker)


# --- spectral distance


def test_an_impulse_against_silence_worked_by_hand():
    # At sample 4096 the impulse is the centre of a frame at every size. Periodic Hann: that frame reads 1, both
    # neighbours a quarter window away read 0.5, those half a window away 0; |STFT| is flat, so bins do not matter.
    impulse = np.zeros(8192)
    impulse[4096] = 1.0
    expected = 0.0
    for hop_size in (512, 256, 128, 64, 32, 16):
        n_frames = 8192 // hop_size + 1
        expected += (1.0 + 0.5 + 0.5) / n_frames
        expected += (math.log(1 + 1e-5) + 2 * math.log(0.5 + 1e-5) - 3 * math.log(1e-5)) / n_frames
    assert spectral_distance(np.zeros(8192), impulse, 16_000) == pytest.approx(expected, rel=1e-4)


def test_equal_signals_have_no_distance_and_order_does_not_matter():
    a, b = tone(220), tone(230)
    assert spectral_distance(a, a, 48_000) == 0.0
    assert spectral_distance(a, b, 48_000) == pytest.approx(spectral_distance(b, a, 48_000))
    assert spectral_distance(a, b, 48_000) > 1.0


def test_what_16_khz_cannot_carry_does_not_count():
    # a Hann envelope, because a tone that starts at once is a click of every frequency
    time_s = np.arange(48_000) / 48_000
    inaudible, audible = (0.5 * np.sin(2 * np.pi * f_hz * time_s) * np.hanning(48_000) for f_hz in (15_000, 5000))
    low = tone(220, duration_s=1)
    assert spectral_distance(low, low + inaudible, 48_000) < 0.02 * spectral_distance(low, low + audible, 48_000)


def test_level_counts():
    # the linear part grows with the difference, the log part by ln 2 per size where the spectrum is far above 1e-5
    noise = np.random.default_rng(0).normal(size=16_000) * 0.1
    assert spectral_distance(noise, 2 * noise, 16_000) > 6 * 0.99 * math.log(2)


# --- what every measure refuses


@pytest.mark.parametrize("measure", [spectral_distance, loudness_error,
                                     lambda *signals: pitch_error(*signals, tracker="swift")])
def test_signals_at_fault_are_refused(measure):
    good = tone(220)
    with pytest.raises(InputError, match=r"reference must have shape \[\*\], got \[2, 72000\]"):
        measure(np.stack([good, good]), good, 48_000)
    with pytest.raises(InputError, match="estimate must be finite in every sample, got NaN or infinity"):
        measure(good, np.where(np.arange(len(good)) == 7, np.nan, good), 48_000)
    with pytest.raises(InputError, match="estimate must have at least one sample"):
        measure(good, good[:0], 48_000)
    with pytest.raises(InputError, match=r"estimate must be as long as the reference \(1.50 s\), got 1.00 s; are they"):
        measure(good, good[:48_000], 48_000)
    with pytest.raises(InputError, match="sample_rate must lie between"):
        measure(good, good, 0)


def test_a_short_tail_is_left_out_and_inputs_stay_as_they_were():
    good = tone(220)
    longer = np.concatenate([good, np.ones(2000)])
    before = longer.copy()
    assert spectral_distance(good, longer, 48_000) == 0.0
    assert loudness_error(good, longer, 48_000).mean_abs_db == 0.0
    assert (longer == before).all()


# --- pitch


@pytest.mark.parametrize(("tracker", "sample_rate"), [
    ("swift", 16_000), ("swift", 44_100), ("swift", 48_000), ("crepe", 44_100),
    *(pytest.param("crepe", rate, marks=pytest.mark.slow) for rate in (16_000, 48_000))])
def test_ten_cents_sharp_is_ten_cents(tracker, sample_rate):
    error = pitch_error(glide(sample_rate), glide(sample_rate, cents=10), sample_rate, tracker)
    assert error.median_cents == pytest.approx(10, abs=0.5)
    assert error.bias_cents == pytest.approx(10, abs=0.5)
    assert error.heard == 1.0
    assert error.ghost == 0.0
    assert 190 <= error.n_frames <= 200


def test_a_transposition_is_compared_with_the_shifted_original():
    low, high = tone(220), tone(220 * 2 ** (7 / 12))
    assert pitch_error(low, high, 48_000, "swift", transposed_by_semitones=7).median_cents < 3
    assert pitch_error(low, high, 48_000, "swift").bias_cents == pytest.approx(700, abs=3)


@pytest.mark.parametrize("tracker", ["swift", "crepe"])
def test_missing_sound_is_not_heard(tracker):
    error = pitch_error(tone(440), np.zeros(72_000), 48_000, tracker)
    assert error.heard == 0.0
    assert error.ghost == 0.0
    assert math.isnan(error.median_cents) and math.isnan(error.p95_cents)


@pytest.mark.parametrize("tracker", ["swift", "crepe"])
def test_pitch_out_of_nothing_is_ghost(tracker):
    error = pitch_error(np.zeros(72_000), tone(440), 48_000, tracker)
    assert error.ghost > 0.9
    assert error.n_frames == 0
    assert math.isnan(error.heard)


def test_tracks_compared_by_hand():
    sure = SURE["swift"]
    # frames: sure, sure, sure but lost, not quite sure, undecided, ghost, none in both, undecided and pitched
    reference = track([100] * 8, [sure, sure, sure, sure - 0.01, UNPITCHED, UNPITCHED - 0.01, 0, VOICED - 0.01])
    estimate = track([100 * 2 ** (4 / 1200), 100 * 2 ** (-8 / 1200), *[300] * 6],
                     [VOICED, 1, VOICED - 0.01, 1, 1, VOICED, VOICED - 0.01, 1])
    error = compare_tracks(reference, estimate)
    assert error.n_frames == 3
    assert error.heard == pytest.approx(2 / 3)
    assert error.ghost == pytest.approx(1 / 8)
    assert error.median_cents == pytest.approx(6, abs=1e-3)
    assert error.p95_cents == pytest.approx(4 + 0.95 * 4, abs=1e-3)  # numpy's linear rule between 4 and 8
    assert error.bias_cents == pytest.approx(-2, abs=1e-3)


def test_pitches_shifted_out_of_the_trackers_range_are_left_out():
    high_hz = TRACKERS["swift"].range_hz[1]
    reference = track([high_hz / 4, high_hz * 0.48], [1, 1])
    error = compare_tracks(reference, track([high_hz / 2, high_hz * 0.96], [1, 1]), 12)
    assert error.n_frames == 1
    assert error.median_cents == pytest.approx(0, abs=1e-3)


def test_the_floor_of_two_trackers_is_small_on_a_plain_tone():
    floor = tracker_floor(tone(440), 48_000, "crepe", "swift")
    assert floor.median_cents < 10
    assert floor.heard > 0.95
    assert floor.n_frames > 100


def test_every_size_of_crepe_is_crepe():
    assert track([100], [SURE["crepe"]], "crepe-full").sure.all()
    assert other_tracker("crepe-full") == "swift"


def test_an_unknown_tracker_is_named():
    with pytest.raises(InputError, match=r"tracker must be one of .*, got 'praat'"):
        track_pitch(tone(440), 48_000, "praat")
    with pytest.raises(InputError, match=r"tracker must be one of .*, got 'praat'"):
        track([100], [1], "praat")
    with pytest.raises(InputError, match="transposed_by_semitones must lie between -60 and 60"):
        pitch_error(tone(440), tone(440), 48_000, "swift", transposed_by_semitones=1200)


# --- loudness


@pytest.mark.parametrize("sample_rate", [16_000, 44_100, 48_000])
def test_twice_the_amplitude_is_6_02_db(sample_rate):
    error = loudness_error(tone(440, sample_rate), 2 * tone(440, sample_rate), sample_rate)
    assert error.mean_difference_db == pytest.approx(20 * math.log10(2), abs=1e-3)
    assert error.mean_abs_db == pytest.approx(0, abs=1e-3)


def test_the_asked_change_is_taken_off():
    error = loudness_error(tone(440), 0.5 * tone(440), 48_000, expected_change_db=-6)
    assert error.mean_difference_db == pytest.approx(-0.0206, abs=1e-3)
    with pytest.raises(InputError, match="expected_change_db must lie between -120 and 120"):
        loudness_error(tone(440), tone(440), 48_000, expected_change_db=float("nan"))


def test_half_louder_and_half_softer_is_a_mean_of_2_db():
    half = np.where(np.arange(480_000) < 240_000, 10 ** (2 / 20), 10 ** (-2 / 20))
    long_tone = tone(440, duration_s=10)
    error = loudness_error(long_tone, half * long_tone, 48_000)
    assert error.mean_abs_db == pytest.approx(2, abs=0.02)
    assert error.mean_difference_db == pytest.approx(0, abs=0.02)


def test_frames_50_db_below_the_loudest_do_not_count():
    level = np.where(np.arange(480_000) < 240_000, 1.0, 1e-3)  # -60 dB
    wrong = np.where(np.arange(480_000) < 250_000, 1.0, 10.0)
    long_tone = level * tone(440, duration_s=10)
    assert loudness_error(long_tone, wrong * long_tone, 48_000).mean_abs_db < 0.01
    level[240_000:] = 10 ** (-40 / 20)
    assert loudness_error(level * tone(440, duration_s=10), wrong * level * tone(440, duration_s=10),
                          48_000).mean_abs_db > 5


def test_a_silent_reference_is_refused():
    with pytest.raises(InputError, match="loudness_error: reference must hold some sound, got silence"):
        loudness_error(np.zeros(48_000), tone(440, duration_s=1), 48_000)


# --- notes


def score(*notes, bends=()):
    return Notes(tuple(Note(pitch, 80, onset_s, onset_s + 0.4) for pitch, onset_s in notes), bend_semitones=bends)


def test_notes_counted_by_hand():
    reference = score((60, 0.0), (62, 0.5), (64, 1.0), (65, 1.5))
    # right, 49 ms late: right, 51 ms late: wrong, 60 cents sharp: wrong, one too many
    estimate = score((60, 0.0), (62, 0.549), (64, 1.051), (65.6, 1.5), (70, 3.0))
    scores = note_scores(reference, estimate)
    assert (scores.precision, scores.recall) == (2 / 5, 2 / 4)
    assert scores.f_measure == pytest.approx(2 * 0.4 * 0.5 / 0.9)


def test_lengths_of_notes_do_not_count():
    reference = score((60, 0.0))
    assert note_scores(reference, Notes((Note(60, 1, 0.0, 9.0),))).f_measure == 1.0


def test_a_bend_is_part_of_the_pitch():
    bent = score((60, 0.0), (60, 0.5), bends=((0.1, 1.0), (0.45, 0.0)))
    assert note_scores(bent, score((61, 0.0), (60, 0.5))).f_measure == 1.0
    assert note_scores(score((60, 0.0), (60, 0.5)), score((61, 0.0), (60, 0.5))).f_measure == 0.5


def test_no_notes():
    nothing = note_scores(score((60, 0.0)), Notes(()))
    assert (nothing.precision, nothing.recall, nothing.f_measure) == (0, 0, 0)
    with pytest.raises(InputError, match="note_scores: reference must hold at least one note, got 0"):
        note_scores(Notes(()), score((60, 0.0)))


def test_without_mir_eval_the_fix_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "mir_eval", None)
    with pytest.raises(InputError, match=r"mir_eval is not installed; pip install 'ddspvae\[evaluation\]'"):
        note_scores(score((60, 0.0)), score((60, 0.0)))


def test_harmonic_error_is_what_one_harmonic_lacks():
    rate, hop, f0_hz = 48_000, 240, np.full(400, 110.0)
    t = np.arange(400 * hop) / rate

    def sound(levels_db):
        return sum(0.05 * 10 ** (db / 20) * np.cos(2 * np.pi * (110 * k * t + k * k / 7))
                   for k, db in enumerate(levels_db, 1))

    sure = np.arange(400) % 2 == 0
    reference = sound([0, -3, -6, -9, -12])
    assert harmonic_error(reference, reference, rate, hop, f0_hz, sure) == 0
    assert harmonic_error(reference, 0.1 * reference, rate, hop, f0_hz, sure) < 0.01
    # levels are beside the sum of all: without most of the third, four rise by 1.6 dB and it falls by 10.4
    less = harmonic_error(reference, sound([0, -3, -18, -9, -12]), rate, hop, f0_hz, sure)
    total = [sum(10 ** (db / 20) for db in levels) for levels in ([0, -3, -6, -9, -12], [0, -3, -18, -9, -12])]
    rise_db = 20 * np.log10(total[0] / total[1])
    assert less == pytest.approx((4 * rise_db + 12 - rise_db) / 5, abs=0.05)
    assert np.isnan(harmonic_error(reference, reference, rate, hop, f0_hz, np.zeros(400, dtype=bool)))
    assert np.isnan(harmonic_error(0 * reference, reference, rate, hop, f0_hz, sure)), "silence has no harmonics"
    half = reference * (np.arange(len(reference)) < 48_000)
    noise = 1e-6 * np.random.default_rng(0).standard_normal(len(half))
    assert harmonic_error(half, half + noise, rate, hop, f0_hz, sure) < 0.3
    with pytest.raises(InputError, match="harmonic_error: estimate must be as long"):
        harmonic_error(reference, reference[:40_000], rate, hop, f0_hz, sure)
