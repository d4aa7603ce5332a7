"""What an ear makes of a spectrum's shape: power in auditory bands, where near and loud drowns far and soft.

A harmonic that lies in the noise, noise under a harmonic, and the twentieth harmonic beside the twenty-first are not heard
apart; a loss that asks for each of them alone pays for what nobody hears.
"""

from __future__ import annotations

import functools
import math

import torch
from torch import Tensor

from ddspvae.features.band_tables import N_FREQUENCIES
from ddspvae.features.bands import band_shapes
from ddspvae.features.spectrum import HIGHEST_HZ
from ddspvae.model.target import Shape
from ddspvae.model.together import count_together

LOWEST_HZ, N_AUDITORY = 40.0, 76  # two bands for each that the ear tells apart
SOFTEST = 1e-5  # of the A-weighted power: 50 dB down
MOST_NUMBERS = 8_000_000  # of a table of harmonics by bands; more frames are thinned out


def auditory_centres_hz() -> Tensor:
    """Centres of the auditory bands [N_AUDITORY], evenly spaced as hearing is.

    Source: Glasberg & Moore, "Derivation of auditory filter shapes from notched-noise data", Hearing Research, 1990.
    """
    low, high = (21.4 * math.log10(1 + 0.00437 * f) for f in (LOWEST_HZ, HIGHEST_HZ))
    return (10 ** (torch.linspace(low, high, N_AUDITORY) / 21.4) - 1) / 0.00437


def spread(frequency_hz: Tensor) -> Tensor:
    """How much of the power at a frequency each band receives, [..., N_AUDITORY]: a gammatone."""
    centres = auditory_centres_hz().to(frequency_hz)
    width_hz = 1.019 * 24.7 * (1 + 0.00437 * centres)
    away = ((frequency_hz[..., None] - centres) / width_hz).square_()
    return away.add_(1).square_().square_().reciprocal_()


class Excitation:
    """Auditory bands for the frames of some takes.

    Args:
        f0_hz: [B, F, 1], Hz.
        n_heard: [B, F, 1], how many harmonics count.
        n_harmonics, n_noise_bands, sample_rate: of the spectra.
        thin: every so many frames; None takes as many as memory allows.
    """

    def __init__(self, f0_hz: Tensor, n_heard: Tensor, n_harmonics: int, n_noise_bands: int, sample_rate: int,
                 thin: int | None = None) -> None:
        numbers = count_together(f0_hz.numel()) * n_harmonics * N_AUDITORY
        self.frames = slice(None, None, -(-numbers // MOST_NUMBERS) if thin is None else thin)
        number = torch.arange(1, n_harmonics + 1, device=f0_hz.device)
        f0_hz, n_heard = f0_hz[:, self.frames], n_heard[:, self.frames]
        self._harmonics = spread(f0_hz * number) * (number <= n_heard)[..., None] / 2
        self._noise = _noise_spread(n_noise_bands, sample_rate).to(f0_hz)

    def __call__(self, shape: Shape) -> Tensor:
        """Levels [B, F', N_AUDITORY] in nepers, of the frames that are looked at."""
        power = (2 * shape.harmonics[:, self.frames]).exp()[..., None, :] @ self._harmonics
        return (power[..., 0, :] + (2 * shape.noise[:, self.frames]).exp() @ self._noise + SOFTEST).log() / 2


@functools.lru_cache(maxsize=8)
@torch.inference_mode(False)  # a cached tensor must serve training too
def _noise_spread(n_noise_bands: int, sample_rate: int) -> Tensor:
    """Power in each auditory band of noise of magnitude 1 in each noise band, [K, N_AUDITORY]."""
    frequency_hz = torch.linspace(0, sample_rate / 2, N_FREQUENCIES)
    return band_shapes(n_noise_bands, N_FREQUENCIES) @ spread(frequency_hz) / N_FREQUENCIES
