"""The tables of `band_tables` as tensors."""

from __future__ import annotations

import functools

import torch
from torch import Tensor

from ddspvae.features import band_tables
from ddspvae.features.band_tables import N_NOISE_BANDS


def band_centres(n_bands: int = N_NOISE_BANDS) -> Tensor:
    """Where the bands peak, [n_bands], as shares of Nyquist: from 0 to 1, CROWDING times as dense at 0 as at 1."""
    return torch.from_numpy(band_tables.band_centres(n_bands))


def band_shapes(n_bands: int, n_bins: int) -> Tensor:
    """How band powers become bin powers: triangles from centre to centre, which sum to 1 at every bin.

    Returns:
        [n_bands, n_bins]; see band_centres.
    """
    return torch.from_numpy(band_tables.band_shapes(n_bands, n_bins))


@functools.lru_cache(maxsize=8)
@torch.inference_mode(False)  # a cached tensor must serve training too
def band_weights(n_bands: int, sample_rate: int) -> Tensor:
    """A-weighted power of noise of magnitude 1 in each band at N_FREQUENCIES from 0 to Nyquist, [n_bands, N_FREQUENCIES]."""
    return torch.from_numpy(band_tables.band_weights(n_bands, sample_rate))


def breath_shares(n_bands: int, sample_rate: int) -> Tensor:
    """How much of each band is breath, [n_bands], 1 or 0 and between them around 9 kHz; the rest is hiss."""
    return torch.from_numpy(band_tables.breath_shares(n_bands, sample_rate))


def convert_bands(n_from: int, n_to: int) -> Tensor:
    """Matrix [n_from, n_to] from the powers of some bands to those of others, on straight lines between centres."""
    return torch.from_numpy(band_tables.triangles(band_tables.band_centres(n_from), band_tables.band_centres(n_to)))
