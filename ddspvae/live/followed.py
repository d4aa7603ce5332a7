"""What is heard now as a source of frames: one voice that follows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ddspvae.engine.frames import Ahead, Array
from ddspvae.features.reach import within_reach
from ddspvae.signals.units import DB_FLOOR

if TYPE_CHECKING:
    from ddspvae.live.playable import Playable


class Followed:
    """The frame that was told last, held until another one is.

    Args:
        instrument: that plays.
        knobs: [Z], what z is.
    """

    def __init__(self, instrument: Playable, knobs: Array) -> None:
        self._statistics, self._knobs = instrument.statistics, knobs
        self._frame = (440.0, 0.0, DB_FLOOR)
        self.is_begun = False

    def tell(self, f0_hz: float, periodicity: float, loudness_db: float) -> None:
        """The frame that is played from now on."""
        self._frame = f0_hz, periodicity, loudness_db

    def ahead(self, voices: NDArray[np.int64], ages: NDArray[np.int64], at_sample: int, before_hz: Array) -> Ahead | None:
        """As Source wants it."""
        f0_hz, periodicity, loudness_db = (np.full(len(voices), value, dtype=np.float32) for value in self._frame)
        loudness_db = within_reach(f0_hz, loudness_db, self._statistics)
        return Ahead(voices, f0_hz, periodicity, loudness_db, np.tile(self._knobs, (len(voices), 1)), before_hz, f0_hz)

    def over(self, voices: NDArray[np.int64], at_sample: int) -> NDArray[np.bool_]:
        """As Source wants it; it never is."""
        return np.zeros(len(voices), dtype=bool)
