"""Harmonics: one period per frame, read by phase and cross-faded between frames.

The same sum as a bank of oscillators at the price of two table readings a sample. The readings are cubic B-splines,
whose droop is known exactly and divided out of the tables beforehand, so 18 points for the top harmonic are enough for
97 dB, where polynomials through the points take 40 for 90.
"""

from __future__ import annotations

import functools
from typing import Any

import torch
from torch import Tensor

from ddspvae.signals.checks import check_range, check_shape, fail
from ddspvae.synth.constrain import constrain_distribution
from ddspvae.synth.envelopes import crossfade, hold_last, segment_phase, sounding_segments, start_phase
from ddspvae.synth.precision import in_single_precision

POINTS_PER_HARMONIC = 18  # the images of the top harmonic are then (1 / 17)^4 and (1 / 19)^4, of the others less
CHUNK_SEGMENTS = 128  # for each thread: their samples and tables fit the cache of one core


def table_size(n_harmonics: int, points_per_harmonic: int = POINTS_PER_HARMONIC) -> int:
    """Points in one period, even."""
    return max(16, points_per_harmonic * n_harmonics + points_per_harmonic * n_harmonics % 2)


@functools.lru_cache(maxsize=8)
@torch.inference_mode(False)  # a cached tensor must serve training too
def _sines(n_harmonics: int, size: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Half a period of every harmonic, [H, size / 2 + 4], from point -1 on: the other half is its mirror image.

    Reading with the cubic B-spline multiplies harmonic k by sinc(k / size)^4, which is divided out here.
    """
    number = torch.arange(1, n_harmonics + 1, dtype=torch.float64)[:, None]
    point = torch.arange(-1, size // 2 + 3, dtype=torch.float64)
    return ((2 * torch.pi * number * point / size).sin() / torch.sinc(number / size) ** 4).to(device, dtype)


def _spline(x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Cubic B-spline weights of the four points around positions that lie x in [0, 1) after the second."""
    rest = 1 - x
    w0 = (rest * rest).mul_(rest).mul_(1 / 6)
    square = x * x
    w3 = square * x
    w1 = (w3 / 2).sub_(square).add_(2 / 3)
    w3.mul_(1 / 6)
    return w0, w1, (1 - w0).sub_(w1).sub_(w3), w3


def _spline_slope(x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Their derivatives with respect to x."""
    s0, s3 = (1 - x).square() / -2, x.square() / 2
    s1 = x * (1.5 * x - 2)
    return s0, s1, -(s0 + s1 + s3), s3


def _read(tables: Tensor, cycles: Tensor, first: Tensor, size: int) -> Tensor:
    """Read odd periods by phase, cross-fading from each table to the next.

    Args:
        tables: [R, N / 2 + 4], half a period each.
        cycles: [S, hop], float64 where there is one.
        first: [S, 1], int32: segment s fades from table first_s to first_s + 1.
        size: N.
    Returns:
        [S, hop].
    """
    flat, width = tables.flatten(), tables.shape[-1]
    index, x, sign = _places(cycles, first, size, width, tables.dtype)
    weights = _spline(x)
    now, after = _weigh(flat, index, weights), _weigh(flat[width:], index, weights)
    return torch.lerp(now, after, crossfade(cycles.shape[-1], flat)).mul_(sign)


def _read_plainly(tables: Tensor, cycles: Tensor, first: Tensor, size: int) -> Tensor:
    """`_read` without anything in place, slower: differentiable as often as one likes."""
    flat, width = tables.flatten(), tables.shape[-1]
    with torch.no_grad():
        index, _, sign = _places(cycles, first, size, width, tables.dtype)
        within = (index.view_as(cycles) - first * width).to(cycles)
    x = (((cycles - cycles.detach().round()).abs() * size) - within).to(tables.dtype)
    rest = 1 - x
    weights = (rest**3 / 6, x**3 / 2 - x**2 + 2 / 3, rest**3 / 2 - rest**2 + 2 / 3, x**3 / 6)
    now, after = (torch.stack([flat[side + tap :][index.long()].view(x.shape) * weight
                               for tap, weight in enumerate(weights)]).sum(0) for side in (0, width))
    return torch.lerp(now, after, crossfade(cycles.shape[-1], flat)) * sign


class _Read(torch.autograd.Function):
    """`_read` as one node with its own derivative."""

    @staticmethod
    def forward(ctx: Any, tables: Tensor, cycles: Tensor, first: Tensor, size: int) -> Tensor:
        ctx.save_for_backward(tables, cycles, first)
        ctx.size = size
        return _read(tables, cycles, first, size)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        tables, cycles, first = ctx.saved_tensors
        if torch.is_grad_enabled():  # somebody asked for the graph of this derivative: for a second one
            wanted = [tensor for tensor, needed in zip((tables, cycles), ctx.needs_input_grad) if needed]
            found = iter(torch.autograd.grad(_read_plainly(tables, cycles, first, ctx.size), wanted, grad,
                                             create_graph=True))
            return *(next(found) if needed else None for needed in ctx.needs_input_grad[:2]), None, None
        flat, width = tables.flatten(), tables.shape[-1]
        index, x, sign = _places(cycles, first, ctx.size, width, tables.dtype)
        fade = crossfade(cycles.shape[-1], flat)
        grad_tables = grad_cycles = None
        if ctx.needs_input_grad[0]:
            total = torch.zeros_like(flat)
            for side, share in ((0, grad * sign * (1 - fade)), (width, grad * sign * fade)):
                for tap, weight in enumerate(_spline(x)):
                    total[side + tap :].index_add_(0, index, (share * weight).flatten())
            grad_tables = total.view_as(tables)
        if ctx.needs_input_grad[1]:
            slopes = _spline_slope(x)  # the mirror's sign enters twice and cancels
            now, after = _weigh(flat, index, slopes), _weigh(flat[width:], index, slopes)
            grad_cycles = (grad * torch.lerp(now, after, fade)).to(cycles) * ctx.size
        return grad_tables, grad_cycles, None, None


def _places(cycles: Tensor, first: Tensor, size: int, width: int, dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
    """Where in the flattened half periods each sample is read: index of the first of four points, rest, mirror sign."""
    around = cycles - cycles.round()  # -1/2 to 1/2: the second half of a period is the first, mirrored
    position = around.abs().mul_(size)
    index = position.int()
    x = position.sub_(index).to(dtype)
    index += first * width
    return index.flatten(), x, around.to(dtype).sign_()


def _weigh(table: Tensor, index: Tensor, weights: tuple[Tensor, ...]) -> Tensor:
    """Sum of weights times the points from index on."""
    shape = weights[0].shape
    total = table.index_select(0, index).view(shape) * weights[0]
    for tap in range(1, len(weights)):
        total.addcmul_(table[tap:].index_select(0, index).view(shape), weights[tap])
    return total


def play_harmonics(f0_hz: Tensor, heights: Tensor, start: Tensor, sample_rate: int, hop_size: int,
                   points_per_harmonic: int = POINTS_PER_HARMONIC) -> Tensor:
    """Harmonics of F segments from the F + 1 frames at their borders.

    Args:
        f0_hz: [B, F + 1, 1], Hz.
        heights: [B, F + 1, H], amplitude of each harmonic, 0 for those that may not sound; in takes, frames that are 0
            throughout are left out.
        start: [B, F, 1], phase at the segments' first samples in cycles.
        sample_rate: Hz.
        hop_size: samples per segment.
        points_per_harmonic: table points for the top harmonic; fewer are faster and less exact.
    Returns:
        audio [B, F * hop_size]; differentiable in every tensor.
    """
    batch, n_segments = start.shape[:2]
    step = CHUNK_SEGMENTS * torch.get_num_threads()
    if batch > 1 and batch * n_segments > step:  # whole rows where there are several: cutting rows costs gradients
        rows = max(1, step // n_segments)
        parts = zip(f0_hz.split(rows), heights.split(rows), start.split(rows))
        return torch.cat([play_harmonics(*part, sample_rate, hop_size, points_per_harmonic) for part in parts])
    size = table_size(heights.shape[-1], points_per_harmonic)
    sines = _sines(heights.shape[-1], size, heights.dtype, heights.device)
    if heights.requires_grad:
        step = n_segments
    chunks = [
        _play_chunk(f0_hz[:, at : at + step + 1], heights[:, at : at + step + 1], start[:, at : at + step], sines, size,
                    sample_rate, hop_size)
        for at in range(0, n_segments, step)
    ]
    return chunks[0] if len(chunks) == 1 else torch.cat(chunks, dim=1)


def _play_chunk(f0_hz: Tensor, heights: Tensor, start: Tensor, sines: Tensor, size: int, sample_rate: int,
                hop_size: int) -> Tensor:
    batch, n_segments = start.shape[:2]
    rows = sounding_segments(heights)
    if rows is not None and not len(rows):
        return heights.new_zeros(batch, n_segments * hop_size)
    highest = _highest(f0_hz, heights, sample_rate)
    heights, sines = heights[..., :highest], sines[:highest]
    tables = (heights @ sines).flatten(0, 1)
    cycles = segment_phase(f0_hz, start, sample_rate, hop_size).flatten(0, 1)
    if cycles.device != heights.device:
        cycles = (cycles - cycles.floor()).float().to(heights.device)
    first = _first_frames(batch, n_segments, heights.device)
    read = _Read.apply if tables.requires_grad or cycles.requires_grad else _read
    if rows is None:
        return read(tables, cycles, first, size).view(batch, -1)
    audio = heights.new_zeros(batch * n_segments, hop_size)
    return audio.index_copy(0, rows, read(tables, cycles[rows], first[rows], size)).view(batch, -1)


def _highest(f0_hz: Tensor, heights: Tensor, sample_rate: int) -> int:
    """Harmonics that need work: up to the last that sounds anywhere."""
    if heights.shape[1] == 2:  # for a single segment looking takes longer than reckoning
        return max(1, min(heights.shape[-1], int(sample_rate / 2 / float(f0_hz.detach().min()))))
    used = heights.detach().amax((0, 1)).nonzero()
    return int(used[-1]) + 1 if len(used) else 1


@functools.lru_cache(maxsize=64)
@torch.inference_mode(False)
def _first_frames(batch: int, n_segments: int, device: torch.device) -> Tensor:
    """Number of the frame at the beginning of each segment, [B * F, 1], when every row of F has F + 1 frames."""
    segment = torch.arange(batch * n_segments, dtype=torch.int32, device=device)[:, None]
    return segment + torch.div(segment, n_segments, rounding_mode="floor")


@in_single_precision
def harmonic(f0_hz: Tensor, amplitude: Tensor, harmonic_distribution: Tensor, sample_rate: int, hop_size: int,
             *, points_per_harmonic: int = POINTS_PER_HARMONIC) -> Tensor:
    """Sum sinusoids at whole multiples of f0, silent at and above Nyquist.

    Harmonic k of frame n is amplitude_n * distribution_nk * sin(2 pi k phase); amplitudes and f0 are linear between
    frames, and the last frame is held for a hop.

    Args:
        f0_hz: [B, F, 1], Hz, > 0.
        amplitude: [B, F, 1], linear, >= 0.
        harmonic_distribution: [B, F, H], sums to 1.
        sample_rate: Hz.
        hop_size: samples per frame.
        points_per_harmonic: table points for the top harmonic; fewer are faster and less exact.
    Returns:
        audio [B, T], T = F * hop_size, in single precision or better; differentiable in every tensor, as often as wanted.
    Raises:
        InputError: shapes disagree, f0 is not finite, or sample_rate or hop_size is not positive.
    Source: Engel et al., "DDSP", ICLR 2020, additive synthesizer.
    """
    batch, n_frames, _ = harmonic_distribution.shape
    check_shape("harmonic", "f0_hz", f0_hz.shape, batch, n_frames, 1)
    check_shape("harmonic", "amplitude", amplitude.shape, batch, n_frames, 1)
    check_range("harmonic", "sample_rate", sample_rate, 1, 10_000_000)
    check_range("harmonic", "hop_size", hop_size, 1, 1_000_000)
    if not torch.compiler.is_compiling() and not bool(torch.isfinite(f0_hz.detach()).all()):
        raise fail("harmonic", "f0_hz", "be finite", "NaN or infinity", "fill it in through unvoiced stretches")
    heights = amplitude * constrain_distribution(harmonic_distribution, f0_hz, sample_rate)
    start = start_phase(f0_hz, sample_rate, hop_size)
    return play_harmonics(hold_last(f0_hz), hold_last(heights), start, sample_rate, hop_size, points_per_harmonic)
