"""The noise bands that recordings are measured in and the synthesizer plays: as dense as hearing below 1 kHz.

Tables in numpy, which play without torch; features.bands has them as tensors.
"""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

from ddspvae.features.weighting import a_weighting

N_NOISE_BANDS = 65
CROWDING = 30.0  # a bow or a breath is shaped below 1 kHz as much as above, and so is what a room leaves ringing there
N_FREQUENCIES = 4096  # at which a band's width is weighed
BREATH_END_HZ, BREATH_FADE_HZ = 10_000.0, 2000.0  # what a recording holds above is its own hiss, whatever is played
Table = NDArray[np.float32]


def even_steps(end: float, n: int) -> Table:
    """n numbers from 0 to end, to the bit as torch.linspace has them in single precision."""
    step, at = np.float32(np.float32(end) / np.float32(n - 1)), np.arange(n)
    return np.where(at < n // 2, step * at.astype(np.float32), end - np.float64(step) * (n - 1 - at)).astype(np.float32)


def band_centres(n_bands: int = N_NOISE_BANDS) -> Table:
    """Where the bands peak, [n_bands], as shares of Nyquist: from 0 to 1, CROWDING times as dense at 0 as at 1."""
    return ((CROWDING ** np.linspace(0, 1, n_bands) - 1) / (CROWDING - 1)).astype(np.float32)


def triangles(centres: Table, places: Table) -> Table:
    """Height at each place of the triangles around centres [K], which reach to their neighbours: [K, P]."""
    right = np.searchsorted(centres, places).clip(1, len(centres) - 1)
    weight = ((places - centres[right - 1]) / (centres[right] - centres[right - 1])).clip(0, 1)
    heights, each = np.zeros((len(centres), len(places)), dtype=np.float32), np.arange(len(places))
    heights[right - 1, each] = 1 - weight
    heights[right, each] = weight
    return heights


def band_shapes(n_bands: int, n_bins: int) -> Table:
    """How band powers become bin powers, [n_bands, n_bins]: triangles from centre to centre, which sum to 1 at every bin."""
    return triangles(band_centres(n_bands), even_steps(1, n_bins))


@functools.lru_cache(maxsize=8)
def band_weights(n_bands: int, sample_rate: int) -> Table:
    """A-weighted power of noise of magnitude 1 in each band at N_FREQUENCIES from 0 to Nyquist, [n_bands, N_FREQUENCIES]."""
    frequency_hz = even_steps(sample_rate / 2, N_FREQUENCIES)
    weights = band_shapes(n_bands, N_FREQUENCIES) * a_weighting(frequency_hz) / N_FREQUENCIES
    return weights.astype(np.float32)


def breath_shares(n_bands: int, sample_rate: int) -> Table:
    """How much of each band is breath, [n_bands], 1 or 0 and between them around 9 kHz; the rest is hiss."""
    return ((BREATH_END_HZ - band_centres(n_bands) * sample_rate / 2) / BREATH_FADE_HZ).clip(0, 1).astype(np.float32)
