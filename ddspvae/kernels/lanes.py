"""Fourier transforms of sixteen signals side by side, for loops that have more to do with them than to transform.

Sample t of signal l lies at 16 t + l, so that every step is the same for sixteen neighbours, and vectors are always full.

Source: Stockham, "High-speed convolution and correlation", 1966: each pass of radix r reads from one place and writes to
another, and the result comes out in order.
"""

from __future__ import annotations

import functools
import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ddspvae.kernels.compiler import compiled

LANES = 16
L2, L3, L4 = 2 * LANES, 3 * LANES, 4 * LANES
_F = np.float32
_SIN_3 = _F(math.sqrt(0.75))
_COS_5, _COS_10 = _F(math.cos(2 * math.pi / 5)), _F(math.cos(4 * math.pi / 5))
_SIN_5, _SIN_10 = _F(math.sin(2 * math.pi / 5)), _F(math.sin(4 * math.pi / 5))


class Turns(NamedTuple):
    """What a transform of n samples needs.

    Args:
        cosine, sine: [n], of k / n turns.
        radices: of its passes, an odd number of them.
    """

    cosine: NDArray[np.float32]
    sine: NDArray[np.float32]
    radices: NDArray[np.int64]


@functools.lru_cache(maxsize=16)
def turns_of(n: int) -> Turns:
    """For transforms of n samples; n has no prime factor above 5."""
    radices, left = [], n
    for radix in (4, 2, 3, 5):
        while left % radix == 0:
            radices.append(radix)
            left //= radix
    assert left == 1
    if len(radices) % 2 == 0:
        radices.append(1)  # a copy, so that the last pass writes to the other place
    angle = 2 * np.pi * np.arange(n) / n
    return Turns(np.cos(angle).astype(_F), np.sin(angle).astype(_F), np.array(radices))


@compiled
def transform(re, im, other_re, other_im, turns):  # type: ignore[no-untyped-def]
    """Sixteen complex transforms of n samples, from one place to the other; what was there is overwritten, too.

    To go back, give im for re and re for im, and divide by n.

    Args:
        re, im, other_re, other_im: [16 n] each.
        turns: for n samples.
    """
    stride, here = 1, True
    for radix in turns.radices:
        if here:
            _pass(re, im, other_re, other_im, radix, stride, turns.cosine, turns.sine)
        else:
            _pass(other_re, other_im, re, im, radix, stride, turns.cosine, turns.sine)
        here = not here
        stride *= radix


@compiled
def _pass(x_re, x_im, y_re, y_im, radix, stride, cosine, sine):  # type: ignore[no-untyped-def]
    if radix == 4 and stride == 1:
        _first_four(x_re, x_im, y_re, y_im, cosine, sine)
    elif radix == 4:
        _four(x_re, x_im, y_re, y_im, stride, cosine, sine)
    elif radix == 2:
        _two(x_re, x_im, y_re, y_im, stride, cosine, sine)
    elif radix == 3:
        _three(x_re, x_im, y_re, y_im, stride, cosine, sine)
    elif radix == 5:
        _five(x_re, x_im, y_re, y_im, stride, cosine, sine)
    else:
        copy(x_re, x_im, y_re, y_im)


@compiled
def copy(re, im, to_re, to_im):  # type: ignore[no-untyped-def]
    """Sixteen complex signals to another place."""
    for t in range(len(re)):
        to_re[t], to_im[t] = re[t], im[t]


@compiled
def _of_four(a_re, a_im, b_re, b_im, c_re, c_im, d_re, d_im, c1, s1, c2, s2, c3, s3):  # type: ignore[no-untyped-def]
    """A transform of four samples, of which all but the first are turned back by the angles."""
    p_re, p_im, m_re, m_im = a_re + c_re, a_im + c_im, a_re - c_re, a_im - c_im
    q_re, q_im, n_re, n_im = b_re + d_re, b_im + d_im, b_re - d_re, b_im - d_im
    x_re, x_im, y_re, y_im, z_re, z_im = m_re + n_im, m_im - n_re, p_re - q_re, p_im - q_im, m_re - n_im, m_im + n_re
    return (p_re + q_re, p_im + q_im, x_re * c1 + x_im * s1, x_im * c1 - x_re * s1,
            y_re * c2 + y_im * s2, y_im * c2 - y_re * s2, z_re * c3 + z_im * s3, z_im * c3 - z_re * s3)


