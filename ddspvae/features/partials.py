"""What the named axes of z are read from: the levels of the first harmonics, and the noise between them."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ddspvae.audio import Audio
from ddspvae.features.loudness import a_weighting, window_size
from ddspvae.threads import one_thread
from ddspvae.units import samples_to_frames

N_PARTIALS = 40
HIGHEST_HZ = 10_000.0  # above, recordings differ by microphone more than by playing
PERIODS = 4  # that a window must hold, so that it is blind to the harmonics half-way between them
EVERY = 4  # frames from one measurement to the next; straight lines in between
BLOCK = 32  # windows at once
QUIETEST = 1e-12  # power, full scale; below is digital silence


@one_thread()
def measure_partials(audio: Audio, sample_rate: int, hop_size: int, f0_hz: NDArray[np.floating]) -> NDArray[np.float32]:
    """Levels of the harmonics of f0 and of what lies between them, around each frame's instant.

    The window is turned back along the phase of f0 before it is summed, so vibrato and glides do not smear the
    upper harmonics.

    Args:
        audio: [T], full scale +-1.
        sample_rate: Hz.
        hop_size: samples per frame.
        f0_hz: [F], F = ceil(T / hop_size), Hz.
    Returns:
        [F, N_PARTIALS + 1]: amplitudes of the harmonics up to 10 kHz, summing to 1, the others 0; and, last, the
        natural logarithm of A-weighted noise power over harmonic power.
    """
    n_frames = samples_to_frames(len(audio), hop_size)
    size = max(window_size(sample_rate), math.ceil(PERIODS * sample_rate / float(np.quantile(f0_hz, 0.05))))
    size += size % 2
    padded = np.pad(np.asarray(audio, dtype=np.float32), (size // 2, size // 2))
    instants = np.arange(len(padded)) - size // 2
    cycles = np.cumsum(np.interp(instants, np.arange(n_frames) * hop_size, f0_hz) / sample_rate)
    frames = np.unique(np.append(np.arange(0, n_frames, EVERY), n_frames - 1))
    windows = np.lib.stride_tricks.sliding_window_view(padded, size)[frames * hop_size]
    phases = np.lib.stride_tricks.sliding_window_view(cycles, size)[frames * hop_size]
    hann = torch.hann_window(size)
    rows = []
    for at in range(0, len(frames), BLOCK):
        half_turn = torch.from_numpy(np.exp(-1j * np.pi * (phases[at : at + BLOCK] % 2)).astype(np.complex64))
        f0 = torch.from_numpy(np.asarray(f0_hz, dtype=np.float32)[frames[at : at + BLOCK]])[:, None]
        rows.append(_levels(torch.from_numpy(windows[at : at + BLOCK].copy()) * hann, half_turn, hann, f0, sample_rate))
    measured = torch.cat(rows).numpy()
    everywhere = np.arange(n_frames)
    return np.stack([np.interp(everywhere, frames, column) for column in measured.T], axis=1).astype(np.float32)


def _levels(windows: Tensor, half_turn: Tensor, hann: Tensor, f0: Tensor, sample_rate: int) -> Tensor:
    """Windowed pieces [N, W] and e^(-i pi phase) to [N, N_PARTIALS + 1]."""
    turned = windows * half_turn
    sums = []
    for _ in range(2 * N_PARTIALS):  # 1/2, 1, 3/2, ... times f0
        sums.append(turned.sum(1).abs())
        turned = turned * half_turn
    between, partials = torch.stack(sums, dim=1).unflatten(1, (N_PARTIALS, 2)).unbind(-1)
    number = torch.arange(1, N_PARTIALS + 1)
    frequency = number * f0
    counted = frequency <= min(HIGHEST_HZ, 0.45 * sample_rate)
    amplitude = 2 * partials / hann.sum() * counted
    noise = between.square() / hann.square().sum() * (2 * f0 / sample_rate) * counted  # in a band as wide as f0
    harmonic_power = (amplitude.square() / 2 * a_weighting(frequency)).sum(1, keepdim=True)
    noise_power = (noise * a_weighting((number - 0.5) * f0)).sum(1, keepdim=True)
    ratio = ((noise_power + QUIETEST) / (harmonic_power + QUIETEST)).log()
    return torch.cat([amplitude / amplitude.sum(1, keepdim=True).clamp(min=1e-9), ratio], dim=1)


def partial_statistics(n_harmonics: int) -> Tensor:
    """What brightness and hollowness weigh each harmonic with, [2, H].

    Octaves above the fundamental; and +1 for the odd, -1 for the even ones, the fundamental apart.
    """
    number = torch.arange(1, n_harmonics + 1)
    odd = torch.where(number % 2 == 1, 1.0, -1.0) * (number > 1)
    return torch.stack([number.float().log2(), odd])


def read_attributes(partials: Tensor) -> Tensor:
    """Attributes of measured partials [..., N_PARTIALS + 1].

    Returns:
        [..., 3]: brightness, the mean of log2 of the harmonic number, octaves; hollowness, the share of the odd minus
        that of the even harmonics above the fundamental, -1 to 1; breathiness, ln of noise over harmonic power.
    """
    return torch.cat([partials[..., :-1] @ partial_statistics(N_PARTIALS).T.to(partials), partials[..., -1:]], dim=-1)
