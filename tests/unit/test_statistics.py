import json
from dataclasses import replace

import numpy as np
import pytest

from ddspvae.features.segments import segment_notes
from ddspvae.features.statistics import Statistics, measure
from ddspvae.signals import Features
from ddspvae.signals.checks import InputError
from ddspvae.signals.units import amplitude_to_db, pitch_to_hz

RATE_HZ = 200.0


def unheard(n_frames):
    """Timbre and partials, which statistics do not look at."""
    return np.zeros((n_frames, 1)), np.zeros((n_frames, 1))


def segments(pitch, periodicity=None, loudness_db=None):
    pitch = np.asarray(pitch, dtype=float)
    return segment_notes(
        pitch_to_hz(pitch),
        np.ones(len(pitch)) if periodicity is None else periodicity,
        np.full(len(pitch), -20.0) if loudness_db is None else loudness_db,
        RATE_HZ,
    )


def test_steps_are_notes():
    pitch = [60, 62, 64, 65, 64, 65, 64, 60.6, 60, 72]
    found = segments(np.repeat(pitch, 20))  # 0.1 s each
    assert [(start, stop) for start, stop, _ in found] == [(20 * i, 20 * i + 20) for i in range(len(pitch))]
    np.testing.assert_allclose([p for *_, p in found], pitch)


@pytest.mark.parametrize("rate_hz", [4.0, 5.0, 6.0, 7.5])
@pytest.mark.parametrize("phase", [0.0, 2.0, 4.0])
@pytest.mark.parametrize("duration_s", [0.5, 3.0])
def test_vibrato_splits_nothing(rate_hz, phase, duration_s):
    time_s = np.arange(round(duration_s * RATE_HZ)) / RATE_HZ
    found = segments(60.1 + 0.6 * np.sin(2 * np.pi * rate_hz * time_s + phase))
    assert [(start, stop) for start, stop, _ in found] == [(0, len(time_s))]
    assert found[0][2] == pytest.approx(60.1, abs=0.1)


def test_a_semitone_between_notes_with_vibrato_is_a_step():
    time_s = np.arange(200) / RATE_HZ
    vibrato = 0.25 * np.sin(2 * np.pi * 5.5 * time_s)
    found = segments(np.concatenate([60 + vibrato, 61 + vibrato, 60 + vibrato]))
    assert [round(p) for *_, p in found] == [60, 61, 60]
    np.testing.assert_allclose([start for start, *_ in found], [0, 200, 400], atol=4)


def test_a_glide_is_cut_in_the_middle():
    found = segments(np.concatenate([np.full(60, 60.0), np.linspace(60, 72, 16), np.full(60, 72.0)]))
    assert [round(p) for *_, p in found] == [60, 72]
    assert found[1][0] == pytest.approx(68, abs=1)


def test_an_octave_slip_of_40_ms_is_not_a_note():
    assert len(segments(np.concatenate([np.full(60, 60.0), np.full(8, 72.0), np.full(60, 60.0)]))) == 1


def test_gaps_of_30_ms_separate_and_shorter_ones_do_not():
    for n_frames, n_notes in ((5, 1), (6, 2)):
        periodicity = np.ones(120)
        periodicity[60 : 60 + n_frames] = 0.1
        assert len(segments(np.full(120, 60.0), periodicity)) == n_notes


@pytest.mark.parametrize(("depth_db", "n_notes"), [(5.0, 1), (7.0, 2)])
def test_dips_of_6_db_are_new_attacks(depth_db, n_notes):
    loudness_db = np.full(200, -20.0)
    loudness_db[90:111] -= depth_db * np.bartlett(21)
    found = segments(np.full(200, 60.0), loudness_db=loudness_db)
    assert [start for start, *_ in found] == [0, 100][:n_notes]


def test_silence_and_blips_are_not_notes():
    loudness_db = np.full(200, -80.0)
    loudness_db[100:160] = -20.0
    periodicity = np.ones(200)
    assert [note[:2] for note in segments(np.full(200, 60.0), periodicity, loudness_db)] == [(100, 160)]
    periodicity[:] = 0
    periodicity[100:109] = 1  # 45 ms
    assert segments(np.full(200, 60.0), periodicity, loudness_db) == []


def take(*, attack_s=0.06, release_db_per_s=100.0, extent_cents=25.0, vibrato_rate_hz=5.5, delay_s=0.3, glide_s=0.05,
         rate_hz=RATE_HZ) -> Features:
    """Twelve pairs of bound notes, 1.8 s each, with rests between them."""
    time_s = np.arange(round(2.4 * rate_hz)) / rate_hz
    since_s = np.where(time_s < 1, time_s, time_s - 1)
    way = np.clip((time_s - 1) / glide_s + 0.5, 0, 1)
    vibrato = np.where(since_s > delay_s, np.sin(2 * np.pi * vibrato_rate_hz * (since_s - delay_s)), 0.0)
    vibrato[(time_s > 1.8) | (abs(time_s - 1) < glide_s / 2)] = 0
    rise_db = amplitude_to_db(np.minimum(time_s / attack_s, 1))
    fall_db = release_db_per_s * np.maximum(time_s - 1.8, 0)
    pitch, loudness = [], []
    for number in range(12):
        pitch.append(60 + 2 * (number % 5) + 3 * way + extent_cents / 100 * vibrato)
        loudness.append(np.maximum(-20 - 2 * (number % 4) + rise_db - fall_db, -75))
    f0_hz = pitch_to_hz(np.concatenate(pitch))
    periodicity = np.tile(time_s < 1.85, 12).astype(float)
    return Features(f0_hz, periodicity, np.concatenate(loudness), *unheard(len(f0_hz)), rate_hz)


