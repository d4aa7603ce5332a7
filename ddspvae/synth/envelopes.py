"""From frames to samples: phase, cross-fades and overlap-add."""

from __future__ import annotations

import torch
from torch import Tensor


def next_frame(frames: Tensor) -> Tensor:
    """Each frame's successor along axis 1; the last one is held."""
    return torch.cat([frames[:, 1:], frames[:, -1:]], dim=1)


def start_phase(f0_hz: Tensor, sample_rate: int, hop_size: int) -> Tensor:
    """Phase of the fundamental at every frame's instant: the running sum that must not drift.

    Args:
        f0_hz: [B, F, 1], Hz, linear between frames.
    Returns:
        [B, F, 1], cycles in [0, 1), float64 (on the CPU where the device has no float64).
    """
    f0 = (f0_hz.cpu() if f0_hz.device.type == "mps" else f0_hz).double()
    advance = (f0 + next_frame(f0)) / 2 * (hop_size / sample_rate)  # cycles / frame
    start = torch.cumsum(advance, dim=1) - advance
    # The sum itself in whole numbers of 2^-52 cycles: int64 overflow drops whole cycles and nothing else.
    # A float64 sum is 4e-3 rad off at harmonic 40 after an hour; it is kept for its gradient.
    parts = ((advance.detach() - advance.detach().floor()) * 2.0**52).round().long()
    exact = ((torch.cumsum(parts, dim=1) - parts) & (2**52 - 1)).double() / 2.0**52
    return start + (exact - start).detach()


def frame_phase(f0_hz: Tensor, sample_rate: int, hop_size: int, start: Tensor | None = None) -> Tensor:
    """Phase of the fundamental at every sample, f0 linear between frames.

    Inside frame n, t samples after its instant, the integral of f0 is
        phase = phase_n + (f_n t + (f_{n+1} - f_n) t^2 / (2 hop)) / sample_rate      # cycles
    The running sum over frames is exact (see start_phase); in float32 it would be wrong after a minute.

    Args:
        f0_hz: [B, F, 1], Hz.
        start: [B, F, 1], cycles at the frames' instants; None computes it from f0_hz.
    Returns:
        [B, F, hop_size], cycles in [0, 1), float64.
    """
    start = start_phase(f0_hz, sample_rate, hop_size) if start is None else start
    f0 = f0_hz.to(start)
    after = next_frame(f0)
    t = torch.arange(hop_size, device=f0.device, dtype=f0.dtype)
    inside = (f0 * t + (after - f0) * (t * t / (2 * hop_size))) / sample_rate
    phase = start + inside
    phase = phase - phase.floor()
    return phase if phase.device == f0_hz.device else phase.float().to(f0_hz.device)


def crossfade(hop_size: int, like: Tensor) -> Tensor:
    """Weight of the next frame at each of the hop_size samples, 0 to (hop_size - 1) / hop_size."""
    return torch.arange(hop_size, device=like.device, dtype=like.dtype) / hop_size


def overlap_add(blocks: Tensor, hop_size: int) -> Tensor:
    """Add blocks [B, F, N] that start every hop_size samples.

    Returns:
        [B, (F - 1) * hop_size + N].
    """
    batch, n_frames, size = blocks.shape
    folded = torch.nn.functional.fold(
        blocks.transpose(1, 2), (1, (n_frames - 1) * hop_size + size), (1, size), stride=(1, hop_size)
    )
    return folded.view(batch, -1)
