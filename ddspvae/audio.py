"""Audio files in and out, resampling, peaks. Everything inside the project is mono float32 at one rate.

What must not cost memory with its length goes through in blocks, [T] or [2, T] each; a whole sound is one block.
"""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import chain
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from ddspvae.kernels.resampling import resample_block, resampling_taps
from ddspvae.signals.blocks import even_blocks, with_context
from ddspvae.signals.checks import InputError, check_range, fail
from ddspvae.signals.clockless import forget_serial_number, forget_time
from ddspvae.signals.files import new_file
from ddspvae.signals.mono import Look, Mixing
from ddspvae.signals.sound_formats import BYTES_PER_SAMPLE, FORMATS, check_format
from ddspvae.signals.true_peak import PEAK_SIZE, interpolator_reach
from ddspvae.signals.units import amplitude_to_db, db_to_amplitude

Audio = NDArray[np.float32]

PEAK_LIMIT_DBFS = -1.0
BLOCK_SIZE = 1 << 18  # samples; 5 s at 48 kHz
KEPT_SIZE = 1 << 24  # samples of a file that are kept between looking and reading: six minutes in mono
WRITE_SIZE = 1 << 16  # samples; the Vorbis encoder overflows its stack when a long sound comes at once
RATES, MOST_CHANNELS, LONGEST_S = (1000, 768_000), 64, 3 * 3600.0  # of a file that is read
BOMB_BYTES, BOMB_RATIO = 1 << 29, 500  # in memory, and that over the file: music takes 50 times at most
WAV_LIMIT_BYTES = (1 << 32) - 1024  # a WAV file counts its bytes in 32 bits; the header takes some


def read_audio(path: str | Path, sample_rate: int | None = None, *, mono: bool = True) -> tuple[Audio, int]:
    """Read a sound file.

    Args:
        path: WAV, FLAC, OGG, MP3, AIFF, whatever libsndfile reads.
        sample_rate: Hz to resample to; None keeps the file's own.
        mono: one channel of several, as `signals.mono` makes it, with a warning where it is not their average; False
            keeps them apart.
    Returns:
        audio [T] (or [C, T] for C > 1 channels kept apart), full scale +-1, and its sample rate in Hz.
    Raises:
        InputError: missing, unreadable, empty, longer than 3 hours, of a sample rate that nobody has, with NaN or
            infinite samples, or small on disk and more than 0.5 GB of silence in memory.
    """
    file = AudioFile(path)
    mono = mono or file.n_channels == 1
    audio = file.read(mono)
    if file.mixing.said and mono:
        warnings.warn(f"read_audio: {path}: {file.mixing.said}.", stacklevel=2)
    if sample_rate is None or sample_rate == file.sample_rate:
        return audio, file.sample_rate
    return resample(audio, file.sample_rate, sample_rate), sample_rate


