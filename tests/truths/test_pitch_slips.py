"""A tracker that slips is not heard: no sweep between far notes, nothing below the instrument, on synthesized sound."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from ddspvae import load
from ddspvae.audio import Audio
from ddspvae.commands.main import main
from ddspvae.features import f0
from ddspvae.features.autocorrelation import Track
from ddspvae.features.f0 import VOICED, track_f0
from ddspvae.features.trackers import TRACKERS
from ddspvae.model.config import ModelConfig
from ddspvae.signals.units import hz_to_cents
from ddspvae.synth.harmonic import harmonic
from ddspvae.training.prepare import prepare
from tests.conftest import tone

RATE, HOP = 48_000, 240
VIOLIN = (170.0, 4700.0)
NOTES_HZ = (490.0, 294.0, 588.0)
N = 120  # frames a note


def played() -> tuple[Audio, np.ndarray]:
    """Three notes bound to each other, and their f0 [F]."""
    f0_hz = np.repeat(NOTES_HZ, N)
    weights = torch.arange(1, 20) ** -1.0
    distribution = (weights / weights.sum()).expand(1, len(f0_hz), -1)
    curve, level = torch.from_numpy(f0_hz).float()[None, :, None], torch.full((1, len(f0_hz), 1), 0.3)
    audio = harmonic(curve, level, distribution, RATE, HOP)
    return audio[0].numpy(), f0_hz


def says(monkeypatch: pytest.MonkeyPatch, f0_hz: np.ndarray, sure: np.ndarray) -> None:
    track = Track(np.arange(len(f0_hz)) * HOP / RATE, f0_hz, sure)
    monkeypatch.setitem(TRACKERS.own, "swift", replace(TRACKERS["swift"], track=lambda audio: track))
    monkeypatch.setattr(f0, "cached", lambda key, compute: compute())


def cents_apart(f0_hz: np.ndarray, truth_hz: float) -> np.ndarray:
    return np.abs(hz_to_cents(f0_hz.astype(np.float64), truth_hz))


def test_a_second_string_between_far_notes_is_no_dive(monkeypatch: pytest.MonkeyPatch) -> None:
    """For 0.2 s the next string rings along, a fifth apart: the tracker and both voters are sure of an octave below them."""
    audio, truth_hz = played()
    around = slice(N - 20, N + 20)
    pair = tone(294.0, 0.2, level=0.2) + tone(441.0, 0.2, level=0.2)
    audio = np.concatenate([audio[: (N - 20) * HOP], pair, audio[(N + 20) * HOP :]])
    said_hz = truth_hz.copy()
    said_hz[around] = 147.0
    says(monkeypatch, said_hz, np.full(len(said_hz), 0.95))
    free_hz, free_sure = track_f0(audio, RATE, HOP)
    assert ((free_hz[around] < 150) & (free_sure[around] > VOICED)).mean() > 0.8
    f0_hz, periodicity = track_f0(audio, RATE, HOP, range_hz=VIOLIN)
    assert f0_hz.min() > VIOLIN[0]
    assert (periodicity[around] >= VOICED).mean() > 0.7  # the voters look within the range, and find one of the two
    near = np.min([cents_apart(f0_hz, note) for note in (*NOTES_HZ, 441.0)], axis=0)
    assert near.max() < 60  # one of the notes that sound, or one that is held; nothing on the way


def test_where_nobody_is_sure_between_far_notes_nothing_sweeps(monkeypatch: pytest.MonkeyPatch) -> None:
    audio, truth_hz = played()
    audio = audio.copy()
    hole = slice((N - 15) * HOP, (N + 15) * HOP)
    audio[hole] = 0.1 * np.random.default_rng(0).normal(size=30 * HOP)
    sure = np.full(len(truth_hz), 0.95)
    sure[N - 20 : N + 20] = 0.1
    says(monkeypatch, truth_hz, sure)
    f0_hz, _ = track_f0(audio, RATE, HOP)
    distance = np.min([cents_apart(f0_hz, note) for note in NOTES_HZ], axis=0)
    assert distance.max() < 60  # a sweep from 490 to 294 Hz would pass 400


def test_ranges_are_kept_apart_in_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DDSPVAE_CACHE", str(tmp_path))
    audio = np.concatenate([tone(330.0, 1.0), tone(110.0, 0.2), tone(330.0, 0.5)])
    curves = [track_f0(audio, RATE, HOP, range_hz=range_hz)[0] for range_hz in (None, VIOLIN, (100.0, 4700.0), None, VIOLIN)]
    assert len(list(tmp_path.glob("*.npz"))) == 3
    assert curves[0].min() < 120 and curves[2].min() < 120 and curves[1].min() > VIOLIN[0]
    np.testing.assert_array_equal(curves[0], curves[3])
    np.testing.assert_array_equal(curves[1], curves[4])


def test_takes_of_a_training_set_that_slip_are_looked_at_again(tmp_path: Path) -> None:
    """110 Hz for 0.2 s of 30 s is no note of an instrument that else plays from 330 Hz."""
    slip = np.concatenate([tone(330.0, 1.0, 16_000), tone(110.0, 0.2, 16_000), tone(330.0, 1.0, 16_000)])
    soundfile.write(tmp_path / "slips.wav", slip, 16_000)
    for index, hz in enumerate((330.0, 392.0, 440.0, 523.0)):
        soundfile.write(tmp_path / f"steady{index}.wav", tone(hz, 7.0, 16_000), 16_000)
    prepared = prepare(tmp_path, [], "swift", ModelConfig(sample_rate=16_000, hop_size=80, n_z=2))
    takes = {take.path.name: take.features for take in [*prepared.training, *prepared.validation]}
    assert takes["slips.wav"].f0_hz.min() > 290
    assert track_f0(slip, 16_000, 80)[0].min() < 115


def test_a_preset_listens_within_its_range_and_to_foreign_takes_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    violin = load("violin")
    low_hz, high_hz = violin.statistics.range_hz
    assert low_hz == pytest.approx(170, abs=3) and high_hz > 4000
    own = np.concatenate([tone(330.0, 1.0), tone(98.0, 0.2), tone(330.0, 0.5)])
    assert violin.analyze(own, RATE).f0_hz.min() > low_hz
    assert violin.analyze(own, RATE, foreign=True).f0_hz.min() < 100
    bass = np.concatenate([tone(98.0, 1.0), tone(110.0, 1.0)])
    for foreign in (False, True):  # told or not
        assert np.median(violin.analyze(bass, RATE, foreign=foreign).f0_hz) < 112


def test_edit_fit_hears_a_bass_where_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str],
                                           monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    real = type(load("violin")).listen

    def listen(self, *args, **options):
        asked.append(options.get("foreign"))
        return real(self, *args, **options)

    monkeypatch.setattr("ddspvae.instrument.instrument.Instrument.listen", listen)
    soundfile.write(tmp_path / "bass.wav", np.concatenate([tone(65.0, 0.5), tone(98.0, 0.5), tone(300.0, 1.5)]), RATE)
    for extra in (["--fit"], []):
        code = main(["edit", str(tmp_path / "bass.wav"), "--preset", "violin", "--out", str(tmp_path / "v.wav"),
                     "--stretch", "2", *extra])
        assert code == 0, capsys.readouterr().err
    assert asked == [True, False]


def test_analyze_says_and_draws_what_it_could_not_follow(tmp_path: Path, capsys: pytest.CaptureFixture[str],
                                                         monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[int] = []
    monkeypatch.setattr("ddspvae.evaluation.plots.plot_performance", lambda *_, lost_s=(): drawn.append(len(lost_s)))
    noise = 0.1 * np.random.default_rng(0).normal(size=RATE // 4)
    soundfile.write(tmp_path / "hole.wav", np.concatenate([tone(440.0, 1.0), noise, tone(440.0, 1.0)]), RATE)
    soundfile.write(tmp_path / "whole.wav", tone(440.0, 1.0), RATE)
    for name, sentences in (("hole", 1), ("whole", 0)):
        assert main(["analyze", str(tmp_path / f"{name}.wav"), "--preset", "violin", "--out", str(tmp_path / "t.npz"),
                     "--plot", str(tmp_path / f"{name}.png"), "--json"]) == 0
        out, err = capsys.readouterr()
        assert err.count("is not sure, the first at 1.0") == sentences
        assert ('"lost_s": 0.0' in out) == (not sentences)
    assert drawn == [1, 0]
