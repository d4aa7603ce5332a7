"""Low-passes designed by a window, without the half a second that scipy takes to start."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray


def low_pass(window: NDArray[np.float64], cutoff: float) -> NDArray[np.float64]:
    """Taps that sum to 1.

    Args:
        window: [N], of the taps.
        cutoff: where 6 dB are lost, as a share of Nyquist.
    """
    n = len(window)
    taps = np.sinc(cutoff * (np.arange(n) - (n - 1) / 2)) * window
    return np.asarray(taps / taps.sum())


def kaiser_window(ripple_db: float, transition: float) -> NDArray[np.float64]:
    """An odd window for a stop band so many dB down, from 50 up, and a transition of this share of Nyquist.

    Source: Kaiser, "Nonrecursive digital filter design using the I0-sinh window function", 1974.
    """
    n_taps = math.ceil((ripple_db - 7.95) / (2.285 * math.pi * transition) + 1)
    return np.kaiser(n_taps | 1, 0.1102 * (ripple_db - 8.7))
