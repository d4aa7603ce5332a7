"""Harmonics, one after the other, by a recursion that is exact to a millionth of a millionth.

sin((k + 1) x) = 2 cos(x) sin(k x) - sin((k - 1) x): one sine and one cosine a sample, then one multiplication and one
subtraction for each harmonic, in double precision (in single, the recursion is 40 dB off at the 300th).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ddspvae.kernels.compiler import bind, compiled, ready_made

AT_ONCE = 8  # harmonics a pass over the samples
_CYCLE = 2**52  # phases are whole multiples of 2^-52 cycles, whose sum never drifts


def play_oscillators(f0_hz: NDArray[np.float32], heights: NDArray[np.float32], phase: NDArray[np.float64], sample_rate: int,
                     length: int) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Harmonics of F segments from the F + 1 frames at their borders; `synth.harmonic.play_harmonics` compiled.

    Args:
        f0_hz: [V, F + 1], Hz, linear between frames.
        heights: [V, F + 1, H], amplitude of each harmonic, linear between frames; 0 for those that may not sound.
        phase: [V], at the first frame, cycles.
        sample_rate: Hz.
        length: samples per segment.
    Returns:
        audio [V, F * length], and the phase at the last frame [V].
    """
    n_voices, n_frames = f0_hz.shape
    audio = np.empty((n_voices, (n_frames - 1) * length), dtype=np.float32)
    after = np.empty(n_voices)
    work, level = np.empty((5, length)), np.empty((2, heights.shape[2] + AT_ONCE))
    _oscillate(np.ascontiguousarray(f0_hz), np.ascontiguousarray(heights), phase, float(sample_rate), np.array([length]),
               work, level, audio, after)
    return audio, after


class FewOscillators:
    """`play_oscillators` for a segment of each of a few voices, again and again in the same memory.

    Args:
        n_harmonics: H.
        longest: samples, of a segment.
        sample_rate: Hz.
    """

    def __init__(self, n_harmonics: int, longest: int, sample_rate: int) -> None:
        self._sample_rate, self._length = float(sample_rate), np.zeros(1, np.int64)
        self._work, self._level = np.empty((5, longest)), np.empty((2, n_harmonics + AT_ONCE))
        self._by_number: dict[int, tuple[tuple[NDArray, ...], Callable[[], None]]] = {}

    def __call__(self, begin: tuple[NDArray[np.float32], NDArray[np.float32]],
                 end: tuple[NDArray[np.float32], NDArray[np.float32]], phase: NDArray[np.float64], length: int
                 ) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        """Harmonics [V, length] from f0 [V] and heights [V, H] at both ends, and the phase after them [V].

        Good until it is called again.
        """
        n = len(phase)
        if n not in self._by_number:
            self._by_number[n] = self._prepare(n)
        (f0_hz, heights, before, after, audio), play = self._by_number[n]
        f0_hz[:, 0], heights[:, 0] = begin
        f0_hz[:, 1], heights[:, 1] = end
        before[:], self._length[0] = phase, length
        play()
        return audio[:, :length], after

    def _prepare(self, n: int) -> tuple[tuple[NDArray, ...], Callable[[], None]]:
        """What n voices are given and find, and what plays it."""
        f0_hz, heights = np.zeros((n, 2), np.float32), np.zeros((n, 2, self._level.shape[1] - AT_ONCE), np.float32)
        (before, after), audio = np.zeros((2, n)), np.zeros((n, self._work.shape[1]), np.float32)
        play = bind(_oscillate, f0_hz, heights, before, self._sample_rate, self._length, self._work, self._level, audio,
                    after)
        return (f0_hz, heights, before, after, audio), play


