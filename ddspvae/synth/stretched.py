"""Stretched partials, as those of stiff strings: a bank of sinusoids, differentiable in everything."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ddspvae.signals.checks import check_range, check_shape
from ddspvae.synth.envelopes import crossfade, hold_last


def stretch_ratios(stiffness: Any, n_partials: int) -> Any:
    """What multiples of f0 the partials of a stiff string lie at: k sqrt(1 + B k^2), [..., K].

    Args:
        stiffness: B, >= 0, a tensor [..., 1].
        n_partials: K.
    Source: Fletcher, "Normal vibration frequencies of a stiff piano string", JASA 1964.

    >>> [round(ratio, 4) for ratio in stretch_ratios(torch.tensor([0.01]), 2).tolist()]
    [1.005, 2.0396]
    """
    number = torch.arange(1, n_partials + 1, dtype=stiffness.dtype, device=stiffness.device)
    return number * (1 + stiffness * number**2).sqrt()


def stretched(f0_hz: Tensor, heights: Tensor, stiffness: Tensor, sample_rate: int, hop_size: int, *,
              start: Tensor | None = None) -> Tensor:
    """Sum sinusoids at f_k = k f0 sqrt(1 + B k^2), silent from 0.49 of the sample rate on.

    Args:
        f0_hz: [B, F, 1], Hz, > 0, linear between frames; the last frame is held for a hop.
        heights: [B, F, K], amplitude of each partial, linear between frames.
        stiffness: [B, 1, 1], B, >= 0.
        sample_rate: Hz.
        hop_size: samples per frame.
        start: [B, 1, K], phases at the first sample in cycles; None is 0.
    Returns:
        audio [B, F * hop_size]; differentiable in f0_hz, heights, stiffness and start.
    Raises:
        InputError: shapes disagree, or sample_rate or hop_size is not positive.
    """
    batch, n_frames, n_partials = heights.shape
    check_shape("stretched", "f0_hz", f0_hz.shape, batch, n_frames, 1)
    check_shape("stretched", "stiffness", stiffness.shape, batch, 1, 1)
    check_range("stretched", "sample_rate", sample_rate, 1, 10_000_000)
    check_range("stretched", "hop_size", hop_size, 1, 1_000_000)
    ratios = stretch_ratios(stiffness, n_partials)
    f0 = hold_last(f0_hz).to(torch.float64)
    levels = hold_last(heights)
    highest = torch.maximum(f0[:, :-1], f0[:, 1:]).to(ratios) * ratios < 0.49 * sample_rate  # [B, F, K]
    fade = crossfade(hop_size, levels)[:, None]
    level = torch.lerp(levels[:, :-1, None] * highest[:, :, None], levels[:, 1:, None] * highest[:, :, None], fade)
    t = torch.arange(hop_size, dtype=torch.float64, device=f0.device)
    now, after = f0[:, :-1], f0[:, 1:]
    within = (now * t + (after - now) * t**2 / (2 * hop_size)) / sample_rate  # cycles of f0, [B, F, hop]
    whole = ((now + after) * (hop_size / sample_rate / 2)).cumsum(dim=1)
    cycles = within + torch.nn.functional.pad(whole[:, :-1], (0, 0, 1, 0))
    phase = cycles[..., None] * ratios[:, :, None].to(torch.float64)
    if start is not None:
        phase = phase + start[:, :, None]
    wave = torch.sin(2 * torch.pi * (phase - phase.detach().floor())).to(levels)
    return (level * wave).sum(-1).flatten(1)


def stretch(f0_hz: Tensor, heights: Tensor, stiffness: Tensor) -> tuple[Tensor, Tensor]:
    """Harmonics of some frames to the partials of a stiff string whose first is at f0.

    Args:
        f0_hz, stiffness: [..., 1], Hz, and B of f_k = k f0 sqrt((1 + B k^2) / (1 + B)).
        heights: [..., H], amplitudes of harmonics, which say how much sounds around each multiple of f0.
    Returns:
        partials in Hz and their heights, [..., H] each; the power in every region of the spectrum is what it was. Float64.
    """
    n_harmonics = heights.shape[-1]
    bend = stiffness.to(torch.float64)
    ratios = stretch_ratios(bend, n_harmonics) / (1 + bend).sqrt()
    number = torch.arange(1, n_harmonics + 1, dtype=torch.float64, device=bend.device)
    spacing = (1 + 2 * bend * number**2) / ((1 + bend * number**2) * (1 + bend)).sqrt()
    power = torch.nn.functional.pad(heights.to(torch.float64).square(), (1, 2))
    below = ratios.floor().clamp(max=n_harmonics + 1)
    now, after = power.gather(-1, below.long()), power.gather(-1, (below + 1).long().clamp(max=n_harmonics + 2))
    return f0_hz.to(torch.float64) * ratios, (torch.lerp(now, after, (ratios - below).clamp(0, 1)) * spacing).sqrt()


def play_stretched(f0_hz: Tensor, heights: Tensor, stiffness: Tensor, start: Tensor, sample_rate: int, length: int
                   ) -> tuple[Tensor, Tensor]:
    """Harmonics of F segments from the F + 1 frames at their borders, as the partials of a stiff string.

    Args:
        f0_hz, stiffness: [B, F + 1, 1]; heights: [B, F + 1, H]: as `stretch` takes them, linear between frames.
        start: [B, 1, H], phases at the first frame in cycles, or [B, 1, 1] where they are the same.
        sample_rate: Hz.
        length: samples per segment.
    Returns:
        audio [B, F * length], silent from 0.49 of the sample rate on, and the phases at the last frame [B, 1, H].
    """
    partials_hz, levels = stretch(f0_hz, heights, stiffness)
    now, after = partials_hz[:, :-1], partials_hz[:, 1:]
    steps = (now + after) * (length / sample_rate / 2)
    ends = start + torch.nn.functional.pad(steps.cumsum(dim=1), (0, 0, 1, 0))
    may_sound = torch.maximum(now, after) < 0.49 * sample_rate
    t = torch.arange(length, dtype=torch.float64, device=now.device)[:, None]
    pieces = []
    for at in range(now.shape[1]):  # segment by segment: hundreds of partials at every sample fill the memory
        cycles = ends[:, at, None] + (now[:, at, None] * t + (after - now)[:, at, None] * t**2 / (2 * length)) / sample_rate
        level = torch.lerp(levels[:, at, None], levels[:, at + 1, None], t / length) * may_sound[:, at, None]
        pieces.append((level * torch.sin(2 * torch.pi * (cycles - cycles.detach().floor()))).sum(-1))
    last = ends[:, -1:]
    return torch.cat(pieces, dim=1).to(heights), last - last.detach().floor()
