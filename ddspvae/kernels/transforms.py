"""Fourier transforms in the precision of what is transformed.

What numpy 2 is not asked to scale it transforms in double precision and rounds, which takes up to five times as long; so it
is asked to, and what it divided by is given back, which for a power of two changes nothing.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def rfft(values: NDArray[np.float32], n: int | None = None) -> NDArray[Any]:
    """Of real values, along the last axis, padded to n: [..., n // 2 + 1]."""
    n = n or values.shape[-1]
    return _given_back(np.fft.rfft(values, n, norm="forward"), n)


def irfft(spectrum: NDArray[Any], n: int) -> NDArray[np.float32]:
    """Back to n real values, along the last axis, from what `rfft` gives; what lies beyond it is 0."""
    return np.fft.irfft(spectrum, n).astype(np.float32, copy=False)  # it is scaled by 1 / n in any case


def fft(values: NDArray[Any]) -> NDArray[Any]:
    """Of complex values, along the last axis."""
    return _given_back(np.fft.fft(values, norm="forward"), values.shape[-1])


def _given_back(spectrum: NDArray[Any], n: int) -> NDArray[Any]:
    spectrum *= np.float32(n)
    return spectrum