@ready_made
def _oscillate(f0_hz, heights, phase, sample_rate, lengths, work, level, audio, after):  # type: ignore[no-untyped-def]
    n_segments, n_harmonics, length = heights.shape[1] - 1, heights.shape[2], lengths[0]
    # of each sample: 2 cos x, the sines of the last two harmonics, their sum, and what is added to it on the way
    twice_cos, sine, before = work[0, :length], work[1, :length], work[2, :length]
    first, change = work[3, :length], work[4, :length]
    height, slope = level[0], level[1]
    for voice in range(len(f0_hz)):
        parts = np.int64(np.rint(phase[voice] * _CYCLE))
        for segment in range(n_segments):
            begin_hz, end_hz = np.float64(f0_hz[voice, segment]), np.float64(f0_hz[voice, segment + 1])
            begin = (parts & (_CYCLE - 1)) * (1.0 / _CYCLE)
            step = (begin_hz + end_hz) * (length / sample_rate / 2)
            parts += np.int64(np.rint((step - math.floor(step)) * _CYCLE))
            at = segment * length
            n_sounding = n_harmonics
            while n_sounding and heights[voice, segment, n_sounding - 1] == 0 \
                    and heights[voice, segment + 1, n_sounding - 1] == 0:
                n_sounding -= 1
            if not n_sounding:
                audio[voice, at : at + length] = 0
                continue
            for k in range(n_sounding):
                height[k] = heights[voice, segment, k]
                slope[k] = heights[voice, segment + 1, k] - height[k]
            height[n_sounding : n_sounding + AT_ONCE] = 0
            slope[n_sounding : n_sounding + AT_ONCE] = 0
            _begin(begin, begin_hz / sample_rate, (end_hz - begin_hz) / (2 * length * sample_rate), twice_cos, sine, before)
            first[:] = 0
            change[:] = 0
            for k in range(0, n_sounding, AT_ONCE):
                _add(height[k : k + AT_ONCE], slope[k : k + AT_ONCE], twice_cos, sine, before, first, change)
            for t in range(length):
                audio[voice, at + t] = first[t] + change[t] * (t / length)
        after[voice] = (parts & (_CYCLE - 1)) * (1.0 / _CYCLE)


@compiled
def _begin(phase, speed, bend, twice_cos, sine, before):  # type: ignore[no-untyped-def]
    """The first harmonic of every sample, by Taylor's series of half the angle, which is less than a quarter of a turn."""
    for t in range(len(sine)):
        cycles = phase + (speed + bend * t) * t
        half = math.pi * (cycles - np.floor(cycles + 0.5))
        z = half * half
        s = half * (1 + z * (-1 / 6 + z * (1 / 120 + z * (-1 / 5040 + z * (1 / 362880 + z * (
            -1 / 39916800 + z * (1 / 6227020800 + z * (-1 / 1307674368000 + z * (1 / 355687428096000 + z * (
                -1 / 121645100408832000))))))))))
        c = 1 + z * (-1 / 2 + z * (1 / 24 + z * (-1 / 720 + z * (1 / 40320 + z * (-1 / 3628800 + z * (
            1 / 479001600 + z * (-1 / 87178291200 + z * (1 / 20922789888000 + z * (-1 / 6402373705728000 + z * (
                1 / 2432902008176640000))))))))))
        twice_cos[t] = 2 - 4 * s * s
        sine[t] = 2 * s * c
        before[t] = 0.0


@compiled
def _add(height, slope, twice_cos, sine, before, first, change):  # type: ignore[no-untyped-def]
    """Eight harmonics: their sum at the heights of the segment's first frame, and at what these change by until its end."""
    h0, h1, h2, h3, h4, h5, h6, h7 = height
    d0, d1, d2, d3, d4, d5, d6, d7 = slope
    for t in range(len(sine)):
        c, u, v = twice_cos[t], before[t], sine[t]
        u = c * v - u
        x, y = h0 * v + h1 * u, d0 * v + d1 * u
        v = c * u - v
        u = c * v - u
        x += h2 * v + h3 * u
        y += d2 * v + d3 * u
        v = c * u - v
        u = c * v - u
        x += h4 * v + h5 * u
        y += d4 * v + d5 * u
        v = c * u - v
        u = c * v - u
        before[t], sine[t] = u, c * u - v
        first[t] += x + (h6 * v + h7 * u)
        change[t] += y + (d6 * v + d7 * u)
