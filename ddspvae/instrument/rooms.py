"""The room that an instrument is played in: a learned one, changed or not, one of the user's own, or none."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from ddspvae.audio import Audio
from ddspvae.model.config import ModelConfig
from ddspvae.signals.checks import InputError, check_range, fail
from ddspvae.synth.tails import RoomTail, ringing_s

Array = NDArray[np.float32]


class Rooms:
    """The rooms of an instrument; the last one asked for is kept.

    Args:
        config: of the model.
        weights: gives the numbers of the rooms that it learned, `room_energy` and `room_decay` [R, J] among others.
        name: of the learned room to play in, one of config.rooms.
    """

    def __init__(self, config: ModelConfig, weights: Callable[[], Mapping[str, Array]], name: str) -> None:
        self.config, self.name = config, name
        self._weights = weights
        self._last: dict[tuple[str, float, float], tuple[RoomTail, Array]] = {}

    def response(self, dry: bool = False, ir: Audio | None = None, wet_db: float = 0.0, decay: float = 1.0
                 ) -> tuple[RoomTail | None, Array | None]:
        """The tail of the learned room that the level accounts for, if any, and the impulse response [R, L] to play in.

        Args: as in `Instrument.resynthesize`.
        Raises:
            InputError: an impulse response of another shape, or a change of a room that is not there.
        """
        config = self.config
        if dry and ir is not None:
            raise InputError("room: dry is without a room and ir in another one; give one of them.")
        check_range("room", "wet_db", wet_db, -60, 20)
        check_range("room", "decay", decay, 0.05, 20)
        if (wet_db, decay) != (0.0, 1.0) and (dry or ir is not None or not config.with_reverb):
            raise InputError("room: wet_db and decay change the learned room, and this sound is not played in it; "
                             "leave them out.")
        if ir is not None:
            taps = np.atleast_2d(np.asarray(ir, dtype=np.float32))
            if taps.ndim != 2 or taps.shape[0] > 2 or not taps.shape[1]:
                raise fail("room", "ir", "be [L] or [2, L]", list(np.shape(ir)))
            return None, np.ascontiguousarray(taps)
        if dry or not config.with_reverb:
            return None, None
        wanted = (self.name, wet_db, decay)
        if wanted not in self._last:
            weights, row = self._weights(), config.rooms.index(self.name)
            tail = RoomTail.learned(weights["room_energy"][row], weights["room_decay"][row]).changed(wet_db, decay)
            self._last = {wanted: (tail, tail.response(config.sample_rate)[None])}
        return self._last[wanted]

    def ringing_s(self, dry: bool = False, ir: Audio | None = None, wet_db: float = 0.0, decay: float = 1.0) -> float:
        """How long the learned room rings, as it is asked for; 0 where another is played in, or none."""
        tail, response = self.response(dry, ir, wet_db, decay)
        return 0.0 if tail is None or response is None else ringing_s(response[0], self.config.sample_rate)
