"""Halls of our own: they ring as long as they say, in both ears, and are as loud as acoustics has it."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile
from scipy import signal

from ddspvae.commands.main import main
from ddspvae.commands.sounds import HALLS as NAMES
from ddspvae.instrument.halls import DECAY_SHAPE, HALLS, hall_response
from ddspvae.signals.checks import InputError

RATE = 48_000


def decay_s(taps: np.ndarray, rate: int, low_hz: float, high_hz: float) -> float:
    """Reverberation time by Schroeder's backward integral, from -5 to -25 dB (T20)."""
    band = signal.butter(4, (low_hz, high_hz), "bandpass", fs=rate, output="sos")
    left = np.square(signal.sosfilt(band, taps))[::-1].cumsum()[::-1]
    left_db = 10 * np.log10(left / left[0])
    first, last = np.searchsorted(-left_db, [5, 25])
    return 3 * (last - first) / rate


def test_the_command_line_names_those_that_there_are():
    assert set(NAMES) == set(HALLS)


@pytest.mark.parametrize("name", HALLS)
def test_a_hall_rings_as_long_as_it_says(name):
    taps = hall_response(name, RATE)
    assert taps.shape[0] == 2 and np.all(taps[:, 0] == 1) and np.isfinite(taps).all()
    for shape, low_hz, high_hz in ((DECAY_SHAPE[2], 550, 900), (DECAY_SHAPE[4], 2300, 3600)):
        heard = np.mean([decay_s(channel[1:], RATE, low_hz, high_hz) for channel in taps])
        assert heard == pytest.approx(HALLS[name].decay_s * shape, rel=0.15)
    late = taps[:, round(0.15 * HALLS[name].decay_s * RATE) :]
    assert abs(np.corrcoef(late)[0, 1]) < 0.2 and np.abs(taps[:, 1:]).max() < 1


@pytest.mark.parametrize("name", HALLS)
def test_a_hall_is_as_loud_beside_the_direct_sound_as_acoustics_has_it(name):
    """Barron & Lee: 31200 T / V over 100 / r^2, in the octave around 700 Hz, within 2 dB."""
    hall = HALLS[name]
    taps = hall_response(name, RATE)[0].astype(float)
    taps[0] = 0
    hz = np.fft.rfftfreq(len(taps), 1 / RATE)
    wet = np.square(np.abs(np.fft.rfft(taps)))[(hz > 550) & (hz < 900)].mean()
    asked = 31_200 * hall.decay_s / np.prod(hall.size_m) * hall.distance_m**2 / 100
    assert 10 * np.log10(wet / asked) == pytest.approx(0, abs=2)


def test_halls_are_made_drier_wetter_and_longer_and_are_the_same_each_time():
    taps = hall_response("chamber", 16_000)
    louder, longer = hall_response("chamber", 16_000, 6.0), hall_response("chamber", 16_000, 0.0, 2.0)
    np.testing.assert_allclose(louder[:, 1:], 10 ** (6 / 20) * taps[:, 1:], rtol=1e-4)
    assert longer.shape[1] > 1.9 * taps.shape[1]
    hall_response.cache_clear()
    assert np.array_equal(hall_response("chamber", 16_000), taps)
    with pytest.raises(InputError, match="room must be one of chamber, church, hall, studio, got 'cave'"):
        hall_response("cave", 16_000)


@pytest.mark.slow
def test_a_render_in_a_hall_is_in_stereo_and_rings_on(tmp_path, capsys):
    (tmp_path / "one.csv").write_text("onset_s,offset_s,pitch,velocity\n0,0.5,69,90\n")
    argv = ["render", str(tmp_path / "one.csv"), "--preset", "flute", "--room", "chamber", "--out", str(tmp_path / "a.wav")]
    assert main(argv) == 0
    audio, rate = soundfile.read(tmp_path / "a.wav")
    assert audio.shape[1] == 2 and np.abs(audio[:, 0] - audio[:, 1]).max() > 1e-3
    assert len(audio) / rate > 2.0 and np.abs(audio[round(0.9 * rate) : round(1.1 * rate)]).max() > 1e-3
    for more, told in (["--dry"], "is a hall"), (["--ir", str(tmp_path / "a.wav")], "is a hall"):
        assert main([*argv[:-1], str(tmp_path / "b.wav"), *more]) == 2
        assert told in capsys.readouterr().err
    assert main([*argv[:-1], str(tmp_path / "c.wav"), "--wet", "6", "--decay", "0.5"]) == 0
