"""Pitch to the cent: a tracker's curve, corrected by how the phases of the harmonics run along it.

A tracker answers every 10 or 16 ms, to a few cents, and rounds off vibrato. Where it is right about the note, the harmonics
themselves tell the rest: demodulated along the curve, each turns as fast as its number times what the curve is off by.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ddspvae.audio import Audio, resample
from ddspvae.features.autocorrelation import RATE_HZ
from ddspvae.features.segments import VOICED
from ddspvae.kernels.compiler import HAS_COMPILER

ORDER = 3  # of the window: blind to neighbours that swell or bend like a parabola
SHORTEST_S = 0.03
N_HARMONICS = 12
HIGHEST_HZ = 5000.0
MOST_STRETCH = 0.25  # of f0, that a partial may lie above its harmonic, to be heard where that is looked for
ROUNDS = 2  # the second follows the vibrato that the first found
MOST_CENTS = 30.0  # a tracker that is farther off means another note
LOW_HZ, MOST_CENTS_LOW = 70.0, 60.0  # down there they are farther off
EVERY = 2  # frames from one look to the next; straight lines in between
BLOCK = 256  # looks at once


def refine_f0(audio: Audio, sample_rate: int, hop_size: int, f0_hz: NDArray[np.floating],
              periodicity: NDArray[np.floating], stiffness: NDArray[np.floating] | None = None,
              audio_16k: Audio | None = None) -> NDArray[np.float32]:
    """The pitch that the first harmonics agree on, near a tracked one.

    Args:
        audio: [T].
        sample_rate: Hz.
        hop_size: samples per frame.
        f0_hz, periodicity: [F], a tracker's curve, in the right octave.
        stiffness: [F], B of a stiff string, whose partials are f_k = k f0 sqrt((1 + B k^2) / (1 + B)); the pitch is that
            of the first. None is 0.
        audio_16k: the same at 16 kHz, at any level, where it is there already.
    Returns:
        [F], Hz; at most MOST_CENTS (MOST_CENTS_LOW below 70 Hz) from the tracker's, which it is where nothing is pitched.
    Source: Auger and Flandrin, "Improving the readability of time-frequency and time-scale representations by the
        reassignment method", IEEE Trans. Signal Processing, 1995: a frequency from a window and its derivative.
    """
    if audio_16k is None:
        audio_16k = resample(np.asarray(audio, dtype=np.float32), sample_rate, RATE_HZ)
    tracked_hz = np.asarray(f0_hz, dtype=float)
    frames = np.flatnonzero(np.asarray(periodicity) >= VOICED)
    looks = frames[::EVERY]
    if not len(looks):
        return tracked_hz.astype(np.float32)
    refined_hz, hop = tracked_hz.copy(), hop_size * RATE_HZ / sample_rate
    most = np.where(tracked_hz[looks] < LOW_HZ, MOST_CENTS_LOW, MOST_CENTS) / 1200
    ratio = np.zeros(len(looks))  # of the refined pitch and the tracked one, octaves
    for _ in range(ROUNDS):
        slips_hz = _slip(audio_16k, hop, refined_hz, looks, np.zeros(len(tracked_hz)) if stiffness is None else stiffness)
        ratio = np.clip(ratio + np.log2(1 + np.maximum(slips_hz / refined_hz[looks], -0.5)), -most, most)
        refined_hz[frames] = tracked_hz[frames] * 2 ** np.interp(frames, looks, ratio)
    return refined_hz.astype(np.float32)


def _slip(audio: Audio, hop: float, f0_hz: NDArray, frames: NDArray, stiffness: NDArray) -> NDArray:
    """How far the harmonics run ahead of a curve at some of its frames, Hz of f0; hop in samples, whole or not.

    The window is a B-spline of whole periods: its spectrum touches zero at every other harmonic.
    """
    pieces = 2 * np.maximum(1, np.round(SHORTEST_S * f0_hz / (2 * ORDER)))  # periods that a window joins, ORDER times
    sizes = np.ceil(ORDER * pieces / f0_hz * RATE_HZ).astype(int) + 2
    spare = int(sizes[frames].max())
    padded = np.pad(audio, (spare, spare))
    if HAS_COMPILER and not stiffness.any():
        return _compiled_slip(padded, spare, hop, f0_hz, frames, pieces[frames], sizes[frames])
    speed_hz = np.interp(np.arange(len(padded)) - spare, np.arange(len(f0_hz)) * hop, f0_hz)
    cycles = np.concatenate([[0.0], np.cumsum(speed_hz / RATE_HZ)])[:-1]
    slips = []
    for at in range(0, len(frames), BLOCK):
        now = frames[at : at + BLOCK]
        centre, size = now * hop + spare, int(sizes[now].max())
        around = np.round(centre).astype(int)[:, None] + np.arange(-(size // 2), size // 2)
        phase = cycles[around] - np.interp(centre, np.arange(len(cycles)), cycles)[:, None]
        place = phase / pieces[now, None]
        sound = padded[around] * speed_hz[around] / f0_hz[now, None]
        per_s = f0_hz[now, None] / pieces[now, None]  # a window moves on by so many pieces
        drawn = np.stack([sound * b_spline(place), sound * _b_spline_slope(place) * per_s], axis=1).astype(np.complex64)
        turn = np.exp(-2j * np.pi * phase).astype(np.complex64)[:, None]
        told, weight = np.zeros(len(now)), np.full(len(now), 1e-12)
        for k in range(1, N_HARMONICS + 1):
            drawn *= turn
            level, change = drawn.sum(-1).T
            power = np.abs(level) ** 2 + 1e-20
            ratio = k * np.sqrt((1 + stiffness[now] * k * k) / (1 + stiffness[now]))
            stretch = ratio - k  # which is in what it turns by, and beyond the window where it is much
            heard = (k * f0_hz[now] < HIGHEST_HZ) & (stretch < MOST_STRETCH)
            trust = np.sqrt(power) * heard  # not their power, or one would decide
            told += trust * ratio * (-(change * level.conj()).imag / power / (2 * np.pi) - stretch * f0_hz[now])
            weight += trust * ratio**2
        slips.append(told / weight)
    return np.concatenate(slips)


def _compiled_slip(padded: Audio, spare: int, hop: float, f0_hz: NDArray, frames: NDArray, pieces: NDArray, sizes: NDArray
                   ) -> NDArray:
    """The same without stiffness, look by look."""
    from ddspvae.kernels.pitch import count_cycles, find_slips, turn_by

    speed_hz, cycles = np.empty(len(padded)), np.empty(len(padded))
    count_cycles(f0_hz, hop, spare, RATE_HZ, speed_hz, cycles)
    turn = np.empty((2, len(cycles)), np.float32)
    turn_by(-cycles, turn)
    starts = np.arange(0, len(frames), BLOCK)
    sizes = np.repeat(np.maximum.reduceat(sizes, starts), BLOCK)[: len(frames)]
    slips, room = np.empty(len(frames)), np.empty((4, int(sizes.max()) + 2), np.float32)
    find_slips(padded, speed_hz, cycles, turn, frames * hop + spare, f0_hz[frames],
               pieces, sizes, N_HARMONICS, HIGHEST_HZ, room, slips)
    return slips


def b_spline(x: NDArray) -> NDArray:
    """The B-spline of order 3: a box of width 1 convolved with itself twice.

    >>> b_spline(np.array([-1.5, -0.5, 0.0, 1.0, 2.0])).tolist()
    [0.0, 0.5, 0.75, 0.125, 0.0]
    """
    x = np.abs(x)
    return np.where(x < 0.5, 0.75 - x * x, 0.5 * np.square(np.maximum(1.5 - x, 0)))


def _b_spline_slope(x: NDArray) -> NDArray:
    """The derivative of `b_spline`."""
    outer = np.maximum(1.5 - np.abs(x), 0)
    return np.where(np.abs(x) < 0.5, -2 * x, -np.sign(x) * outer)
