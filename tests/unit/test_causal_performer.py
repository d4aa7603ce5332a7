from dataclasses import replace

import numpy as np
import pytest

from ddspvae.features.statistics import Statistics
from ddspvae.midi.causal import SILENT_DB, CausalPerformer
from ddspvae.midi.rules import perform
from ddspvae.signals import Note, Notes
from ddspvae.signals.checks import InputError
from ddspvae.signals.units import amplitude_to_db, db_to_amplitude, hz_to_cents, hz_to_pitch, pitch_to_hz

SAMPLE_RATE = 48_000
STATISTICS = Statistics(
    pitch_low=55.0, pitch_high=90.0, loudness_quantiles_db=tuple(np.linspace(-45, -12, 101)), silence_db=-75.0,
    attack_s=0.1, release_db_per_s=120.0, vibrato_extent_cents=25.0, vibrato_rate_hz=5.0, vibrato_delay_s=0.25,
    glide_s=0.05, minutes=10.0)
INSTANT = replace(STATISTICS, attack_s=0.0, glide_s=0.0, vibrato_delay_s=0.0)
SLOW = replace(STATISTICS, attack_s=3.0, glide_s=3.0, vibrato_rate_hz=0.0)
SOFTEST_DB, MIDDLE_DB, LOUDEST_DB = -43.35, -28.005, -12.66  # velocity 1, 64, 127: quantile 0.05, 0.515, 0.98
VOICE = np.array([0])


def samples(time_s: float) -> int:
    return round(time_s * SAMPLE_RATE)


def make(statistics: Statistics = STATISTICS, n_voices: int = 1, expression: float = 0.0) -> CausalPerformer:
    return CausalPerformer(statistics, SAMPLE_RATE, n_voices, expression=expression)


def at(performer: CausalPerformer, time_s: float, voice: int = 0) -> tuple[float, float, float]:
    """Pitch, periodicity and loudness of one voice."""
    f0_hz, periodicity, loudness_db = performer.curves(np.array([voice]), samples(time_s))
    return float(hz_to_pitch(f0_hz.astype(float))[0]), float(periodicity[0]), float(loudness_db[0])


def loudness_db(performer: CausalPerformer, time_s: float) -> float:
    return at(performer, time_s)[2]


def test_shapes_and_types():
    performer = make(n_voices=8)
    for voices in (np.arange(8), np.array([5, 2]), np.array([], dtype=int)):
        curves = performer.curves(voices, 100)
        assert [curve.shape for curve in curves] == [voices.shape] * 3
        assert [curve.dtype for curve in curves] == [np.float32] * 3
        assert performer.finished(voices, 100).shape == voices.shape
        assert performer.finished(voices, 100).dtype == bool


def test_a_voice_that_never_played_is_silent():
    performer = make(n_voices=2, expression=1.0)
    pitch, periodicity, level_db = at(performer, 0.0)
    assert np.isfinite(pitch)
    assert (periodicity, level_db) == (0, -120)
    assert performer.finished(np.arange(2), 0).all()
    performer.start(1, 60, 64, 0)
    for time_s in (0.0, 1.0):
        assert performer.finished(np.arange(2), samples(time_s)).tolist() == [True, False]


def test_an_attack_rises_in_a_straight_line_from_its_onset():
    performer = make()
    performer.start(0, 60, 64, samples(1.0))
    assert loudness_db(performer, 1.0) == -120
    assert loudness_db(performer, 1.001) == pytest.approx(MIDDLE_DB - 40, abs=1e-4)  # 1 of 100 ms
    assert loudness_db(performer, 1.05) == pytest.approx(MIDDLE_DB - 6.0206, abs=1e-4)
    assert loudness_db(performer, 1.1) == pytest.approx(MIDDLE_DB, abs=1e-4)
    assert loudness_db(performer, 9.0) == pytest.approx(MIDDLE_DB, abs=1e-4)
    # the first sample of 4800: 20 log10(1 / 4800)
    first = performer.curves(VOICE, samples(1.0) + 1)[2][0]
    assert first == pytest.approx(MIDDLE_DB - 73.625, abs=1e-3)


def test_pitch_and_periodicity_are_there_at_once():
    performer = make(expression=1.0)
    performer.start(0, 60, 64, 0)
    assert at(performer, 0.0)[:2] == (pytest.approx(60, abs=1e-5), 1)
    performer.start(0, 72.5, 64, samples(1.0))
    assert at(performer, 1.0) == (pytest.approx(72.5, abs=1e-5), 1, -120)


