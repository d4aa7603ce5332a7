from __future__ import annotations

import numpy as np
import pytest

from ddspvae.features.statistics import Statistics
from ddspvae.instrument.mix import balance, is_panned, place, typical_level_db

RATE = 48_000


def player(softest_db: float, loudest_db: float) -> Statistics:
    """An instrument whose levels are spread evenly between two."""
    return Statistics(55, 96, tuple(np.linspace(softest_db, loudest_db, 101)), -80, 0.05, 120, 10, 5.5, 0.2, 0.04, 3)



def tone(seconds: float = 1.0, f0_hz: float = 440.0) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * f0_hz * np.arange(round(seconds * RATE)) / RATE)).astype(np.float32)


def placed(audio: np.ndarray, size: int = 0, *, stereo: bool = True, rate: int = RATE, **controllers) -> np.ndarray:
    size = size or audio.shape[-1]
    blocks = [audio[..., at : at + size] for at in range(0, audio.shape[-1], size)]
    return np.concatenate(list(place(blocks, controllers, rate, stereo=stereo)), axis=-1)


def test_what_was_never_sent_changes_nothing():
    audio = tone()
    assert np.array_equal(placed(audio, stereo=False), audio)
    room = np.stack([audio, -audio])
    assert np.array_equal(placed(room), room)
    assert np.array_equal(placed(audio, stereo=False, volume=((0.0, 100 / 127),)), audio)
    assert np.allclose(placed(room, pan=((0.0, 0.5),)), room, atol=1e-7)


def test_volume_follows_general_midi():
    audio = tone()
    for value in (127, 64, 1):
        peak = np.abs(placed(audio, stereo=False, volume=((0.0, value / 127),))).max()
        gain_db = 20 * np.log10(peak / np.abs(audio).max())
        assert gain_db == pytest.approx(40 * np.log10(value / 100), abs=1e-3)
    assert not placed(audio, stereo=False, volume=((0.0, 0.0),)).any()


@pytest.mark.parametrize("pan, left, right", [(0.0, 1.0, 0.0), (0.5, 0.5**0.5, 0.5**0.5), (1.0, 0.0, 1.0)])
def test_pan_keeps_the_power(pan, left, right):
    audio = tone()
    sides = placed(audio, pan=((0.0, pan),))
    assert np.allclose(sides, np.stack([left * audio, right * audio]), atol=1e-6)


def test_a_moving_pan_keeps_the_power_all_the_way():
    steps = tuple((0.01 * i, i / 100) for i in range(101))
    left, right = placed(np.ones(RATE, dtype=np.float32), pan=steps)
    assert np.abs(left**2 + right**2 - 1).max() < 1e-3
    assert (np.diff(right) >= -1e-6).all() and right[0] == 0 and right[-1] > 0.99


def test_a_stereo_room_is_balanced_about_its_middle():
    room = np.stack([tone(), tone(f0_hz=660.0)])
    left, right = placed(room, pan=((0.0, 1.0),))
    assert np.abs(left).max() < 1e-6 and np.allclose(right, 2**0.5 * room[1], atol=1e-6)


def test_a_step_comes_when_it_is_written():
    gain = placed(np.ones(RATE, dtype=np.float32), stereo=False, volume=((0.5, 0.0),))
    assert gain[round(0.494 * RATE)] == 1 and gain[round(0.506 * RATE)] == 0
    halfway_s = np.flatnonzero(gain**0.5 < 0.5)[0] / RATE
    assert halfway_s == pytest.approx(0.5, abs=0.001)


def test_steps_make_no_click():
    audio = tone(1.0, 1000.0)
    loud = placed(audio, stereo=False, volume=((0.0, 0.2), (0.5, 1.0)))
    clicking = audio * np.where(np.arange(RATE) < RATE // 2 + 12, 0.04, 1.6)  # cut at the top of a wave

    def far_db(sound: np.ndarray) -> float:
        spectrum = np.abs(np.fft.rfft(sound * np.hanning(RATE)))
        return float(20 * np.log10(spectrum[3000:].max() / spectrum.max()))

    assert far_db(loud) < -90
    assert far_db(clicking) > -75, "the same without smoothing would be heard by this test"


@pytest.mark.parametrize("rate", [16_000, 44_100, 48_000])
def test_blocks_do_not_show(rate):
    controllers = {"volume": ((0.1, 0.5), (0.2, 1.0)), "pan": ((0.15, 0.1), (0.7, 0.9))}
    audio = tone()
    whole = placed(audio, rate=rate, **controllers)
    assert np.abs(placed(audio, size=777, rate=rate, **controllers) - whole).max() < 1e-7


def test_the_audio_that_comes_in_is_left_alone():
    audio = tone()
    before = audio.copy()
    placed(audio, volume=((0.0, 0.5),), pan=((0.0, 0.2),))
    assert np.array_equal(audio, before)


def test_only_what_leaves_the_middle_is_panned():
    assert not is_panned({}) and not is_panned({"pan": ((0.0, 0.5),), "volume": ((0.0, 0.1),)})
    assert is_panned({"pan": ((0.0, 0.5), (3.0, 0.6))})


def test_the_typical_level_is_the_middle_of_the_written_velocities():
    # velocity 88 is 87/126 of the way from quantile 0.05 to 0.98, which is 0.692: of 0 to 100 dB the 69.2
    assert typical_level_db(player(-100, 0)) == pytest.approx(-100 + 69.214, abs=0.01)


def test_balanced_instruments_are_equally_loud_and_one_alone_is_left_as_it_is():
    players = {"flute": player(-40, -5), "trombone": player(-60, -14), "violin": player(-35, -12)}
    gains_db = balance(players)
    levels = [typical_level_db(players[name]) + gains_db[name] for name in players]
    assert np.ptp(levels) < 1e-9 and sum(gains_db.values()) == pytest.approx(0)
    assert gains_db["trombone"] > gains_db["violin"] > gains_db["flute"]
    assert balance({"flute": players["flute"]}) == {"flute": 0}
    assert balance({}) == {}


def test_instruments_are_brought_to_the_level_that_is_asked_for():
    gains_db = balance({"flute": player(-40, -5)}, -20.0)
    assert typical_level_db(player(-40 + gains_db["flute"], -5 + gains_db["flute"])) == pytest.approx(-20)
    assert balance({"flute": player(-40, -5)}, 0.0)["flute"] > 0, "0 dB is a level, not the lack of one"


@pytest.mark.parametrize("stereo", [False, True])
@pytest.mark.parametrize("controllers", [{}, {"volume": ((0.0, 1.0),), "pan": ((0.0, 0.2),)}])
def test_the_gain_of_an_instrument_is_in_decibels_whatever_else_is_sent(stereo, controllers):
    audio = tone()
    plain, louder = (np.concatenate(list(place([audio], controllers, RATE, stereo=stereo, gain_db=gain_db)), axis=-1)
                     for gain_db in (0.0, 6.0))
    assert np.allclose(louder, 10 ** (6 / 20) * plain, rtol=1e-5, atol=1e-7) and np.abs(plain).max() > 0.1


def test_a_gain_reaches_a_stereo_room_that_is_not_panned():
    room = np.stack([tone(), tone(f0_hz=660.0)])
    [louder] = place([room], {}, RATE, stereo=True, gain_db=-6.0)
    assert np.allclose(louder, 10 ** (-6 / 20) * room, atol=1e-6)
