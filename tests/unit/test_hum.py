"""Hum of the mains is no playing: not for analysis, not for a fit, and the doctor names it."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile

from ddspvae import load
from ddspvae.editing.transfer import fit
from ddspvae.features.extract import extract
from ddspvae.features.hum import find_hum, without_hum
from ddspvae.features.segments import VOICED
from ddspvae.training.doctor.advice import advise
from ddspvae.training.doctor.examine import examine
from ddspvae.training.doctor.symptoms import clipped_share

from ..conftest import tone

RATE, HOP = 48_000, 240


def take(hum_db=-40.0, mains_hz=50.0, seconds=6.0):
    """Two notes with rests, and a hum with harmonics below them: audio, and where nothing is played."""
    time_s = np.arange(round(seconds * RATE)) / RATE
    hum = sum(np.sin(2 * np.pi * mains_hz * k * time_s + k) / k for k in (1, 2, 3, 5))
    noise = 1e-5 * np.random.default_rng(0).standard_normal(len(time_s))
    notes = np.zeros(len(time_s))
    for start, f0_hz in ((1.0, 440.0), (3.5, 523.25)):
        n = round(1.2 * RATE)
        envelope = np.minimum(1, np.minimum(np.arange(n), n - np.arange(n)) / (0.03 * RATE))
        notes[round(start * RATE) : round(start * RATE) + n] = 0.5 * tone(f0_hz, 1.2, RATE)[:n] * envelope
    rms = np.sqrt(np.square(notes[notes != 0]).mean())
    audio = notes + noise + hum * rms * 10 ** (hum_db / 20) / np.sqrt(np.square(hum).mean())
    rest = np.abs(notes).reshape(-1, HOP).max(1) == 0
    return audio.astype(np.float32), rest


@pytest.mark.parametrize("mains_hz", [50.0, 60.0])
def test_hum_has_no_pitch_and_is_not_played_at_the_level_of_notes(mains_hz):
    audio, rest = take(mains_hz=mains_hz)
    features = extract(audio, RATE, HOP)
    assert (features.periodicity[rest] >= VOICED).mean() < 0.05
    assert (features.f0_hz > 200).mean() > 0.99
    flute = load("flute")
    heard = flute.analyze(audio, RATE, foreign=True)
    played = fit(heard, flute.statistics).apply(heard).loudness_db
    inside = np.zeros(len(rest), dtype=bool)
    inside[10:-10] = rest[10:-10] & rest[:-20] & rest[20:]
    assert np.median(played[~rest[: len(played)]]) - np.median(played[inside[: len(played)]]) > 25


def test_a_soft_low_note_is_no_hum():
    loud, soft = tone(220.0, 2.0), 0.03 * tone(49.0, 2.0) * np.hanning(96_000) ** 2
    features = extract(np.concatenate([loud, soft]).astype(np.float32), RATE, HOP)
    assert (features.periodicity[500:700] >= VOICED).mean() > 0.9


def test_one_soft_held_note_is_no_hum_and_far_gaps_keep_their_pitch():
    f0_hz, loudness_db = np.full(6400, 440.0), np.full(6400, -20.0)
    f0_hz[6000:], loudness_db[6000:] = 98.2, -45.0
    assert not find_hum(f0_hz, np.ones(6400), loudness_db, 200.0).any()
    periodicity = np.ones(6400)
    for start in (0, 1000, 2000):
        f0_hz[start : start + 200], loudness_db[start : start + 200] = 50.0, -60.0
    f0_hz[4000:4100], periodicity[4000:4100] = 470.0, 0.1
    f0_hz[6000:], loudness_db[6000:] = 440.0, -20.0
    hum = find_hum(f0_hz, periodicity, loudness_db, 200.0)
    assert hum.sum() == 600
    held_hz, sure = without_hum(f0_hz, periodicity, hum)
    assert (held_hz[4000:4100] == 470).all() and (held_hz[1000:1200] == 440).all() and not sure[hum].any()


@pytest.mark.parametrize(("hum_db", "mains_hz", "said"), [(-40.0, 50.0, True), (-45.0, 60.0, True), (-90.0, 50.0, False)])
def test_the_doctor_hears_hum(tmp_path, hum_db, mains_hz, said):
    audio, _ = take(hum_db, mains_hz)
    soundfile.write(tmp_path / "a.wav", audio, RATE, subtype="FLOAT")
    report = examine([tmp_path / "a.wav"], RATE, HOP, "swift")
    told = " ".join(advise(report))
    assert (f"a.wav hums at {mains_hz:.0f} Hz" in told) == said
    assert report.files[0].lowest_hz > 400


def test_what_is_cut_below_full_scale_is_clipped_and_a_low_sine_is_not():
    loud = 3 * np.sin(2 * np.pi * 220 * np.arange(RATE) / RATE)
    assert clipped_share(0.6 * np.clip(loud, -1, 1)[:, None]) > 0.5
    assert clipped_share((np.round(np.clip(loud, -0.99, 0.99) * 32767) / 32768)[:, None]) > 0.5
    low = np.round(0.9 * np.sin(2 * np.pi * 40 * np.arange(RATE) / RATE) * 32767) / 32768
    assert clipped_share(low[:, None]) == 0
    assert clipped_share(tone(330.0, 1.0)[:, None]) == 0