def test_the_longest_attack_and_none():
    slow = make(SLOW)
    slow.start(0, 60, 64, 0)
    assert loudness_db(slow, 0.075) == pytest.approx(MIDDLE_DB - 6.0206, abs=1e-4)  # half of 150 ms
    instant = make(INSTANT)
    instant.start(0, 60, 64, 0)
    assert instant.curves(VOICE, 0)[2][0] == -120
    assert instant.curves(VOICE, 1)[2][0] == pytest.approx(MIDDLE_DB, abs=1e-4)


@pytest.mark.parametrize(("velocity", "level_db"), [(1, SOFTEST_DB), (64, MIDDLE_DB), (127, LOUDEST_DB)])
def test_velocity_picks_a_level_of_the_recordings(velocity, level_db):
    performer = make()
    performer.start(0, 60, velocity, 0)
    assert loudness_db(performer, 0.5) == pytest.approx(level_db, abs=1e-4)


def test_a_release_falls_as_measured():
    performer = make()
    performer.start(0, 60, 64, 0)
    performer.release(0, samples(1.0))
    assert at(performer, 1.0) == (pytest.approx(60, abs=1e-5), 1, pytest.approx(MIDDLE_DB, abs=1e-4))
    # 120 dB/s: 12 dB in 0.1 s, three tenths of the way to 40 dB
    assert at(performer, 1.1) == (pytest.approx(60, abs=1e-5), pytest.approx(0.7), pytest.approx(MIDDLE_DB - 12, abs=1e-4))
    assert at(performer, 1.5)[1] == 0
    assert loudness_db(performer, 3.0) == -120
    # from -28.005 to -115 dB: 86.995 / 120 s = 34798 samples
    assert not performer.finished(VOICE, samples(1.0))[0]
    assert not performer.finished(VOICE, samples(1.0) + 34_797)[0]
    assert performer.finished(VOICE, samples(1.0) + 34_799)[0]


def test_a_release_in_the_attack_falls_from_there():
    performer = make()
    performer.start(0, 60, 64, 0)
    performer.release(0, samples(0.05))
    assert loudness_db(performer, 0.05) == pytest.approx(MIDDLE_DB - 6.0206, abs=1e-4)
    assert loudness_db(performer, 0.15) == pytest.approx(MIDDLE_DB - 18.0206, abs=1e-4)


def test_a_release_is_final():
    performer = make()
    performer.start(0, 60, 64, 0)
    performer.release(0, samples(1.0))
    performer.release(0, samples(1.1))
    assert loudness_db(performer, 1.2) == pytest.approx(MIDDLE_DB - 24, abs=1e-4)


def test_a_note_of_no_length_is_not_heard():
    performer = make()
    performer.start(0, 60, 64, 100)
    performer.release(0, 100)
    assert performer.curves(VOICE, 5000)[2][0] == -120
    assert performer.finished(VOICE, 100)[0]


def test_bound_notes_glide_and_dip():
    performer = make()
    performer.start(0, 60, 64, 0)
    performer.start(0, 64, 64, samples(1.0), legato=True)
    assert at(performer, 1.0) == (pytest.approx(60, abs=1e-5), 1, pytest.approx(MIDDLE_DB, abs=1e-4))
    # a quarter of the way through half a cosine: 1/2 - cos(45 degrees) / 2 = 0.14645
    assert at(performer, 1.0125)[0] == pytest.approx(60 + 4 * 0.14645, abs=1e-4)
    assert at(performer, 1.025)[0] == pytest.approx(62, abs=1e-4)
    assert at(performer, 1.05)[0] == pytest.approx(64, abs=1e-4)
    assert loudness_db(performer, 1.01) == pytest.approx(MIDDLE_DB - 1.5, abs=1e-4)  # a parabola of 2 dB
    assert loudness_db(performer, 1.02) == pytest.approx(MIDDLE_DB - 2, abs=1e-4)
    assert loudness_db(performer, 1.04) == pytest.approx(MIDDLE_DB, abs=1e-4)


def test_a_bound_note_goes_to_its_own_level():
    performer = make()
    performer.start(0, 60, 1, 0)
    performer.start(0, 64, 127, samples(1.0), legato=True)
    mean = (db_to_amplitude(SOFTEST_DB) + db_to_amplitude(LOUDEST_DB)) / 2
    assert loudness_db(performer, 1.0) == pytest.approx(SOFTEST_DB, abs=1e-4)
    assert loudness_db(performer, 1.02) == pytest.approx(amplitude_to_db(mean) - 2, abs=1e-4)
    assert loudness_db(performer, 1.04) == pytest.approx(LOUDEST_DB, abs=1e-4)


