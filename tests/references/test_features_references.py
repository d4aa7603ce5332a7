"""Our features against published tables and other people's code."""

import numpy as np
import pytest
import torch
from scipy import signal

from ddspvae.audio import resample
from ddspvae.features.loudness import a_weighted_loudness, centred_stft
from ddspvae.features.timbre import mel_filterbank, mel_power, timbre_frames
from ddspvae.features.weighting import a_weighting

from ..conftest import melody_take, tone

# IEC 61672-1:2013, table 3: nominal frequency and A-weighting in dB
A_WEIGHTING_DB = {31.5: -39.4, 63: -26.2, 125: -16.1, 250: -8.6, 500: -3.2, 1000: 0.0, 2000: 1.2, 4000: 1.0,
                  8000: -1.1, 16000: -6.6}


@pytest.mark.parametrize("frequency_hz, gain_db", A_WEIGHTING_DB.items())
def test_a_weighting_is_the_standards(frequency_hz, gain_db):
    exact_hz = 1000 * 10 ** (round(10 * np.log10(frequency_hz / 1000)) / 10)  # nominal to exact third octaves
    ours = 10 * float(torch.log10(a_weighting(torch.tensor(exact_hz))))
    assert ours == pytest.approx(gain_db, abs=0.06)


@pytest.mark.parametrize("sample_rate, hop", [(16_000, 80), (44_100, 220), (48_000, 240)])
def test_loudness_of_a_sine_is_its_power(sample_rate, hop):
    audio = torch.from_numpy(tone(1000.0, 1.0, sample_rate, n_harmonics=1, level=0.5))[None]
    loudness = a_weighted_loudness(audio, sample_rate, hop)
    assert loudness.shape == (1, 200 if sample_rate != 44_100 else 201)
    assert float(loudness[0, 100]) == pytest.approx(20 * np.log10(0.5) - 3.0103, abs=0.02)


def test_loudness_is_centred_on_its_frame():
    click = torch.zeros(1, 48_000)
    click[0, 100 * 240] = 1.0
    loudness = a_weighted_loudness(click, 48_000, 240)[0]
    above = torch.nonzero(loudness > -119)[:, 0].float()
    assert float(above.mean()) == pytest.approx(100, abs=0.5)


def test_timbre_frames_do_not_hear_level():
    take = torch.from_numpy(melody_take(2.0, 48_000))[None]
    loud, soft = timbre_frames(take, 48_000, 240), timbre_frames(take * 0.1, 48_000, 240)
    sounding = a_weighted_loudness(take, 48_000, 240) > -60
    torch.testing.assert_close(loud[sounding], soft[sounding], atol=1e-3, rtol=0)
    assert float(timbre_frames(torch.zeros(1, 4800), 48_000, 240).max()) == -1


def test_stft_equals_scipys():
    take = melody_take(1.0, 16_000)
    ours = centred_stft(torch.from_numpy(take)[None], 512, 80)[0].numpy().T
    window = signal.get_window("hann", 512)
    theirs = signal.ShortTimeFFT(window, 80, 16_000, fft_mode="onesided", phase_shift=None).stft(
        take.astype(np.float64), p0=0, p1=ours.shape[1])
    assert np.abs(np.abs(ours) - np.abs(theirs)).max() < 1e-3


def _torchaudio():
    try:
        import torchaudio
    except (ImportError, OSError, RuntimeError) as error:
        pytest.skip(f"torchaudio does not load beside this torch ({str(error).splitlines()[0][:80]}); "
                    "CONTRIBUTING.md names a pair that does")
    return torchaudio


def test_mel_frames_equal_torchaudios():
    torchaudio = _torchaudio()
    take = torch.from_numpy(melody_take(1.0, 48_000))[None]
    theirs = torchaudio.transforms.MelSpectrogram(48_000, 2048, hop_length=240, f_min=30.0, f_max=16_000.0, n_mels=64,
                                                  pad_mode="constant", power=2.0)(take)
    torch.testing.assert_close(mel_power(take, 48_000, 240)[0].T, theirs[0, :, :200], rtol=1e-3, atol=1e-4)


def test_resampling_equals_torchaudios():
    torchaudio = _torchaudio()
    take = melody_take(1.0, 44_100)
    theirs = torchaudio.functional.resample(torch.from_numpy(take), 44_100, 16_000, lowpass_filter_width=64,
                                            rolloff=0.96).numpy()
    ours = resample(take, 44_100, 16_000)
    middle = slice(1000, 15_000)
    error = np.mean((ours[middle] - theirs[middle]) ** 2) / np.mean(theirs[middle] ** 2)
    assert 10 * np.log10(error) < -40


def test_mel_filters_have_peak_one_and_cover_the_range():
    filters = mel_filterbank(2048, 48_000)
    assert filters.shape == (1025, 64) and float(filters.max()) <= 1
    assert bool((filters.sum(0) > 0).all()), "every filter hears something"


def test_blocks_of_frames_equal_the_whole():
    from ddspvae.features.loudness import by_blocks

    take = torch.from_numpy(melody_take(3.0, 16_000))[None]
    for feature in (a_weighted_loudness, timbre_frames):
        whole = feature(take, 16_000, 80)
        torch.testing.assert_close(by_blocks(feature, take, 16_000, 80, block_frames=97), whole, atol=1e-3, rtol=0)
