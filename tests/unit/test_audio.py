import numpy as np
import pytest
import soundfile

from ddspvae.audio import limit_peak, read_audio, resample, true_peak, write_audio
from ddspvae.checks import InputError

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


@pytest.mark.parametrize("from_rate, to_rate", [(44_100, 48_000), (48_000, 16_000), (8_000, 48_000)])
def test_resampling_keeps_a_tone_and_adds_no_image(from_rate, to_rate):
    sound = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(from_rate) / from_rate)
    out = resample(sound, from_rate, to_rate)
    assert len(out) == to_rate
    middle = out[to_rate // 4 : 3 * to_rate // 4].astype(float)
    t = np.arange(to_rate // 4, 3 * to_rate // 4) / to_rate
    error = middle - 0.5 * np.sin(2 * np.pi * 1000 * t)
    assert 10 * np.log10(np.mean(error**2) / 0.125) < -80


def test_true_peak_sees_between_samples():
    # a tone at a quarter of the rate, sampled at 45 degrees: every sample is 0.707 of the peak
    t = np.arange(4800)
    sound = np.sin(2 * np.pi * 0.25 * t + np.pi / 4).astype(np.float32)
    assert np.abs(sound).max() == pytest.approx(0.7071, abs=1e-3)
    assert true_peak(sound) == pytest.approx(1.0, abs=0.02)
    assert true_peak(np.zeros(0)) == 0


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
