import numpy as np
import pytest

from ddspvae.audio import resample
from ddspvae.features.autocorrelation import autocorrelation
from ddspvae.features.comb import comb
from ddspvae.features.f0 import track_f0
from ddspvae.features.trackers import TRACKERS
from ddspvae.features.vote import settle_octave
from ddspvae.signals.curves import read_pitch_at
from ddspvae.signals.units import hz_to_cents
from tests.conftest import tone

RATE = 16_000
TIMES_S = np.arange(200) / 200
WIDE = (20.0, 5000.0)


def settle(audio: np.ndarray, claimed_hz: float, sure: float, **more: object) -> np.ndarray:
    range_hz = more.pop("range_hz", WIDE)
    f0_hz, _ = settle_octave(audio, TIMES_S, np.full(200, claimed_hz), np.full(200, sure), range_hz, **more)
    return f0_hz[10:-10]


@pytest.mark.parametrize("ratio", [1 / 3, 1 / 2, 2, 3])
def test_two_outvote_a_sure_tracker_in_the_wrong_octave(ratio: float) -> None:
    claimed_hz = 301.0 * ratio  # 6 cents off the truth, to see whose curve it is
    np.testing.assert_allclose(settle(tone(300.0, 1.0, RATE), claimed_hz, 1.0), 301.0)


def test_a_right_tracker_keeps_its_own_curve() -> None:
    np.testing.assert_allclose(settle(tone(300.0, 1.0, RATE), 303.0, 0.6), 303.0)


def test_an_unsure_tracker_is_replaced() -> None:
    np.testing.assert_allclose(settle(tone(300.0, 1.0, RATE), 437.0, 0.2), 300.0, rtol=1e-3)


def test_beyond_its_range_a_tracker_has_no_voice() -> None:
    noise = np.random.default_rng(0).normal(size=RATE).astype(np.float32)
    audio = tone(41.0, 1.0, RATE, n_harmonics=30)
    audio = audio + 0.6 * audio.std() * noise  # the other two are not that sure
    assert np.abs(hz_to_cents(settle(audio, 48.0, 1.0, range_hz=(46.9, 2094.0)), 41.0)).max() < 50
    np.testing.assert_allclose(settle(audio, 48.0, 1.0, range_hz=(20.0, 2094.0)), 48.0)


def test_the_trackers_curve_comes_back_when_it_is_right() -> None:
    # noise, a tone below swift's range, and one within: the last is swift's own, to the bit
    noise = 0.01 * np.random.default_rng(1).normal(size=24_000)
    audio = np.concatenate([noise, tone(38.0, 0.6, n_harmonics=40), tone(300.0, 0.6)]).astype(np.float32)
    f0_hz, _ = track_f0(audio, 48_000, 240)
    own = TRACKERS["swift"].track(resample(audio / np.abs(audio).max(), 48_000, RATE))
    times_s = np.arange(len(f0_hz)) / 200
    np.testing.assert_array_equal(
        f0_hz[240:330], read_pitch_at(times_s, own.times_s, own.f0_hz)[240:330].astype(np.float32))
    np.testing.assert_allclose(f0_hz[120:210], 38.0, rtol=0.01)


VOTERS = {"autocorrelation": autocorrelation, "comb": comb}


@pytest.mark.parametrize("voter", VOTERS)
@pytest.mark.parametrize(
    ("f0_hz", "weights"),
    [
        (80.0, [1 / k for k in range(1, 30)]),
        (200.0, [0.3, 0.3, 1.0, 0.3, 0.3, 1.0, 0.3, 0.3, 0.5]),  # a twelfth stands out
        (200.0, [0.3, 1.0, 0.3, 1.0, 0.3, 0.7, 0.3, 0.7]),  # an octave stands out
        (500.0, [1.0, 0.0, 0.5, 0.0, 0.3]),
        (500.0, [0.1, 1.0, 0.1, 0.6, 0.1, 0.4]),  # an octave, and what lies between its partials speaks against it
        (1500.0, [1.0]),
    ],
)
def test_voters_alone(voter: str, f0_hz: float, weights: list[float]) -> None:
    t = np.arange(RATE // 2) / RATE
    audio = sum(w * np.sin(2 * np.pi * k * f0_hz * t) for k, w in enumerate(weights, start=1))
    track = VOTERS[voter](audio.astype(np.float32))
    assert track.times_s[1] == pytest.approx(0.01 if voter == "autocorrelation" else 0.02)
    assert np.abs(hz_to_cents(track.f0_hz, f0_hz))[5:-5].max() < (1 if voter == "autocorrelation" else 15)


def test_the_strength_of_autocorrelation_is_the_share_of_the_periodic_power() -> None:
    noise = np.random.default_rng(0).normal(size=4 * RATE)
    audio = tone(200.0, 4.0, RATE)
    for share in (0.5, 0.8):
        mix = audio / audio.std() * np.sqrt(share) + noise * np.sqrt(1 - share)
        assert autocorrelation(mix).periodicity.mean() == pytest.approx(share, abs=0.06)
