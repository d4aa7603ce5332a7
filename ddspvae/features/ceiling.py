"""Above where trackers end they hear an octave too low: whether a high pitch is there, or only its octave."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

LOWEST_HZ, HIGHEST_HZ = 1200.0, 4700.0  # of what is heard, and of what it may be: above, an octave would be beyond a piccolo
WINDOW_S = 0.02  # 50 Hz wide: a small part of an octave up there
MISSING_DB = 30.0  # of the fundamental below its octave: no instrument so high lacks its fundamental
HELD_FRAMES = 5  # the median of so many decides


def lift_octaves(audio: NDArray, sample_rate: int, hop_size: int, f0_hz: NDArray, sure: NDArray[np.bool_]) -> NDArray:
    """The pitch, an octave higher where nothing sounds at it or at three times it, and all at twice it.

    Args:
        audio: [T]; f0_hz: [F], tracked; sure: [F], where it counts.
    """
    looked = np.flatnonzero(sure & (f0_hz > LOWEST_HZ) & (2 * f0_hz < min(HIGHEST_HZ, 0.45 * sample_rate)))
    if not len(looked):
        return f0_hz
    size = round(WINDOW_S * sample_rate)
    window = np.hanning(size)
    padded = np.pad(np.asarray(audio, dtype=np.float64), size)
    place = np.arange(size)
    missing = np.zeros(len(f0_hz))
    for frame in looked.tolist():
        start = frame * hop_size + size - size // 2
        piece = padded[start : start + size] * window
        own, octave, third = (abs(np.exp(-2j * np.pi * k * f0_hz[frame] / sample_rate * place) @ piece)
                              if k * f0_hz[frame] < sample_rate / 2 else 0.0 for k in (1, 2, 3))
        missing[frame] = max(own, third) < octave * 10 ** (-MISSING_DB / 20)
    votes = np.convolve(missing, np.ones(HELD_FRAMES), "same") > HELD_FRAMES / 2
    lifted = np.zeros(len(f0_hz), dtype=bool)
    lifted[looked] = votes[looked]
    return np.where(lifted, 2 * f0_hz, f0_hz)
