"""Harmonics and noise measured in sounds that are made of known ones."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ddspvae.features import spectrum
from ddspvae.features.band_tables import N_NOISE_BANDS
from ddspvae.features.bands import band_centres
from ddspvae.features.spectrum import BANDWIDTHS_HZ, MOST_HARMONICS, measure_spectrum
from ddspvae.synth.noise import filtered_noise

RATES = [(16_000, 80), (44_100, 220), (48_000, 240)]
# low notes have many harmonics, and take long
QUICK = [(45.0, RATES[0]), (45.0, RATES[2]), *((f0, rates) for f0 in (180.0, 440.0) for rates in RATES)]
EDGE = 60  # frames at either end, where the longest low-pass hears what is before and after


def harmonics(heights, f0_hz, sample_rate, seed=0):
    """Harmonics of amplitudes [H] along f0 [T], with random phases."""
    phases = np.random.default_rng(seed).uniform(0, 1, len(heights))
    cycles = np.cumsum(f0_hz) / sample_rate
    return sum(h * np.sin(2 * np.pi * (k * cycles + phases[k - 1])) for k, h in enumerate(heights, start=1))


def vibrato(f0, seconds, sample_rate, semitones=0.3):
    t_s = np.arange(round(seconds * sample_rate)) / sample_rate
    return f0 * 2 ** (semitones * np.sin(2 * np.pi * 5.5 * t_s) / 12)


def breath(n_frames, hop_size):
    """Noise [n_frames * hop_size] whose spectrum falls by 20 dB, rises and falls, and their magnitudes [K]."""
    magnitudes = 0.03 * 10 ** (0.5 * torch.cos(7 * band_centres()))
    audio = filtered_noise(magnitudes.expand(1, n_frames, -1), hop_size)[0].numpy()
    return audio, magnitudes.numpy()


def measured(audio, sample_rate, hop_size, f0_hz, n_harmonics=None):
    """Amplitudes and magnitudes, [F, H] and [F, K], away from the ends."""
    found = measure_spectrum(audio.astype(np.float32), sample_rate, hop_size, f0_hz[::hop_size], n_harmonics)[EDGE:-EDGE]
    return found[:, N_NOISE_BANDS:], found[:, :N_NOISE_BANDS]


def power_db(values):
    return 10 * np.log10(np.square(values.astype(float)).mean(0))


@pytest.mark.parametrize("sample_rate, hop_size", RATES)
@pytest.mark.parametrize("f0", [45.0, 220.0, 880.0])
def test_amplitudes_of_harmonics_are_read_back_through_vibrato(sample_rate, hop_size, f0):
    f0_hz = vibrato(f0, 1.0, sample_rate)
    heights = 0.1 * 10 ** np.random.default_rng(1).uniform(-1, 0, 12)
    inside = np.arange(1, 13) * f0_hz.max() < 0.45 * sample_rate
    found, _ = measured(harmonics(heights * inside, f0_hz, sample_rate), sample_rate, hop_size, f0_hz, 12)
    assert np.abs(20 * np.log10(found[:, inside] / heights[inside])).max() < 0.5


@pytest.mark.parametrize("sample_rate, hop_size", RATES)
def test_magnitudes_of_noise_are_read_back_beside_harmonics(sample_rate, hop_size):
    n_frames, f0 = 700, 330.0
    f0_hz = vibrato(f0, n_frames * hop_size / sample_rate, sample_rate)
    noise, magnitudes = breath(n_frames, hop_size)
    heights = 0.1 / np.arange(1, 9)
    for audio, n_harmonics in ((noise, 1), (noise + harmonics(heights, f0_hz, sample_rate), 8)):
        _, found = measured(audio, sample_rate, hop_size, f0_hz, n_harmonics)
        centres_hz = band_centres().numpy() * sample_rate / 2
        clear = centres_hz > n_harmonics * f0 * 1.02 + 2 * max(BANDWIDTHS_HZ)
        assert clear.sum() > 15
        np.testing.assert_allclose(power_db(found)[clear], 20 * np.log10(magnitudes)[clear], atol=1.0)


@pytest.mark.parametrize(("f0", "sample_rate", "hop_size"), [
    pytest.param(f0, *rates, marks=[] if (f0, rates) in QUICK else pytest.mark.slow)
    for f0 in (45.0, 100.0, 180.0, 260.0, 440.0, 880.0) for rates in RATES])
def test_white_noise_is_as_loud_between_harmonics_as_under_them(f0, sample_rate, hop_size):
    n_frames, level = 700, 0.01
    f0_hz = vibrato(f0, n_frames * hop_size / sample_rate, sample_rate)
    noise = level * np.random.default_rng(2).standard_normal(len(f0_hz))
    heights = 0.1 / np.arange(1, 1 + int(min(15_000, 0.4 * sample_rate) / f0))
    for audio in (noise, noise + harmonics(heights, f0_hz, sample_rate)):
        amplitudes, found = measured(audio, sample_rate, hop_size, f0_hz)
        centres_hz = band_centres().numpy() * sample_rate / 2
        wide = np.gradient(centres_hz) > f0  # the others lie beside a harmonic, or on one
        if wide.sum() > 3:
            assert np.abs(power_db(found)[wide] - 20 * np.log10(level)).max() < 1.5
        assert power_db(found).mean() == pytest.approx(20 * np.log10(level), abs=1.0)
    amplitudes, _ = measured(noise, sample_rate, hop_size, f0_hz)
    assert np.square(amplitudes).mean(0).sum() / 2 < 0.2 * level**2  # and harmonics that are not there take little of it


@pytest.mark.parametrize("sample_rate, hop_size", RATES)
def test_an_attack_is_where_it_is_to_half_a_hop(sample_rate, hop_size):
    step, n_frames = 200, 400
    is_on = np.arange(n_frames * hop_size) >= step * hop_size
    f0_hz = np.full(len(is_on), 440.0)
    tone, hiss = harmonics([0.2], f0_hz, sample_rate), 0.05 * np.random.default_rng(0).standard_normal(len(is_on))
    for audio, columns in ((tone, [-1]), (hiss, range(40, N_NOISE_BANDS))):
        found = measure_spectrum((audio * is_on).astype(np.float32), sample_rate, hop_size, f0_hz[::hop_size], 1)
        power = np.square(found[:, columns]).mean(1)
        curve = power**0.5 if audio is tone else power  # a window's share of amplitude, or of power
        full = np.median(curve[-150:-EDGE])
        after = int(np.flatnonzero(curve > full / 2)[0])
        assert abs(after - 1 + (full / 2 - curve[after - 1]) / (curve[after] - curve[after - 1]) - step) <= 0.5
        assert curve[: step - 12].max() < 0.02 * full


@pytest.mark.parametrize("f0", [100.0, 500.0])
def test_blocks_agree_with_the_whole(monkeypatch, f0):
    n_frames = 700
    f0_hz = vibrato(f0, n_frames * 80 / 16_000, 16_000)
    noise, _ = breath(n_frames, 80)
    audio = (noise + harmonics(0.1 / np.arange(1, 9), f0_hz, 16_000)).astype(np.float32)[:-30]
    whole, blocks = [], []
    for size, found in ((10_000, whole), (150, blocks)):
        monkeypatch.setattr(spectrum, "BLOCK_FRAMES", size)
        found[:] = measure_spectrum(audio, 16_000, 80, f0_hz[::80])
    assert np.shape(whole) == np.shape(blocks) == (n_frames, N_NOISE_BANDS + int(7200 / f0_hz.min()))
    np.testing.assert_allclose(blocks, whole, atol=2e-5)


def test_what_lies_beyond_is_nothing_and_silence_is_nothing():
    found = measure_spectrum(np.zeros(4800, dtype=np.float32), 48_000, 240, np.full(20, 220.0), 90)
    assert found.shape == (20, N_NOISE_BANDS + 90) and not found.any()
    hiss = np.random.default_rng(0).standard_normal(4800).astype(np.float32)
    found = measure_spectrum(hiss, 48_000, 240, np.full(20, 220.0), 90)[:, N_NOISE_BANDS:]
    assert found[:, :72].min() > 0 and not found[:, 72:].any()  # 72 * 220 Hz is below 16 kHz, 73 * 220 Hz above
    assert measure_spectrum(hiss, 48_000, 240, np.full(20, 30.0)).shape[1] == N_NOISE_BANDS + MOST_HARMONICS
