"""The decoder's heads one frame at a time, for voices of any ages: what streams run where there is a compiler."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ddspvae.engine.network import Array, Network, scale_curves
from ddspvae.kernels.spectrum import Level
from ddspvae.model.form import ONSET_FRAMES, TAPS
from ddspvae.synth.tails import QUIETEST_DRY


class LiveNetwork(Network):
    """`Decoder.frame` at the level that the loudness asks for in a room, for R voices; arrays in and out."""

    def frame(self, f0_hz: Array, periodicity: Array, loudness_db: Array, before: Array, now: Array, fade: Array,
              curves: Array, before_hz: Array, after_hz: Array, ringing: NDArray[np.float64], keep: NDArray[np.float64],
              at_once: NDArray[np.float64], first: NDArray[np.float64]) -> tuple[NDArray[Any], ...]:
        """One frame; arguments and results as `live.networks.FrameNetwork.forward` has them."""
        f0, loudness = (np.ascontiguousarray(curve[:, 0, 0]) for curve in (f0_hz, loudness_db))
        hidden = before[:, 0] + (now[:, 0] - before[:, 0]) * fade[:, 0]
        seen = np.concatenate([curves, scale_curves(f0, periodicity[:, 0, 0], loudness)[:, None]], axis=1)
        taps = seen[:, ONSET_FRAMES + 1 - TAPS :].transpose(0, 2, 1).reshape(len(seen), -1)
        highest_hz = np.maximum(f0, np.maximum(before_hz[:, 0, 0], after_hz[:, 0, 0]))
        rows = np.arange(len(seen))
        ringing = ringing.copy()
        heights, magnitudes = self.heads(f0, loudness, highest_hz, self.split(hidden), taps, seen.reshape(-1, 3),
                                         rows * (ONSET_FRAMES + 1) + ONSET_FRAMES,
                                         Level(keep[0], at_once[0], first[0], QUIETEST_DRY), rows, ringing)
        return heights[:, None], magnitudes[:, None], seen[:, 1:], ringing
