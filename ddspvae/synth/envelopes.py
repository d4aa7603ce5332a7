"""From frames to samples. Frame n is the instant n * hop_size; a segment is what lies between two frames.

F segments have F + 1 frames at their borders, and need nothing else: neighbours share a frame, so pieces of any
length join without a seam.
"""

from __future__ import annotations

import functools

import numpy as np
import torch
from torch import Tensor


def hold_last(frames: Tensor) -> Tensor:
    """Borders of as many segments as there are frames [B, F, ...]: the last frame is held for a hop, [B, F + 1, ...]."""
    return torch.cat([frames, frames[:, -1:]], dim=1)


def start_phase(f0_hz: Tensor, sample_rate: int, hop_size: int, before: Tensor | float = 0.0) -> Tensor:
    """Phase of the fundamental at every frame's instant: the running sum that must not drift.

    Args:
        f0_hz: [B, F, 1], Hz, linear between frames.
        before: [B, 1, 1] or a number, phase at frame 0 in cycles, a whole multiple of 2^-52 as this function returns.
    Returns:
        [B, F, 1], cycles in [0, 1), float64 (on the CPU where the device has no float64).
    """
    f0 = f0_hz.detach().cpu().numpy().astype(np.float64)
    steps = (f0[:, :-1] + f0[:, 1:]) * (hop_size / sample_rate / 2)  # cycles / frame
    # The sum in whole numbers of 2^-52 cycles: int64 overflow drops whole cycles and nothing else.
    # A float64 sum is 4e-3 rad off at harmonic 40 after an hour.
    parts = np.empty(f0.shape, dtype=np.int64)
    parts[:, :1] = np.rint((before.cpu().numpy() if isinstance(before, Tensor) else before) * 2.0**52)
    parts[:, 1:] = np.rint((steps - np.floor(steps)) * 2.0**52)
    exact = torch.from_numpy((parts.cumsum(axis=1) & (2**52 - 1)) * 2.0**-52)
    if f0_hz.device.type != "mps":
        exact = exact.to(f0_hz.device)
    if not f0_hz.requires_grad:
        return exact
    advance = (f0_hz[:, :-1] + f0_hz[:, 1:]).to(exact) * (hop_size / sample_rate / 2)
    start = torch.nn.functional.pad(advance.cumsum(dim=1), (0, 0, 1, 0))
    return start + (exact - start).detach()  # the value of one, the gradient of the other


def segment_phase(f0_hz: Tensor, start: Tensor, sample_rate: int, hop_size: int) -> Tensor:
    """Phase of the fundamental at every sample, f0 linear between frames.

    In the segment from frame n on, t samples after its instant, the integral of f0 is
        phase = start_n + (f_n t + (f_{n+1} - f_n) t^2 / (2 hop)) / sample_rate      # cycles

    Args:
        f0_hz: [B, F + 1, 1], Hz.
        start: [B, F, 1], cycles at the segments' first samples.
    Returns:
        [B, F, hop_size], cycles, of the dtype of start.
    """
    f0 = f0_hz.to(start)
    now, after = f0[:, :-1], f0[:, 1:]
    size = 1 << hop_size.bit_length()  # notes begin anywhere in a hop: one table serves all their lengths
    powers = _powers(sample_rate, size, start.dtype, start.device)[:, :hop_size]
    return torch.cat([start, now, (after - now) / hop_size], dim=-1) @ powers


@functools.lru_cache(maxsize=32)
@torch.inference_mode(False)  # a cached tensor must serve training too
def _powers(sample_rate: int, size: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    t = torch.arange(size, dtype=torch.float64)
    return torch.stack([torch.ones_like(t), t / sample_rate, t.square() / (2 * sample_rate)]).to(device, dtype)


def crossfade(hop_size: int, like: Tensor) -> Tensor:
    """Weight of the next frame at each of the hop_size samples, 0 to (hop_size - 1) / hop_size."""
    return _ramp(hop_size, like.dtype, like.device)


@functools.lru_cache(maxsize=512)
@torch.inference_mode(False)
def _ramp(hop_size: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    return torch.arange(hop_size, dtype=dtype, device=device) / hop_size


def sounding_segments(frames: Tensor) -> Tensor | None:
    """Which segments [B * F] have anything but zeros in a frame at their border [B, F + 1, C]; None for all of them.

    While gradients are asked for, all: a silent frame has one too. So too for a single segment, where looking takes
    as long as playing.
    """
    if frames.requires_grad or frames.shape[1] == 2:
        return None
    silent = frames.amax(-1) == 0
    sounding = ~(silent[:, :-1] & silent[:, 1:]).flatten()
    return None if bool(sounding.all()) else sounding.nonzero()[:, 0]
