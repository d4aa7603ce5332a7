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
from ddspvae.features.listening import hear_loudness_and_timbre
from ddspvae.features.loudness import a_weighted_loudness
from ddspvae.features.timbre import timbre_frames
from ddspvae.features.trackers import TRACKERS
from ddspvae.kernels import correlations, frame_powers, resampling
from ddspvae.kernels.compiler import HAS_COMPILER
from ddspvae.kernels.pitch import turn_by

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


@pytest.mark.parametrize("n_frames", [1, 20, 75])
@pytest.mark.parametrize("centred", [False, True])
def test_powers_of_frames(monkeypatch, n_frames, centred):
    audio = np.concatenate([sung(rate=16_000) + 0.1, np.zeros(3000, np.float32)])[-(n_frames * 160 + 1400) :]
    window = np.hanning(502)[1:-1].astype(np.float32)
    plain, compiled = both(monkeypatch, frame_powers, lambda: frame_powers.frame_powers(
        audio, window, 160, n_frames, 1024, centred=centred))
    assert plain.shape == compiled.shape == (n_frames, 513) and plain.dtype == compiled.dtype == np.float32
    np.testing.assert_allclose(compiled, plain, atol=1e-6 * plain.max())
    # a silent frame hears nothing of the one that it is transformed with
    frames = np.lib.stride_tricks.sliding_window_view(audio, 500)[: (n_frames - 1) * 160 + 1 : 160]
    silent = ~frames.any(axis=1)
    assert silent.sum() > 5 if n_frames > 20 else True
    assert not compiled[silent].any()


def test_autocorrelations_of_frames(monkeypatch):
    audio = np.concatenate([sung(rate=16_000), np.zeros(6000, np.float32)])
    window = np.hanning(502)[1:-1].astype(np.float32)
    own = np.fft.irfft(np.abs(np.fft.rfft(window, 1024)) ** 2, 2048)
    own = (own / own[0]).astype(np.float32)
    found = []
    for has_compiler in (False, True):
        for module in (frame_powers, correlations):
            monkeypatch.setattr(module, "HAS_COMPILER", has_compiler)
        curves = np.empty((115, 300), np.float32)
        power = frame_powers.frame_powers(audio, window, 160, len(curves), 1024, centred=True)
        correlations.correlate_powers(power, own, curves)
        found.append(curves)
    np.testing.assert_allclose(found[1], found[0], atol=2e-5)
    lag, frame = 37, audio[1600:2100] - audio[1600:2100].mean()  # of two readings a sample; by hand, at a whole one
    shaped = (frame * window).astype(np.float64)
    expected = (shaped[lag:] @ shaped[:-lag]) / (shaped @ shaped) / own[2 * lag]
    assert found[1][10, 2 * lag] == pytest.approx(expected, abs=1e-4)
    assert (found[1][20, 0] == 1) and not found[1][-1].any()


def test_an_odd_frame_hears_nothing_of_louder_ones():
    window = np.hanning(502)[1:-1].astype(np.float32)
    own = np.fft.irfft(np.abs(np.fft.rfft(window, 1024)) ** 2, 1024)
    power = frame_powers.frame_powers(sung(rate=16_000), window, 160, 33, 1024, centred=True)
    power[:32] *= 1e10
    curves = np.empty((33, 300), np.float32)
    correlations.correlate_powers(power, (own / own[0]).astype(np.float32), curves)
    expected = np.fft.irfft(power[32].astype(np.float64), 1024)[:300]
    np.testing.assert_allclose(curves[32], expected / expected[0] / (own / own[0])[:300], atol=2e-5)


@pytest.mark.parametrize("n_samples", [1, 255, 5000, 6 * 16_000, 6 * 16_000 + 1, 13 * 16_000])
def test_a_tracker_in_pieces_hears_what_it_hears_at_once(n_samples):
    from swift_f0 import SwiftF0

    audio = np.resize(sung(rate=16_000), n_samples)
    whole, track = SwiftF0(threads=1, spin=False).detect(audio, 16_000), TRACKERS["swift"].track(audio)
    np.testing.assert_allclose(track.times_s, whole.timestamps)
    np.testing.assert_allclose(track.f0_hz, np.maximum(whole.pitch_hz, 1), rtol=1e-5)
    np.testing.assert_allclose(track.periodicity, whole.confidence, atol=1e-5)


def test_a_low_glide_is_no_staircase():
    t = np.arange(32_000) / 16_000
    f0_hz = 50 * 2 ** (0.4 * t)
    phase = 2 * np.pi * np.cumsum(f0_hz) / 16_000
    audio = sum(np.sin(k * phase) / k for k in range(1, 20)).astype(np.float32)
    track, = autocorrelations(audio, [(30.0, 2500.0)])
    cents = 1200 * np.log2(track.f0_hz / (50 * 2 ** (0.4 * track.times_s)))[10:-10]
    assert abs(np.mean(cents[::2]) - np.mean(cents[1::2])) < 0.3 and np.abs(cents).max() < 10


def test_turns():
    cycles = np.random.default_rng(0).uniform(-1000, 1000, 20_000)
    cycles[:5] = (0.25, -0.25, 0.5, 0.0, -7.75)
    turn = np.empty((2, len(cycles)), np.float32)
    turn_by(cycles, turn)
    angle = 2 * np.pi * (cycles - np.rint(cycles))
    np.testing.assert_allclose(turn, [np.cos(angle), np.sin(angle)], atol=6e-8)


def test_a_soft_frame_hears_nothing_of_a_loud_one_near_it():
    t = np.arange(RATE) / RATE
    audio = (np.where(t < 0.5, 1e-5, 0.9) * np.sin(2 * np.pi * 300 * t)).astype(np.float32)
    loudness_db, _ = hear_loudness_and_timbre(audio, RATE, HOP)
    alone_db, _ = hear_loudness_and_timbre(audio[: RATE // 2], RATE, HOP)
    np.testing.assert_allclose(loudness_db[:94], alone_db[:94], atol=2e-4)  # up to 30 ms before it
    assert loudness_db[90] < loudness_db[110] - 95
    silent, _ = hear_loudness_and_timbre(np.zeros(2000, np.float32), RATE, HOP)
    assert (silent == -120).all()


@pytest.mark.parametrize("n_samples", [1, 239, 30_000])
def test_loudness_and_timbre_of_a_take_are_those_that_training_hears(n_samples):
    audio = sung()[:n_samples]
    loudness_db, timbre = hear_loudness_and_timbre(audio, RATE, HOP)
    tensor = torch.from_numpy(audio)[None]
    np.testing.assert_allclose(loudness_db, a_weighted_loudness(tensor, RATE, HOP)[0].numpy(), atol=1e-4)
    np.testing.assert_allclose(timbre, timbre_frames(tensor, RATE, HOP)[0].numpy(), atol=1e-4)
