"""Harmonics, fifteen at a time: the one in the middle, and seven pairs around it.

sin((k + j) x) and sin((k - j) x) are sin(k x) cos(j x) plus and minus cos(k x) sin(j x). All groups share the seven cosines
and sines of j x, so a harmonic costs one multiplication; the middle of the next group is the last one's, turned by 15 x. The
angle and its doublings are reckoned in double precision, all else in single: an error over 120 dB below.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ddspvae.kernels.compiler import bind, compiled, ready_made
from ddspvae.kernels.memory import in_lines

AT_ONCE = 15  # harmonics a pass over the samples
TILE = 256  # samples that are worked on together, for which all that is shared stays in the cache
LANES = 8  # of a vector; a tile has a whole number of them
# sin(x) / x and cos(x), |x| < pi / 2, as polynomials of x^2: between them at Chebyshev's nodes, within 2e-11 and 3e-10
S0, S1, S2 = 0.999999999983, -0.166666666169, 0.0083333309775
S3, S4, S5 = -0.000198408615527, 2.75252870988e-06, -2.38894979248e-08
C0, C1, C2 = 0.99999999978, -0.49999999357, 0.0416666362089
C3, C4, C5 = -0.00138883608425, 2.47601355157e-05, -2.60510763295e-07
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
    audio = np.zeros((len(f0_hz), (f0_hz.shape[1] - 1) * length), dtype=np.float32)
    return audio, add_oscillators(f0_hz, heights, phase, sample_rate, length, audio)


def add_oscillators(f0_hz: NDArray[np.float32], heights: NDArray[np.float32], phase: NDArray[np.float64], sample_rate: int,
                    length: int, audio: NDArray[np.float32]) -> NDArray[np.float64]:
    """`play_oscillators`, added to audio [V, F * length]; the phase at the last frame [V]."""
    after = np.empty(len(f0_hz))
    waves, sums = in_lines(16 * TILE), in_lines(4 * TILE)
    level = np.empty((2, heights.shape[2] + AT_ONCE), np.float32)
    _oscillate(np.ascontiguousarray(f0_hz), np.ascontiguousarray(heights), phase, float(sample_rate), np.array([length]),
               waves, sums, level, audio, after)
    return after


class FewOscillators:
    """`play_oscillators` for a segment of each of a few voices, again and again in the same memory.

    Args:
        n_harmonics: H.
        longest: samples, of a segment.
        sample_rate: Hz.
    """

    def __init__(self, n_harmonics: int, longest: int, sample_rate: int) -> None:
        self._sample_rate, self._longest, self._length = float(sample_rate), longest, np.zeros(1, np.int64)
        self._work = in_lines(16 * TILE), in_lines(4 * TILE), np.empty((2, n_harmonics + AT_ONCE), np.float32)
        self._n_harmonics = n_harmonics
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
        before[:], self._length[0], audio[:] = phase, length, 0
        play()
        return audio[:, :length], after

    def _prepare(self, n: int) -> tuple[tuple[NDArray, ...], Callable[[], None]]:
        """What n voices are given and find, and what plays it."""
        f0_hz, heights = np.zeros((n, 2), np.float32), np.zeros((n, 2, self._n_harmonics), np.float32)
        (before, after), audio = np.zeros((2, n)), np.zeros((n, self._longest), np.float32)
        play = bind(_oscillate, f0_hz, heights, before, self._sample_rate, self._length, *self._work, audio, after)
        return (f0_hz, heights, before, after, audio), play


@ready_made
def _oscillate(f0_hz, heights, phase, sample_rate, lengths, waves, sums, level, audio, after):  # type: ignore[no-untyped-def]
    n_segments, n_harmonics, length = heights.shape[1] - 1, heights.shape[2], lengths[0]
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
                continue
            for k in range(n_sounding):
                height[k] = heights[voice, segment, k]
                slope[k] = heights[voice, segment + 1, k] - height[k]
            height[n_sounding : n_sounding + AT_ONCE] = 0
            slope[n_sounding : n_sounding + AT_ONCE] = 0
            speed, bend = begin_hz / sample_rate, (end_hz - begin_hz) / (2 * length * sample_rate)
            for tile in range(0, length, TILE):
                n = min(TILE, length - tile)
                n_whole = (n + LANES - 1) // LANES * LANES
                _begin(begin, speed, bend, tile, n_whole, waves, sums)
                for k in range(0, n_sounding, AT_ONCE):
                    _add(height[k : k + AT_ONCE], slope[k : k + AT_ONCE], n_whole, waves, sums)
                sound = audio[voice, at + tile : at + tile + n]
                for t in range(n):
                    sound[t] += sums[t] + sums[t + TILE] * np.float32((tile + t) / length)
        after[voice] = (parts & (_CYCLE - 1)) * (1.0 / _CYCLE)


@compiled
def _begin(phase, speed, bend, first, n, waves, sums):  # type: ignore[no-untyped-def]
    """Of n samples what all groups share, and the middle of the first.

    Polynomials of half the angle, which is at most a quarter of a turn, and then doublings, in double precision; what lies
    between these by turns in single.

    Args:
        phase, speed, bend: cycles at the segment's beginning, and what samples since then and their squares add.
        first: samples since then.
        waves: rows of TILE, filled: cosines of 1 to 7 times the angle and of 15 times, and the sines.
        sums: rows of TILE, filled: the sum of the harmonics, 0, what is added to it until the segment's end, 0, and cosine
            and sine of 8 times the angle.
    """
    for t in range(n):
        far = first + t
        cycles = phase + (speed + bend * far) * far
        half = math.pi * (cycles - np.floor(cycles + 0.5))
        z = half * half
        s = half * (S0 + z * (S1 + z * (S2 + z * (S3 + z * (S4 + z * S5)))))
        c = C0 + z * (C1 + z * (C2 + z * (C3 + z * (C4 + z * C5))))
        c1, s1 = 1 - 2 * s * s, 2 * s * c
        c2, s2 = 2 * c1 * c1 - 1, 2 * c1 * s1
        c4, s4 = 2 * c2 * c2 - 1, 2 * c2 * s2
        c8, s8 = 2 * c4 * c4 - 1, 2 * c4 * s4
        c16, s16 = 2 * c8 * c8 - 1, 2 * c8 * s8
        waves[t], waves[t + TILE], waves[t + 3 * TILE] = c1, c2, c4
        waves[t + 8 * TILE], waves[t + 9 * TILE], waves[t + 11 * TILE] = s1, s2, s4
        waves[t + 7 * TILE], waves[t + 15 * TILE] = c16 * c1 + s16 * s1, s16 * c1 - c16 * s1
        sums[t], sums[t + TILE], sums[t + 2 * TILE], sums[t + 3 * TILE] = 0, 0, c8, s8
    for t in range(n):
        x1, x2, x4 = waves[t], waves[t + TILE], waves[t + 3 * TILE]
        y1, y2, y4 = waves[t + 8 * TILE], waves[t + 9 * TILE], waves[t + 11 * TILE]
        x8, y8 = sums[t + 2 * TILE], sums[t + 3 * TILE]
        waves[t + 2 * TILE], waves[t + 10 * TILE] = x4 * x1 + y4 * y1, y4 * x1 - x4 * y1
        waves[t + 4 * TILE], waves[t + 12 * TILE] = x4 * x1 - y4 * y1, y4 * x1 + x4 * y1
        waves[t + 5 * TILE], waves[t + 13 * TILE] = x4 * x2 - y4 * y2, y4 * x2 + x4 * y2
        waves[t + 6 * TILE], waves[t + 14 * TILE] = x8 * x1 + y8 * y1, y8 * x1 - x8 * y1


@compiled
def _add(height, slope, n, waves, sums):  # type: ignore[no-untyped-def]
    """A group: its sum at the heights of the segment's first frame, and at what these change by until its end."""
    a7, a6, a5, a4, a3, a2, a1, h, b1, b2, b3, b4, b5, b6, b7 = height
    p1, p2, p3, p4, p5, p6, p7 = b1 + a1, b2 + a2, b3 + a3, b4 + a4, b5 + a5, b6 + a6, b7 + a7
    m1, m2, m3, m4, m5, m6, m7 = b1 - a1, b2 - a2, b3 - a3, b4 - a4, b5 - a5, b6 - a6, b7 - a7
    a7, a6, a5, a4, a3, a2, a1, d, b1, b2, b3, b4, b5, b6, b7 = slope
    q1, q2, q3, q4, q5, q6, q7 = b1 + a1, b2 + a2, b3 + a3, b4 + a4, b5 + a5, b6 + a6, b7 + a7
    n1, n2, n3, n4, n5, n6, n7 = b1 - a1, b2 - a2, b3 - a3, b4 - a4, b5 - a5, b6 - a6, b7 - a7
    for t in range(n):
        c1, c2, c3, c4 = waves[t], waves[t + TILE], waves[t + 2 * TILE], waves[t + 3 * TILE]
        c5, c6, c7, c15 = waves[t + 4 * TILE], waves[t + 5 * TILE], waves[t + 6 * TILE], waves[t + 7 * TILE]
        s1, s2, s3, s4 = waves[t + 8 * TILE], waves[t + 9 * TILE], waves[t + 10 * TILE], waves[t + 11 * TILE]
        s5, s6, s7, s15 = waves[t + 12 * TILE], waves[t + 13 * TILE], waves[t + 14 * TILE], waves[t + 15 * TILE]
        even = h + p1 * c1 + p2 * c2 + p3 * c3 + p4 * c4 + p5 * c5 + p6 * c6 + p7 * c7
        odd = m1 * s1 + m2 * s2 + m3 * s3 + m4 * s4 + m5 * s5 + m6 * s6 + m7 * s7
        more_even = d + q1 * c1 + q2 * c2 + q3 * c3 + q4 * c4 + q5 * c5 + q6 * c6 + q7 * c7
        more_odd = n1 * s1 + n2 * s2 + n3 * s3 + n4 * s4 + n5 * s5 + n6 * s6 + n7 * s7
        cosine, sine = sums[t + 2 * TILE], sums[t + 3 * TILE]
        sums[t] += even * sine + odd * cosine
        sums[t + TILE] += more_even * sine + more_odd * cosine
        sums[t + 2 * TILE], sums[t + 3 * TILE] = cosine * c15 - sine * s15, sine * c15 + cosine * s15
