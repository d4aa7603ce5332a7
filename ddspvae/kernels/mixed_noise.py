"""Filtered noise of several voices, of which only the sum is wanted: as `kernels.noise`, with fewer transforms and roots."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ddspvae.kernels.compiler import compiled, ready_made
from ddspvae.kernels.lanes import LANES, transform
from ddspvae.kernels.memory import in_lines
from ddspvae.kernels.noise import Bins, count_from, crossfade, filter_noise, white

FRAMES = 2 * LANES + 1  # around neighbouring segments


def mix_filtered_noise(magnitudes: NDArray[np.float32], length: int, keys: NDArray[np.uint32], start_sample: int,
                       bins: Bins) -> NDArray[np.float32]:
    """The sum of all voices of `play_filtered_noise`, [F * length]: their spectra are summed, and transformed back once."""
    n_segments, places = magnitudes.shape[1] - 1, bins.places
    audio, sums = np.zeros((1, n_segments * length), dtype=np.float32), (in_lines(places[0].size), in_lines(places[0].size))
    _mix_voices(np.ascontiguousarray(magnitudes), np.ascontiguousarray(keys), np.empty((2, n_segments), np.int64),
                np.array([length, start_sample]), bins.lower, bins.weight, bins.turns, bins.counters, bins.power, *places,
                *sums, audio)
    return audio[0]


@ready_made
def _mix_voices(magnitudes, keys, sounding, where, lower, weight, turns, counters, power, a_re, a_im, b_re, b_im, c_re, c_im,  # type: ignore[no-untyped-def]
                d_re, d_im, audio):
    """The voices are summed before they are transformed back, and neighbouring segments share the frame between them."""
    length, n_segments = where[0], magnitudes.shape[1] - 1
    start_sample = where[1] - (len(a_re) // LANES - length) // 2
    for first in range(0, n_segments, 2 * LANES):
        last = min(first + 2 * LANES, n_segments)
        few, parts, is_first = sounding[0, first:last], sounding[1, first:last], True
        for voice in range(len(magnitudes)):
            levels = magnitudes[voice, first : last + 1]
            if _is_silent(levels):
                continue
            few[:] = voice
            for i in range(last - first):
                parts[i] = first + i
            count_from(keys, few, parts, length, start_sample, counters)
            white(counters[0], a_re)
            white(counters[1], a_im)
            for i in range(FRAMES):
                frame = levels[min(i, last - first)]
                for band in range(len(frame)):
                    power[band * FRAMES + i] = frame[band] * frame[band]
            transform(a_re, a_im, b_re, b_im, turns)
            filter_noise(b_re, b_im, power, FRAMES, 1, lower, weight, c_re, c_im, d_re, d_im, is_first)
            is_first = False
        if is_first:
            continue
        for i in range(last - first):  # where nothing sounds nothing shall be heard
            few[i] = -1
            for voice in range(len(magnitudes)):
                if not _is_silent(magnitudes[voice, first + i : first + i + 2]):
                    few[i] = 0
                    break
        transform(c_re, c_im, b_re, b_im, turns)
        crossfade(b_im, b_re, few[:LANES], parts[:LANES], length, audio)
        if len(few) > LANES:
            transform(d_re, d_im, b_re, b_im, turns)
            crossfade(b_im, b_re, few[LANES:], parts[LANES:], length, audio)


@compiled
def _is_silent(magnitudes):  # type: ignore[no-untyped-def]
    for frame in range(len(magnitudes)):
        for band in range(magnitudes.shape[1]):
            if magnitudes[frame, band] != 0:
                return False
    return True
