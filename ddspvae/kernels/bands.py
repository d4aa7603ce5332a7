"""Powers of bins to powers of bands: nearly all weights are zero."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ddspvae.kernels.compiler import HAS_COMPILER, ready_made_in_any_order

_F = np.float32
Floats = NDArray[np.float32]


class Bands(NamedTuple):
    """Weights of N bins in K bands.

    Args:
        rows: [K, N].
        begins, ends: [K], between which a band's are not zero.
    """

    rows: Floats
    begins: NDArray[np.int64]
    ends: NDArray[np.int64]

    @classmethod
    def of(cls, weights: Floats) -> Bands:
        """Of a matrix [N, K]."""
        rows = np.ascontiguousarray(weights.T)
        used = rows != 0
        return cls(rows, used.argmax(axis=1), rows.shape[1] - used[:, ::-1].argmax(axis=1))


def weigh(power: Floats, bands: Bands) -> Floats:
    """Powers [F, N] to [F, K]."""
    if not HAS_COMPILER:
        return power @ bands.rows.T
    weighed = np.empty((len(power), len(bands.rows)), np.float32)
    _weigh(power, bands, weighed)
    return weighed


@ready_made_in_any_order
def _weigh(power, bands, weighed):  # type: ignore[no-untyped-def]
    for frame in range(len(power)):
        bins = power[frame]
        for band in range(len(bands.rows)):
            begin, end = bands.begins[band], bands.ends[band]
            total, heard, shares = _F(0), bins[begin:end], bands.rows[band, begin:end]
            for k in range(end - begin):
                total += heard[k] * shares[k]
            weighed[frame, band] = total
