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
    return play_sinusoids(np.asarray(f0_hz, np.float64)[:, None] * ratios, heights, phases, sample_rate, length)


def play_sinusoids(partials_hz: NDArray[np.float64], heights: NDArray[np.float32], phases: NDArray[np.float64],
                   sample_rate: int, length: int) -> NDArray[np.float32]:
    """The same of any frequencies [F + 1, K], Hz, linear between frames."""
    audio = np.zeros((len(partials_hz) - 1) * length, np.float32)
    ring = _ring if HAS_COMPILER else _ring_plainly
    ring(np.ascontiguousarray(partials_hz, np.float64), np.ascontiguousarray(heights, np.float32), phases,
         float(sample_rate), length, audio)
    return audio


def stretch(f0_hz: NDArray, heights: NDArray, stiffness: NDArray) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """Harmonics of some frames to the partials of a stiff string whose first is at f0; `synth.stretched.stretch` in numpy.

    Args:
        f0_hz, stiffness: [F], Hz, and B of f_k = k f0 sqrt((1 + B k^2) / (1 + B)).
        heights: [F, H], amplitudes of harmonics, which say how much sounds around each multiple of f0.
    Returns:
        partials_hz, heights: [F, H] each; the power in every region of the spectrum is what it was.
    """
    number, bend = np.arange(1, heights.shape[1] + 1), np.asarray(stiffness, np.float64)[:, None]
    ratios = number * np.sqrt((1 + bend * number**2) / (1 + bend))
    spacing = (1 + 2 * bend * number**2) / np.sqrt((1 + bend * number**2) * (1 + bend))
    below = np.minimum(ratios.astype(int), heights.shape[1] + 1)
    power = np.pad(np.square(heights, dtype=np.float64), ((0, 0), (1, 2)))
    now, after = (np.take_along_axis(power, np.minimum(below + step, power.shape[1] - 1), axis=1) for step in (0, 1))
    power = now + (ratios - below).clip(0, 1) * (after - now)
    return np.asarray(f0_hz, np.float64)[:, None] * ratios, np.sqrt(power * spacing).astype(np.float32)


def _ring_plainly(partials_hz: NDArray, heights: NDArray, phases: NDArray, sample_rate: float, length: int,
                  audio: NDArray) -> None:
    """The same sum where there is no compiler."""
    t = np.arange(length)
    for segment, (begin_hz, end_hz) in enumerate(pairwise(partials_hz)):
        height = heights[segment : segment + 2] * (np.maximum(begin_hz, end_hz) < HIGHEST * sample_rate)
        sounding = np.flatnonzero(height.max(axis=0) > FAINTEST)
        cycles = (np.outer(begin_hz, t) + np.outer(end_hz - begin_hz, t**2 / (2 * length)))[sounding] / sample_rate
        level = height[0, sounding, None] + (height[1] - height[0])[sounding, None] * (t / length)
        audio[segment * length :][:length] = (level * np.sin(2 * math.pi * (phases[sounding, None] + cycles))).sum(axis=0)
        phases[:] = (phases + (begin_hz + end_hz) / 2 * length / sample_rate) % 1


@compiled_in_any_order
def _ring(partials_hz, heights, phases, sample_rate, length, audio):  # type: ignore[no-untyped-def]
    n_partials = len(phases)
    real, imag, turn, lean = (np.empty(n_partials), np.empty(n_partials), np.empty(n_partials), np.empty(n_partials))
    more, less, height, slope = (np.empty(n_partials), np.empty(n_partials), np.empty(n_partials), np.empty(n_partials))
    top = HIGHEST * sample_rate
    for segment in range(len(partials_hz) - 1):
        begin_hz, end_hz = partials_hz[segment], partials_hz[segment + 1]
        n_sounding, is_steady = 0, True
        for k in range(n_partials):
            may_sound = max(begin_hz[k], end_hz[k]) < top
            height[k] = heights[segment, k] if may_sound else 0.0
            slope[k] = ((heights[segment + 1, k] if may_sound else 0.0) - height[k]) / length
            if max(height[k], height[k] + slope[k] * length) > FAINTEST:
                n_sounding = k + 1
            is_steady = is_steady and begin_hz[k] == end_hz[k]
        for k in range(n_sounding):
            angle = 2 * math.pi * phases[k]
            real[k], imag[k] = math.cos(angle), math.sin(angle)
            speed = 2 * math.pi * begin_hz[k] / sample_rate
            bend = 2 * math.pi * (end_hz[k] - begin_hz[k]) / (length * sample_rate)
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
            cycles = phases[k] + (begin_hz[k] + end_hz[k]) / 2 * length / sample_rate
            phases[k] = cycles - math.floor(cycles)
