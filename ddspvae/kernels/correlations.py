"""Normalised autocorrelations of frames, and the strongest peaks in them, thirty-two frames at a time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ddspvae.kernels.compiler import HAS_COMPILER, ready_made_in_any_order
from ddspvae.kernels.frame_powers import AT_ONCE, frame_powers, lay_frames, two_powers
from ddspvae.kernels.lanes import LANES, transform, turns_of
from ddspvae.kernels.memory import in_lines
from ddspvae.kernels.transforms import irfft

CHUNK_FRAMES = 64  # where there is no compiler: what fits a cache
QUIETEST = 1e-12  # sum of the squares of a frame; below, nothing repeats
_F = np.float32
Floats = NDArray[np.float32]


def correlate_frames(padded: Floats, window: Floats, hop_size: int, n_fft: int, own: Floats, curves: Floats) -> None:
    """The autocorrelation of centred, windowed frames over the window's own, 1 at a lag of 0; 0 in silence.

    Args:
        padded: [(F - 1) * hop_size + N or more], of which frame f begins at f * hop_size.
        window: [N]; n_fft: a power of 2, 2 N or more.
        own: [R * n_fft], the window's autocorrelation, 1 at 0, read R times as finely as the samples.
        curves: [F, L], filled: at lags from 0, R to a sample.
    """
    n_frames, n_lags = curves.shape
    if not HAS_COMPILER:
        for at in range(0, n_frames, CHUNK_FRAMES):
            n = min(CHUNK_FRAMES, n_frames - at)
            power = frame_powers(padded[at * hop_size :], window, hop_size, n, n_fft, centred=True)
            curve = irfft(power, len(own))[:, :n_lags]
            heard = curve[:, :1] > QUIETEST
            curves[at : at + n] = curve / own[:n_lags] * heard / np.where(heard, curve[:, :1], 1)
        return
    wide = [in_lines(LANES * len(own)) for _ in range(4)]
    marks, power = np.empty((2, 2, LANES), np.float32), np.empty((2, LANES), np.float32)
    _correlate(padded, window, hop_size, turns_of(n_fft), turns_of(len(own)), 1 / own[:n_lags], *wide, marks, power,
               np.float32(QUIETEST * len(own)), curves)


@ready_made_in_any_order
def _correlate(audio, window, hop_size, turns, finer, shares, re, im, to_re, to_im, marks, power, quietest, curves):  # type: ignore[no-untyped-def]
    n_frames, n_lags = curves.shape
    n_fft, n_fine = len(turns.cosine), len(finer.cosine)
    size = LANES * n_fft
    for first in range(0, n_frames, AT_ONCE):
        n = min(AT_ONCE, n_frames - first)
        lay_frames(audio, window, first * hop_size, 2 * hop_size, (n + 1) // 2, True, marks[0], re[:size])
        lay_frames(audio, window, (first + 1) * hop_size, 2 * hop_size, n // 2, True, marks[1], im[:size])
        transform(re[:size], im[:size], to_re[:size], to_im[:size], turns)
        # the powers of both are even over frequency, so both autocorrelations come back from one complex number
        re[:], im[:] = 0, 0
        for k in range(n_fft // 2 + 1):
            two_powers(to_re, to_im, k, n_fft, marks, power)
            here, there = k * LANES, (n_fine - k) % n_fine * LANES
            for lane in range(LANES):
                re[here + lane] = re[there + lane] = power[0, lane]
                im[here + lane] = im[there + lane] = power[1, lane]
        transform(re, im, to_re, to_im, finer)
        for lane in range(LANES):
            for side, total in ((0, to_re[lane]), (1, to_im[lane])):
                power[side, lane] = 1 / total if total > quietest else _F(0)
        for frame in range(n):
            lane = frame // 2
            side, whole = (to_im if frame % 2 else to_re)[lane:], power[frame % 2, lane]
            into = curves[first + frame]
            for lag in range(n_lags):
                into[lag] = side[lag * LANES] * shares[lag] * whole
