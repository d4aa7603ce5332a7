"""Normalised autocorrelations of frames, and the strongest peaks in them, thirty-two frames at a time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ddspvae.kernels.compiler import HAS_COMPILER, ready_made_in_any_order
from ddspvae.kernels.frame_powers import AT_ONCE, PIECE
from ddspvae.kernels.lanes import LANES, transform, turns_of
from ddspvae.kernels.memory import in_lines
from ddspvae.kernels.transforms import irfft

CHUNK_FRAMES = 64  # where there is no compiler: what fits a cache
QUIETEST = 1e-12  # sum of the squares of a frame; below, nothing repeats
_F = np.float32
Floats = NDArray[np.float32]


def correlate_powers(power: Floats, own: Floats, curves: Floats) -> None:
    """The autocorrelation of centred, windowed frames over the window's own, 1 at a lag of 0; 0 in silence.

    Args:
        power: [F, N // 2 + 1], of the frames, padded with zeros to a power of 2: what `frame_powers` gives.
        own: [R * N], the window's autocorrelation, 1 at 0, read R times as finely as the samples.
        curves: [F, L], filled: at lags from 0, R to a sample.
    """
    n_frames, n_lags = curves.shape
    if not HAS_COMPILER:
        for at in range(0, n_frames, CHUNK_FRAMES):
            curve = irfft(power[at : at + CHUNK_FRAMES], len(own))[:, :n_lags]
            heard = curve[:, :1] > QUIETEST
            curves[at : at + CHUNK_FRAMES] = curve / own[:n_lags] * heard / np.where(heard, curve[:, :1], 1)
        return
    _correlate(power, turns_of(len(own)), 1 / own[:n_lags], *(in_lines(LANES * len(own)) for _ in range(4)),
               np.zeros((2, PIECE, LANES), np.float32), np.float32(QUIETEST * len(own)), curves)


@ready_made_in_any_order
def _correlate(power, turns, shares, re, im, to_re, to_im, tile, quietest, curves):  # type: ignore[no-untyped-def]
    n_frames, n_lags = curves.shape
    n_bins, n_fine = power.shape[1], len(turns.cosine)
    for first in range(0, n_frames, AT_ONCE):
        n = min(AT_ONCE, n_frames - first)
        re[:], im[:] = 0, 0
        # the powers of both are even over frequency, so both autocorrelations come back from one complex number
        for at in range(0, n_bins, PIECE):
            size = min(PIECE, n_bins - at)
            for frame in range(n):
                side, lane, heard = tile[frame % 2], frame // 2, power[first + frame, at : at + size]
                for k in range(size):
                    side[k, lane] = heard[k]
            if n % 2:  # the last one shares its number with silence
                tile[1, :, n // 2] = 0
            for k in range(size):
                here, there = (at + k) * LANES, (n_fine - at - k) % n_fine * LANES
                one, other, one_again, other_again = (re[here : here + LANES], im[here : here + LANES],
                                                      re[there : there + LANES], im[there : there + LANES])
                for lane in range(LANES):
                    one[lane] = one_again[lane] = tile[0, k, lane]
                    other[lane] = other_again[lane] = tile[1, k, lane]
        transform(re, im, to_re, to_im, turns)
        for frame in range(n):
            lane = frame // 2
            side, into = (to_im if frame % 2 else to_re)[lane:], curves[first + frame]
            whole = 1 / side[0] if side[0] > quietest else _F(0)
            for lag in range(n_lags):
                into[lag] = side[lag * LANES] * shares[lag] * whole