def test_the_longest_glide_and_none():
    slow = make(SLOW)
    instant = make(INSTANT)
    for performer in (slow, instant):
        performer.start(0, 60, 64, 0)
        performer.start(0, 64, 64, samples(1.0), legato=True)
        assert at(performer, 1.0)[0] == pytest.approx(60, abs=1e-5)
    assert at(slow, 1.03)[0] == pytest.approx(62, abs=1e-4)  # half of 60 ms
    assert hz_to_pitch(instant.curves(VOICE, samples(1.0) + 1)[0].astype(float))[0] == pytest.approx(64, abs=1e-5)


def test_a_glide_reaches_its_note_after_a_release():
    performer = make()
    performer.start(0, 60, 64, 0)
    performer.start(0, 64, 64, samples(1.0), legato=True)
    performer.release(0, samples(1.02))
    assert at(performer, 1.025)[0] == pytest.approx(62, abs=1e-4)
    assert at(performer, 1.5)[0] == pytest.approx(64, abs=1e-5)
    # the change of level ends where it was: in the middle of the dip
    assert loudness_db(performer, 1.12) == pytest.approx(MIDDLE_DB - 14, abs=1e-4)


def test_legato_on_a_fading_voice_goes_on_from_there():
    performer = make()
    performer.start(0, 60, 64, 0)
    performer.release(0, samples(1.0))
    performer.start(0, 64, 64, samples(1.1), legato=True)
    assert at(performer, 1.1) == (pytest.approx(60, abs=1e-5), pytest.approx(0.7), pytest.approx(MIDDLE_DB - 12, abs=1e-4))
    assert at(performer, 1.12)[1] == pytest.approx(0.85)
    assert at(performer, 1.2) == (pytest.approx(64, abs=1e-5), 1, pytest.approx(MIDDLE_DB, abs=1e-4))


@pytest.mark.parametrize("released", [False, True])
def test_legato_on_a_silent_voice_is_an_attack(released):
    performer, alone = make(), make()
    if released:
        performer.start(0, 60, 64, 0)
        performer.release(0, samples(0.5))
    performer.start(0, 64, 64, samples(2.0), legato=True)
    alone.start(0, 64, 64, samples(2.0))
    for time_s in (2.0, 2.01, 2.05, 3.0):
        assert at(performer, time_s) == at(alone, time_s)


def cents(performer: CausalPerformer, time_s: float, pitch: float = 60) -> float:
    return float(hz_to_cents(float(pitch_to_hz(at(performer, time_s)[0])), float(pitch_to_hz(pitch))))


@pytest.mark.parametrize("expression", [1.0, 0.5, 0.0])
def test_vibrato_comes_after_its_delay(expression):
    performer = make(expression=expression)
    performer.start(0, 60, 64, 0)
    assert cents(performer, 0.0) == pytest.approx(0, abs=1e-3)
    assert abs(cents(performer, 0.1)) < 1e-3  # 0.125 s before the delay the rise has not begun
    # at its delay of 0.25 s half of it, and it takes 0.25 s to rise: 0.7 of it 50 ms, a quarter of a cycle, later
    assert cents(performer, 0.3) == pytest.approx(0.7 * 25 * expression, abs=0.01)
    # 0.85 and 0.95 s after the delay, at 5 Hz: 4.25 and 4.75 cycles
    assert cents(performer, 1.1) == pytest.approx(25 * expression, abs=0.01)
    assert cents(performer, 1.2) == pytest.approx(-25 * expression, abs=0.01)


def test_vibrato_begins_at_0_even_without_delay():
    performer = make(INSTANT, expression=1.0)
    performer.start(0, 60, 64, 0)
    assert cents(performer, 0.0) == pytest.approx(0, abs=1e-3)
    # 30 ms: half started, 0.5 + 0.03 / 0.2 of the rise, sin(2 pi 0.15) = 0.809
    assert cents(performer, 0.03) == pytest.approx(25 * 0.5 * 0.65 * 0.80902, abs=0.01)


