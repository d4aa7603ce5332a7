"""Partials that ring at any multiples of a fundamental: each a rotating pointer, turned once a sample."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ddspvae.kernels.compiler import HAS_COMPILER, compiled_in_any_order

FAINTEST = 1e-6  # of full scale; softer partials are left out
HIGHEST = 0.49  # of the sample rate


def play_partials(f0_hz: NDArray[np.float64], heights: NDArray[np.float32], ratios: NDArray[np.float64],
                  phases: NDArray[np.float64], sample_rate: int, length: int) -> NDArray[np.float32]:
    """Partials of F segments from the F + 1 frames at their borders; `synth.stretched.stretched` compiled.

    Args:
        f0_hz: [F + 1], Hz, linear between frames.
        heights: [F + 1, K], amplitude of each partial, linear between frames.
        ratios: [K], of its frequency to f0.
        phases: [K], cycles, at the first frame; moved on to the last one.
        sample_rate: Hz.
        length: samples per segment.
    Returns:
        audio [F * length]; nothing at or above 0.49 of the sample rate.
    """
    audio = np.zeros((len(f0_hz) - 1) * length, np.float32)
    ring = _ring if HAS_COMPILER else _ring_plainly
    ring(np.ascontiguousarray(f0_hz, np.float64), np.ascontiguousarray(heights, np.float32), ratios, phases,
          float(sample_rate), length, audio)
    return audio


def _ring_plainly(f0_hz: NDArray, heights: NDArray, ratios: NDArray, phases: NDArray, sample_rate: float, length: int,
                  audio: NDArray) -> None:
    """The same sum where there is no compiler."""
    t = np.arange(length)
    for segment, (begin_hz, end_hz) in enumerate(pairwise(f0_hz)):
        height = heights[segment : segment + 2] * (ratios < HIGHEST * sample_rate / max(begin_hz, end_hz))
        sounding = np.flatnonzero(height.max(axis=0) > FAINTEST)
        cycles = (begin_hz * t + (end_hz - begin_hz) * t**2 / (2 * length)) / sample_rate
        phase = phases[sounding, None] + ratios[sounding, None] * cycles
        level = height[0, sounding, None] + (height[1] - height[0])[sounding, None] * (t / length)
        audio[segment * length :][:length] = (level * np.sin(2 * math.pi * phase)).sum(axis=0)
        phases[:] = (phases + ratios * (begin_hz + end_hz) / 2 * length / sample_rate) % 1


@compiled_in_any_order
def _ring(f0_hz, heights, ratios, phases, sample_rate, length, audio):  # type: ignore[no-untyped-def]
    n_partials = len(ratios)
    real, imag, turn, lean = (np.empty(n_partials), np.empty(n_partials), np.empty(n_partials), np.empty(n_partials))
    more, less, height, slope = (np.empty(n_partials), np.empty(n_partials), np.empty(n_partials), np.empty(n_partials))
    for segment in range(len(f0_hz) - 1):
        begin_hz, end_hz = f0_hz[segment], f0_hz[segment + 1]
        top = HIGHEST * sample_rate / max(begin_hz, end_hz)
        n_sounding = 0
        for k in range(n_partials):
            height[k] = heights[segment, k] if ratios[k] < top else 0.0
            slope[k] = ((heights[segment + 1, k] if ratios[k] < top else 0.0) - height[k]) / length
            if max(height[k], height[k] + slope[k] * length) > FAINTEST:
                n_sounding = k + 1
        is_steady = begin_hz == end_hz
        for k in range(n_sounding):
            angle = 2 * math.pi * phases[k]
            real[k], imag[k] = math.cos(angle), math.sin(angle)
            speed = 2 * math.pi * ratios[k] * begin_hz / sample_rate
            bend = 2 * math.pi * ratios[k] * (end_hz - begin_hz) / (length * sample_rate)
            turn[k], lean[k] = math.cos(speed + bend / 2), math.sin(speed + bend / 2)
            more[k], less[k] = math.cos(bend), math.sin(bend)
        at = segment * length
        for t in range(length):
            total = 0.0
            for k in range(n_sounding):
                total += (height[k] + slope[k] * t) * imag[k]
                x = real[k] * turn[k] - imag[k] * lean[k]
                imag[k] = real[k] * lean[k] + imag[k] * turn[k]
                real[k] = x
            audio[at + t] = total
            if not is_steady:
                for k in range(n_sounding):
                    x = turn[k] * more[k] - lean[k] * less[k]
                    lean[k] = turn[k] * less[k] + lean[k] * more[k]
                    turn[k] = x
        for k in range(n_partials):
            cycles = phases[k] + ratios[k] * (begin_hz + end_hz) / 2 * length / sample_rate
            phases[k] = cycles - math.floor(cycles)
