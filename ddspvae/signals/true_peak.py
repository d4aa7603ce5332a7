"""The largest value of a signal at its samples and between them.

Source: ITU-R BS.1770-4, annex 2.
"""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

PEAK_SIZE = 1 << 15  # samples: what is worked on stays in the cache


def interpolator_reach() -> int:
    """Samples to either side that the interpolator looks at."""
    return between_samples().shape[-1] // 2


def peak_between(padded: NDArray[np.float32]) -> float:
    """Largest absolute value at samples and between, of a signal with the reach of the interpolator at either end."""
    taps = between_samples()
    n = len(padded) - taps.shape[-1] + 1
    middle = padded[taps.shape[-1] // 2 :][:n]
    peak = max(float(middle.max(initial=0.0)), -float(middle.min(initial=0.0)))
    total, part = np.empty(n, np.float32), np.empty(n, np.float32)
    for phase in taps:
        np.multiply(padded[:n], phase[0], out=total)
        for k in range(1, len(phase)):
            np.multiply(padded[k : k + n], phase[k], out=part)
            total += part
        peak = max(peak, float(total.max(initial=0.0)), -float(total.min(initial=0.0)))
    return peak


@functools.lru_cache(maxsize=1)
def between_samples() -> NDArray[np.float32]:
    """What reads a signal a quarter, half and three quarters on the way to the next sample, [3, 21]: a Kaiser low-pass."""
    n = np.arange(-40, 41)
    low_pass = np.sinc(n / 4) * np.kaiser(81, 5.0)
    low_pass *= 4 / low_pass.sum()
    return np.stack([np.pad(low_pass, (phase, 4 - phase))[::4][::-1][:21] for phase in (1, 2, 3)]).astype(np.float32)
