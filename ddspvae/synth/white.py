"""White noise from counters, in numpy: a function of (seed, voice, absolute sample)."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

_HALF, _BYTE, _MULTIPLIER = np.uint32(16), np.int32(8), np.uint32(0x45D9F3B)
UNIT_POWER = math.sqrt(3.0) / 2**23  # of whole numbers uniform in +-2^23


def _mix(x: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Scramble 32-bit counters in place: two rounds of multiply and xor-shift."""
    for _ in range(2):
        x ^= x >> _HALF
        x *= _MULTIPLIER
    x ^= x >> _HALF
    return x


def _low_bits(x: Any, factor: int = 1) -> NDArray[np.uint32]:
    """The low 32 bits of whole numbers, [B, 1]."""
    numbers = np.atleast_1d(x.cpu().numpy() if hasattr(x, "cpu") else np.array(x)).astype(np.int64)
    return (numbers * factor & 0xFFFFFFFF).astype(np.uint32)[:, None]


def noise_key(seed: Any, voice: Any) -> NDArray[np.uint32]:
    """What tells one noise from another, [B, 1]; seed and voice are whole numbers, or arrays or tensors [B] of them."""
    return _mix(_mix(_low_bits(seed)) + _low_bits(voice, 0x9E3779B1))


def white_samples(key: NDArray[np.uint32], start_sample: int, n_samples: int) -> NDArray[np.float32]:
    """White noise of unit power whose every sample depends only on its key and its absolute position.

    So blocks, starting points and batches agree, and voices are uncorrelated.

    Args:
        key: [B, 1], from noise_key.
        start_sample: absolute position of the first sample; may be negative.
        n_samples: how many.
    Returns:
        [B, n_samples], uniform in +-sqrt(3).
    """
    parts = []
    while n_samples > 0:  # in parts that share the high 32 bits of their positions
        high, low = start_sample >> 32, start_sample & 0xFFFFFFFF
        n_part = min(n_samples, 2**32 - low)
        position = np.arange(low, low + n_part, dtype=np.uint32)
        position ^= _mixed_low_bits(high)
        parts.append(_mix(_mix(position) + key))
        start_sample, n_samples = start_sample + n_part, n_samples - n_part
    bits = parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)
    noise = (bits.view(np.int32) >> _BYTE).astype(np.float32)  # 24 bits are exact in float32
    noise *= np.float32(UNIT_POWER)
    return noise


@functools.lru_cache(maxsize=16)
def _mixed_low_bits(number: int) -> np.uint32:
    return np.uint32(_mix(_low_bits(number))[0, 0])


def _fast_length(least: int) -> int:
    """The smallest size from `least` on that has no prime factor above 5: what real FFTs are quick at."""
    size = least
    while True:
        left = size
        for prime in (2, 3, 5):
            while left % prime == 0:
                left //= prime
        if left == 1:
            return size
        size += 1


def fft_size(hop_size: int, n_bands: int) -> int:
    """Of one segment with room for its filter, four bands' reach, on either side."""
    return _fast_length(hop_size + 8 * n_bands)
