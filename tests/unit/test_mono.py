"""One channel of several: nothing cancels, nothing is lost, and what was done is said."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import soundfile

from ddspvae import InputError, load, read_audio
from ddspvae.signals.mono import Look, to_mono

from ..conftest import melody_take

RATE = 48_000


@pytest.fixture(scope="module")
def sound():
    return melody_take(3.0, RATE)


def read(path, *channels):
    soundfile.write(path, np.stack(channels, axis=1), RATE, subtype="FLOAT")
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        audio, _ = read_audio(path)
    return audio, [str(warning.message) for warning in seen]


def test_channels_that_are_alike_are_averaged_without_a_word(tmp_path, sound):
    audio, told = read(tmp_path / "a.wav", sound, 0.8 * sound)
    np.testing.assert_allclose(audio, 0.9 * sound, atol=1e-6)
    assert not told


def test_opposite_phase_does_not_cancel(tmp_path, sound):
    noise = 1e-3 * np.random.default_rng(0).standard_normal(len(sound)).astype(np.float32)
    audio, told = read(tmp_path / "a.wav", sound, noise - sound)
    np.testing.assert_allclose(np.abs(audio).max(), np.abs(sound).max(), rtol=0.02)
    assert len(told) == 1 and "channel 2 is in opposite phase and was turned over" in told[0]


@pytest.mark.parametrize("empty", [0.0, 1e-4])
def test_an_empty_channel_costs_no_level(tmp_path, sound, empty):
    audio, told = read(tmp_path / "a.wav", empty * np.random.default_rng(0).standard_normal(len(sound)), sound)
    np.testing.assert_allclose(audio, sound, atol=1e-6)
    assert "channel 1 is empty" in told[0]


def test_a_spaced_pair_keeps_its_fundamental(tmp_path):
    time_s = np.arange(2 * RATE) / RATE
    tone = 0.3 * np.sin(2 * np.pi * 220 * time_s) + 0.2 * np.sin(2 * np.pi * 440 * time_s)
    late = 0.9 * np.roll(tone, round(RATE / 440))  # half a period of the fundamental, a whole one of the octave
    audio, told = read(tmp_path / "a.wav", tone, late)
    assert "its channels differ, and channel 1 is taken alone" in told[0]
    f0_hz = load("cello").listen(audio, RATE).f0_hz
    assert np.median(f0_hz) == pytest.approx(220, rel=0.01)


@pytest.mark.parametrize(("name", "match"), [("claims68e9.flac", "read_audio: "),
                                             ("rate9999991.wav", "9999991 samples a second")])
def test_small_files_that_claim_much(shared_dir, name, match):
    with pytest.raises(InputError, match=match):
        read_audio(shared_dir / "cases" / "audio" / name)


def test_a_channel_that_is_not_finite_is_no_empty_one(tmp_path, sound):
    broken = sound.copy()
    broken[1000] = np.nan
    soundfile.write(tmp_path / "a.wav", np.stack([sound, broken], axis=1), RATE, subtype="FLOAT")
    with pytest.raises(InputError, match=r"has NaN or infinite samples, the first at 0\.021 s"):
        read_audio(tmp_path / "a.wav")


def test_a_small_file_of_much_silence_is_no_bomb(tmp_path, monkeypatch):
    soundfile.write(tmp_path / "a.flac", np.zeros(4_000_000, np.float32), RATE)
    assert len(read_audio(tmp_path / "a.flac")[0]) == 4_000_000
    monkeypatch.setattr("ddspvae.audio.BOMB_BYTES", 1 << 23)
    with pytest.raises(InputError, match=r"read_audio: .*a.flac is 0.0 GB in memory, nearly all of it silence; cut"):
        read_audio(tmp_path / "a.flac")


def test_it_does_not_matter_in_which_blocks_channels_are_looked_at(sound, monkeypatch):
    noise = 0.1 * np.random.default_rng(0).standard_normal(len(sound)).astype(np.float32)
    for channels in ([sound, sound + noise], [sound, noise], [noise, -noise, 0 * noise]):
        frames = np.stack(channels, axis=1)
        look = Look()
        for at in range(0, len(frames), 1000):
            look.add(frames[at : at + 1000])
        whole, said = to_mono(frames)
        mixing = look.decide()
        assert mixing.said == said
        np.testing.assert_array_equal(np.concatenate([mixing.mix(frames[:777]), mixing.mix(frames[777:])]), whole)