@compiled
def _first_four(x_re, x_im, y_re, y_im, cosine, sine):  # type: ignore[no-untyped-def]
    """As `_four` with a stride of 1, where the four results are neighbours, which a compiler must know to use vectors."""
    n_steps = len(x_re) // L4
    far = n_steps * LANES
    for p in range(n_steps):
        c1, s1, c2, s2, c3, s3 = cosine[p], sine[p], cosine[2 * p], sine[2 * p], cosine[3 * p], sine[3 * p]
        at = p * LANES
        a_re, a_im = x_re[at : at + LANES], x_im[at : at + LANES]
        b_re, b_im = x_re[at + far : at + far + LANES], x_im[at + far : at + far + LANES]
        c_re, c_im = x_re[at + 2 * far : at + 2 * far + LANES], x_im[at + 2 * far : at + 2 * far + LANES]
        d_re, d_im = x_re[at + 3 * far : at + 3 * far + LANES], x_im[at + 3 * far : at + 3 * far + LANES]
        re, im = y_re[4 * at : 4 * at + L4], y_im[4 * at : 4 * at + L4]
        for t in range(LANES):
            (re[t], im[t], re[t + LANES], im[t + LANES], re[t + L2], im[t + L2], re[t + L3], im[t + L3]) = _of_four(
                a_re[t], a_im[t], b_re[t], b_im[t], c_re[t], c_im[t], d_re[t], d_im[t], c1, s1, c2, s2, c3, s3)


@compiled
def _four(x_re, x_im, y_re, y_im, stride, cosine, sine):  # type: ignore[no-untyped-def]
    size = stride * LANES
    n_steps = len(x_re) // (4 * size)
    far = n_steps * size
    for p in range(n_steps):
        k = p * stride
        c1, s1, c2, s2, c3, s3 = cosine[k], sine[k], cosine[2 * k], sine[2 * k], cosine[3 * k], sine[3 * k]
        at, to = p * size, 4 * p * size
        a_re, a_im = x_re[at : at + size], x_im[at : at + size]
        b_re, b_im = x_re[at + far : at + far + size], x_im[at + far : at + far + size]
        c_re, c_im = x_re[at + 2 * far : at + 2 * far + size], x_im[at + 2 * far : at + 2 * far + size]
        d_re, d_im = x_re[at + 3 * far : at + 3 * far + size], x_im[at + 3 * far : at + 3 * far + size]
        re0, im0 = y_re[to : to + size], y_im[to : to + size]
        re1, im1 = y_re[to + size : to + 2 * size], y_im[to + size : to + 2 * size]
        re2, im2 = y_re[to + 2 * size : to + 3 * size], y_im[to + 2 * size : to + 3 * size]
        re3, im3 = y_re[to + 3 * size : to + 4 * size], y_im[to + 3 * size : to + 4 * size]
        for t in range(size):
            re0[t], im0[t], re1[t], im1[t], re2[t], im2[t], re3[t], im3[t] = _of_four(
                a_re[t], a_im[t], b_re[t], b_im[t], c_re[t], c_im[t], d_re[t], d_im[t], c1, s1, c2, s2, c3, s3)


@compiled
def _two(x_re, x_im, y_re, y_im, stride, cosine, sine):  # type: ignore[no-untyped-def]
    size = stride * LANES
    n_steps = len(x_re) // (2 * size)
    far = n_steps * size
    for p in range(n_steps):
        c, s = cosine[p * stride], sine[p * stride]
        at, to = p * size, 2 * p * size
        a_re, a_im = x_re[at : at + size], x_im[at : at + size]
        b_re, b_im = x_re[at + far : at + far + size], x_im[at + far : at + far + size]
        re0, im0 = y_re[to : to + size], y_im[to : to + size]
        re1, im1 = y_re[to + size : to + 2 * size], y_im[to + size : to + 2 * size]
        for t in range(size):
            m_re, m_im = a_re[t] - b_re[t], a_im[t] - b_im[t]
            re0[t], im0[t] = a_re[t] + b_re[t], a_im[t] + b_im[t]
            re1[t], im1[t] = m_re * c + m_im * s, m_im * c - m_re * s


