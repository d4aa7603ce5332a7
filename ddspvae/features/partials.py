"""What the named axes of z are read from: the levels of the first harmonics, and the noise beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ddspvae.audio import Audio
from ddspvae.features.attributes import HIGHEST_HZ, N_PARTIALS, octaves_above, odd_or_even
from ddspvae.features.band_tables import N_NOISE_BANDS, band_weights, breath_shares
from ddspvae.features.spectrum import measure_spectrum
from ddspvae.features.weighting import a_weighting

if TYPE_CHECKING:
    from torch import Tensor

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
    spectrum, f0 = np.asarray(spectrum, dtype=np.float32), np.asarray(f0_hz, dtype=np.float32)[:, None]
    noise, amplitudes = spectrum[:, :N_NOISE_BANDS], spectrum[:, N_NOISE_BANDS:]
    frequency = f0 * np.arange(1, amplitudes.shape[1] + 1, dtype=np.float32)
    harmonic_power = (np.square(amplitudes) / 2 * a_weighting(frequency)).sum(axis=1, keepdims=True)
    weights = band_weights(N_NOISE_BANDS, sample_rate).sum(axis=1) * breath_shares(N_NOISE_BANDS, sample_rate)
    breath = np.log((np.square(noise) @ weights)[:, None] + QUIETEST) - np.log(harmonic_power + QUIETEST)
    counted = (amplitudes * (frequency <= HIGHEST_HZ))[:, :N_PARTIALS]
    partials = np.zeros((len(spectrum), N_PARTIALS + 1), np.float32)
    partials[:, : counted.shape[1]] = counted / np.maximum(counted.sum(axis=1, keepdims=True), 1e-9)
    partials[:, N_PARTIALS:] = breath
    return partials


def partial_statistics(n_harmonics: int) -> Tensor:
    """What brightness and hollowness weigh each harmonic with, [2, H].

    Octaves above the fundamental; and +1 for the odd, -1 for the even ones, the fundamental apart.
    """
    import torch  # who only listens does not come here

    return torch.from_numpy(np.stack([octaves_above(n_harmonics), odd_or_even(n_harmonics)]))


def read_attributes(partials: Tensor) -> Tensor:
    """Attributes of measured partials [..., N_PARTIALS + 1].

    Returns:
        [..., 3]: brightness, the mean of log2 of the harmonic number, octaves; hollowness, the share of the odd minus
        that of the even harmonics above the fundamental, -1 to 1; breathiness, ln of the noise's power over the harmonics'.
    """
    import torch

    return torch.cat([partials[..., :-1] @ partial_statistics(N_PARTIALS).T.to(partials), partials[..., -1:]], dim=-1)
