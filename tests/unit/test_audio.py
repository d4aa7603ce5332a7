import itertools

import numpy as np
import pytest
import soundfile

from ddspvae import audio as audio_module
from ddspvae.audio import (
    check_wav_size,
    limit_peak,
    limiting_gain,
    read_audio,
    resample,
    resample_blocks,
    true_peak,
    true_peak_of_blocks,
    write_audio,
    write_blocks,
)
from ddspvae.signals.blocks import even_blocks
from ddspvae.signals.checks import InputError

from ..conftest import tone


@pytest.mark.parametrize("name, rate, channels, subtype", [
    ("eight bit.wav", 8_000, 1, "PCM_U8"),
    ("hi-res é.wav", 96_000, 2, "PCM_24"),
    ("take.flac", 44_100, 1, "PCM_16"),
    ("take.ogg", 48_000, 2, "VORBIS"),
    ("take.mp3", 44_100, 1, "MPEG_LAYER_III"),
])
def test_reads_what_people_have(tmp_path, name, rate, channels, subtype):
    sound = tone(440.0, 0.5, rate, n_harmonics=1)
    soundfile.write(tmp_path / name, np.tile(sound[:, None], (1, channels)), rate, subtype=subtype)
    audio, sample_rate = read_audio(tmp_path / name, 48_000)
    assert sample_rate == 48_000 and audio.ndim == 1 and audio.dtype == np.float32
    spectrum = np.abs(np.fft.rfft(audio[4800:19200] * np.hanning(14400)))
    assert np.argmax(spectrum) * 48_000 / 14400 == pytest.approx(440, abs=4)
    assert np.abs(audio[4800:19200]).max() == pytest.approx(0.3, rel=0.05)


def odd_blocks(sound, sizes=(1, 0, 977, 20_011, 3)):
    """The sound in blocks of any sizes, over and over."""
    sizes, start = itertools.cycle(sizes), 0
    while start < sound.shape[-1]:
        size = next(sizes)
        yield sound[..., start : start + size]
        start += size


def noise(*shape, level=0.1):
    return (level * np.random.default_rng(1).standard_normal(shape)).astype(np.float32)


def test_reads_both_channels_if_asked(tmp_path):
    left, right = tone(440.0, 0.1), tone(660.0, 0.1)
    soundfile.write(tmp_path / "two.wav", np.stack([left, right], axis=1), 48_000, subtype="FLOAT")
    both, _ = read_audio(tmp_path / "two.wav", mono=False)
    assert both.shape == (2, 4800) and np.array_equal(both[0], left) and np.array_equal(both[1], right)
    with pytest.warns(UserWarning, match="its channels differ, and channel 1 is taken alone"):
        assert np.array_equal(read_audio(tmp_path / "two.wav")[0], left)
    assert read_audio(tmp_path / "two.wav", 24_000, mono=False)[0].shape == (2, 2400)
    soundfile.write(tmp_path / "one.wav", left, 48_000)
    assert read_audio(tmp_path / "one.wav", mono=False)[0].shape == (4800,)


def test_reading_says_what_is_wrong(tmp_path):
    with pytest.raises(InputError, match="no file"):
        read_audio(tmp_path / "none.wav")
    (tmp_path / "text.wav").write_text("hello")
    with pytest.raises(InputError, match="not a sound file that can be read"):
        read_audio(tmp_path / "text.wav")
    soundfile.write(tmp_path / "empty.wav", np.zeros(0), 48_000)
    with pytest.raises(InputError, match="holds no samples"):
        read_audio(tmp_path / "empty.wav")
    bad = np.zeros(100, dtype=np.float32)
    bad[48] = np.nan
    soundfile.write(tmp_path / "nan.wav", bad, 48_000, subtype="FLOAT")
    with pytest.raises(InputError, match=r"NaN or infinite samples, the first at 0\.001 s"):
        read_audio(tmp_path / "nan.wav")
    soundfile.write(tmp_path / "nan2.wav", np.stack([np.zeros_like(bad), bad], axis=1), 48_000, subtype="FLOAT")
    with pytest.raises(InputError, match=r"the first at 0\.001 s"):
        read_audio(tmp_path / "nan2.wav", mono=False)


