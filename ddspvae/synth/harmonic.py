"""Harmonics: one period per frame by inverse FFT, read by phase, cross-faded between frames."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ddspvae.checks import check_range, check_shape
from ddspvae.synth.constrain import constrain_distribution
from ddspvae.synth.envelopes import crossfade, frame_phase, next_frame

POINTS_PER_HARMONIC = 40  # 4-point Lagrange reading is then 90 dB exact at the top harmonic


def table_size(n_harmonics: int, points_per_harmonic: int = POINTS_PER_HARMONIC) -> int:
    """Points in one period: a power of two with at least points_per_harmonic for the top harmonic."""
    return 2 ** math.ceil(math.log2(max(8, n_harmonics * points_per_harmonic)))


def read_table(table: Tensor, position: Tensor) -> Tensor:
    """Read periodic tables between their points with the cubic through the four nearest (Lagrange).

    Args:
        table: [B, F, N], one period each.
        position: [B, F, S], in points, 0 <= position < N.
    Returns:
        [B, F, S]; differentiable in both.
    """
    size, n_read = table.shape[-1], position.shape[-1]
    index = position.detach().floor()
    x = (position - index).to(table.dtype)
    first = index.long() % size  # a phase that was rounded up to a whole cycle reads point 0
    wrapped = torch.cat([table[..., -1:], table, table[..., :2]], dim=-1)  # point i sits at i + 1
    # one gather for all four points: its gradient is one pass over the table instead of four
    points = wrapped.gather(-1, torch.cat([first, first + 1, first + 2, first + 3], dim=-1))
    p0, p1, p2, p3 = points.split(n_read, dim=-1)
    # Lagrange basis on the points -1, 0, 1, 2
    return (
        p0 * (-x * (x - 1) * (x - 2) / 6)
        + p1 * ((x + 1) * (x - 1) * (x - 2) / 2)
        + p2 * (-(x + 1) * x * (x - 2) / 2)
        + p3 * ((x + 1) * x * (x - 1) / 6)
    )


def harmonic(f0_hz: Tensor, amplitude: Tensor, harmonic_distribution: Tensor, sample_rate: int, hop_size: int,
             *, points_per_harmonic: int = POINTS_PER_HARMONIC, start: Tensor | None = None) -> Tensor:
    """Sum sinusoids at whole multiples of f0, silent at and above Nyquist.

    Harmonic k of frame n is amplitude_n * distribution_nk * sin(2 pi k phase); both frames' periods are
    read at the same phase and cross-faded, which interpolates every amplitude linearly: the same sum as a
    bank of oscillators, at the price of one table reading.

    Args:
        f0_hz: [B, F, 1], Hz, > 0.
        amplitude: [B, F, 1], linear, >= 0.
        harmonic_distribution: [B, F, H], sums to 1.
        sample_rate: Hz.
        hop_size: samples per frame.
        points_per_harmonic: table points for the top harmonic; fewer are faster and less exact.
        start: [B, F, 1], phase at the frames' instants in cycles, for a part of a longer curve; None starts at 0.
    Returns:
        audio [B, T], T = F * hop_size; differentiable in every tensor.
    Raises:
        InputError: shapes disagree, or sample_rate or hop_size is not positive.
    Source: Engel et al., "DDSP", ICLR 2020, additive synthesizer.
    """
    batch, n_frames, n_harmonics = harmonic_distribution.shape
    check_shape("harmonic", "f0_hz", f0_hz.shape, batch, n_frames, 1)
    check_shape("harmonic", "amplitude", amplitude.shape, batch, n_frames, 1)
    check_range("harmonic", "sample_rate", sample_rate, 1, 10_000_000)
    check_range("harmonic", "hop_size", hop_size, 1, 1_000_000)
    size = table_size(n_harmonics, points_per_harmonic)
    heights = amplitude * constrain_distribution(harmonic_distribution, f0_hz, sample_rate)
    # x(u) = sum_k a_k sin(2 pi k u)  <=>  X_k = -i a_k / 2 for k >= 1 (irfft adds the conjugates)
    spectrum = torch.complex(torch.zeros_like(heights), -heights / 2)
    spectrum = torch.nn.functional.pad(spectrum, (1, size // 2 - n_harmonics))
    table = torch.fft.irfft(spectrum, n=size, norm="forward")
    position = frame_phase(f0_hz, sample_rate, hop_size, start) * size
    weight = crossfade(hop_size, table)
    audio = torch.lerp(read_table(table, position), read_table(next_frame(table), position), weight)
    return audio.reshape(batch, n_frames * hop_size)
