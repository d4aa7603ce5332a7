"""Causal convolutions of three taps over many steps, with half the products of matrices.

Four outputs in a row take six products of what their six inputs are mixed to, where one after the other they take twelve.

Source: Winograd, "Arithmetic complexity of computations", 1980, as Lavin and Gray use it, "Fast algorithms for convolutional
neural networks", 2016: F(4, 3), whose points are 0, 1, -1, 2, -2 and infinity.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ddspvae.kernels.compiler import ready_made
from ddspvae.kernels.stack import gate_at

OUTPUTS, PRODUCTS = 4, 6  # of a tile
_F = np.float32
_TAPS = np.array([[1 / 4, 0, 0], [-1 / 6, -1 / 6, -1 / 6], [-1 / 6, 1 / 6, -1 / 6], [1 / 24, 1 / 12, 1 / 6],
                  [1 / 24, -1 / 12, 1 / 6], [0, 0, 1]])


def mix_taps(weight: NDArray[np.float32]) -> NDArray[np.float32]:
    """Of a layer of three taps [N, 3 C], the oldest first, what each product takes: [6, C, N]."""
    taps = weight.reshape(len(weight), _TAPS.shape[1], -1)
    return np.ascontiguousarray(np.tensordot(_TAPS, taps, axes=(1, 1)).transpose(0, 2, 1), dtype=np.float32)


@ready_made
def mix_inputs(seen, dilation, tiles):  # type: ignore[no-untyped-def]
    """Steps [2 d + n, C], the first 2 d of which are past, to tiles [6, n / 4, C]; n is a multiple of 4 d.

    The outputs of a tile are d steps apart.
    """
    d, n_channels = dilation, seen.shape[1]
    for tile in range(tiles.shape[1]):
        at = tile // d * OUTPUTS * d + tile % d
        x0, x1, x2, x3, x4, x5 = (seen[at], seen[at + d], seen[at + 2 * d], seen[at + 3 * d], seen[at + 4 * d],
                                  seen[at + 5 * d])
        y0, y1, y2, y3, y4, y5 = (tiles[0, tile], tiles[1, tile], tiles[2, tile], tiles[3, tile], tiles[4, tile],
                                  tiles[5, tile])
        for c in range(n_channels):
            y0[c] = _F(4) * x0[c] - _F(5) * x2[c] + x4[c]
        for c in range(n_channels):
            y1[c] = (x4[c] - _F(4) * x2[c]) + (x3[c] - _F(4) * x1[c])
        for c in range(n_channels):
            y2[c] = (x4[c] - _F(4) * x2[c]) - (x3[c] - _F(4) * x1[c])
        for c in range(n_channels):
            y3[c] = (x4[c] - x2[c]) + _F(2) * (x3[c] - x1[c])
        for c in range(n_channels):
            y4[c] = (x4[c] - x2[c]) - _F(2) * (x3[c] - x1[c])
        for c in range(n_channels):
            y5[c] = _F(4) * x1[c] - _F(5) * x3[c] + x5[c]


@ready_made
def gate_tiles(products, bias, dilation, gated):  # type: ignore[no-untyped-def]
    """Products [6, n / 4, 2 C] to the layer's outputs, which are gated as in `stack.gate`, to gated [n, C]."""
    d, n_channels = dilation, gated.shape[1]
    low, high = bias[:n_channels], bias[n_channels:]
    for tile in range(products.shape[1]):
        at = tile // d * OUTPUTS * d + tile % d
        a0, a1, a2, a3, a4, a5 = (products[0, tile], products[1, tile], products[2, tile], products[3, tile],
                                  products[4, tile], products[5, tile])
        b0, b1, b2, b3, b4, b5 = (a0[n_channels:], a1[n_channels:], a2[n_channels:], a3[n_channels:], a4[n_channels:],
                                  a5[n_channels:])
        y0, y1, y2, y3 = gated[at], gated[at + d], gated[at + 2 * d], gated[at + 3 * d]
        for c in range(n_channels):
            y0[c] = gate_at(low[c] + a0[c] + (a1[c] + a2[c]) + (a3[c] + a4[c]),
                            high[c] + b0[c] + (b1[c] + b2[c]) + (b3[c] + b4[c]))
        for c in range(n_channels):
            y1[c] = gate_at(low[c] + (a1[c] - a2[c]) + _F(2) * (a3[c] - a4[c]),
                            high[c] + (b1[c] - b2[c]) + _F(2) * (b3[c] - b4[c]))
        for c in range(n_channels):
            y2[c] = gate_at(low[c] + (a1[c] + a2[c]) + _F(4) * (a3[c] + a4[c]),
                            high[c] + (b1[c] + b2[c]) + _F(4) * (b3[c] + b4[c]))
        for c in range(n_channels):
            y3[c] = gate_at(low[c] + (a1[c] - a2[c]) + _F(8) * (a3[c] - a4[c]) + a5[c],
                            high[c] + (b1[c] - b2[c]) + _F(8) * (b3[c] - b4[c]) + b5[c])
