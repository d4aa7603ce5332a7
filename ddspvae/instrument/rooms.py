"""The room that an instrument is played in: a learned one, changed or not, one of the user's own, or none."""

from __future__ import annotations

import numpy as np
import torch

from ddspvae.audio import Audio
from ddspvae.model.autoencoder import Autoencoder
from ddspvae.signals.checks import InputError, check_range, fail
from ddspvae.synth.reverb import Room, impulse_response, ringing_s


class Rooms:
    """The rooms of an instrument; the last one asked for is kept.

    Args:
        model: that learned them.
        name: of the learned room to play in, one of config.rooms.
    """

    def __init__(self, model: Autoencoder, name: str) -> None:
        self.model = model
        self.name = name
        self._last: dict[tuple[str, float, float], tuple[Room, torch.Tensor]] = {}

    def response(self, dry: bool = False, ir: Audio | None = None, wet_db: float = 0.0, decay: float = 1.0
                 ) -> tuple[Room | None, torch.Tensor | None]:
        """The learned room that the level accounts for, if any, and the impulse response [1, L] or [2, L] to play in.

        Args: as in `Instrument.resynthesize`.
        Raises:
            InputError: an impulse response of another shape, or a change of a room that is not there.
        """
        config = self.model.config
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
            return None, torch.from_numpy(np.ascontiguousarray(taps))
        wanted = (self.name, wet_db, decay)
        if dry or not config.with_reverb:
            return None, None
        if wanted not in self._last:
            room = self.model.room(torch.tensor([config.rooms.index(self.name)]))
            assert room is not None
            with torch.inference_mode():
                changed = room.changed(wet_db, decay)
                self._last = {wanted: (changed, impulse_response(changed, config.sample_rate))}
        return self._last[wanted]

    def ringing_s(self, dry: bool = False, ir: Audio | None = None, wet_db: float = 0.0, decay: float = 1.0) -> float:
        """How long the learned room rings, as it is asked for; 0 where another is played in, or none."""
        room, _ = self.response(dry, ir, wet_db, decay)
        return 0.0 if room is None else ringing_s(room, self.model.config.sample_rate)