@compiled
def _three(x_re, x_im, y_re, y_im, stride, cosine, sine):  # type: ignore[no-untyped-def]
    size = stride * LANES
    n_steps = len(x_re) // (3 * size)
    far = n_steps * size
    for p in range(n_steps):
        k = p * stride
        c1, s1, c2, s2 = cosine[k], sine[k], cosine[2 * k], sine[2 * k]
        at, to = p * size, 3 * p * size
        a_re, a_im = x_re[at : at + size], x_im[at : at + size]
        b_re, b_im = x_re[at + far : at + far + size], x_im[at + far : at + far + size]
        c_re, c_im = x_re[at + 2 * far : at + 2 * far + size], x_im[at + 2 * far : at + 2 * far + size]
        re0, im0 = y_re[to : to + size], y_im[to : to + size]
        re1, im1 = y_re[to + size : to + 2 * size], y_im[to + size : to + 2 * size]
        re2, im2 = y_re[to + 2 * size : to + 3 * size], y_im[to + 2 * size : to + 3 * size]
        for t in range(size):
            p_re, p_im = b_re[t] + c_re[t], b_im[t] + c_im[t]
            m_re, m_im = _SIN_3 * (b_re[t] - c_re[t]), _SIN_3 * (b_im[t] - c_im[t])
            h_re, h_im = a_re[t] - _F(0.5) * p_re, a_im[t] - _F(0.5) * p_im
            u_re, u_im, v_re, v_im = h_re + m_im, h_im - m_re, h_re - m_im, h_im + m_re
            re0[t], im0[t] = a_re[t] + p_re, a_im[t] + p_im
            re1[t], im1[t] = u_re * c1 + u_im * s1, u_im * c1 - u_re * s1
            re2[t], im2[t] = v_re * c2 + v_im * s2, v_im * c2 - v_re * s2


@compiled
def _five(x_re, x_im, y_re, y_im, stride, cosine, sine):  # type: ignore[no-untyped-def]
    size = stride * LANES
    n_steps = len(x_re) // (5 * size)
    far = n_steps * size
    for p in range(n_steps):
        k = p * stride
        c1, s1, c2, s2 = cosine[k], sine[k], cosine[2 * k], sine[2 * k]
        c3, s3, c4, s4 = cosine[3 * k], sine[3 * k], cosine[4 * k], sine[4 * k]
        at, to = p * size, 5 * p * size
        a_re, a_im = x_re[at : at + size], x_im[at : at + size]
        b_re, b_im = x_re[at + far : at + far + size], x_im[at + far : at + far + size]
        c_re, c_im = x_re[at + 2 * far : at + 2 * far + size], x_im[at + 2 * far : at + 2 * far + size]
        d_re, d_im = x_re[at + 3 * far : at + 3 * far + size], x_im[at + 3 * far : at + 3 * far + size]
        e_re, e_im = x_re[at + 4 * far : at + 4 * far + size], x_im[at + 4 * far : at + 4 * far + size]
        re0, im0 = y_re[to : to + size], y_im[to : to + size]
        re1, im1 = y_re[to + size : to + 2 * size], y_im[to + size : to + 2 * size]
        re2, im2 = y_re[to + 2 * size : to + 3 * size], y_im[to + 2 * size : to + 3 * size]
        re3, im3 = y_re[to + 3 * size : to + 4 * size], y_im[to + 3 * size : to + 4 * size]
        re4, im4 = y_re[to + 4 * size : to + 5 * size], y_im[to + 4 * size : to + 5 * size]
        for t in range(size):
            p_re, p_im, m_re, m_im = b_re[t] + e_re[t], b_im[t] + e_im[t], b_re[t] - e_re[t], b_im[t] - e_im[t]
            q_re, q_im, n_re, n_im = c_re[t] + d_re[t], c_im[t] + d_im[t], c_re[t] - d_re[t], c_im[t] - d_im[t]
            g_re, g_im = a_re[t] + _COS_5 * p_re + _COS_10 * q_re, a_im[t] + _COS_5 * p_im + _COS_10 * q_im
            h_re, h_im = a_re[t] + _COS_10 * p_re + _COS_5 * q_re, a_im[t] + _COS_10 * p_im + _COS_5 * q_im
            u_re, u_im = _SIN_5 * m_re + _SIN_10 * n_re, _SIN_5 * m_im + _SIN_10 * n_im
            v_re, v_im = _SIN_10 * m_re - _SIN_5 * n_re, _SIN_10 * m_im - _SIN_5 * n_im
            re0[t], im0[t] = a_re[t] + p_re + q_re, a_im[t] + p_im + q_im
            x, y = g_re + u_im, g_im - u_re
            re1[t], im1[t] = x * c1 + y * s1, y * c1 - x * s1
            x, y = h_re + v_im, h_im - v_re
            re2[t], im2[t] = x * c2 + y * s2, y * c2 - x * s2
            x, y = h_re - v_im, h_im + v_re
            re3[t], im3[t] = x * c3 + y * s3, y * c3 - x * s3
            x, y = g_re - u_im, g_im + u_re
            re4[t], im4[t] = x * c4 + y * s4, y * c4 - x * s4
