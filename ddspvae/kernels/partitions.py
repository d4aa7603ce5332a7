"""A room for sounds that may not wait: the newest samples one by one, older ones by partitions of their spectra."""

from __future__ import annotations

import numpy as np

from ddspvae.kernels.compiler import ready_made, ready_made_in_any_order


@ready_made
def convolve_newest(heard, begin, taps, wet):  # type: ignore[no-untyped-def]
    """Add to wet [R, T] what the first taps [R, P] make of samples from `begin` on; P - 1 samples are before them."""
    n_taps = taps.shape[1]
    for channel in range(len(taps)):
        for k in range(n_taps):
            tap = taps[channel, k]
            for t in range(wet.shape[1]):
                wet[channel, t] += tap * heard[begin + t - k]


@ready_made_in_any_order
def sum_partitions(real, imag, taps_real, taps_imag, oldest, total):  # type: ignore[no-untyped-def]
    """Sum of the spectra of past inputs times those of the response's partitions, bin by bin.

    Args:
        real, imag: [F, J], a ring of past inputs, the oldest at column `oldest`.
        taps_real, taps_imag: [R, F, J], of the response: for the oldest input first.
        total: [R, F], complex, filled.
    """
    n_bins, n_parts = real.shape
    split = n_parts - oldest
    for channel in range(len(taps_real)):
        for f in range(n_bins):
            re = im = np.float32(0)
            for j in range(split):
                a, b = real[f, oldest + j], imag[f, oldest + j]
                c, d = taps_real[channel, f, j], taps_imag[channel, f, j]
                re += a * c - b * d
                im += a * d + b * c
            for j in range(oldest):
                a, b = real[f, j], imag[f, j]
                c, d = taps_real[channel, f, split + j], taps_imag[channel, f, split + j]
                re += a * c - b * d
                im += a * d + b * c
            total[channel, f] = complex(re, im)