def test_vibrato_fades_after_a_release():
    performer, held = make(expression=1.0), make(expression=1.0)
    for each in (performer, held):
        each.start(0, 60, 64, 0)
    performer.release(0, samples(1.08))
    assert cents(performer, 1.08) == pytest.approx(cents(held, 1.08), abs=1e-6)
    assert cents(performer, 1.11) == pytest.approx(0.5 * cents(held, 1.11), abs=0.01)  # half of 60 ms
    assert abs(cents(performer, 1.14)) < 1e-3
    assert abs(cents(performer, 1.2)) < 1e-3


def test_the_wheel_bends_all_voices_from_now_on():
    performer = make(n_voices=2)
    performer.start(0, 60, 64, 0)
    performer.start(1, 67, 64, 0)
    performer.bend(1.5)
    assert at(performer, 0.5, 0)[0] == pytest.approx(61.5, abs=1e-5)
    assert at(performer, 0.5, 1)[0] == pytest.approx(68.5, abs=1e-5)
    performer.start(0, 64, 64, samples(1.0), legato=True)  # bent like the note before: no jump
    assert at(performer, 1.0)[0] == pytest.approx(61.5, abs=1e-5)
    performer.bend(0)
    assert at(performer, 2.0)[0] == pytest.approx(64, abs=1e-5)


def random_events(seed: int, n_voices: int, n_events: int = 60) -> list[tuple]:
    """(sample, voice, pitch or None for a release, velocity, legato), in order."""
    random = np.random.default_rng(seed)
    now = np.cumsum(random.choice([0, 1, 100, 700, 3000, 20_000], n_events))
    return [(int(sample), int(random.integers(n_voices)),
             None if random.random() < 0.3 else float(random.integers(0, 128)), int(random.integers(1, 128)),
             bool(random.random() < 0.5)) for sample in now]


def play(performer: CausalPerformer, event: tuple) -> None:
    sample, voice, pitch, velocity, legato = event
    if pitch is None:
        performer.release(voice, sample)
    else:
        performer.start(voice, pitch, velocity, sample, legato=legato)


@pytest.mark.parametrize("statistics", [STATISTICS, INSTANT, SLOW])
def test_nothing_jumps_at_a_bound_note_or_a_release(statistics):
    performer = make(statistics, expression=1.0)
    n_compared = 0
    for event in random_events(1, 1, 400):
        sample = event[0]
        just_before = performer.curves(VOICE, sample - 1)
        before = performer.curves(VOICE, sample)
        play(performer, event)
        after = performer.curves(VOICE, sample)
        if event[2] is not None and (not event[4] or before[2][0] <= SILENT_DB):
            continue  # attacks begin in silence
        n_compared += 1
        np.testing.assert_allclose(after[0], before[0], rtol=1e-6)
        np.testing.assert_allclose(after[1], before[1], atol=1e-6)
        np.testing.assert_allclose(after[2], before[2], atol=1e-4)
        if statistics is STATISTICS and before[2][0] > -50:
            np.testing.assert_allclose(hz_to_cents(after[0].astype(float), just_before[0].astype(float)), 0, atol=20)
            np.testing.assert_allclose(after[2], just_before[2], atol=1)
    assert n_compared > 150


def test_asking_changes_nothing():
    """Asked for instants ahead, in any order and number, the answers are the same, and those of a stream cut short."""
    events = random_events(2, 8)
    voices = np.arange(8)
    asked, quiet, cut = (make(n_voices=8, expression=1.0) for _ in range(3))
    random = np.random.default_rng(3)
    for number, event in enumerate(events):
        play(asked, event)
        play(quiet, event)
        if number < 30:
            play(cut, event)
        ahead = event[0] + random.integers(0, 50_000, 5)
        first = [asked.curves(voices, int(sample)) for sample in ahead]
        asked.finished(voices, int(ahead[0]))
        again = [asked.curves(voices, int(sample)) for sample in ahead[::-1]][::-1]
        np.testing.assert_array_equal(first, again)
        np.testing.assert_array_equal(asked.curves(voices, event[0]), quiet.curves(voices, event[0]))
        if number == 29:
            np.testing.assert_array_equal(first, [cut.curves(voices, int(sample)) for sample in ahead])


def test_eight_together_equal_eight_alone():
    events = random_events(4, 8)
    together = make(n_voices=8, expression=1.0)
    alone = [make(expression=1.0) for _ in range(8)]
    for sample, voice, *note in events:
        play(together, (sample, voice, *note))
        play(alone[voice], (sample, 0, *note))
        curves = together.curves(np.arange(8), sample + 480)
        np.testing.assert_array_equal(curves, np.concatenate([one.curves(VOICE, sample + 480) for one in alone], axis=1))
        chosen = np.array([7, 0, 3])
        np.testing.assert_array_equal(np.array(curves)[:, chosen], together.curves(chosen, sample + 480))
        np.testing.assert_array_equal(together.finished(np.arange(8), sample),
                                      np.concatenate([one.finished(VOICE, sample) for one in alone]))


