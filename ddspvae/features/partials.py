"""What the named axes of z are read from: the levels of the first harmonics, and the noise between them."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ddspvae.audio import Audio
from ddspvae.features.loudness import a_weighting
from ddspvae.threads import one_thread
from ddspvae.units import samples_to_frames

N_PARTIALS = 40
HIGHEST_HZ = 10_000.0  # above, recordings differ by microphone more than by playing
ORDER = 3  # of the window: blind to neighbours that swell or bend like a parabola
SHORTEST_S = 0.04
EVERY = 4  # frames from one measurement to the next; straight lines in between
BLOCK = 32  # windows at once
QUIETEST = 1e-12  # power, full scale; below is digital silence
QUIETEST_PER_HZ = 1e-15


@one_thread()
def measure_partials(audio: Audio, sample_rate: int, hop_size: int, f0_hz: NDArray[np.floating]) -> NDArray[np.float32]:
    """Levels of the harmonics of f0 and of what lies between them, around each frame's instant.

    Each frame's window is as long as its pitch asks for, is drawn along the phase of f0 and turned back along it, so
    vibrato and glides do not smear the upper harmonics; and its spectrum touches zero at every half of f0 ORDER times
    over, so what is found between the harmonics is not their swelling.

    Args:
        audio: [T], full scale +-1.
        sample_rate: Hz.
        hop_size: samples per frame.
        f0_hz: [F], F = ceil(T / hop_size), Hz.
    Returns:
        [F, N_PARTIALS + 1]: amplitudes of the harmonics up to 10 kHz, summing to 1, the others 0; and, last, the
        natural logarithm of the noise's power per Hz, its mean over the gaps between those harmonics, over their
        A-weighted power. So every gap counts alike, and a harmonic that trembles does not pass for breath.
    """
    n_frames = samples_to_frames(len(audio), hop_size)
    f0_hz = np.asarray(f0_hz, dtype=float)
    pieces = 2 * np.maximum(1, np.round(SHORTEST_S * f0_hz / (2 * ORDER)))  # periods that a window joins, ORDER times
    size = math.ceil(float((ORDER * pieces / f0_hz).max()) * sample_rate) + hop_size
    size += size % 2
    padded = np.pad(np.asarray(audio, dtype=np.float32), (size // 2, size // 2))
    speed_hz = np.interp(np.arange(len(padded)) - size // 2, np.arange(n_frames) * hop_size, f0_hz)
    cycles = np.cumsum(speed_hz / sample_rate)
    frames = np.unique(np.append(np.arange(0, n_frames, EVERY), n_frames - 1))
    rows = []
    for at in range(0, len(frames), BLOCK):
        now = frames[at : at + BLOCK]
        around = now[:, None] * hop_size + np.arange(size)
        phase = cycles[around] - cycles[now * hop_size + size // 2][:, None]
        window = b_spline(phase / pieces[now, None]) * speed_hz[around] / f0_hz[now, None]
        half_turn = torch.from_numpy(np.exp(-1j * np.pi * (phase % 2)).astype(np.complex64))
        f0 = torch.from_numpy(f0_hz[now].astype(np.float32))[:, None]
        rows.append(_levels(torch.from_numpy(padded[around]), torch.from_numpy(window.astype(np.float32)), half_turn, f0,
                            sample_rate))
    measured = torch.cat(rows).numpy()
    everywhere = np.arange(n_frames)
    return np.stack([np.interp(everywhere, frames, column) for column in measured.T], axis=1).astype(np.float32)


def b_spline(x: NDArray) -> NDArray:
    """The B-spline of order 3: a box of width 1 convolved with itself twice.

    >>> b_spline(np.array([-1.5, -0.5, 0.0, 1.0, 2.0])).tolist()
    [0.0, 0.5, 0.75, 0.125, 0.0]
    """
    x = np.abs(x)
    return np.where(x < 0.5, 0.75 - x * x, 0.5 * np.square(np.maximum(1.5 - x, 0)))


def _levels(audio: Tensor, window: Tensor, half_turn: Tensor, f0: Tensor, sample_rate: int) -> Tensor:
    """Pieces of sound [N, W], their windows [N, W] and e^(-i pi phase) [N, W] to [N, N_PARTIALS + 1]."""
    turned = audio * window * half_turn
    sums = []
    for _ in range(2 * N_PARTIALS):  # 1/2, 1, 3/2, ... times f0
        sums.append(turned.sum(1).abs())
        turned = turned * half_turn
    between, partials = torch.stack(sums, dim=1).unflatten(1, (N_PARTIALS, 2)).unbind(-1)
    number = torch.arange(1, N_PARTIALS + 1)
    frequency = number * f0
    counted = frequency <= min(HIGHEST_HZ, 0.45 * sample_rate)
    amplitude = 2 * partials / window.sum(1, keepdim=True) * counted
    density = between.square() / window.square().sum(1, keepdim=True)
    harmonic_power = (amplitude.square() / 2 * a_weighting(frequency)).sum(1, keepdim=True)
    level = ((density * (2 / sample_rate) + QUIETEST_PER_HZ).log() * counted).sum(1, keepdim=True)
    noise = level / counted.sum(1, keepdim=True).clamp(min=1) - (harmonic_power + QUIETEST).log()
    return torch.cat([amplitude / amplitude.sum(1, keepdim=True).clamp(min=1e-9), noise], dim=1)


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
        that of the even harmonics above the fundamental, -1 to 1; breathiness, ln of noise per Hz over harmonic power.
    """
    return torch.cat([partials[..., :-1] @ partial_statistics(N_PARTIALS).T.to(partials), partials[..., -1:]], dim=-1)
