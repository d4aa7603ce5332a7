import numpy as np
import pytest

from ddspvae.features.live_pitch import LivePitch
from ddspvae.signals.checks import InputError
from ddspvae.signals.units import hz_to_cents

from ..conftest import tone

RATE = 48_000


@pytest.mark.parametrize("f0_hz", [110.0, 196.3, 440.0, 987.77, 1760.1])
@pytest.mark.parametrize("n_harmonics", [1, 3, 20])
def test_a_steady_tone_within_a_cent_or_two(f0_hz, n_harmonics):
    tracker = LivePitch(RATE, (100.0, 2000.0))
    heard_hz, periodicity, _ = tracker.hear(tone(f0_hz, 0.1, n_harmonics=n_harmonics)[-tracker.n_samples :])
    assert abs(hz_to_cents(heard_hz, f0_hz)) < 2
    assert periodicity > 0.95


def test_noise_and_silence_have_no_pitch():
    tracker, random = LivePitch(RATE, (100.0, 2000.0)), np.random.default_rng(0)
    found = [tracker.hear(random.standard_normal(tracker.n_samples).astype(np.float32)) for _ in range(50)]
    assert np.mean([periodicity < 0.5 for _, periodicity, _ in found]) > 0.9
    f0_hz, periodicity, loudness_db = tracker.hear(np.zeros(tracker.n_samples, dtype=np.float32))
    assert periodicity == 0 and loudness_db == -120 and np.isfinite(f0_hz)


def test_loudness_is_a_weighted_full_scale():
    tracker = LivePitch(RATE, (100.0, 2000.0))
    sine = np.sin(2 * np.pi * 1000 * np.arange(tracker.n_samples) / RATE).astype(np.float32)
    assert tracker.hear(sine)[2] == pytest.approx(-3.01, abs=0.1)
    assert tracker.hear(sine / 10)[2] == pytest.approx(-23.01, abs=0.1)


def test_its_delay_is_half_of_what_it_needs():
    for low_hz in (50.0, 200.0):
        tracker = LivePitch(RATE, (low_hz, 2000.0))
        assert tracker.delay_s == tracker.n_samples / 2 / RATE
        assert tracker.n_samples >= 2 * RATE / low_hz
    with pytest.raises(InputError, match="LivePitch: the lowest pitch must lie between 20 and 2000, got 5"):
        LivePitch(RATE, (5.0, 2000.0))
    with pytest.raises(InputError, match="LivePitch: the highest pitch must lie between 100 and 12000, got 50"):
        LivePitch(RATE, (100.0, 50.0))
