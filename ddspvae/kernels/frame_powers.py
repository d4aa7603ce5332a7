"""Power spectra of the frames of a signal: thirty-two at a time where there is a compiler, two in a complex number."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ddspvae.kernels.compiler import HAS_COMPILER, compiled, compiled_in_any_order, ready_made_in_any_order
from ddspvae.kernels.lanes import LANES, transform, turns_of
from ddspvae.kernels.memory import in_lines
from ddspvae.kernels.transforms import rfft

AT_ONCE = 2 * LANES
PIECE = 64  # bins of sixteen frames: what is turned from side by side to one after another in the cache
_F = np.float32
Floats = NDArray[np.float32]


def frame_powers(padded: Floats, window: Floats, hop_size: int, n_frames: int, n_fft: int, *, centred: bool = False
                 ) -> Floats:
    """The squared magnitudes of frames, windowed and padded with zeros to n_fft.

    Args:
        padded: [(F - 1) * hop_size + N or more], of which frame f begins at f * hop_size.
        window: [N].
        n_frames: F.
        n_fft: a power of 2, N or more.
        centred: take the mean off every frame first.
    Returns:
        [F, n_fft // 2 + 1].
    """
    if not HAS_COMPILER:
        frames = np.lib.stride_tricks.sliding_window_view(padded, len(window))[: (n_frames - 1) * hop_size + 1 : hop_size]
        spectra = rfft((frames - frames.mean(axis=1, keepdims=True) if centred else frames) * window, n_fft)
        return spectra.real**2 + spectra.imag**2
    power = np.empty((n_frames, n_fft // 2 + 1), np.float32)
    room = [in_lines(LANES * n_fft) for _ in range(4)]
    _read(np.ascontiguousarray(padded, dtype=np.float32), window, hop_size, centred, turns_of(n_fft), *room,
          np.empty((2, 2, LANES), np.float32), np.empty((2, PIECE, LANES), np.float32), power)
    return power


@compiled_in_any_order
def lay_frames(audio, window, begin, hop_size, n_frames, centred, marks, side):  # type: ignore[no-untyped-def]
    """Up to sixteen windowed frames from sample `begin` on side by side, and zeros after them: side [16 n_fft], filled.

    Args:
        marks: [2, 16], filled: their means, which are taken off, 0 but for `centred`; and whether there is anything else.
    """
    size, means = len(window), marks[0]
    for lane in range(LANES):
        start, mean, loud = begin + lane * hop_size, _F(0), _F(0)
        if lane < n_frames:
            heard = audio[start : start + size]
            if centred:
                total = 0.0
                for t in range(size):
                    total += np.float64(heard[t])
                mean = _F(total / size)
            for t in range(size):
                loud += abs(heard[t] - mean)  # a sum is reckoned sixteen at a time, a maximum is not
        means[lane], marks[1, lane] = mean, _F(1) if loud > 0 else _F(0)
    if n_frames < LANES:
        side[:] = 0
    for t in range(size):
        into, shape, first = side[t * LANES : (t + 1) * LANES], window[t], begin + t
        if n_frames == LANES:
            for lane in range(LANES):
                into[lane] = (audio[first + lane * hop_size] - means[lane]) * shape
        else:
            for lane in range(n_frames):
                into[lane] = (audio[first + lane * hop_size] - means[lane]) * shape
    side[size * LANES :] = 0


@compiled
def two_powers(re, im, k, n_fft, marks, first, second):  # type: ignore[no-untyped-def]
    """Bin k of both frames in a complex number, sixteen times: first, second [16], filled; 0 where a frame is silent.

    What rounding brings over from the other one would be something.
    """
    here, there = k * LANES, (n_fft - k) % n_fft * LANES
    a_re, a_im = re[here : here + LANES], im[here : here + LANES]
    b_re, b_im = re[there : there + LANES], im[there : there + LANES]
    one, other = marks[0, 1], marks[1, 1]
    for lane in range(LANES):
        p, q = a_re[lane] + b_re[lane], a_im[lane] - b_im[lane]
        r, s = a_im[lane] + b_im[lane], b_re[lane] - a_re[lane]
        first[lane], second[lane] = _F(0.25) * one[lane] * (p * p + q * q), _F(0.25) * other[lane] * (r * r + s * s)


@ready_made_in_any_order
def _read(audio, window, hop_size, centred, turns, re, im, to_re, to_im, marks, tile, power):  # type: ignore[no-untyped-def]
    n_frames, n_bins = power.shape
    n_fft = len(turns.cosine)
    for first in range(0, n_frames, AT_ONCE):
        n = min(AT_ONCE, n_frames - first)
        # neighbours in one number: what rounding brings over is 138 dB below a frame that is as loud
        lay_frames(audio, window, first * hop_size, 2 * hop_size, (n + 1) // 2, centred, marks[0], re)
        lay_frames(audio, window, (first + 1) * hop_size, 2 * hop_size, n // 2, centred, marks[1], im)
        transform(re, im, to_re, to_im, turns)
        for at in range(0, n_bins, PIECE):
            size = min(PIECE, n_bins - at)
            for k in range(size):
                two_powers(to_re, to_im, at + k, n_fft, marks, tile[0, k], tile[1, k])
            for frame in range(n):
                into, side, lane = power[first + frame, at : at + size], tile[frame % 2], frame // 2
                for k in range(size):
                    into[k] = side[k, lane]
