"""The ceiling of a take: what its own harmonics and noise sound like without their phases."""

from __future__ import annotations

import numpy as np
import pytest

from ddspvae.evaluation.ceiling import play_ceiling, play_spectrum
from ddspvae.evaluation.perceptual import judge
from ddspvae.features.band_tables import N_NOISE_BANDS
from ddspvae.features.spectrum import measure_spectrum
from ddspvae.signals.checks import InputError


def sound(sample_rate, seconds=2.0, noise=0.005):
    """Nine harmonics with phases of their own and a vibrato, in some noise; and f0 at samples."""
    t_s = np.arange(round(seconds * sample_rate)) / sample_rate
    f0_hz = 300 * 2 ** (0.3 * np.sin(2 * np.pi * 5.5 * t_s) / 12)
    cycles, random = np.cumsum(f0_hz) / sample_rate, np.random.default_rng(0)
    tones = sum(0.2 / k * np.sin(2 * np.pi * (k * cycles + random.random())) for k in range(1, 10))
    return (tones + noise * random.standard_normal(len(t_s))).astype(np.float32), f0_hz


@pytest.mark.parametrize("sample_rate, hop_size", [(16_000, 80), (44_100, 220), (48_000, 240)])
def test_the_ceiling_has_the_levels_of_the_take(sample_rate, hop_size):
    audio, f0_hz = sound(sample_rate)
    frames = f0_hz[::hop_size]
    played = play_ceiling(audio, sample_rate, hop_size, frames)
    assert played.shape == audio.shape and played.dtype == np.float32
    was, now = (measure_spectrum(x, sample_rate, hop_size, frames, 9)[60:-60] for x in (audio, played))
    for k in range(9):
        wanted, found = (np.sqrt(np.square(x[:, N_NOISE_BANDS + k]).mean()) for x in (was, now))
        assert wanted == pytest.approx(0.2 / (k + 1), rel=0.03)
        assert found == pytest.approx(wanted, rel=0.03)
    bands = slice(20, N_NOISE_BANDS - 2)
    change_db = 20 * np.log10(np.sqrt(np.square(now[:, bands]).mean()) / np.sqrt(np.square(was[:, bands]).mean()))
    assert abs(change_db) < 2  # the noise under a harmonic is played by the harmonic


def test_phases_are_all_that_an_ear_could_miss():
    audio, f0_hz = sound(48_000)
    said = judge(audio, play_ceiling(audio, 48_000, 240, f0_hz[::240]), 48_000, with_visqol=False)
    assert said.zimtohrli > 4
    higher = judge(audio, play_ceiling(audio, 48_000, 240, 1.03 * f0_hz[::240]), 48_000, with_visqol=False)
    assert higher.zimtohrli < said.zimtohrli - 0.3  # harmonics looked for where there are none


def test_levels_are_played_as_they_are():
    n_frames = 100
    amplitudes, noise = np.zeros((n_frames, 3)), np.zeros((n_frames, 8))
    amplitudes[:, 1] = 0.5
    audio = play_spectrum(amplitudes, noise, np.full(n_frames, 100.0), 16_000, 80)
    t_s = np.arange(len(audio)) / 16_000
    np.testing.assert_allclose(audio, 0.5 * np.sin(2 * np.pi * 200 * t_s), atol=2e-4)
    hiss = play_spectrum(0 * amplitudes, noise + 0.1, np.full(n_frames, 100.0), 16_000, 80)
    assert np.square(hiss).mean() == pytest.approx(0.01, rel=0.05)
    assert not play_ceiling(np.zeros(4800, np.float32), 48_000, 240, np.full(20, 220.0)).round(6).any()


def test_shapes_must_agree():
    with pytest.raises(InputError, match="play_spectrum: amplitudes must"):
        play_spectrum(np.zeros((4, 3)), np.zeros((5, 8)), np.full(5, 100.0), 16_000, 80)
    with pytest.raises(InputError, match="play_spectrum: noise_magnitudes must"):
        play_spectrum(np.zeros((5, 3)), np.zeros((4, 8)), np.full(5, 100.0), 16_000, 80)
