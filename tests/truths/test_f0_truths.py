"""Tones of known pitch come back with that pitch, at that time, whatever the tracker and the rate."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from ddspvae.audio import read_audio
from ddspvae.features.extract import track_and_refine
from ddspvae.features.f0 import VOICED, track_f0
from ddspvae.signals.units import hz_to_cents, semitones_to_ratio
from tests.conftest import tone

RATES = [(16_000, 80), (44_100, 256), (48_000, 240)]
TRACKERS = ["swift", "crepe", "autocorrelation"]


def harmonics(f0_hz: float, weights: list[float], seconds: float = 1.0, sample_rate: int = 48_000) -> np.ndarray:
    t = np.arange(round(seconds * sample_rate)) / sample_rate
    audio = sum(w * np.sin(2 * np.pi * k * f0_hz * t) for k, w in enumerate(weights, start=1))
    return (0.3 * audio / np.abs(audio).max()).astype(np.float32)


def errors_cents(f0_hz: np.ndarray, periodicity: np.ndarray, truth_hz: np.ndarray | float) -> np.ndarray:
    """Absolute errors of the pitched frames, of which nearly all must be pitched."""
    sure = periodicity >= VOICED
    assert sure.mean() > 0.95
    return np.abs(hz_to_cents(f0_hz, np.broadcast_to(truth_hz, f0_hz.shape)))[sure]


SOUNDS = {
    "harmonic": (220.0, [1 / k for k in range(1, 20)]),
    "sine": (1000.0, [1.0]),
    "missing fundamental": (200.0, [0.0, 1.0, 1.0, 1.0, 0.5]),
    "odd harmonics only": (147.0, [1 / k if k % 2 else 0.0 for k in range(1, 20)]),
    "35 Hz, below swift": (35.0, [1 / k for k in range(1, 60)]),
    "2300 Hz, above both": (2300.0, [1.0, 0.5, 0.2]),
}


@pytest.mark.parametrize("tracker", TRACKERS)
@pytest.mark.parametrize("name", SOUNDS)
def test_steady_tones(name: str, tracker: str) -> None:
    f0_hz, weights = SOUNDS[name]
    error = errors_cents(*track_f0(harmonics(f0_hz, weights), 48_000, 240, tracker), f0_hz)
    assert np.median(error) < 15
    assert (error < 50).mean() > 0.98


@pytest.mark.parametrize("tracker", TRACKERS)
@pytest.mark.parametrize("f0_hz", [35.0, 110.0, 440.0])
def test_noise_as_strong_as_the_tone(f0_hz: float, tracker: str) -> None:
    audio = harmonics(f0_hz, [1 / k for k in range(1, 40)], 2.0)
    noise = np.random.default_rng(0).normal(size=len(audio)) * audio.std()
    error = errors_cents(*track_f0(audio + noise, 48_000, 240, tracker), f0_hz)
    assert (error < 50).mean() > 0.98


@pytest.mark.parametrize("tracker", TRACKERS)
@pytest.mark.parametrize(("sample_rate", "hop_size"), RATES)
def test_glide_over_two_octaves(tracker: str, sample_rate: int, hop_size: int) -> None:
    t = np.arange(2 * sample_rate) / sample_rate
    f0_hz, periodicity = track_f0(tone(110 * 2.0**t, 2.0, sample_rate), sample_rate, hop_size, tracker)
    # 1200 cents a second: an offset of one 5 ms frame would be 6 cents
    signed = hz_to_cents(f0_hz, 110 * 2.0 ** t[::hop_size])[20:-20]
    assert abs(np.median(signed)) < 6
    assert (errors_cents(f0_hz, periodicity, 110 * 2.0 ** t[::hop_size]) < 50).mean() > 0.98


@pytest.mark.parametrize("tracker", TRACKERS)
def test_vibrato_keeps_its_extent_and_its_phase(tracker: str) -> None:
    t = np.arange(96_000) / 48_000
    curve = 0.5 * np.sin(2 * np.pi * 5.5 * t)
    f0_hz, _ = track_f0(tone(440 * semitones_to_ratio(curve), 2.0), 48_000, 240, tracker)
    measured = hz_to_cents(f0_hz, 440.0)[40:-40] / 100
    truth = curve[::240][40:-40]
    assert np.corrcoef(measured, truth)[0, 1] > 0.98
    assert 0.8 < measured.std() / truth.std() < 1.1


@pytest.mark.parametrize(("tracker", "sample_rate", "hop_size"), [
    pytest.param(tracker, *rates, marks=[pytest.mark.slow] * (tracker.startswith("crepe") and rates != RATES[0]))
    for tracker in TRACKERS for rates in RATES])
def test_a_step_in_pitch_lies_where_it_was_played(tracker: str, sample_rate: int, hop_size: int) -> None:
    late_s = []
    for step_s in (0.5, 0.507, 0.513):  # against three phases of the frames
        for before, after in ((220.0, 330.0), (330.0, 220.0)):
            t = np.arange(sample_rate) / sample_rate
            f0_hz, _ = track_f0(tone(np.where(t < step_s, before, after), 1.0, sample_rate), sample_rate, hop_size,
                                tracker)
            moved = np.abs(hz_to_cents(f0_hz, after)) < np.abs(hz_to_cents(f0_hz, before))
            late_s.append((np.argmax(moved) - 0.5) * hop_size / sample_rate - step_s)
    half_hop_s = hop_size / sample_rate / 2
    assert abs(np.mean(late_s)) < half_hop_s + 0.003  # no constant offset
    assert np.abs(late_s).max() < half_hop_s + 0.012  # and the resolution of the coarsest tracker, 16 ms


@pytest.mark.parametrize("tracker", TRACKERS)
@pytest.mark.parametrize(("sample_rate", "hop_size"), RATES)
def test_a_step_in_level_lies_where_it_was_played(tracker: str, sample_rate: int, hop_size: int) -> None:
    t = np.arange(sample_rate) / sample_rate
    audio = tone(330.0, 1.0, sample_rate) * ((t >= 0.3) & (t < 0.7))
    _, periodicity = track_f0(audio, sample_rate, hop_size, tracker)
    pitched = np.flatnonzero(periodicity >= VOICED) * hop_size / sample_rate
    assert abs(pitched[0] - 0.3) < 0.02
    assert abs(pitched[-1] - 0.7) < 0.02
    assert abs((pitched[0] - 0.3) + (pitched[-1] - 0.7)) / 2 < 0.0055  # both ends alike: no offset


@pytest.mark.parametrize("tracker", ["swift", "crepe"])
def test_noise_without_pitch_has_none(tracker: str) -> None:
    noise = np.random.default_rng(1).normal(size=48_000).astype(np.float32) * 0.1
    for audio in (noise, np.cumsum(noise - noise.mean()) / 50):
        _, periodicity = track_f0(audio, 48_000, 240, tracker)
        assert (periodicity >= VOICED).mean() < 0.03


def test_octaves_do_not_flicker() -> None:
    weights = [0.05 if k % 2 else 1.0 / k for k in range(1, 20)]  # nearly its own octave
    f0_hz, _ = track_f0(harmonics(196.0, weights, 2.0), 48_000, 240, "swift")
    assert (np.abs(np.diff(np.log2(f0_hz))) > 0.4).sum() == 0


@pytest.mark.parametrize("tracker", TRACKERS)
@pytest.mark.parametrize(("prior_hz", "others"), [(100.0, 0.01), (200.0, 0.3)])
def test_a_prior_settles_the_octave(tracker: str, prior_hz: float, others: float) -> None:
    # between a tone of 200 Hz and one of 100 Hz with weak odd harmonics
    audio = harmonics(100.0, [others if k % 2 else 1.0 for k in range(1, 12)])
    f0_hz, _ = track_f0(audio, 48_000, 240, tracker, prior_hz=prior_hz)
    assert np.abs(hz_to_cents(f0_hz, prior_hz)).max() < 150.1


NOTES = [
    ("violin", "C7", 0.97), ("flute", "D7", 0.97), ("double-bass", "C1-mf", 0.97), ("tuba", "F1-sustain", 0.97),
    ("clarinet", "A6-ff", 0.9),
]


@pytest.mark.parametrize(("instrument", "note", "share"), NOTES)
def test_real_notes_beyond_the_trackers(shared_dir, instrument: str, note: str, share: float) -> None:
    folder = shared_dir / "recordings" / instrument
    with (folder / "manifest.csv").open() as file:
        row = next(row for row in csv.DictReader(file) if note in row["file"])
    audio, sample_rate = read_audio(folder / row["file"])
    for prior_hz in (None, float(row["f0_hz"])):
        f0_hz, periodicity = track_f0(audio[: 6 * sample_rate], sample_rate, sample_rate // 200, prior_hz=prior_hz)
        sure = periodicity >= VOICED
        assert sure.mean() > 0.5
        assert (np.abs(hz_to_cents(f0_hz[sure], float(row["f0_hz"]))) < 50).mean() >= share


@pytest.mark.parametrize("n_harmonics", [1, 5])
@pytest.mark.parametrize("f0_hz", [55.0, 61.7, 1318.5, 2093.0, 2637.0, 3322.4, 4186.0])
def test_low_sines_and_what_lies_above_the_trackers_are_heard_right(f0_hz, n_harmonics):
    audio = tone(f0_hz, 1.0, n_harmonics=n_harmonics)
    heard_hz, periodicity = track_and_refine(audio, 48_000, 240, "swift")
    assert np.median(hz_to_cents(heard_hz[40:160], f0_hz)) == pytest.approx(0, abs=1.5)
    assert (periodicity[40:160] > 0.5).all()
