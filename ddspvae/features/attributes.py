"""What the named attributes are read with: which harmonics, and what each of them weighs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

N_PARTIALS = 40
HIGHEST_HZ = 10_000.0  # above, recordings differ by microphone more than by playing


def octaves_above(n_harmonics: int) -> NDArray[np.float32]:
    """Octaves of the harmonics above the fundamental, [H]: what brightness weighs each with."""
    return np.log2(np.arange(1.0, n_harmonics + 1)).astype(np.float32)


def odd_or_even(n_harmonics: int) -> NDArray[np.float32]:
    """+1 for the odd, -1 for the even harmonics, the fundamental apart, [H]: what hollowness weighs each with."""
    number = np.arange(1, n_harmonics + 1)
    return np.where(number % 2 == 1, 1.0, -1.0).astype(np.float32) * (number > 1)
