"""Convolution by FFT."""

from __future__ import annotations

import torch
from torch import Tensor


def fft_convolve(audio: Tensor, impulse_response: Tensor, block_size: int = 1 << 18) -> Tensor:
    """Convolve, keep the input's length: output t depends on inputs up to t only, with no delay.

    Long inputs go through in blocks, each ringing on into the next, so memory grows with the block and not with the
    piece.

    Args:
        audio: [B, T].
        impulse_response: [B, L] or [1, L].
        block_size: samples; any gives the same sound.
    Returns:
        [B, T].
    """
    n_taps = impulse_response.shape[-1]
    size = min(block_size, audio.shape[-1])
    n_fft = 2 ** (size + n_taps - 2).bit_length()
    spectrum = torch.fft.rfft(impulse_response, n=n_fft)
    ringing = audio.new_zeros(audio.shape[0], n_taps - 1)
    blocks = []
    for block in audio.split(size, dim=-1):
        n_block = block.shape[-1]
        wet = torch.fft.irfft(torch.fft.rfft(block, n=n_fft) * spectrum, n=n_fft)[:, : n_block + n_taps - 1]
        wet = wet + torch.nn.functional.pad(ringing, (0, n_block))
        blocks.append(wet[:, :n_block])
        ringing = wet[:, n_block:]
    return torch.cat(blocks, dim=-1)
