"""The convolutions of SwiftF0, whose twelve channels are summed at once over frames that stay in the cache."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ddspvae.kernels.compiler import compiled_in_any_order, ready_made_in_any_order

CHANNELS, BINS = 12, 128
LANES = 64  # frames that are summed at once
WIDE = 128  # frames of a tile
MARGIN = 16  # zeros before and after the frames of a row, so that neighbours may be read
ROW = WIDE + 2 * MARGIN
PLANE = BINS * ROW
_F = np.float32


class Tile(NamedTuple):
    """Room to work in: inputs [3 PLANE], and what flows [12 PLANE] and what is hidden [12 PLANE]; sums [12 LANES]."""

    inlet: NDArray[np.float32]
    stream: NDArray[np.float32]
    hidden: NDArray[np.float32]
    sums: NDArray[np.float32]

    @classmethod
    def empty(cls) -> Tile:
        """Of zeros."""
        sizes = (3 * PLANE, CHANNELS * PLANE, CHANNELS * PLANE, CHANNELS * LANES)
        return cls(*(np.zeros(size, np.float32) for size in sizes))


@compiled_in_any_order
def _add_three(x, first, second, third, weights, at, acc):  # type: ignore[no-untyped-def]
    """To twelve sums of LANES frames, those of three rows, each times a weight a channel."""
    a, b, d = x[first : first + LANES], x[second : second + LANES], x[third : third + LANES]
    w = weights[at : at + 36]
    for lane in range(LANES):
        acc[0*LANES + lane] += w[0] * a[lane] + w[1] * b[lane] + w[2] * d[lane]
        acc[1*LANES + lane] += w[3] * a[lane] + w[4] * b[lane] + w[5] * d[lane]
        acc[2*LANES + lane] += w[6] * a[lane] + w[7] * b[lane] + w[8] * d[lane]
        acc[3*LANES + lane] += w[9] * a[lane] + w[10] * b[lane] + w[11] * d[lane]
        acc[4*LANES + lane] += w[12] * a[lane] + w[13] * b[lane] + w[14] * d[lane]
        acc[5*LANES + lane] += w[15] * a[lane] + w[16] * b[lane] + w[17] * d[lane]
        acc[6*LANES + lane] += w[18] * a[lane] + w[19] * b[lane] + w[20] * d[lane]
        acc[7*LANES + lane] += w[21] * a[lane] + w[22] * b[lane] + w[23] * d[lane]
        acc[8*LANES + lane] += w[24] * a[lane] + w[25] * b[lane] + w[26] * d[lane]
        acc[9*LANES + lane] += w[27] * a[lane] + w[28] * b[lane] + w[29] * d[lane]
        acc[10*LANES + lane] += w[30] * a[lane] + w[31] * b[lane] + w[32] * d[lane]
        acc[11*LANES + lane] += w[33] * a[lane] + w[34] * b[lane] + w[35] * d[lane]


@compiled_in_any_order
def convolve(x, n_bins, n_in, reach, spread, over_time, weights, bias, acc, known, residual, out):  # type: ignore[no-untyped-def]
    """A convolution over bins, and frames, to twelve channels; what it is added to, if anything; its rectifier.

    Args:
        x: [n_in PLANE]; n_bins: how many bins are asked for.
        reach: bins that it looks at to either side, each `spread` from the next.
        over_time: whether it looks at the frames before and after, too.
        weights: [(2 reach + 1) n_in (3 or 1) 12], three rows at once side by side, see `features.swift_network`.
        bias: [12]; acc: [12 LANES], room.
        known: [2], the first frame of the tile that there is, and the first that is no more: beyond all is 0.
        residual: add to what is there; out: [12 PLANE].
    """
    for bin in range(n_bins):
        for begin in range(0, WIDE, LANES):
            for channel in range(CHANNELS):
                for lane in range(LANES):
                    acc[channel * LANES + lane] = bias[channel]
            at = 0
            for step in range(-reach, reach + 1):
                row = bin + step * spread
                if 0 <= row < BINS:
                    place = row * ROW + MARGIN + begin
                    if over_time:
                        for channel in range(n_in):
                            here = channel * PLANE + place
                            _add_three(x, here - 1, here, here + 1, weights, at + channel * 36, acc)
                    else:
                        for channel in range(0, n_in, 3):
                            here = channel * PLANE + place
                            _add_three(x, here, here + PLANE, here + 2 * PLANE, weights, at + channel * 12, acc)
                at += n_in * (36 if over_time else 12)
            for channel in range(CHANNELS):
                first = channel * PLANE + bin * ROW + MARGIN + begin
                into, total = out[first : first + LANES], acc[channel * LANES : (channel + 1) * LANES]
                if residual:
                    for lane in range(LANES):
                        into[lane] = max(total[lane] + into[lane], _F(0))
                else:
                    for lane in range(LANES):
                        into[lane] = max(total[lane], _F(0))
                for lane in range(begin, min(known[0], begin + LANES)):
                    into[lane - begin] = 0
                for lane in range(max(known[1], begin), begin + LANES):
                    into[lane - begin] = 0


@ready_made_in_any_order
def run_layers(n_bins, n_in, reaches, spreads, over_time, places, weights, biases, known, tile):  # type: ignore[no-untyped-def]
    """All layers of a tile: the first from the inlet, then pairs through `hidden` and back into the stream.

    Args:
        n_bins, n_in, reaches, spreads, over_time: [N], as in `convolve`.
        places: [N], where the weights of each begin in all of them; biases: [N, 12].
        known: [2]; tile: with the inlet filled; the stream holds what comes out.
    """
    convolve(tile.inlet, n_bins[0], n_in[0], reaches[0], spreads[0], over_time[0] > 0, weights, biases[0], tile.sums, known,
             False, tile.stream)
    for layer in range(1, len(n_in)):
        is_first = layer % 2 == 1
        x, out = (tile.stream, tile.hidden) if is_first else (tile.hidden, tile.stream)
        convolve(x, n_bins[layer], n_in[layer], reaches[layer], spreads[layer], over_time[layer] > 0,
                 weights[places[layer] :], biases[layer], tile.sums, known, not is_first, out)


@ready_made_in_any_order
def read_candidates(tile, weights, bias, n_out, heard):  # type: ignore[no-untyped-def]
    """The last convolution over bins and frames, to few channels, from one bin below to one above; its rectifier.

    Args:
        tile: after `run_layers`.
        weights: [C, 12, 3, 3]; bias: [C].
        n_out: bins.
        heard: [C, n_out, WIDE], filled.
    """
    for channel in range(len(heard)):
        for bin in range(n_out):
            into = heard[channel, bin]
            for lane in range(WIDE):
                into[lane] = bias[channel]
            for step in range(3):
                row = bin + step - 1
                if row < 0:
                    continue
                for source in range(CHANNELS):
                    here = source * PLANE + row * ROW + MARGIN
                    before, now, after = (tile.stream[here - 1 : here - 1 + WIDE], tile.stream[here : here + WIDE],
                                          tile.stream[here + 1 : here + 1 + WIDE])
                    p, q, r = (weights[channel, source, step, 0], weights[channel, source, step, 1],
                               weights[channel, source, step, 2])
                    for lane in range(WIDE):
                        into[lane] += p * before[lane] + q * now[lane] + r * after[lane]
            for lane in range(WIDE):
                into[lane] = max(into[lane], _F(0))