def test_a_day_later_it_plays_the_same():
    early, late = make(expression=1.0), make(expression=1.0)
    day = 86_400 * SAMPLE_RATE
    for event in random_events(5, 1):
        play(early, event)
        play(late, (event[0] + day, *event[1:]))
        np.testing.assert_array_equal(early.curves(VOICE, event[0] + 333), late.curves(VOICE, event[0] + day + 333))


@pytest.mark.parametrize("statistics", [STATISTICS, INSTANT, SLOW])
def test_whatever_happens_the_curves_are_in_range(statistics):
    performer = make(statistics, n_voices=4, expression=10.0)
    for event in random_events(6, 4, 300):
        play(performer, event)
        for ahead in (0, 1, 240, 100_000):
            f0_hz, periodicity, level_db = performer.curves(np.arange(4), event[0] + ahead)
            assert np.isfinite(f0_hz).all() and f0_hz.min() > 0
            assert periodicity.min() >= 0 and periodicity.max() <= 1
            assert level_db.min() >= -120 and level_db.max() <= LOUDEST_DB + 1e-4


def test_it_plays_as_the_rules_do():
    """A long note alone: the same vibrato, level and release as the performer that knows the score."""
    rate_hz = 200.0
    notes = Notes((Note(60, 80, 0.0, 2.0),))
    flat = perform(notes, STATISTICS, rate_hz, expression=0)  # no swell
    vibrato = perform(notes, STATISTICS, rate_hz, expression=1)
    plain, expressive = make(), make(expression=1.0)
    for performer in (plain, expressive):
        performer.start(0, 60, 80, 0)
    for frame in range(round(1.9 * rate_hz)):
        sample = round(frame * SAMPLE_RATE / rate_hz)
        assert expressive.curves(VOICE, sample)[0][0] == pytest.approx(vibrato.f0_hz[frame], rel=2e-6)
    for frame in range(round(0.1 * rate_hz), len(flat.f0_hz)):
        sample = round(frame * SAMPLE_RATE / rate_hz)
        if frame == 2.0 * rate_hz:
            plain.release(0, sample)
        f0_hz, periodicity, level_db = plain.curves(VOICE, sample)
        assert f0_hz[0] == flat.f0_hz[frame]
        assert periodicity[0] == pytest.approx(flat.periodicity[frame], abs=1e-5)
        assert level_db[0] == pytest.approx(flat.loudness_db[frame], abs=1e-3)


@pytest.mark.parametrize(("call", "match"), [
    (lambda: CausalPerformer(STATISTICS, 0, 1), "CausalPerformer: sample_rate must lie between 1"),
    (lambda: CausalPerformer(STATISTICS, SAMPLE_RATE, 0), "CausalPerformer: n_voices must lie between 1"),
    (lambda: make(expression=-1.0), "CausalPerformer: expression must lie between 0 and 10, got -1"),
    (lambda: make().start(1, 60, 64, 0), "start: voice must lie between 0 and 0, got 1"),
    (lambda: make().start(-1, 60, 64, 0), "start: voice must lie between 0 and 0, got -1"),
    (lambda: make().start(0, 128, 64, 0), "start: pitch must lie between 0 and 127, got 128"),
    (lambda: make().start(0, 60, 0, 0), "start: velocity must lie between 1 and 127, got 0"),
    (lambda: make().release(1, 0), "release: voice must lie between 0 and 0, got 1"),
    (lambda: make().bend(float("nan")), "bend: semitones must lie between -128 and 128, got nan"),
])
def test_errors(call, match):
    with pytest.raises(InputError, match=match):
        call()


def test_events_must_come_in_order():
    performer = make(n_voices=2)
    performer.start(0, 60, 64, 1000)
    with pytest.raises(InputError, match="release: at_sample must not come before the last event .* 0 at 1000, got 999"):
        performer.release(0, 999)
    performer.release(0, 2000)
    with pytest.raises(InputError, match="start: at_sample must not come before the last event .* 0 at 2000, got 1500"):
        performer.start(0, 60, 64, 1500)
    performer.start(1, 60, 64, 500)
    performer.start(0, 60, 64, 2000)