@pytest.mark.parametrize("from_rate, to_rate", [(44_100, 48_000), (48_000, 16_000), (8_000, 48_000)])
def test_resampling_keeps_a_tone_and_adds_no_image(from_rate, to_rate):
    sound = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(from_rate) / from_rate)
    out = resample(sound, from_rate, to_rate)
    assert len(out) == to_rate
    middle = out[to_rate // 4 : 3 * to_rate // 4].astype(float)
    t = np.arange(to_rate // 4, 3 * to_rate // 4) / to_rate
    error = middle - 0.5 * np.sin(2 * np.pi * 1000 * t)
    assert 10 * np.log10(np.mean(error**2) / 0.125) < -80


@pytest.mark.parametrize("channels", [(), (2,)])
@pytest.mark.parametrize("to_rate", [48_000, 44_100, 16_000, 96_000, 11_025])
def test_resampling_in_blocks_is_resampling_the_whole(monkeypatch, to_rate, channels):
    sound = noise(*channels, 100_003)
    whole = resample(sound, 48_000, to_rate)  # shorter than a block: filtered at once
    monkeypatch.setattr(audio_module, "BLOCK_SIZE", 7000)
    blocks = list(resample_blocks(odd_blocks(sound), 48_000, to_rate))
    assert len(blocks) > 10
    joined = np.concatenate(blocks, axis=-1)
    assert joined.shape == whole.shape and joined.dtype == np.float32
    assert np.abs(joined - whole).max() < 1e-7


def test_resampling_says_what_is_wrong_and_keeps_nothing_of_nothing():
    with pytest.raises(InputError, match="from_rate must lie between"):
        resample(np.zeros(10), 0, 48_000)
    with pytest.raises(InputError, match="to_rate must lie between"):
        list(resample_blocks([np.zeros(10)], 48_000, 0))
    assert resample(np.zeros((2, 0)), 48_000, 44_100).shape == (2, 0)


def test_even_blocks():
    blocks = list(even_blocks(odd_blocks(np.arange(25), (3, 0, 1, 11)), 10))
    assert [len(block) for block in blocks] == [10, 10, 5] and np.array_equal(np.concatenate(blocks), np.arange(25))
    assert [block.shape for block in even_blocks([np.zeros((2, 20))], 10)] == [(2, 10), (2, 10)]
    assert list(even_blocks([np.zeros(0)], 10)) == []


def test_true_peak_sees_between_samples():
    # a tone at a quarter of the rate, sampled at 45 degrees: every sample is 0.707 of the peak
    t = np.arange(4800)
    sound = np.sin(2 * np.pi * 0.25 * t + np.pi / 4).astype(np.float32)
    assert np.abs(sound).max() == pytest.approx(0.7071, abs=1e-3)
    assert true_peak(sound) == pytest.approx(1.0, abs=0.02)
    assert true_peak(np.zeros(0)) == 0


@pytest.mark.parametrize("channels", [(), (2,)])
def test_true_peak_of_blocks_is_that_of_the_whole(monkeypatch, channels):
    sound = noise(*channels, 30_000)
    # between the last sample of one block and the first of the next stands the peak of all: 1.27 by sinc
    sound[..., 9999:10_001] = 1.0
    whole = true_peak(sound)
    assert whole > 1.2
    for block_size in (1000, 777):
        monkeypatch.setattr(audio_module, "BLOCK_SIZE", block_size)
        assert true_peak_of_blocks(odd_blocks(sound)) == pytest.approx(whole, rel=1e-6)
    assert true_peak_of_blocks([]) == 0


def test_limiting_gain():
    assert limiting_gain(2.0, -6.0206) == pytest.approx(0.25, rel=1e-4)
    assert limiting_gain(0.4, -6.0206) == 1 and limiting_gain(0.0) == 1


def test_limit_peak_only_turns_down():
    loud, gain_db = limit_peak(tone(440.0, 0.1, level=2.0))
    assert 20 * np.log10(true_peak(loud)) == pytest.approx(-1.0, abs=0.05) and gain_db < -6
    soft = tone(440.0, 0.1, level=0.1)
    same, gain_db = limit_peak(soft)
    assert gain_db == 0 and np.array_equal(same, soft)


@pytest.mark.parametrize("depth, bound", [("16", 2 / 32768), ("24", 1e-6), ("float", 1e-9)])
def test_writing_and_reading_back(tmp_path, depth, bound):
    sound = tone(440.0, 0.1)
    write_audio(tmp_path / "out.wav", sound, 48_000, depth)
    write_audio(tmp_path / "again.wav", sound, 48_000, depth)
    assert (tmp_path / "out.wav").read_bytes() == (tmp_path / "again.wav").read_bytes()
    assert np.abs(read_audio(tmp_path / "out.wav")[0] - sound).max() <= bound
    assert sorted(p.name for p in tmp_path.iterdir()) == ["again.wav", "out.wav"]


@pytest.mark.parametrize("name, depth", [("a.wav", "16"), ("a.wav", "24"), ("a.wav", "float"), ("a.flac", "16"),
                                         ("a.flac", "24"), ("a.ogg", "16")])
@pytest.mark.parametrize("channels", [(), (2,)])
def test_the_bytes_do_not_depend_on_the_blocks(tmp_path, monkeypatch, name, depth, channels):
    monkeypatch.setattr(audio_module, "WRITE_SIZE", 30_000)
    sound = tone(440.0, 100_000 / 48_000) + noise(*channels, 100_000, level=0.001)
    write_audio(tmp_path / name, sound, 48_000, depth)
    with write_blocks(tmp_path / f"b{name}", odd_blocks(sound), 48_000, depth):
        assert [path.name for path in tmp_path.iterdir() if path.name != name] != []
    assert (tmp_path / name).read_bytes() == (tmp_path / f"b{name}").read_bytes()
    if not name.endswith("ogg"):  # what Vorbis makes of a sound does depend on how it is cut
        monkeypatch.setattr(audio_module, "WRITE_SIZE", 777)
        write_audio(tmp_path / f"c{name}", sound, 48_000, depth)
        assert (tmp_path / name).read_bytes() == (tmp_path / f"c{name}").read_bytes()
    assert soundfile.info(tmp_path / name).frames == 100_000
    again, _ = read_audio(tmp_path / name, mono=False)
    assert again.shape == sound.shape
    assert np.mean((again - sound) ** 2) < (1e-2 if name.endswith("ogg") else 1e-7) * np.mean(sound**2)


def test_dither_is_white_triangular_noise_of_one_step_also_across_blocks(tmp_path, monkeypatch):
    monkeypatch.setattr(audio_module, "WRITE_SIZE", 1000)
    write_audio(tmp_path / "quiet.wav", np.zeros((2, 50_000), dtype=np.float32), 48_000)
    steps = soundfile.read(tmp_path / "quiet.wav", dtype="int16")[0].T
    # the difference of two uniform numbers rounds to +1 and to -1 with a chance of 1/8 each
    assert set(np.unique(steps)) == {-1, 0, 1} and np.mean(steps**2.0) == pytest.approx(1 / 4, abs=0.01)
    assert abs(steps.mean()) < 0.01
    assert np.abs(np.corrcoef(np.vstack([steps, np.roll(steps, 1000, axis=1)])) - np.eye(4)).max() < 0.02


def test_a_long_ogg_at_once(tmp_path):
    write_audio(tmp_path / "long.ogg", noise(3_000_000), 48_000)  # in one go, this overflows the encoder's stack
    assert soundfile.info(tmp_path / "long.ogg").frames == 3_000_000


def test_write_blocks_leaves_the_old_file_when_the_new_one_fails(tmp_path):
    path = tmp_path / "a.wav"
    write_audio(path, noise(100), 48_000)
    before = path.read_bytes()
    with pytest.raises(KeyboardInterrupt), write_blocks(path, [noise(1000)], 48_000):
        raise KeyboardInterrupt

    def broken():
        yield noise(200_000)
        raise RuntimeError
    with pytest.raises(RuntimeError), write_blocks(path, broken(), 48_000):
        pass
    assert list(tmp_path.iterdir()) == [path] and path.read_bytes() == before


@pytest.mark.parametrize("name, depth", [("a.wav", "16"), ("a.wav", "float"), ("a.flac", "16"), ("a.ogg", "16")])
def test_a_full_disk(tmp_path, name, depth):
    resource = pytest.importorskip("resource")
    sound = noise(100_000)
    write_audio(tmp_path / name, sound, 48_000, depth)
    size = (tmp_path / name).stat().st_size
    (tmp_path / name).unlink()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    for share in (0.5, 0.9, 1 - 1 / size):
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(share * size), hard))
        try:
            with pytest.raises(InputError, match=f"cannot write .*{name} .*has its disk room"):
                write_audio(tmp_path / name, sound, 48_000, depth)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert list(tmp_path.iterdir()) == []


