"""Levels of harmonics as envelopes over frequency: `model.envelope.to_nodes` in a loop."""

from __future__ import annotations

import numpy as np

from ddspvae.kernels.compiler import ready_made

_F = np.float32


@ready_made
def left_over(levels, noise, f0_hz, n_heard, weights, most, outside, frequency_hz, octaves, left):  # type: ignore[no-untyped-def]
    """What an encoder hears, in nepers: levels of harmonics on straight lines between neighbours, then the noise's.

    Args:
        levels: [F, H]; noise: [F, K].
        f0_hz: [F], Hz; n_heard: [F], how many harmonics count, 1 to H.
        weights: [F], which all is multiplied by; most: nepers, before that.
        outside: a node is 0 below this share of the first harmonic, or beyond 1 / share of the last.
        frequency_hz: [N], of the nodes.
        octaves: [H], log2 of the harmonics' numbers.
        left: [F, N + K], filled.
    """
    n_nodes = len(frequency_hz)
    for frame in range(len(levels)):
        level, into, weight, last = levels[frame], left[frame], weights[frame], n_heard[frame]
        for node in range(n_nodes):
            ratio = frequency_hz[node] / f0_hz[frame]
            value = _F(0)
            if ratio > outside and ratio * outside < _F(last):
                place = min(max(ratio, _F(1)), _F(last))
                k = int(place)
                following = min(k + 1, last)
                far = max(octaves[following - 1] - octaves[k - 1], _F(1e-6))
                way = min(max((np.log2(place) - octaves[k - 1]) / far, _F(0)), _F(1))
                value = level[k - 1] + (level[following - 1] - level[k - 1]) * way
            into[node] = min(max(value, -most), most) * weight
        for band in range(noise.shape[1]):
            into[n_nodes + band] = min(max(noise[frame, band], -most), most) * weight
