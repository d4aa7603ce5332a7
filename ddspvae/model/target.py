"""The shape of a spectrum as it is compared: levels of harmonics and noise bands at an A-weighted power of 1, in nepers.

What is measured in a take (`features.spectrum`) and what a decoder says are brought to the same form, so that one can be
taken from the other: the difference is what an encoder hears, and its square what a decoder is trained to make small.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ddspvae.features.band_tables import N_NOISE_BANDS
from ddspvae.features.bands import band_weights, convert_bands
from ddspvae.features.spectrum import HIGHEST_HZ
from ddspvae.features.weighting import a_weighting
from ddspvae.model.envelope import harmonics_below, to_nodes
from ddspvae.model.form import COUNTS_DB, LEAST_LEVEL

FLOOR = LEAST_LEVEL
DB_PER_NEPER = 8.686
AT_ONCE_DB = 6.0  # an error of 1
EVEN_UNTIL = 16.0  # harmonics count alike up to this number, octaves above


@dataclass(frozen=True, eq=False)
class Shape:
    """Levels in nepers at an A-weighted power of 1.

    Args:
        harmonics: [B, F, H]; noise: [B, F, K].
        n_heard: [B, F, 1], how many harmonics lie where they can be measured.
    """

    harmonics: Tensor
    noise: Tensor
    n_heard: Tensor

    def less(self, other: Shape, f0_hz: Tensor) -> Tensor:
        """What is above the other one, as envelopes [B, F, N_NODES + K]; 0 where no harmonic is."""
        return torch.cat([to_nodes(self.harmonics - other.harmonics, f0_hz, self.n_heard), self.noise - other.noise], dim=-1)


def measured_shape(spectrum: Tensor, f0_hz: Tensor, n_harmonics: int, n_noise_bands: int, sample_rate: int) -> Shape:
    """Of a measured spectrum [B, F, N_NOISE_BANDS + any]."""
    noise, heights = spectrum[..., :N_NOISE_BANDS], spectrum[..., N_NOISE_BANDS:]
    heights = torch.nn.functional.pad(heights, (0, n_harmonics - heights.shape[-1]))
    noise_power = noise.square()
    if n_noise_bands != N_NOISE_BANDS:
        noise_power = noise_power @ convert_bands(N_NOISE_BANDS, n_noise_bands).to(noise)
    return _shape(heights.square(), noise_power, f0_hz, sample_rate)


def decoded_shape(distribution: Tensor, noise_shape: Tensor, share: Tensor, f0_hz: Tensor, sample_rate: int) -> Shape:
    """Of what a decoder says: harmonic_distribution [B, F, H], noise_shape [B, F, K], harmonic_share [B, F, 1]."""
    power, noise_power = distribution.square(), noise_shape.square()
    harmonic_total, noise_total = _totals(power, noise_power, f0_hz, sample_rate)
    return _shape(power * (share / harmonic_total.clamp(min=1e-20)),
                  noise_power * ((1 - share) / noise_total.clamp(min=1e-20)), f0_hz, sample_rate)


def shape_error(estimate: Shape, reference: Shape, weight: Tensor) -> Tensor:
    """How far two spectra are: the mean square of their levels' differences, 1 at 6 dB.

    Args:
        weight: [B, F], >= 0, of the frames; 1 in all for a mean.
    Returns:
        scalar.
    """
    number = torch.arange(1, reference.harmonics.shape[-1] + 1, device=weight.device)
    counts = (EVEN_UNTIL / number).clamp(max=1) * (number <= reference.n_heard)
    square = (DB_PER_NEPER / AT_ONCE_DB * (estimate.harmonics - reference.harmonics)).square()
    harmonics = (square * counts).sum(-1) / counts.sum(-1).clamp(min=1)
    noise = (DB_PER_NEPER / AT_ONCE_DB * (estimate.noise - reference.noise)).square().mean(-1)
    return ((harmonics + noise) / 2 * weight).sum()


def frame_weights(loudness_db: Tensor, loud_db: float) -> Tensor:
    """How much each frame counts, of the same shape: 1 down to 30 dB below a loud frame of the training set, 0 at 60 dB."""
    return ((loudness_db - (loud_db - COUNTS_DB[1])) / (COUNTS_DB[1] - COUNTS_DB[0])).clamp(0, 1)


def _totals(power: Tensor, noise_power: Tensor, f0_hz: Tensor, sample_rate: int) -> tuple[Tensor, Tensor]:
    """A-weighted power of harmonics of amplitude squared `power`, and of noise, [B, F, 1] each."""
    number = torch.arange(1, power.shape[-1] + 1, device=power.device)
    weights = band_weights(noise_power.shape[-1], sample_rate).sum(-1).to(power)
    return (power * a_weighting(f0_hz * number)).sum(-1, keepdim=True) / 2, (noise_power @ weights)[..., None]


def _shape(power: Tensor, noise_power: Tensor, f0_hz: Tensor, sample_rate: int) -> Shape:
    harmonic_total, noise_total = _totals(power, noise_power, f0_hz, sample_rate)
    total = (harmonic_total + noise_total).clamp(min=1e-14)
    n_heard = harmonics_below(f0_hz, min(HIGHEST_HZ, 0.45 * sample_rate), power.shape[-1])
    return Shape((power / total + FLOOR).log() / 2, (noise_power / total + FLOOR).log() / 2, n_heard)
