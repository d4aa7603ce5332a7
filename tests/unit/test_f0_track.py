import hashlib
import io

import numpy as np
import pytest

from ddspvae.features.f0 import track_f0
from ddspvae.signals.checks import InputError
from tests.conftest import tone

TRACKERS = ["swift", "crepe", "autocorrelation"]


@pytest.mark.parametrize("tracker", TRACKERS)
@pytest.mark.parametrize("n_samples", [1, 7, 239, 240, 241, 1000, 12_345])
def test_one_frame_per_hop_and_always_finite(tracker: str, n_samples: int) -> None:
    audio = tone(300.0, 1.0)[:n_samples]
    before = audio.copy()
    f0_hz, periodicity = track_f0(audio, 48_000, 240, tracker)
    assert f0_hz.shape == periodicity.shape == (-(-n_samples // 240),)
    assert f0_hz.dtype == periodicity.dtype == np.float32
    assert np.isfinite(f0_hz).all() and (f0_hz > 0).all()
    assert (periodicity >= 0).all() and (periodicity <= 1).all()
    np.testing.assert_array_equal(audio, before)


@pytest.mark.parametrize("tracker", TRACKERS)
def test_silence_has_no_pitch(tracker: str) -> None:
    f0_hz, periodicity = track_f0(np.zeros(24_000, np.float32), 48_000, 240, tracker)
    assert (periodicity == 0).all()
    assert len(np.unique(f0_hz)) == 1 and f0_hz[0] > 0


@pytest.mark.parametrize("tracker", TRACKERS)
def test_sixty_db_below_the_loudest_is_silence(tracker: str) -> None:
    # a clear tone, first at -66 dB, then at full level
    audio = tone(300.0, 2.0) * np.where(np.arange(96_000) < 48_000, 10 ** (-66 / 20), 1)
    _, periodicity = track_f0(audio, 48_000, 240, tracker)
    assert (periodicity[:190] == 0).all()
    assert (periodicity[210:-10] > 0.9).all()
    quiet = tone(300.0, 2.0) * np.where(np.arange(96_000) < 48_000, 10 ** (-40 / 20), 1)
    assert (track_f0(quiet, 48_000, 240, tracker)[1][10:190] > 0.9).all()


@pytest.mark.parametrize("tracker", TRACKERS)
def test_level_does_not_matter(tracker: str) -> None:
    audio = tone(300.0, 0.5)
    loud, soft = (track_f0(audio * level, 48_000, 240, tracker) for level in (1.0, 2.0**-16))
    np.testing.assert_allclose(soft[0], loud[0], rtol=1e-4)
    np.testing.assert_allclose(soft[1], loud[1], atol=1e-3)
    assert (loud[1][5:-5] > 0.9).all()


def test_pitch_is_carried_through_a_pause_on_a_straight_line_to_a_near_note() -> None:
    audio = np.concatenate([tone(200.0, 0.5), np.zeros(24_000, np.float32), tone(215.0, 0.5)])
    f0_hz, periodicity = track_f0(audio, 48_000, 240)
    assert (periodicity[110:190] == 0).all()
    assert (np.diff(f0_hz[110:190]) > 0).all()
    bend = np.diff(np.log2(f0_hz[110:190].astype(float)), 2)
    assert np.abs(bend).max() < 1e-5


def test_pitch_steps_once_in_a_pause_before_a_far_note() -> None:
    audio = np.concatenate([tone(200.0, 0.5), np.zeros(24_000, np.float32), tone(400.0, 0.5)])
    f0_hz, periodicity = track_f0(audio, 48_000, 240)
    assert (periodicity[110:190] == 0).all()
    moved = np.abs(np.diff(np.log2(f0_hz[110:190].astype(float))))
    assert (moved > 1e-6).sum() == 1 and moved.max() == pytest.approx(1, abs=0.06)
    assert 140 <= 110 + moved.argmax() <= 160


@pytest.mark.parametrize("prior_hz", [20.0, 22.0, 5000.0])
def test_a_prior_at_the_ends_of_what_may_be_asked(prior_hz: float) -> None:
    f0_hz, _ = track_f0(np.random.default_rng(0).normal(size=24_000).astype(np.float32), 48_000, 240, prior_hz=prior_hz)
    assert np.abs(12 * np.log2(f0_hz / prior_hz)).max() < 1.6


def test_the_prior_is_the_pitch_of_what_has_none() -> None:
    assert track_f0(np.zeros(4800, np.float32), 48_000, 240, prior_hz=123.0)[0][0] == pytest.approx(123)


@pytest.mark.parametrize("tracker", TRACKERS)
def test_the_same_audio_gives_the_same_curve(tracker: str, tmp_path, monkeypatch) -> None:
    audio = tone(300.0, 0.4)
    curves = []
    for run in ("first", "second"):
        monkeypatch.setenv("DDSPVAE_CACHE", str(tmp_path / run))  # computed twice
        curves.append(track_f0(audio, 48_000, 240, tracker))
    np.testing.assert_array_equal(curves[0], curves[1])


def test_a_second_call_is_read_from_the_cache(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("DDSPVAE_CACHE", str(tmp_path))
    audio = tone(300.0, 0.4)
    track_f0(audio, 48_000, 240)
    entry, = tmp_path.glob("*.npz")
    content = io.BytesIO()
    np.savez(content, f0_hz=np.full(80, 77.0), periodicity=np.zeros(80))
    entry.write_bytes(hashlib.sha256(content.getvalue()).digest() + content.getvalue())
    assert track_f0(audio, 48_000, 240)[0][0] == 77
    for changed in ({"prior_hz": 300.0}, {"tracker": "autocorrelation"}):
        assert track_f0(audio, 48_000, 240, **changed)[0][40] == pytest.approx(300, rel=0.02)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"audio": np.zeros(0, np.float32)}, "audio must have shape"),
        ({"audio": np.zeros((2, 100), np.float32)}, "average the channels"),
        ({"audio": np.full(100, np.nan, np.float32)}, "audio must be finite"),
        ({"tracker": "swfit"}, "did you mean 'swift'"),
        ({"hop_size": 0}, "hop_size must lie"),
        ({"sample_rate": 0}, "sample_rate must lie"),
        ({"prior_hz": 0.0}, "prior_hz must lie"),
    ],
)
def test_errors(change: dict, message: str) -> None:
    arguments = {"audio": np.zeros(4800, np.float32), "sample_rate": 48_000, "hop_size": 240, **change}
    with pytest.raises(InputError, match=message):
        track_f0(**arguments)
