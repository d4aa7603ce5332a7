"""Convolution by FFT."""

from __future__ import annotations

import torch
from torch import Tensor


def fft_convolve(audio: Tensor, impulse_response: Tensor, block_size: int = 1 << 18) -> Tensor:
    """Convolve, keep the input's length: output t depends on inputs up to t only, with no delay.

    Long inputs go through in blocks, so memory grows with the block and not with the piece.

    Args:
        audio: [B, T].
        impulse_response: [B, L] or [1, L].
    Returns:
        [B, T].
    """
    n_samples, n_taps = audio.shape[-1], impulse_response.shape[-1]
    size = min(block_size, n_samples)
    n_fft = 2 ** (size + n_taps - 1).bit_length()
    response = torch.fft.rfft(impulse_response, n=n_fft)
    out = audio.new_zeros(audio.shape[0], n_samples + n_taps)
    for start in range(0, n_samples, size):
        block = audio[:, start : start + size]
        wet = torch.fft.irfft(torch.fft.rfft(block, n=n_fft) * response, n=n_fft)
        stop = min(start + n_fft, out.shape[-1])
        out = torch.cat([out[:, :start], out[:, start:stop] + wet[:, : stop - start], out[:, stop:]], dim=1) \
            if out.requires_grad or wet.requires_grad else _add(out, wet, start, stop)
    return out[:, :n_samples]


def _add(out: Tensor, wet: Tensor, start: int, stop: int) -> Tensor:
    out[:, start:stop] += wet[:, : stop - start]
    return out
