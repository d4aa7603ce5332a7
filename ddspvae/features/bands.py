"""The noise bands that recordings are measured in and the synthesizer plays: as dense as hearing below 1 kHz."""

from __future__ import annotations

import functools

import torch
from torch import Tensor

from ddspvae.features.loudness import a_weighting

N_NOISE_BANDS = 65
CROWDING = 30.0  # a bow or a breath is shaped below 1 kHz as much as above, and so is what a room leaves ringing there

N_FREQUENCIES = 4096  # at which a band's width is weighed
BREATH_END_HZ, BREATH_FADE_HZ = 10_000.0, 2000.0  # what a recording holds above is its own hiss, whatever is played


def band_centres(n_bands: int = N_NOISE_BANDS) -> Tensor:
    """Where the bands peak, [n_bands], as shares of Nyquist: from 0 to 1, CROWDING times as dense at 0 as at 1."""
    x = torch.linspace(0, 1, n_bands, dtype=torch.float64)
    return ((CROWDING**x - 1) / (CROWDING - 1)).float()


def band_shapes(n_bands: int, n_bins: int) -> Tensor:
    """How band powers become bin powers: triangles from centre to centre, which sum to 1 at every bin.

    Returns:
        [n_bands, n_bins]; see band_centres.
    """
    return _triangles(band_centres(n_bands), torch.linspace(0, 1, n_bins))


@functools.lru_cache(maxsize=8)
@torch.inference_mode(False)  # a cached tensor must serve training too
def band_weights(n_bands: int, sample_rate: int) -> Tensor:
    """A-weighted power of noise of magnitude 1 in each band at N_FREQUENCIES from 0 to Nyquist, [n_bands, N_FREQUENCIES]."""
    frequency_hz = torch.linspace(0, sample_rate / 2, N_FREQUENCIES)
    return band_shapes(n_bands, N_FREQUENCIES) * a_weighting(frequency_hz) / N_FREQUENCIES


def breath_shares(n_bands: int, sample_rate: int) -> Tensor:
    """How much of each band is breath, [n_bands], 1 or 0 and between them around 9 kHz; the rest is hiss."""
    return ((BREATH_END_HZ - band_centres(n_bands) * sample_rate / 2) / BREATH_FADE_HZ).clamp(0, 1)


def convert_bands(n_from: int, n_to: int) -> Tensor:
    """Matrix [n_from, n_to] from the powers of some bands to those of others, on straight lines between centres."""
    return _triangles(band_centres(n_from), band_centres(n_to))


def _triangles(centres: Tensor, places: Tensor) -> Tensor:
    """Height at each place of the triangles around centres [K], which reach to their neighbours: [K, P]."""
    right = torch.searchsorted(centres, places).clamp(1, len(centres) - 1)
    weight = ((places - centres[right - 1]) / (centres[right] - centres[right - 1])).clamp(0, 1)
    heights = torch.zeros(len(centres), len(places))
    heights[right - 1, torch.arange(len(places))] = 1 - weight
    heights[right, torch.arange(len(places))] = weight
    return heights
