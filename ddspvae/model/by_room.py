"""What a model has learned of every room beside what they share, and how it settles in one of them.

What changes with the room alone is the same in every frame: a bias. So a model that plays in one room plays as any other
does, and only who learns, or listens to several rooms, needs to know of the rest.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
TYPICAL, COEFFICIENTS = "decoder.typical.of_rooms", "decoder.typical.coefficients"
BIASES = {"decoder.room_inlet": "decoder.stack.inlet.bias", "decoder.room_envelope": "decoder.envelope_head.bias"}
SETTLED = frozenset({*BIASES, *BIASES.values(), TYPICAL, COEFFICIENTS})  # what the room that it plays in changes
N_ROOM_TERMS = 2  # of what is typical: a constant, and a slope over the pitch


def settled_in(weights: Mapping[str, Array], at: int) -> dict[str, Array]:
    """A model's weights when it plays in one of its rooms: what it has of each room is then said beside that one.

    Args:
        weights: by name, of a model that tells rooms apart.
        at: the room's row.
    """
    settled = dict(weights)
    for rows, bias in BIASES.items():
        settled[bias] = weights[bias] + weights[rows][at]
        settled[rows] = weights[rows] - weights[rows][at]
    coefficients = weights[COEFFICIENTS].copy()
    coefficients[0, :N_ROOM_TERMS] += weights[TYPICAL][at]
    settled[COEFFICIENTS], settled[TYPICAL] = coefficients, weights[TYPICAL] - weights[TYPICAL][at]
    return settled