@pytest.mark.parametrize("truth", [
    {},
    {"attack_s": 0.02, "release_db_per_s": 300.0},
    {"attack_s": 0.15, "release_db_per_s": 60.0, "delay_s": 0.15},
    {"glide_s": 0.1, "vibrato_rate_hz": 4.5, "extent_cents": 50.0, "delay_s": 0.1},
    {"rate_hz": 44100 / 512},
])
def test_measure_finds_what_was_put_in(truth):
    want = {"attack_s": 0.06, "release_db_per_s": 100.0, "extent_cents": 25.0, "vibrato_rate_hz": 5.5,
            "delay_s": 0.3, "glide_s": 0.05, "rate_hz": RATE_HZ} | truth
    found = measure([take(**truth)])
    assert found.attack_s == pytest.approx(want["attack_s"], rel=0.05)
    assert found.release_db_per_s == pytest.approx(want["release_db_per_s"], rel=0.03)
    assert found.vibrato_extent_cents == pytest.approx(want["extent_cents"], rel=0.06)
    assert found.vibrato_rate_hz == pytest.approx(want["vibrato_rate_hz"], abs=0.11)
    assert found.vibrato_delay_s == pytest.approx(want["delay_s"], abs=0.06)
    assert found.glide_s == pytest.approx(want["glide_s"], abs=0.006)
    assert found.minutes == pytest.approx(12 * 2.4 / 60, rel=0.01)
    assert found.silence_db == pytest.approx(-75 if want["release_db_per_s"] > 60 else -60, abs=3)
    swing = want["extent_cents"] / 100
    assert found.pitch_low == pytest.approx(60 - swing, abs=0.1)
    assert found.pitch_high == pytest.approx(71 + swing, abs=0.1)
    # levels -20, -22, -24, -26 dB, as often each
    np.testing.assert_allclose(np.array(found.loudness_quantiles_db)[[40, 65, 90]], [-24, -22, -20], atol=0.3)


def test_no_vibrato_is_0():
    assert measure([take(extent_cents=0.0)]).vibrato_extent_cents == 0
    assert measure([take(extent_cents=3.0)]).vibrato_extent_cents == 0


def test_takes_are_measured_together():
    both = measure([take(), take(attack_s=0.06, release_db_per_s=300.0)])
    assert both.minutes == pytest.approx(2 * measure([take()]).minutes)
    assert 100 < both.release_db_per_s < 300


def test_a_lone_octave_slip_does_not_widen_the_range():
    clean = take()
    f0_hz = np.array(clean.f0_hz)
    f0_hz[100:140] /= 2  # 0.2 s
    slipped = measure([replace(clean, f0_hz=f0_hz)])
    assert slipped.pitch_low == pytest.approx(measure([clean]).pitch_low, abs=0.05)
    assert measure([Features(np.full(40, 220.0), np.ones(40), np.full(40, -20.0), *unheard(40), RATE_HZ),
                    clean]).pitch_low == pytest.approx(57)  # a take of one short note counts


def test_a_long_tone_has_usual_values():
    tone = Features(np.full(2000, 440.0), np.ones(2000), np.full(2000, -20.0), *unheard(2000), RATE_HZ)
    found = measure([tone])
    assert (found.glide_s, found.attack_s, found.release_db_per_s) == (0.04, 0.05, 120.0)
    assert found.pitch_low == found.pitch_high == pytest.approx(69)


def test_json_round_trip():
    found = measure([take()])
    assert Statistics.from_dict(json.loads(json.dumps(found.to_dict()))) == found


def test_errors():
    found = measure([take()])
    with pytest.raises(InputError, match="measure: features must hold at least one take, got 0"):
        measure([])
    with pytest.raises(InputError, match="must hold pitched frames, got none"):
        measure([replace(take(), periodicity=np.zeros(len(take().f0_hz)))])
    values = found.to_dict()
    del values["glide_s"]
    with pytest.raises(InputError, match="a difference in glide_s"):
        Statistics.from_dict(values)
    with pytest.raises(InputError, match="loudness_quantiles_db must have shape"):
        replace(found, loudness_quantiles_db=(1.0,))
    with pytest.raises(InputError, match="loudness_quantiles_db must not decrease"):
        replace(found, loudness_quantiles_db=found.loudness_quantiles_db[::-1])
    with pytest.raises(InputError, match="pitch_high must lie between"):
        replace(found, pitch_high=20.0)
    with pytest.raises(InputError, match="release_db_per_s must lie between"):
        replace(found, release_db_per_s=0.0)
    with pytest.raises(InputError, match="attack_s must lie between"):
        replace(found, attack_s=-1.0)


def test_a_real_violin(shared_dir):
    from ddspvae.audio import read_audio
    from ddspvae.features.extract import extract

    path = shared_dir / "recordings" / "violin" / "minji-kim" / "violin-bwv1003mov4-b_01.flac"
    if not path.exists():
        pytest.skip("the shared recordings hold no violin by minji-kim")
    audio, sample_rate = read_audio(path, 48000)
    found = measure([extract(audio[: 60 * sample_rate], sample_rate, 240)])
    assert 54 < found.pitch_low < 60  # the open G string, 55, is rare in this minute
    assert 83 < found.pitch_high < 91
    assert 4 < found.vibrato_rate_hz < 8
    assert 5 < found.vibrato_extent_cents < 40
    assert 0.02 < found.attack_s < 0.2
    assert 60 < found.release_db_per_s < 600
    assert found.glide_s < 0.06
