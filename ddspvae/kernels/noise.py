"""Filtered noise: white noise from counters, and the filters of two frames at once as one complex transform."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ddspvae.kernels.compiler import bind, compiled, ready_made
from ddspvae.kernels.transforms import fft

SEGMENTS_AT_ONCE = 64  # their spectra fit the cache of one core
UNIT_POWER = math.sqrt(3.0) / 2**23  # of whole numbers uniform in +-2^23
TINY_POWER = 1e-20
Bins = tuple[NDArray[np.int64], NDArray[np.float32]]


def play_filtered_noise(magnitudes: NDArray[np.float32], length: int, keys: NDArray[np.uint32], start_sample: int,
                        bins: Bins) -> NDArray[np.float32]:
    """Noise of F segments from the F + 1 frames at their borders; `synth.noise.play_noise` compiled.

    Args:
        magnitudes: [V, F + 1, K], linear, >= 0.
        length: samples per segment.
        keys: [V], what tells one noise from another.
        start_sample: absolute position of the first sample.
        bins: of the bands, see `bins_of`.
    Returns:
        audio [V, F * length].
    """
    n_voices, n_frames, _ = magnitudes.shape
    lower, weight = bins
    n_fft = 2 * (len(lower) - 1)
    audio = np.zeros((n_voices, (n_frames - 1) * length), dtype=np.float32)
    magnitudes, keys = np.ascontiguousarray(magnitudes), np.ascontiguousarray(keys)
    voices, segments = np.empty((2, n_voices * (n_frames - 1)), np.int64)
    count = np.zeros(1, np.int64)
    _sounding(magnitudes, voices, segments, count)
    voices, segments = voices[: count[0]], segments[: count[0]]
    work = np.empty((3, n_fft), np.float32)
    for at in range(0, len(voices), SEGMENTS_AT_ONCE):
        few = slice(at, at + SEGMENTS_AT_ONCE)
        pieces = np.empty((-(-len(voices[few]) // 2), n_fft), dtype=np.complex64)
        where = np.array([length, start_sample - (n_fft - length) // 2])
        _cut_white(keys, voices[few], segments[few], where, work[0], pieces)
        spectra = fft(pieces)
        filtered = np.empty((len(voices[few]), n_fft), dtype=np.complex64)
        _filter(spectra, magnitudes, voices[few], segments[few], lower, weight, work, filtered)
        _crossfade(np.fft.ifft(filtered), voices[few], segments[few], where, audio)
    return audio


class FewSegments:
    """`play_filtered_noise` for a segment of each of a few voices, again and again in the same memory.

    Args:
        n_bands: K.
        longest: samples, of a segment.
        bins: of the bands, see `bins_of`.
    """

    def __init__(self, n_bands: int, longest: int, bins: Bins) -> None:
        self._n_bands, self._longest, self._bins = n_bands, longest, bins
        self._n_fft = 2 * (len(bins[0]) - 1)
        self._where = np.zeros(2, np.int64)
        self._by_number: dict[int, tuple[tuple[NDArray, ...], Callable[[], NDArray[np.float32]]]] = {}

    def __call__(self, begin: NDArray[np.float32], end: NDArray[np.float32], length: int, keys: NDArray[np.uint32],
                 start_sample: int) -> NDArray[np.float32]:
        """Noise [V, length] from the magnitudes [V, K] at both ends, the rest as in play_filtered_noise.

        Good until it is called again.
        """
        n = len(begin)
        if n not in self._by_number:
            self._by_number[n] = self._prepare(n)
        (magnitudes, own_keys), play = self._by_number[n]
        magnitudes[:, 0], magnitudes[:, 1], own_keys[:] = begin, end, keys
        self._where[:] = length, start_sample - (self._n_fft - length) // 2
        audio = play()
        is_heard = magnitudes.any(axis=(1, 2))
        if not is_heard.all():
            audio[~is_heard] = 0
        return audio[:, :length]

    def _prepare(self, n: int) -> tuple[tuple[NDArray, ...], Callable[[], NDArray[np.float32]]]:
        """What n voices are given, and what plays it."""
        magnitudes, keys = np.zeros((n, 2, self._n_bands), np.float32), np.zeros(n, np.uint32)
        voices, segments, work = np.arange(n), np.zeros(n, np.int64), np.zeros((3, self._n_fft), np.float32)
        pieces = np.zeros((-(-n // 2), self._n_fft), np.complex64)
        spectra, (filtered, sounds) = np.zeros_like(pieces), np.zeros((2, n, self._n_fft), np.complex64)
        audio = np.zeros((n, self._longest), np.float32)
        cut = bind(_cut_white, keys, voices, segments, self._where, work[0], pieces)
        shape = bind(_filter, spectra, magnitudes, voices, segments, *self._bins, work, filtered)
        crossfade = bind(_crossfade, sounds, voices, segments, self._where, audio)

        def play() -> NDArray[np.float32]:
            cut()
            spectra[:] = fft(pieces)
            shape()
            sounds[:] = np.fft.ifft(filtered)
            crossfade()
            return audio

        return (magnitudes, keys), play


def bins_of(shapes: NDArray[np.float32]) -> Bins:
    """How band powers become bin powers, from [K, n_fft / 2 + 1] where at most two neighbours share a bin.

    Returns:
        the lower band of each bin, and the weights of that and of the band above, [2, n_fft / 2 + 1].
    """
    lower, each = np.minimum((shapes > 0).argmax(0), len(shapes) - 2), np.arange(shapes.shape[1])
    return lower, np.stack([shapes[lower, each], shapes[lower + 1, each]])


@ready_made
def _sounding(magnitudes, voices, segments, n_found):  # type: ignore[no-untyped-def]
    n_voices, n_frames, n_bands = magnitudes.shape
    count = 0
    for voice in range(n_voices):
        was_silent = True
        for frame in range(n_frames):
            is_silent = True
            for band in range(n_bands):
                if magnitudes[voice, frame, band] != 0:
                    is_silent = False
                    break
            if frame and not (is_silent and was_silent):
                voices[count], segments[count] = voice, frame - 1
                count += 1
            was_silent = is_silent
    n_found[0] = count


@compiled
def _mix(x):  # type: ignore[no-untyped-def]
    for _ in range(2):
        x = np.uint32(x ^ (x >> np.uint32(16)))
        x = np.uint32(x * np.uint32(0x45D9F3B))
    return np.uint32(x ^ (x >> np.uint32(16)))


@compiled
def _white(key, start, noise):  # type: ignore[no-untyped-def]
    """`synth.noise.white_noise`, to the bit."""
    at, scale = 0, np.float32(UNIT_POWER)
    while at < len(noise):  # in parts that share the high 32 bits of their positions
        position = start + at
        n_part = min(len(noise) - at, 2**32 - (position & 0xFFFFFFFF))
        high, low = _mix(np.uint32((position >> 32) & 0xFFFFFFFF)), np.uint32(position & 0xFFFFFFFF)
        for i in range(n_part):
            bits = _mix(np.uint32(_mix(np.uint32(np.uint32(low + np.uint32(i)) ^ high)) + key))
            noise[at + i] = np.float32(np.int32(bits) >> np.int32(8)) * scale
        at += n_part


@ready_made
def _cut_white(keys, voices, segments, where, noise, pieces):  # type: ignore[no-untyped-def]
    """White noise around each segment: of two segments as the real and the imaginary part of one piece.

    where: [2], samples per segment, and the absolute position of the first piece.
    """
    n_fft, length, start_sample = pieces.shape[1], where[0], where[1]
    for i in range(len(voices)):
        begin = start_sample + segments[i] * length
        overlap = n_fft - length
        if i and voices[i] == voices[i - 1] and segments[i] == segments[i - 1] + 1 and overlap > 0:
            for t in range(overlap):
                noise[t] = noise[t + length]
            _white(keys[voices[i]], begin + overlap, noise[overlap:])
        else:
            _white(keys[voices[i]], begin, noise)
        if i % 2 == 0:
            for t in range(n_fft):
                pieces[i // 2, t] = noise[t]
        else:
            for t in range(n_fft):
                pieces[i // 2, t] += np.complex64(1j) * noise[t]


@ready_made
def _filter(spectra, magnitudes, voices, segments, lower, weight, work, filtered):  # type: ignore[no-untyped-def]
    """X (R + i S), R and S the responses of the frames before and after, has y + i z for its transform: both sounds."""
    n_fft, n_bins, n_bands = spectra.shape[1], len(lower), magnitudes.shape[2]
    response, after, power = work[0], work[1], work[2]
    for i in range(len(voices)):
        follows = i > 0 and voices[i] == voices[i - 1] and segments[i] == segments[i - 1] + 1
        for side in range(2):
            into = response if side == 0 else after
            if side == 0 and follows:
                for f in range(n_bins):
                    response[f] = after[f]
                continue
            for band in range(n_bands):
                power[band] = magnitudes[voices[i], segments[i] + side, band] ** 2
            for f in range(n_bins):
                band = lower[f]
                into[f] = np.sqrt(weight[0, f] * power[band] + weight[1, f] * power[band + 1] + np.float32(TINY_POWER)) \
                    * np.float32(0.5)
        for f in range(n_bins):
            g = n_fft - f if f else 0
            z, y = spectra[i // 2, f], spectra[i // 2, g]
            if i % 2 == 0:
                real, imag = z.real + y.real, z.imag - y.imag
            else:
                real, imag = z.imag + y.imag, y.real - z.real
            r, s = response[f], after[f]
            filtered[i, f] = complex(real * r - imag * s, real * s + imag * r)
            filtered[i, g] = complex(real * r + imag * s, real * s - imag * r)


@ready_made
def _crossfade(sounds, voices, segments, where, audio):  # type: ignore[no-untyped-def]
    length = where[0]
    margin, step = (sounds.shape[1] - length) // 2, np.float32(1.0 / length)
    for i in range(len(voices)):
        at = segments[i] * length
        for t in range(length):
            sound = sounds[i, margin + t]
            audio[voices[i], at + t] = sound.real + (sound.imag - sound.real) * (np.float32(t) * step)
