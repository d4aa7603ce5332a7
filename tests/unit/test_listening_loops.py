"""What listens in compiled loops, held to what it is written in without a compiler."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch

from ddspvae.audio import resample
from ddspvae.features import f0, paths, refine, spectrum
from ddspvae.features.autocorrelation import autocorrelations
from ddspvae.features.comb import combs
from ddspvae.features.loudness import a_weighted_loudness
from ddspvae.features.timbre import loudness_and_timbre, timbre_frames
from ddspvae.kernels import resampling
from ddspvae.kernels.compiler import HAS_COMPILER

pytestmark = pytest.mark.skipif(not HAS_COMPILER, reason="numba is not installed")
RATE, HOP = 48_000, 240
RANGES = [(30.0, 2500.0), (90.0, 900.0)]


def sung(seconds: float = 1.2, rate: int = RATE) -> np.ndarray:
    """A voice that glides and vibrates, an octave leap, noise, and silence."""
    t = np.arange(round(seconds * rate)) / rate
    f0_hz = (180 + 40 * t) * 2 ** (0.3 * np.sin(2 * np.pi * 5.5 * t) / 12) * np.where(t > 0.6, 2, 1)
    cycles = np.cumsum(f0_hz) / rate
    sound = sum(0.2 / k * np.sin(2 * np.pi * k * cycles + k) for k in range(1, 15))
    sound = sound + 0.003 * np.random.default_rng(0).standard_normal(len(t))
    return (sound * (t < 1.0)).astype(np.float32)


def both(monkeypatch: pytest.MonkeyPatch, module: object, compute: object) -> list:
    found = []
    for has_compiler in (False, True):
        monkeypatch.setattr(module, "HAS_COMPILER", has_compiler)
        found.append(compute())
    return found


@pytest.mark.parametrize("rates", [(48_000, 16_000), (44_100, 48_000), (11_025, 48_000)])
def test_resampling(monkeypatch, rates):
    sound = np.stack([sung(0.3, rates[0]), -sung(0.3, rates[0])[::-1]])[:, :-5]
    for audio in (sound, sound[0], sound[0, :7]):
        plain, compiled = both(monkeypatch, resampling, lambda audio=audio: resample(audio, *rates))
        assert plain.shape == compiled.shape and plain.dtype == compiled.dtype == np.float32
        np.testing.assert_allclose(compiled, plain, atol=1e-7)


def test_paths(monkeypatch):
    random = np.random.default_rng(3)
    reward, costs = random.normal(size=(200, 12)), random.uniform(size=(199, 12, 12))
    for cost in (0.7, costs):
        assert np.array_equal(*both(monkeypatch, paths, lambda cost=cost: paths.best_choice(reward, cost)))
    scores = random.normal(size=(200, 60)).astype(np.float32)
    scores[:, :9] = -1
    assert np.array_equal(*both(monkeypatch, paths, lambda: paths.best_track(scores, 4, 0.01, 0.9)))
    assert both(monkeypatch, paths, lambda: paths.best_choice(reward[:1], 1.0).tolist())[1] == [int(reward[0].argmax())]


def test_peaks_of_an_autocorrelation(monkeypatch):
    audio, module = resample(sung(), RATE, 16_000), sys.modules[autocorrelations.__module__]
    for plain, compiled in zip(*both(monkeypatch, module, lambda: autocorrelations(audio, RANGES))):
        heard = plain.periodicity > 0.1  # where nothing repeats, any pitch will do
        assert heard.mean() > 0.7
        np.testing.assert_allclose(compiled.f0_hz[heard], plain.f0_hz[heard], rtol=1e-6)
        np.testing.assert_allclose(compiled.periodicity, plain.periodicity, atol=1e-6)


def test_two_ranges_at_once_are_each_alone():
    audio = resample(sung(), RATE, 16_000)
    for voter in (autocorrelations, combs):
        for together, range_hz in zip(voter(audio, RANGES), RANGES):
            alone, = voter(audio, [range_hz])
            assert np.array_equal(together.f0_hz, alone.f0_hz) and np.array_equal(together.periodicity, alone.periodicity)


def test_refined_pitch(monkeypatch):
    audio, n_frames = sung(), 240
    t = np.arange(n_frames) * HOP / RATE
    tracked_hz = (180 + 40 * t) * np.where(t > 0.6, 2, 1)
    for sample_rate, hop_size in ((RATE, HOP), (44_100, 220)):
        plain, compiled = both(monkeypatch, refine, lambda rate=sample_rate, hop=hop_size: refine.refine_f0(
            audio, rate, hop, tracked_hz, np.ones(n_frames)))
        assert np.abs(1200 * np.log2(compiled / plain)).max() < 0.01  # cents
        assert np.abs(1200 * np.log2(plain / tracked_hz)).max() > 5


def test_silence(monkeypatch):
    audio = sung() * 10 ** (-np.arange(57_600) / 10_000)
    times_s = np.arange(240) * HOP / RATE
    plain, compiled = both(monkeypatch, f0, lambda: f0._silent(audio.astype(np.float32), RATE, times_s))
    assert np.array_equal(plain, compiled) and 20 < plain.sum() < 200
    # without sound a window ends, and begins, half of it away
    click = np.zeros(9600, np.float32)
    click[4800] = 1
    plain, compiled = both(monkeypatch, f0, lambda: f0._silent(click, RATE, times_s[:40]))
    assert np.array_equal(plain, compiled) and np.flatnonzero(~plain).tolist() == [18, 19, 20, 21, 22, 23]


@pytest.mark.parametrize("rates", [(16_000, 80), (44_100, 220), (48_000, 240)])
def test_spectra(monkeypatch, rates):
    rate, hop = rates
    audio = sung(1.2, rate)[:-30]
    t = np.arange(-(-len(audio) // hop)) * hop / rate
    f0_hz = (180 + 40 * t) * 2 ** (0.3 * np.sin(2 * np.pi * 5.5 * t) / 12) * np.where(t > 0.6, 2, 1)
    plain, compiled = both(monkeypatch, spectrum, lambda: spectrum.measure_spectrum(audio, rate, hop, f0_hz))
    assert plain.shape == compiled.shape
    # what float32 leaves of the phases of high harmonics, over a fundamental of 0.2
    np.testing.assert_allclose(compiled, plain, atol=2e-6, rtol=2e-3)


def test_loudness_and_timbre_are_read_off_one_transform():
    audio = torch.from_numpy(sung())[None]
    together = loudness_and_timbre(audio, RATE, HOP)
    torch.testing.assert_close(together[..., 0], a_weighted_loudness(audio, RATE, HOP), atol=1e-5, rtol=0)
    torch.testing.assert_close(together[..., 1:], timbre_frames(audio, RATE, HOP), atol=1e-6, rtol=0)
