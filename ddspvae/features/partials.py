"""What the named axes of z are read from: the levels of the first harmonics, and the noise beside them."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ddspvae.audio import Audio
from ddspvae.features.attributes import HIGHEST_HZ, N_PARTIALS, octaves_above, odd_or_even
from ddspvae.features.band_tables import N_NOISE_BANDS
from ddspvae.features.bands import band_weights, breath_shares
from ddspvae.features.spectrum import measure_spectrum
from ddspvae.features.weighting import a_weighting

QUIETEST = 1e-12  # power, full scale; below is digital silence


def measure_partials(audio: Audio, sample_rate: int, hop_size: int, f0_hz: NDArray[np.floating]) -> NDArray[np.float32]:
    """Levels of the harmonics of f0 and of the noise beside them, around each frame's instant.

    Args:
        audio: [T], full scale +-1.
        sample_rate: Hz.
        hop_size: samples per frame.
        f0_hz: [F], F = ceil(T / hop_size), Hz.
    Returns:
        [F, N_PARTIALS + 1], as `read_partials` gives them.
    """
    return read_partials(measure_spectrum(audio, sample_rate, hop_size, f0_hz), f0_hz, sample_rate)


def read_partials(spectrum: NDArray[np.floating], f0_hz: NDArray[np.floating], sample_rate: int) -> NDArray[np.float32]:
    """What a measured spectrum says of the named axes.

    Args:
        spectrum: [F, K + H], from `measure_spectrum`.
        f0_hz: [F], Hz.
        sample_rate: Hz.
    Returns:
        [F, N_PARTIALS + 1]: amplitudes of the harmonics up to 10 kHz, summing to 1, the others 0; and, last, the natural
        logarithm of the noise's power below 10 kHz over the harmonics', both A-weighted.
    """
    noise, amplitudes = torch.from_numpy(np.array(spectrum, dtype=np.float32)).split(
        [N_NOISE_BANDS, spectrum.shape[1] - N_NOISE_BANDS], dim=1)
    frequency = torch.from_numpy(np.array(f0_hz, dtype=np.float32))[:, None] * torch.arange(1, amplitudes.shape[1] + 1)
    harmonic_power = (amplitudes.square() / 2 * a_weighting(frequency)).sum(1, keepdim=True)
    weights = band_weights(N_NOISE_BANDS, sample_rate).sum(1) * breath_shares(N_NOISE_BANDS, sample_rate)
    breath = ((noise.square() @ weights)[:, None] + QUIETEST).log() - (harmonic_power + QUIETEST).log()
    counted = (amplitudes * (frequency <= HIGHEST_HZ))[:, :N_PARTIALS]
    shares = counted / counted.sum(1, keepdim=True).clamp(min=1e-9)
    missing = N_PARTIALS - shares.shape[1]
    return torch.cat([torch.nn.functional.pad(shares, (0, missing)), breath], dim=1).numpy()


def partial_statistics(n_harmonics: int) -> Tensor:
    """What brightness and hollowness weigh each harmonic with, [2, H].

    Octaves above the fundamental; and +1 for the odd, -1 for the even ones, the fundamental apart.
    """
    return torch.from_numpy(np.stack([octaves_above(n_harmonics), odd_or_even(n_harmonics)]))


def read_attributes(partials: Tensor) -> Tensor:
    """Attributes of measured partials [..., N_PARTIALS + 1].

    Returns:
        [..., 3]: brightness, the mean of log2 of the harmonic number, octaves; hollowness, the share of the odd minus
        that of the even harmonics above the fundamental, -1 to 1; breathiness, ln of the noise's power over the harmonics'.
    """
    return torch.cat([partials[..., :-1] @ partial_statistics(N_PARTIALS).T.to(partials), partials[..., -1:]], dim=-1)
