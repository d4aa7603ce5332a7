"""Audio files in and out, and resampling. Everything inside the project is mono float32 at one rate."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray
from scipy import signal
from scipy.io import wavfile

from ddspvae.checks import InputError, check_choice, check_range, fail
from ddspvae.units import amplitude_to_db, db_to_amplitude

Audio = NDArray[np.float32]

BIT_DEPTHS = {"16": "PCM_16", "24": "PCM_24", "float": "FLOAT"}
PEAK_LIMIT_DBFS = -1.0
FORMATS = {".wav": "WAV", ".flac": "FLAC", ".ogg": "OGG"}


def read_audio(path: str | Path, sample_rate: int | None = None) -> tuple[Audio, int]:
    """Read a sound file as mono; channels are averaged.

    Args:
        path: WAV, FLAC, OGG, MP3, AIFF, whatever libsndfile reads.
        sample_rate: Hz to resample to; None keeps the file's own.
    Returns:
        audio [T], full scale +-1, and its sample rate in Hz.
    Raises:
        InputError: missing, unreadable, empty, or with NaN or infinite samples.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"read_audio: {path} is a folder, not a file." if path.is_dir() else f"read_audio: no file {path}.")
    try:
        audio, file_rate = soundfile.read(path, dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, RuntimeError) as error:
        raise InputError(f"read_audio: {path} is not a sound file that can be read ({error}).") from error
    if len(audio) == 0:
        raise InputError(f"read_audio: {path} holds no samples; record it again.")
    mono = audio.mean(axis=1)
    if not np.isfinite(mono).all():
        at_s = np.flatnonzero(~np.isfinite(mono))[0] / file_rate
        raise InputError(f"read_audio: {path} has NaN or infinite samples, the first at {at_s:.3f} s; export it again.")
    if sample_rate is None or sample_rate == file_rate:
        return mono, file_rate
    return resample(mono, file_rate, sample_rate), sample_rate


def resample(audio: NDArray, from_rate: int, to_rate: int) -> Audio:
    """Change the sample rate with a polyphase Kaiser filter: flat to 0.92 of the lower Nyquist, -100 dB images.

    Args:
        audio: [T] or [..., T].
        from_rate, to_rate: Hz.
    Returns:
        [..., ceil(T * to_rate / from_rate)].
    """
    check_range("resample", "from_rate", from_rate, 1, 10_000_000)
    check_range("resample", "to_rate", to_rate, 1, 10_000_000)
    if from_rate == to_rate:
        return np.asarray(audio, dtype=np.float32)
    divisor = math.gcd(from_rate, to_rate)
    up, down = to_rate // divisor, from_rate // divisor
    # Kaiser window method: 100 dB stop band over a transition of 8 % of the lower Nyquist.
    n_taps, beta = signal.kaiserord(100.0, 0.08 / max(up, down))
    taps = signal.firwin(n_taps | 1, 0.96 / max(up, down), window=("kaiser", beta))
    resampled = signal.resample_poly(np.asarray(audio, dtype=np.float64), up, down, axis=-1, window=taps)
    return resampled.astype(np.float32)


def true_peak(audio: NDArray) -> float:
    """Largest absolute value between the samples too: the signal read at four times its rate.

    Args:
        audio: [T] or [2, T].
    Source: ITU-R BS.1770-4, annex 2.
    """
    if not audio.size:
        return 0.0
    peak, margin = 0.0, 64
    for start in range(0, audio.shape[-1], 1 << 20):  # 22 s at 48 kHz at a time keep the memory flat
        low = max(0, start - margin)
        block = signal.resample_poly(audio[..., low : start + (1 << 20) + margin], 4, 1, axis=-1)
        # what the cut at the block's edges rings is not in the signal
        peak = max(peak, float(np.abs(block[..., 4 * (start - low) : 4 * (start - low) + (4 << 20)]).max()))
    return peak


def limit_peak(audio: NDArray, limit_dbfs: float = PEAK_LIMIT_DBFS) -> tuple[Audio, float]:
    """Turn the whole sound down so that its true peak is at most limit_dbfs; never up.

    Returns:
        audio and the gain that was applied, in dB (0 or less).
    """
    peak = true_peak(audio)
    limit = db_to_amplitude(limit_dbfs)
    if peak <= limit:
        return np.asarray(audio, dtype=np.float32), 0.0
    return (audio * (limit / peak)).astype(np.float32), float(amplitude_to_db(limit / peak))


def write_audio(path: str | Path, audio: NDArray, sample_rate: int, bit_depth: str = "16") -> None:
    """Write [T] or [2, T] to a .wav, .flac or .ogg file, under a temporary name until it is whole.

    Args:
        bit_depth: "16", "24" or "float" (WAV only); OGG ignores it. 16 bits are dithered (TPDF, fixed seed).
    Raises:
        InputError: unknown ending or bit depth, samples beyond full scale, or a folder that cannot be written.
    """
    path = Path(path)
    check_choice("write_audio", "bit_depth", str(bit_depth), BIT_DEPTHS)
    check_choice("write_audio", "the file's ending", path.suffix.lower(), FORMATS)
    if bit_depth == "float" and path.suffix.lower() != ".wav":
        raise fail("write_audio", "bit_depth", f"be 16 or 24 for {path.suffix}", "float", "write a .wav instead")
    if not np.isfinite(audio).all():
        raise fail("write_audio", "audio", "be finite", "NaN or infinity")
    if bit_depth != "float" and np.abs(audio).max(initial=0.0) > 1:
        raise fail("write_audio", "audio", "stay within +-1", f"{np.abs(audio).max():.3f}", "call limit_peak first")
    if str(bit_depth) == "16" and path.suffix.lower() != ".ogg":
        step = 1 / 32768
        noise = np.random.default_rng(0).random((2, *audio.shape), dtype=np.float32)
        audio = np.clip(audio + (noise[0] - noise[1]) * step, -1, 1 - step)
    subtype = "VORBIS" if path.suffix.lower() == ".ogg" else BIT_DEPTHS[str(bit_depth)]
    part = path.with_name(path.name + ".part")
    try:
        if bit_depth == "float":  # libsndfile would write the time of day into the file
            wavfile.write(part, sample_rate, np.asarray(audio.T, dtype=np.float32))
        else:
            soundfile.write(part, audio.T, sample_rate, subtype=subtype, format=FORMATS[path.suffix.lower()])
        part.replace(path)
    except (OSError, soundfile.LibsndfileError) as error:
        raise InputError(f"write_audio: cannot write {path} ({error}); does the folder exist?") from error
    finally:
        part.unlink(missing_ok=True) if path.parent.is_dir() else None
