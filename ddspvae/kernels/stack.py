"""Between the products of matrices of the decoder's stack: what numpy does in many steps over all of an array."""

from __future__ import annotations

import numpy as np

from ddspvae.kernels.compiler import compiled, ready_made, ready_made_in_any_order
from ddspvae.kernels.spectrum import exponential

_F = np.float32
STEEPEST = _F(9)  # where the hyperbolic tangent is 1


@compiled
def gate_at(a, b):  # type: ignore[no-untyped-def]
    """tanh(a) sigmoid(b), within 1e-6."""
    u = exponential(_F(-2) * min(max(a, -STEEPEST), STEEPEST))
    return (_F(1) - u) / ((_F(1) + u) * (_F(1) + exponential(-b)))


@ready_made
def gate(value, gated):  # type: ignore[no-untyped-def]
    """`gate_at` of value [n, 2 C], which is a and then b; to gated [n, C]."""
    n_channels = gated.shape[1]
    for row in range(len(value)):
        a, b, out = value[row, :n_channels], value[row, n_channels:], gated[row]
        for c in range(n_channels):
            out[c] = gate_at(a[c], b[c])


@ready_made_in_any_order
def awaken(taps, weight, hidden):  # type: ignore[no-untyped-def]
    """x sigmoid(x) of what is in hidden [n, C], and what weight [K, C] makes of taps [n, K], K a multiple of 4; in place."""
    for row in range(len(hidden)):
        values = hidden[row]
        for k in range(0, len(weight), 4):
            p, q, r, s = taps[row, k], taps[row, k + 1], taps[row, k + 2], taps[row, k + 3]
            to_p, to_q, to_r, to_s = weight[k], weight[k + 1], weight[k + 2], weight[k + 3]
            for c in range(len(values)):
                values[c] += p * to_p[c] + q * to_q[c] + r * to_r[c] + s * to_s[c]
        for c in range(len(values)):
            values[c] /= _F(1) + exponential(-values[c])


@ready_made_in_any_order
def normalize(hidden, weight, bias, epsilon):  # type: ignore[no-untyped-def]
    """Rows [n, C] to mean 0 and power 1, then scaled and moved, in place."""
    n_channels = hidden.shape[1]
    for row in range(len(hidden)):
        values = hidden[row]
        total = power = _F(0)
        for c in range(n_channels):
            total += values[c]
        mean = total / _F(n_channels)
        for c in range(n_channels):
            values[c] -= mean
            power += values[c] * values[c]
        scale = _F(1) / np.sqrt(power / _F(n_channels) + _F(epsilon))
        for c in range(n_channels):
            values[c] = values[c] * scale * weight[c] + bias[c]


@ready_made
def spread(ends, pace, hidden, nodes, noise, named, code):  # type: ignore[no-untyped-def]
    """Steps [n + 1, C + E + K + N + G] to frames after the first one, in straight lines: [F, C], [F, E], ..."""
    for frame in range(len(hidden)):
        step, share = frame // pace, _F(frame % pace + 1) / _F(pace)
        begin, end = ends[step], ends[step + 1]
        at = _draw_line(begin, end, share, 0, hidden[frame])
        at = _draw_line(begin, end, share, at, nodes[frame])
        at = _draw_line(begin, end, share, at, noise[frame])
        at = _draw_line(begin, end, share, at, named[frame])
        _draw_line(begin, end, share, at, code[frame])


@compiled
def _draw_line(begin, end, share, at, values):  # type: ignore[no-untyped-def]
    """Between two steps, for the columns from `at` on; where the next ones begin."""
    now, then = begin[at : at + len(values)], end[at : at + len(values)]
    for c in range(len(values)):
        values[c] = now[c] + (then[c] - now[c]) * share
    return at + len(values)
