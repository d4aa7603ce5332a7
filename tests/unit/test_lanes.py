"""Transforms of sixteen signals side by side, beside numpy's."""

import numpy as np
import pytest

from ddspvae.kernels.compiler import HAS_COMPILER, ready_made
from ddspvae.kernels.lanes import LANES, transform, turns_of
from ddspvae.kernels.memory import LINE, in_lines

pytestmark = pytest.mark.skipif(not HAS_COMPILER, reason="numba is not installed")


@ready_made
def _transform(re, im, other_re, other_im, turns):
    transform(re, im, other_re, other_im, turns)


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 16, 60, 625, 750, 768, 4096])
def test_lanes_are_transformed_and_back(n):
    rng = np.random.default_rng(n)
    signals = rng.standard_normal((n, LANES)) + 1j * rng.standard_normal((n, LANES))
    re, im, other_re, other_im = (in_lines(n * LANES) for _ in range(4))
    re[:], im[:] = signals.real.ravel(), signals.imag.ravel()
    _transform(re, im, other_re, other_im, turns_of(n))
    spectra, exact = (other_re + 1j * other_im).reshape(n, LANES), np.fft.fft(signals, axis=0)
    np.testing.assert_allclose(spectra, exact, rtol=0, atol=1e-6 * np.abs(exact).max())
    _transform(other_im, other_re, im, re, turns_of(n))
    back = (re + 1j * im).reshape(n, LANES) / n
    np.testing.assert_allclose(back, signals, rtol=0, atol=1e-6 * np.abs(signals).max())


def test_room_begins_where_a_line_of_the_cache_does():
    for size in (1, 7, 4096):
        room = in_lines(size)
        assert room.shape == (size,) and room.ctypes.data % (4 * LINE) == 0 and room.flags.c_contiguous
