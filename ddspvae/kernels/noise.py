"""Filtered noise: white noise from counters, and the filters of two frames at once as one complex transform.

Two segments are the real and the imaginary part of one signal, and sixteen such signals are transformed side by side.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ddspvae.kernels.compiler import bind, compiled, compiled_in_place, ready_made
from ddspvae.kernels.lanes import LANES, Turns, copy, transform, turns_of
from ddspvae.kernels.memory import in_lines

UNIT_POWER = math.sqrt(3.0) / 2**23  # of whole numbers uniform in +-2^23
TINY_POWER = 1e-20
_F, _U = np.float32, np.uint32


class Bins(NamedTuple):
    """How band powers become bin powers where at most two neighbours share a bin, and room to work in; for one thread.

    Args:
        lower: [n_fft // 2 + 1], the lower band of each bin.
        weight: [2, n_fft // 2 + 1], of that and of the band above.
        turns: for n_fft samples.
        counters: [2, 4, LANES]; power: [4 * (K + 1) * LANES]; places: three times two of [n_fft * LANES].
    """

    lower: NDArray[np.int64]
    weight: NDArray[np.float32]
    turns: Turns
    counters: NDArray[np.uint32]
    power: NDArray[np.float32]
    places: tuple[NDArray[np.float32], ...]


def bins_of(shapes: NDArray[np.float32], n_fft: int) -> Bins:
    """For bands of shapes [K, n_fft // 2 + 1]."""
    n_bands, n_bins = shapes.shape
    lower, each = np.minimum((shapes > 0).argmax(0), n_bands - 2), np.arange(n_bins)
    return Bins(lower, np.stack([shapes[lower, each], shapes[lower + 1, each]]), turns_of(n_fft),
                np.empty((2, 4, LANES), np.uint32), in_lines(4 * (n_bands + 1) * LANES),
                tuple(in_lines(n_fft * LANES) for _ in range(6)))


def play_filtered_noise(magnitudes: NDArray[np.float32], length: int, keys: NDArray[np.uint32], start_sample: int,
                        bins: Bins) -> NDArray[np.float32]:
    """Noise of F segments from the F + 1 frames at their borders; `synth.noise.play_noise` compiled.

    Args:
        magnitudes: [V, F + 1, K], linear, >= 0.
        length: samples per segment.
        keys: [V], what tells one noise from another.
        start_sample: absolute position of the first sample.
        bins: of the bands.
    Returns:
        audio [V, F * length].
    """
    n_voices, n_frames, _ = magnitudes.shape
    audio = np.zeros((n_voices, (n_frames - 1) * length), dtype=np.float32)
    _play(np.ascontiguousarray(magnitudes), np.ascontiguousarray(keys), np.empty((2, n_voices * (n_frames - 1)), np.int64),
          np.array([length, start_sample]), bins.lower, bins.weight, bins.turns, bins.counters, bins.power, *bins.places,
          audio)
    return audio


class FewSegments:
    """`play_filtered_noise` for a segment of each of a few voices, again and again in the same memory; for one thread.

    Args:
        n_bands: K.
        longest: samples, of a segment.
        bins: of the bands.
    """

    def __init__(self, n_bands: int, longest: int, bins: Bins) -> None:
        self._n_bands, self._longest, self._bins, self._where = n_bands, longest, bins, np.zeros(2, np.int64)
        self._by_number: dict[int, tuple[tuple[NDArray, ...], Callable[[], None]]] = {}

    def __call__(self, begin: NDArray[np.float32], end: NDArray[np.float32], length: int, keys: NDArray[np.uint32],
                 start_sample: int) -> NDArray[np.float32]:
        """Noise [V, length] from the magnitudes [V, K] at both ends, the rest as in play_filtered_noise.

        Good until it is called again.
        """
        n = len(begin)
        if n not in self._by_number:
            self._by_number[n] = self._prepare(n)
        (magnitudes, own_keys, audio), play = self._by_number[n]
        magnitudes[:, 0], magnitudes[:, 1], own_keys[:], audio[:] = begin, end, keys, 0
        self._where[:] = length, start_sample
        play()
        return audio[:, :length]

    def _prepare(self, n: int) -> tuple[tuple[NDArray, ...], Callable[[], None]]:
        """What n voices are given and find, and what plays it."""
        magnitudes, keys = np.zeros((n, 2, self._n_bands), np.float32), np.zeros(n, np.uint32)
        audio, bins = np.zeros((n, self._longest), np.float32), self._bins
        play = bind(_play, magnitudes, keys, np.empty((2, n), np.int64), self._where, bins.lower, bins.weight, bins.turns,
                    bins.counters, bins.power, *bins.places, audio)
        return (magnitudes, keys, audio), play


@compiled
def _find_sounding(magnitudes, sounding):  # type: ignore[no-untyped-def]
    """How many segments are not silent, and of each its voice and its number, [2, at least as many]."""
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
                sounding[0, count], sounding[1, count] = voice, frame - 1
                count += 1
            was_silent = is_silent
    return count


@compiled
def _mix(x):  # type: ignore[no-untyped-def]
    for _ in range(2):
        x = np.uint32(x ^ (x >> np.uint32(16)))
        x = np.uint32(x * np.uint32(0x45D9F3B))
    return np.uint32(x ^ (x >> np.uint32(16)))


@ready_made
def _play(magnitudes, keys, sounding, where, lower, weight, turns, counters, power, a_re, a_im, b_re, b_im, c_re, c_im,  # type: ignore[no-untyped-def]
          audio):
    """The segments that sound, one in each lane, and where there are more, another one beside it as the imaginary part.

    where: [2], samples per segment, and the absolute position of the first one.
    """
    length = where[0]
    start_sample = where[1] - (len(a_re) // LANES - length) // 2
    n_sounding = _find_sounding(magnitudes, sounding)
    for first in range(0, n_sounding, 2 * LANES):
        last = min(first + 2 * LANES, n_sounding)
        few, parts = sounding[0, first:last], sounding[1, first:last]
        count_from(keys, few, parts, length, start_sample, counters)
        white(counters[0], a_re)
        white(counters[1], a_im)
        _square(magnitudes, few, parts, power)
        for step in range(3 if len(few) > LANES else 2):
            transform(a_re, a_im, b_re, b_im, turns)
            if step == 0:
                filter_noise(b_re, b_im, power, 4 * LANES, LANES, lower, weight, a_re, a_im, c_re, c_im, True)
            else:
                side = slice((step - 1) * LANES, step * LANES)
                crossfade(b_im, b_re, few[side], parts[side], length, audio)
            if step == 1:
                copy(c_re, c_im, a_re, a_im)


@compiled
def count_from(keys, voices, segments, length, start_sample, counters):  # type: ignore[no-untyped-def]
    """Of the white noise of each: its key, the low bits of its first position, and the high bits, mixed, and the next ones.

    Lanes without a segment of their own get the last one's.
    """
    for i in range(2 * LANES):
        at = min(i, len(voices) - 1)
        position = start_sample + segments[at] * length
        counter, lane = counters[i // LANES], i % LANES
        counter[0, lane], counter[1, lane] = keys[voices[at]], _U(position & 0xFFFFFFFF)
        counter[2, lane] = _mix(_U((position >> 32) & 0xFFFFFFFF))
        counter[3, lane] = _mix(_U(((position >> 32) + 1) & 0xFFFFFFFF))


@compiled_in_place
def white(counter, noise):  # type: ignore[no-untyped-def]
    """`synth.white.white_samples`, to the bit, a signal a lane."""
    key, low, high, next_high = counter[0], counter[1], counter[2], counter[3]
    n_samples, goes_over = len(noise) // LANES, False
    for lane in range(LANES):
        goes_over |= _U(low[lane] + _U(n_samples)) < low[lane]
    for t in range(n_samples):
        row = noise[t * LANES : (t + 1) * LANES]
        if goes_over:
            for lane in range(LANES):
                position = _U(low[lane] + _U(t))
                row[lane] = _draw(position, high[lane] if position >= low[lane] else next_high[lane], key[lane])
        else:
            for lane in range(LANES):
                row[lane] = _draw(_U(low[lane] + _U(t)), high[lane], key[lane])


@compiled
def _draw(position, high, key):  # type: ignore[no-untyped-def]
    bits = _mix(_U(_mix(_U(position ^ high)) + key))
    return _F(np.int32(bits) >> np.int32(8)) * _F(UNIT_POWER)


@compiled
def _square(magnitudes, voices, segments, power):  # type: ignore[no-untyped-def]
    """Powers of each band, 4 * LANES: in the frames before and after the first LANES segments, then around the others."""
    n_bands = magnitudes.shape[2]
    for i in range(2 * LANES):
        at = min(i, len(voices) - 1)
        for after in range(2):
            levels = magnitudes[voices[at], segments[at] + after]
            begin = (i // LANES * 2 + after) * LANES + i % LANES
            for band in range(n_bands):
                power[begin + band * 4 * LANES] = levels[band] * levels[band]


@compiled
def filter_noise(re, im, power, n_powers, after, lower, weight, first_re, first_im, other_re, other_im, is_first):  # type: ignore[no-untyped-def]
    """X (R + i S), R and S the responses of the frames before and after, has y + i z for its transform: both sounds.

    The powers are n_powers frames of each band, the other segments' from the middle on; the frame after a segment lies
    `after` places after the one before it.
    What is written, or added to what is there, has its real and its imaginary part exchanged, since it is to be transformed
    back.
    """
    n_fft, roots = len(re) // LANES, power[len(power) - n_powers :]
    for f in range(len(lower)):
        here, there, band = f * LANES, (n_fft - f if f else 0) * LANES, lower[f] * n_powers
        scale = _F(0.5 / n_fft) if is_first or here != there else _F(0.25 / n_fft)  # to one place it is added twice
        below, above = weight[0, f], weight[1, f]
        now, then = power[band : band + n_powers], power[band + n_powers : band + 2 * n_powers]
        for i in range(n_powers):
            roots[i] = np.sqrt(below * now[i] + above * then[i] + _F(TINY_POWER)) * scale
        x_re, x_im, y_re, y_im = (re[here : here + LANES], im[here : here + LANES], re[there : there + LANES],
                                  im[there : there + LANES])
        for side in range(2):
            begin = side * (n_powers // 2)
            rs, ss = roots[begin : begin + LANES], roots[begin + after : begin + after + LANES]
            to_re, to_im = (other_re, other_im) if side else (first_re, first_im)
            u_re, u_im, v_re, v_im = (to_re[here : here + LANES], to_im[here : here + LANES], to_re[there : there + LANES],
                                      to_im[there : there + LANES])
            for lane in range(LANES):
                r, s = rs[lane], ss[lane]
                if side:
                    real, imag = x_im[lane] + y_im[lane], y_re[lane] - x_re[lane]
                else:
                    real, imag = x_re[lane] + y_re[lane], x_im[lane] - y_im[lane]
                if is_first:
                    u_im[lane], u_re[lane] = real * r - imag * s, real * s + imag * r
                    v_im[lane], v_re[lane] = real * r + imag * s, real * s - imag * r
                else:
                    u_im[lane] += real * r - imag * s
                    u_re[lane] += real * s + imag * r
                    v_im[lane] += real * r + imag * s
                    v_re[lane] += real * s - imag * r


@compiled
def crossfade(re, im, voices, segments, length, audio):  # type: ignore[no-untyped-def]
    """From the sound of the frame before, re, to that of the frame after, im."""
    margin, step = (len(re) // LANES - length) // 2, _F(1.0 / length)
    for t in range(length):
        begin, share = (margin + t) * LANES, _F(t) * step
        row, other = re[begin : begin + LANES], im[begin : begin + LANES]
        for lane in range(LANES):
            row[lane] += (other[lane] - row[lane]) * share
    for lane in range(len(voices)):
        if voices[lane] < 0:
            continue
        begin = segments[lane] * length
        sound, column = audio[voices[lane], begin : begin + length], re[margin * LANES + lane :]
        for t in range(length):
            sound[t] = column[t * LANES]