class AudioFile:
    """A sound file that was looked through once, and can be read in blocks: a long one is never held.

    Args:
        path: as in `read_audio`, whose InputErrors it raises.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = path = Path(path)
        if not os.path.isfile(path):
            what = f"{path} is a folder, not a file" if os.path.isdir(path) else f"no file {path}"
            raise InputError(f"read_audio: {what}.")
        self.sample_rate, self.n_channels, self.n_samples, look = 0, 0, 0, Look()
        self._kept: list[NDArray[np.float32]] = []  # of a short one, which is decoded once
        for frames in self._frames():
            if not np.isfinite(frames).all():
                at_s = (self.n_samples + int(np.nonzero(~np.isfinite(frames))[0].min())) / self.sample_rate
                raise InputError(f"read_audio: {path} has NaN or infinite samples, the first at {at_s:.3f} s; export "
                                 "it again.")
            self.n_samples += len(frames)
            if self.n_samples > round(LONGEST_S * self.sample_rate):
                raise InputError(f"read_audio: {path} is longer than {LONGEST_S / 3600:.0f} hours; cut it into pieces.")
            look.add(frames)
            self._kept = [*self._kept, frames] if self.n_samples * self.n_channels <= KEPT_SIZE else []
        if not self.n_samples:
            raise InputError(f"read_audio: {path} holds no samples; record it again.")
        self.mixing: Mixing = look.decide()

    def blocks(self) -> Iterator[Audio]:
        """The one channel, [T] each."""
        return (self.mixing.mix(frames) for frames in self._kept or self._frames())

    def read(self, mono: bool = True) -> Audio:
        """All of it, [T] or [C, T]."""
        n_bytes = 4 * self.n_samples * (1 if mono else self.n_channels)
        if n_bytes > BOMB_BYTES and n_bytes > BOMB_RATIO * os.path.getsize(self.path):
            raise InputError(f"read_audio: {self.path} is {n_bytes / 1e9:.1f} GB in memory, nearly all of it silence; cut "
                             "the silence off.")
        try:
            audio = np.empty((self.n_samples,) if mono else (self.n_samples, self.n_channels), np.float32)
        except MemoryError as error:
            hours = self.n_samples / self.sample_rate / 3600
            raise InputError(f"read_audio: {self.path} lasts {hours:.1f} hours, more than fits into memory; cut it into "
                             "pieces.") from error
        n = 0
        for block in self.blocks() if mono else self._kept or self._frames():
            kept = block[: self.n_samples - n]  # of a file that somebody still writes
            audio[n : n + len(kept)] = kept
            n += len(kept)
        self._kept = []
        return audio[:n] if mono else np.ascontiguousarray(audio[:n].T)

    def _frames(self) -> Iterator[NDArray[np.float32]]:
        """[T, C] each, of what is there: a header may claim any length and any rate."""
        path = self.path
        try:
            with soundfile.SoundFile(path) as file:
                self.sample_rate, self.n_channels = file.samplerate, file.channels
                if not RATES[0] <= file.samplerate <= RATES[1]:
                    raise InputError(f"read_audio: {path} claims {file.samplerate} samples a second; export it again at "
                                     "44100 or 48000.")
                if file.channels > MOST_CHANNELS:
                    raise InputError(f"read_audio: {path} has {file.channels} channels; export it in mono or stereo.")
                size = max(BLOCK_SIZE // file.channels, 1 << 14)
                while len(frames := file.read(size, dtype="float32", always_2d=True)):
                    yield frames
        except (soundfile.LibsndfileError, RuntimeError) as error:
            raise InputError(f"read_audio: {path} is not a sound file that can be read ({error}).") from error


def count_channels(audio: NDArray) -> int:
    """1 for [T], C for [C, T]."""
    return 1 if audio.ndim == 1 else len(audio)


def resample(audio: NDArray, from_rate: int, to_rate: int) -> Audio:
    """Change the sample rate with a polyphase Kaiser filter: flat to 0.92 of the lower Nyquist, -100 dB images.

    Args:
        audio: [T] or [..., T].
        from_rate, to_rate: Hz.
    Returns:
        [..., ceil(T * to_rate / from_rate)].
    """
    audio = np.asarray(audio)
    if audio.dtype.kind in "iub":
        raise fail("resample", "audio", "be floats of full scale +-1", f"{audio.dtype}",
                   f"divide by {np.iinfo(audio.dtype).max + 1}" if audio.dtype.kind == "i" else "")
    if from_rate == to_rate and audio.dtype == np.float32:
        return audio  # a copy of an hour would be the most of its memory
    begin = np.asarray(audio[..., :0], dtype=np.float32)  # all there is of an empty sound
    return np.concatenate([begin, *resample_blocks([audio], from_rate, to_rate)], axis=-1)


def resample_blocks(blocks: Iterable[NDArray], from_rate: int, to_rate: int) -> Iterator[Audio]:
    """As `resample`, block by block: the blocks it gives, joined, are the whole sound resampled."""
    check_range("resample", "from_rate", from_rate, 1, 10_000_000)
    check_range("resample", "to_rate", to_rate, 1, 10_000_000)
    if from_rate == to_rate:
        yield from (np.asarray(block, dtype=np.float32) for block in blocks)
        return
    divisor = math.gcd(from_rate, to_rate)
    up, down = to_rate // divisor, from_rate // divisor
    n_taps = len(resampling_taps(max(up, down)))
    # The filter looks (n_taps / 2) / up input samples to either side. Context and blocks are multiples of `down`, which
    # is where a sample of the output falls on one of the input, so every block is filtered at the phase of the whole.
    reach = -(-n_taps // (2 * up * down)) * down
    size = -(-max(BLOCK_SIZE, reach) // down) * down
    for around, first, last in with_context(blocks, size, reach):
        yield resample_block(around, up, down, first * up // down, -(-last * up // down))


def true_peak(audio: NDArray) -> float:
    """Largest absolute value between the samples too: the signal read at four times its rate.

    Args:
        audio: [T] or [2, T].
    Source: ITU-R BS.1770-4, annex 2.
    """
    return true_peak_of_blocks([audio])


def true_peak_of_blocks(blocks: Iterable[NDArray]) -> float:
    """As `true_peak`, of a sound that comes in blocks."""
    from ddspvae.kernels.peaks import find_peak

    peak, reach = 0.0, interpolator_reach()
    for around, first, last in with_context(blocks, BLOCK_SIZE, 64):  # the interpolator looks 10 samples to either side
        for channel in np.atleast_2d(np.asarray(around, dtype=np.float32)):
            padded = np.pad(channel, reach)
            for at in range(first, last, PEAK_SIZE):
                peak = find_peak(padded[at : min(at + PEAK_SIZE, last) + 2 * reach], peak)
    return peak


def limiting_gain(peak: float, limit_dbfs: float = PEAK_LIMIT_DBFS) -> float:
    """What brings a true peak down to the limit, a factor; 1 where it is not above."""
    return float(min(1.0, db_to_amplitude(limit_dbfs) / max(peak, 1e-30)))


def limit_peak(audio: NDArray, limit_dbfs: float = PEAK_LIMIT_DBFS) -> tuple[Audio, float]:
    """Turn the whole sound down so that its true peak is at most limit_dbfs; never up.

    Returns:
        audio and the gain that was applied, in dB (0 or less).
    """
    gain = limiting_gain(true_peak(audio), limit_dbfs)
    return (audio * gain).astype(np.float32), float(amplitude_to_db(gain))


def check_wav_size(path: str | Path, n_samples: int, n_channels: int, bit_depth: str) -> None:
    """Raise InputError if a WAV or AIFF file of this sound would be longer than its own header can say."""
    n_bytes, suffix = n_samples * n_channels * BYTES_PER_SAMPLE.get(bit_depth, 0), Path(path).suffix.lower()
    if suffix in (".wav", ".aiff", ".aif") and n_bytes > WAV_LIMIT_BYTES:
        raise InputError(f"write_audio: {path} would be {n_bytes / 1e9:.1f} GB, and a {suffix[1:].upper()} file ends at "
                         "4.3 GB; write a .flac, or take fewer bits or a lower sample rate.")


def write_audio(path: str | Path, audio: NDArray, sample_rate: int, bit_depth: str = "16") -> None:
    """Write [T] or [2, T] to a sound file (`sound_formats.FORMATS`), under a temporary name until it is whole.

    Args:
        bit_depth: "16", "24" or "float" (WAV only); OGG, Opus and MP3 have none. 16 bits are dithered (TPDF, fixed
            seed).
    Raises:
        InputError: unknown ending or bit depth, a rate that MP3 or Opus do not know, samples beyond full scale, a WAV file
            beyond 4 GB, a folder that cannot be written, or a full disk.
    """
    check_wav_size(path, audio.shape[-1], count_channels(audio), str(bit_depth))
    with write_blocks(path, [audio], sample_rate, str(bit_depth)):
        pass


@contextmanager
def write_blocks(path: str | Path, blocks: Iterable[NDArray], sample_rate: int, bit_depth: str = "16") -> Iterator[None]:
    """As `write_audio`, block by block; the file gets its name when the `with` block ends well, and is gone otherwise.

    The same sound gives the same bytes, however it is cut.
    """
    path = Path(path)
    check_format("write_audio", path.suffix.lower(), sample_rate, bit_depth)
    with ExitStack() as stack:
        with on_disk(path):
            part = stack.enter_context(new_file(path))
            _write_part(path, part, blocks, sample_rate, bit_depth)
        yield
        with on_disk(path):
            stack.close()


@contextmanager
def on_disk(path: Path) -> Iterator[None]:
    """One sentence for a folder that cannot be written and for a disk that is full."""
    try:
        yield
    except (OSError, soundfile.LibsndfileError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"write_audio: cannot write {path} ({reason}); does the folder exist, and has its disk "
                         "room?") from error


def _write_part(path: Path, part: Path, blocks: Iterable[NDArray], sample_rate: int, bit_depth: str) -> None:
    suffix, random, n_samples = path.suffix.lower(), np.random.default_rng(0), 0
    subtype = FORMATS[suffix].subtype(bit_depth)
    even = even_blocks(blocks, WRITE_SIZE)
    begin = next(even, np.zeros(0, dtype=np.float32))
    n_channels = count_channels(begin)
    with soundfile.SoundFile(part, "w", sample_rate, n_channels, subtype, format=FORMATS[suffix].name) as file:
        for block in chain([begin], even):
            n_samples += block.shape[-1]
            check_wav_size(path, n_samples, n_channels, bit_depth)
            if not np.isfinite(block).all():
                raise fail("write_audio", "audio", "be finite", "NaN or infinity")
            if bit_depth != "float" and np.abs(block).max(initial=0.0) > 1:
                raise fail("write_audio", "audio", "stay within +-1", f"{np.abs(block).max():.3f}", "call limit_peak first")
            file.write(_to_16_bits(block.T, random) if subtype == "PCM_16" else block.T)
    if n_samples and (n_written := soundfile.info(part).frames) != n_samples:  # a full disk does not stop every encoder
        raise OSError(f"only {n_written} of {n_samples} samples arrived")
    if subtype == "FLOAT":
        forget_time(part)
    if subtype in ("VORBIS", "OPUS"):
        forget_serial_number(part)


def _to_16_bits(frames: NDArray, random: np.random.Generator) -> NDArray[np.int16]:
    """Round after adding triangular noise of one step, drawn sample after sample: the same wherever the blocks begin.

    Done here because libsndfile, told to clip, rounds everything down.
    """
    noise = random.random((*frames.shape, 2), dtype=np.float32)
    steps = np.rint(frames * 32768 + (noise[..., 0] - noise[..., 1]))
    return np.clip(steps, -32768, 32767).astype(np.int16)
