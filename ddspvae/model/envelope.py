"""Spectral envelopes: levels at fixed frequencies, twelve an octave, read at the harmonics, and the other way round."""

from __future__ import annotations

import torch
from torch import Tensor

from ddspvae.model.form import LOWEST_HZ, N_NODES, OUTSIDE, PER_OCTAVE


def read_nodes(nodes: Tensor, f0_hz: Tensor, octaves: Tensor) -> Tensor:
    """An envelope at the frequencies of harmonics, on straight lines over log frequency.

    Args:
        nodes: [B, F, N_NODES].
        f0_hz: [B, F, 1], Hz.
        octaves: [H], log2 of the harmonics' numbers.
    Returns:
        [B, F, H].
    """
    place = (PER_OCTAVE * (torch.log2(f0_hz / LOWEST_HZ) + octaves)).clamp(0, N_NODES - 1)
    left = place.long().clamp(max=N_NODES - 2)
    return torch.lerp(nodes.gather(-1, left), nodes.gather(-1, left + 1), place - left)


def to_nodes(levels: Tensor, f0_hz: Tensor, n_heard: Tensor) -> Tensor:
    """Levels of harmonics as an envelope: on straight lines between neighbours, 0 where no harmonic is near.

    Args:
        levels: [B, F, H], in dB or nepers.
        f0_hz: [B, F, 1], Hz.
        n_heard: [B, F, 1], how many harmonics count, 1 to H, whole numbers.
    Returns:
        [B, F, N_NODES].
    """
    frequency_hz = LOWEST_HZ * 2 ** (torch.arange(N_NODES, device=levels.device) / PER_OCTAVE)
    ratio = frequency_hz / f0_hz
    place = torch.minimum(ratio.clamp(min=1), n_heard.to(ratio))
    left = place.long()
    right = torch.minimum(left + 1, n_heard)
    # straight over log frequency, as read_nodes reads them back
    way = ((place / left).log2() / ((right / left).log2()).clamp(min=1e-6)).clamp(0, 1)
    read = torch.lerp(levels.gather(-1, left - 1), levels.gather(-1, right - 1), way)
    return read * ((ratio > OUTSIDE) & (ratio * OUTSIDE < n_heard))


def harmonics_below(f0_hz: Tensor, highest_hz: float, n_harmonics: int) -> Tensor:
    """How many harmonics lie below a frequency, 1 at the least: [B, F, 1] for f0 [B, F, 1]."""
    return torch.floor((highest_hz - 1e-3) / f0_hz).clamp(1, n_harmonics).long()

