"""The largest value between the samples, where it may be one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ddspvae.kernels.compiler import HAS_COMPILER, ready_made
from ddspvae.signals.true_peak import between_samples, peak_between

AT_ONCE = 64  # samples that are passed over together where none near them is large enough


def find_peak(padded: NDArray[np.float32], peak: float) -> float:
    """Largest absolute value of a signal at its samples and between, or `peak` where that is larger.

    Args:
        padded: [T + n - 1], the signal with the reach of the interpolator at either end.
        peak: what was found elsewhere.
    """
    if not HAS_COMPILER:
        return max(peak, peak_between(padded))
    taps = between_samples()
    found, most = np.array([peak], np.float32), np.float32(np.abs(taps).sum(-1).max() * 1.0001)
    _find_peak(np.ascontiguousarray(padded), taps, most, np.empty(AT_ONCE, np.float32), found)
    return float(found[0])


@ready_made
def _find_peak(padded, taps, most, total, found):  # type: ignore[no-untyped-def]
    n_taps = taps.shape[1]
    n, reach = len(padded) - n_taps + 1, n_taps // 2
    peak = found[0]
    for t in range(reach, reach + n):
        peak = max(peak, abs(padded[t]))
    for at in range(0, n, AT_ONCE):
        size = min(AT_ONCE, n - at)
        near = np.float32(0)
        for t in range(at, at + size + n_taps - 1):
            near = max(near, abs(padded[t]))
        if near * most <= peak:
            continue
        for phase in range(len(taps)):
            for t in range(size):
                total[t] = 0
            for k in range(n_taps):
                tap = taps[phase, k]
                for t in range(size):
                    total[t] += padded[at + t + k] * tap
            for t in range(size):
                peak = max(peak, abs(total[t]))
    found[0] = peak
