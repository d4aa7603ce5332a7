"""Shares of the harmonics and the level of the noise beside them, against sounds made of known ones."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ddspvae.features.attributes import N_PARTIALS
from ddspvae.features.band_tables import N_NOISE_BANDS
from ddspvae.features.bands import band_centres
from ddspvae.features.partials import measure_partials, read_attributes, read_partials


def sound(heights, f0_hz, sample_rate, noise=0.0):
    """Harmonics of given amplitudes along f0 [T], and white noise of a standard deviation."""
    cycles = np.cumsum(f0_hz) / sample_rate
    tones = sum(h * np.sin(2 * np.pi * (k + 1) * cycles) for k, h in enumerate(heights))
    return (tones + noise * np.random.default_rng(0).standard_normal(len(f0_hz))).astype(np.float32)


def attributes(audio, sample_rate, hop_size, f0_hz):
    partials = measure_partials(audio, sample_rate, hop_size, f0_hz[::hop_size])
    return read_attributes(torch.from_numpy(partials)).numpy()[40:-40]


@pytest.mark.parametrize("sample_rate, hop_size", [(16_000, 80), (44_100, 220), (48_000, 240)])
@pytest.mark.parametrize("f0", [50.0, 200.0, 700.0])
def test_vibrato_does_not_blur_the_harmonics(sample_rate, hop_size, f0):
    t_s = np.arange(round(1.5 * sample_rate)) / sample_rate
    f0_hz = f0 * 2 ** (0.5 * np.sin(2 * np.pi * 6 * t_s) / 12)
    heights = 0.2 / np.arange(1, 9)
    partials = measure_partials(sound(heights, f0_hz, sample_rate), sample_rate, hop_size, f0_hz[::hop_size])
    inside = np.arange(1, 9) * f0 * 1.03 < min(10_000, 0.45 * sample_rate)
    wanted = heights * inside / (heights * inside).sum()
    assert partials.shape == (-(-len(t_s) // hop_size), N_PARTIALS + 1)
    np.testing.assert_allclose(partials[40:-40, :8].mean(0), wanted, atol=0.005)
    assert np.abs(partials[40:-40, 8:-1]).max() < 0.02


def test_brightness_and_hollowness_of_known_spectra():
    f0_hz = np.full(48_000, 220.0)
    number = np.arange(1, 13)
    for heights in (1 / number, 1 / number**2, np.where(number % 2, 1 / number, 0.1 / number)):
        share = heights / heights.sum()
        bright, hollow, _ = attributes(sound(0.2 * heights, f0_hz, 48_000), 48_000, 240, f0_hz).mean(0)
        assert bright == pytest.approx((share * np.log2(number)).sum(), abs=0.002)
        assert hollow == pytest.approx(share[2::2].sum() - share[1::2].sum(), abs=0.002)


def test_breathiness_is_the_ratio_of_noise_to_harmonics():
    f0_hz = np.full(96_000, 220.0)
    levels = [attributes(sound([0.3], f0_hz, 48_000, noise), 48_000, 240, f0_hz)[:, 2].mean() for noise in (0.01, 0.1)]
    assert levels[1] - levels[0] == pytest.approx(2 * np.log(10), abs=0.2)
    louder = attributes(10 * sound([0.03], f0_hz, 48_000, 0.01), 48_000, 240, f0_hz)[:, 2].mean()
    assert louder == pytest.approx(levels[1], abs=0.1)  # a gain changes nothing


def test_a_spectrum_written_by_hand_is_read_as_it_is_defined():
    """Two harmonics at 1 and 2 kHz, where A-weighting is 0 dB and +1.2 dB, and one above 10 kHz, which is not counted."""
    spectrum = np.zeros((3, N_NOISE_BANDS + 11), dtype=np.float32)
    spectrum[:, N_NOISE_BANDS : N_NOISE_BANDS + 2] = 0.3, 0.1
    spectrum[:, -1] = 1e-4
    spectrum[1:, :N_NOISE_BANDS] = 0.05
    spectrum[2, :N_NOISE_BANDS][band_centres().numpy() * 24_000 > 10_000] = 5.0  # hiss is no breath
    partials = read_partials(spectrum, np.full(3, 1000.0), 48_000)
    np.testing.assert_allclose(partials[:, :3], np.tile([0.75, 0.25, 0], (3, 1)), atol=1e-6)
    assert not partials[:, 3:-1].any()
    harmonics = (0.3**2 + 0.1**2 * 10**0.12) / 2
    weighted = (10 ** (a_weighting_db(np.linspace(1, 24_000, 4096)) / 10))
    share = np.clip((10_000 - np.linspace(1, 24_000, 4096)) / 2000, 0, 1)
    breath = 0.05**2 * (weighted * share).mean()
    assert partials[1, -1] == pytest.approx(np.log(breath / harmonics), abs=0.03)
    assert partials[2, -1] == pytest.approx(partials[1, -1], abs=1e-5) and partials[0, -1] < -20


def a_weighting_db(frequency_hz):
    """IEC 61672-1, equation E.6."""
    f = np.square(frequency_hz)
    ratio = 12194**2 * f**2 / ((f + 20.6**2) * np.sqrt((f + 107.7**2) * (f + 737.9**2)) * (f + 12194**2))
    return 20 * np.log10(ratio) + 2.0


def test_silence_is_finite():
    partials = measure_partials(np.zeros(4800, dtype=np.float32), 48_000, 240, np.full(20, 220.0))
    assert np.isfinite(partials).all() and np.abs(partials[:, :-1]).max() < 1e-6