def test_an_encoder_that_loses_the_end_is_found_out(tmp_path, monkeypatch):
    monkeypatch.setattr(soundfile.SoundFile, "write", lambda self, frames: None)
    with pytest.raises(InputError, match="only 0 of 100 samples arrived"):
        write_audio(tmp_path / "a.wav", noise(100), 48_000)
    assert list(tmp_path.iterdir()) == []


def test_a_wav_file_ends_at_4_gb(tmp_path, monkeypatch):
    hour = 3600 * 192_000
    check_wav_size("hour.wav", hour, 2, "16")
    check_wav_size("hour.flac", hour, 2, "24")
    with pytest.raises(InputError, match=r"hour\.wav would be 5\.5 GB.*write a \.flac, or take fewer bits"):
        check_wav_size("hour.wav", hour, 2, "float")
    monkeypatch.setattr(audio_module, "WAV_LIMIT_BYTES", 150_000)
    with pytest.raises(InputError, match="a WAV file ends at"):
        write_audio(tmp_path / "a.wav", noise(80_000), 48_000)
    with pytest.raises(InputError, match="a WAV file ends at"), write_blocks(tmp_path / "a.wav", [noise(80_000)], 48_000):
        pass
    assert list(tmp_path.iterdir()) == []


def test_writing_says_what_is_wrong(tmp_path):
    sound = tone(440.0, 0.1)
    with pytest.raises(InputError, match="does the folder exist"):
        write_audio(tmp_path / "nowhere" / "out.wav", sound, 48_000)
    with pytest.raises(InputError, match=r"ending must be one of .*, got '\.mp4'"):
        write_audio(tmp_path / "out.mp4", sound, 48_000)
    with pytest.raises(InputError, match="bit_depth must be one of 16, 24, float"):
        write_audio(tmp_path / "out.wav", sound, 48_000, "12")
    with pytest.raises(InputError, match="audio must stay within"):
        write_audio(tmp_path / "out.wav", sound * 10, 48_000)
    with pytest.raises(InputError, match="audio must be finite"):
        write_audio(tmp_path / "out.wav", sound * np.nan, 48_000)
    assert list(tmp_path.iterdir()) == []
