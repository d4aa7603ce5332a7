"""A-weighting, for numbers, numpy arrays and torch tensors alike."""

from __future__ import annotations

from typing import TypeVar

Number = TypeVar("Number")
AT_1_KHZ = 10 ** (-1.9997 / 10)  # what the poles leave of 1 kHz


def a_weighting(frequency_hz: Number) -> Number:
    """A-weighting as a linear power gain, 1 at 1 kHz.

    Args:
        frequency_hz: any shape, Hz, >= 0.
    Source: IEC 61672-1:2013, annex E, with its pole frequencies.

    >>> round(a_weighting(1000.0), 3)
    1.0
    """
    f2 = frequency_hz * frequency_hz  # type: ignore[operator]
    ends = f2 / (f2 + 20.598997**2) / (f2 / 12194.217**2 + 1)  # each pole as a ratio that cannot overflow
    middle = f2 / (f2 + 107.65265**2) * (f2 / (f2 + 737.86223**2))
    return ends * ends * middle / AT_1_KHZ  # type: ignore[no-any-return]
