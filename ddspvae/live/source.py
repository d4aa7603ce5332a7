"""What says which frames voices play."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ddspvae.engine.frames import Ahead, Array


class Source(Protocol):
    """What says which frames voices play."""

    def ahead(self, voices: NDArray[np.int64], ages: NDArray[np.int64], at_sample: int, before_hz: Array) -> Ahead | None:
        """What voices play at an instant, if nothing happens until then; of those that go on, None if none does.

        Args:
            voices: [V]; ages: [V], frames they have played.
            before_hz: [V], f0 of the frame before.
        """

    def over(self, voices: NDArray[np.int64], at_sample: int) -> NDArray[np.bool_]:
        """Which of them [V] have nothing more to play."""
