"""Room to work in that begins where a line of the cache does: a vector that lies across two lines takes twice as long."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

LINE = 16  # numbers in single precision


def in_lines(size: int) -> NDArray[np.float32]:
    """So many numbers, of no value yet, from the beginning of a line on: [size]."""
    room = np.empty(size + LINE, np.float32)
    begin = -room.__array_interface__["data"][0] // room.itemsize % LINE
    return room[begin : begin + size]
