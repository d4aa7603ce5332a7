"""Loudness after BS.1770 and the limiter: the standard's own numbers, and an independent meter."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ddspvae.audio import true_peak, write_audio
from ddspvae.commands.main import main
from ddspvae.instrument.mastering import integrated_loudness, k_weighting, limit_blocks
from ddspvae.signals.checks import InputError
from ddspvae.signals.sound_formats import FORMATS

MELODY = Path(__file__).parents[2] / "examples" / "melody.mid"


def sine(dbfs: float, seconds: float, rate: int = 48_000, hz: float = 1000.0) -> np.ndarray:
    """In both channels."""
    wave = 10 ** (dbfs / 20) * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate)
    return np.stack([wave, wave])


def bursts(rate: int, seconds: float = 6.0, seed: int = 0) -> np.ndarray:
    """Stereo noise that comes and goes, and lies low as music does."""
    random = np.random.default_rng(seed)
    t = np.arange(round(rate * seconds)) / rate
    noise = np.cumsum(random.normal(size=(2, len(t))), axis=1)
    noise -= np.stack([np.convolve(one, np.full(2001, 1 / 2001), "same") for one in noise])
    return (0.01 * noise * (0.05 + (np.sin(3 * t) > 0.2))).astype(np.float32)


def test_the_filters_are_those_of_the_standard():
    """ITU-R BS.1770-4, tables 1 and 2, at 48 kHz."""
    (shelf_b, shelf_a), (high_b, high_a) = k_weighting(48_000)
    assert shelf_b == pytest.approx([1.53512485958697, -2.69169618940638, 1.19839281085285], abs=1e-8)
    assert shelf_a == pytest.approx([1, -1.69065929318241, 0.73248077421585], abs=1e-8)
    assert high_b == pytest.approx([1, -2, 1])
    assert high_a == pytest.approx([1, -1.99004745483398, 0.99007225036621], abs=1e-8)


@pytest.mark.parametrize("levels, asked", [
    ([(-23, 20)], -23.0), ([(-33, 20)], -33.0),
    pytest.param([(-36, 10), (-23, 60), (-36, 10)], -23.0, marks=pytest.mark.slow),
    pytest.param([(-26, 20), (-20, 20.1), (-26, 20)], -23.0, marks=pytest.mark.slow)])
def test_the_signals_of_the_broadcasters_measure_as_they_say(levels, asked):
    """EBU Tech 3341, cases 1 to 3 and 5: within 0.1 LU."""
    blocks = [sine(dbfs, seconds) for dbfs, seconds in levels]
    assert integrated_loudness(blocks, 48_000) == pytest.approx(asked, abs=0.1)


@pytest.mark.parametrize("rate", [44_100, 48_000])
def test_loudness_is_that_of_an_independent_meter(rate):
    meter = pytest.importorskip("pyloudnorm", reason="pyloudnorm is not installed").Meter(rate)
    sound = bursts(rate)
    for heard in (sound, sound[0]):
        assert integrated_loudness([heard], rate) == pytest.approx(meter.integrated_loudness(heard.T.astype(float)), abs=0.1)


def test_loudness_does_not_depend_on_blocks_and_silence_has_none():
    sound = bursts(48_000)
    whole = integrated_loudness([sound], 48_000)
    assert integrated_loudness(np.array_split(sound, 7, axis=1), 48_000) == pytest.approx(whole, abs=1e-9)
    assert integrated_loudness([np.zeros(48_000)], 48_000) == -math.inf
    assert integrated_loudness([np.ones(100)], 48_000) == integrated_loudness([], 48_000) == -math.inf


@pytest.mark.parametrize("channels", [1, 2])
def test_the_limiter_holds_the_true_peak_and_leaves_the_rest_alone(channels):
    rate = 48_000
    t = np.arange(6 * rate) / rate
    sound = np.stack([0.5 * np.sin(2 * np.pi * hz * t) for hz in (220, 331)])[:channels]
    sound[:, 3 * rate : 3 * rate + 2000] *= 3.7
    sound = (sound if channels == 2 else sound[0]).astype(np.float32)
    limited = np.concatenate(list(limit_blocks([sound], rate)), axis=-1)
    assert limited.shape == sound.shape and 20 * np.log10(true_peak(sound)) > 4
    assert -1.2 < 20 * np.log10(true_peak(limited)) <= -1.0
    assert np.array_equal(limited[..., : 2 * rate], sound[..., : 2 * rate])
    assert np.array_equal(limited[..., 5 * rate :], sound[..., 5 * rate :])
    pieces = np.array_split(sound, 11, axis=-1)
    assert np.array_equal(np.concatenate(list(limit_blocks(pieces, rate)), axis=-1), limited)


def test_the_limiter_moves_without_corners():
    """Second differences of the gain on a steady tone stay those of a curve that takes 5 ms."""
    rate = 48_000
    sound = np.full(2 * rate, 0.5, dtype=np.float32)
    sound[rate : rate + 10] = 2.0
    gain = np.concatenate(list(limit_blocks([sound], rate))) / sound
    assert np.abs(np.diff(gain, 2)).max() < 2e-4 and gain.min() < 0.5


def told(capsys: pytest.CaptureFixture[str], *argv: object) -> dict:
    assert main([str(word) for word in (*argv, "--json")]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.mark.slow
def test_a_render_has_the_loudness_that_is_asked_for(capsys, tmp_path):
    song = ("render", MELODY, "--preset", "violin")
    soft = told(capsys, *song, "--out", tmp_path / "soft.wav", "--lufs", "-30")
    audio, rate = soundfile.read(tmp_path / "soft.wav", dtype="float32")
    assert integrated_loudness([audio], rate) == pytest.approx(-30, abs=0.1) and soft["lufs"] == pytest.approx(-30, abs=0.1)
    turned = told(capsys, *song, "--out", tmp_path / "turned.wav", "--lufs", "-6")
    assert turned["lufs"] < -6.5 and "limited_db" not in turned
    limited = told(capsys, *song, "--out", tmp_path / "limited.wav", "--lufs", "-12", "--limit")
    audio, rate = soundfile.read(tmp_path / "limited.wav", dtype="float32")
    assert limited["lufs"] == pytest.approx(-12, abs=0.2) and limited["limited_db"] < -0.5
    assert integrated_loudness([audio], rate) == pytest.approx(limited["lufs"], abs=0.05)
    assert 20 * np.log10(true_peak(audio)) <= -0.98


@pytest.mark.parametrize("ending", sorted(FORMATS))
def test_every_format_holds_the_sound_and_gives_the_same_bytes(ending, tmp_path):
    sound = 0.5 * sine(0, 1.3, hz=440).astype(np.float32)
    for name in ("a", "b"):
        write_audio(tmp_path / (name + ending), sound, 48_000)
    read, rate = soundfile.read(tmp_path / ("a" + ending), dtype="float32")
    assert rate == 48_000 and read.T.shape == sound.shape
    error = read.T[:, 4800:-4800] - sound[:, 4800:-4800]
    assert 10 * np.log10(np.square(sound).mean() / np.square(error).mean()) > 20
    assert (tmp_path / ("a" + ending)).read_bytes() == (tmp_path / ("b" + ending)).read_bytes()


@pytest.mark.parametrize("ending, rate, told", [(".opus", 44_100, "sample_rate must be one of 8000"),
                                                (".mp3", 96_000, "sample_rate must be one of 8000"),
                                                (".aac", 48_000, "ending must be one of")])
def test_what_a_format_cannot_hold_is_refused(ending, rate, told, tmp_path):
    with pytest.raises(InputError, match=told):
        write_audio(tmp_path / ("a" + ending), np.zeros(100, np.float32), rate)
    assert not list(tmp_path.iterdir())
