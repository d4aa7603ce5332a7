"""Filtered noise, addressed by absolute time: a function of (seed, voice, absolute sample)."""

from __future__ import annotations

import functools
import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ddspvae.features.bands import band_shapes
from ddspvae.signals.checks import check_range
from ddspvae.synth.envelopes import crossfade, hold_last, sounding_segments
from ddspvae.synth.precision import in_single_precision

CHUNK_SEGMENTS = 128  # for each thread: their spectra fit the cache of one core
_HALF, _BYTE, _MULTIPLIER = np.uint32(16), np.int32(8), np.uint32(0x45D9F3B)


def _mix(x: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Scramble 32-bit counters in place: two rounds of multiply and xor-shift."""
    for _ in range(2):
        x ^= x >> _HALF
        x *= _MULTIPLIER
    x ^= x >> _HALF
    return x


def _low_bits(x: Tensor | int, factor: int = 1) -> NDArray[np.uint32]:
    """The low 32 bits of whole numbers, [B, 1]."""
    numbers = np.atleast_1d(x.cpu().numpy() if isinstance(x, Tensor) else np.array(x)).astype(np.int64)
    return (numbers * factor & 0xFFFFFFFF).astype(np.uint32)[:, None]


def noise_key(seed: Tensor | int, voice: Tensor | int) -> NDArray[np.uint32]:
    """What tells one noise from another, [B, 1]; seed and voice are whole numbers, or tensors [B] of them."""
    return _mix(_mix(_low_bits(seed)) + _low_bits(voice, 0x9E3779B1))


def white_noise(key: NDArray[np.uint32], start_sample: int, n_samples: int, device: torch.device | str = "cpu") -> Tensor:
    """White noise of unit power whose every sample depends only on its key and its absolute position.

    So blocks, starting points and batches agree, and voices are uncorrelated.

    Args:
        key: [B, 1], from noise_key.
        start_sample: absolute position of the first sample; may be negative.
        n_samples: how many.
    Returns:
        [B, n_samples], uniform in +-sqrt(3).
    """
    parts = []
    while n_samples > 0:  # in parts that share the high 32 bits of their positions
        high, low = start_sample >> 32, start_sample & 0xFFFFFFFF
        n_part = min(n_samples, 2**32 - low)
        position = np.arange(low, low + n_part, dtype=np.uint32)
        position ^= _mixed_low_bits(high)
        parts.append(_mix(_mix(position) + key))
        start_sample, n_samples = start_sample + n_part, n_samples - n_part
    bits = parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)
    noise = (bits.view(np.int32) >> _BYTE).astype(np.float32)  # 24 bits are exact in float32
    noise *= np.float32(math.sqrt(3.0) / 2**23)
    return torch.from_numpy(noise).to(device)


@functools.lru_cache(maxsize=16)
def _mixed_low_bits(number: int) -> np.uint32:
    return np.uint32(_mix(_low_bits(number))[0, 0])


def _fast_length(least: int) -> int:
    """The smallest size from `least` on that has no prime factor above 5: what real FFTs are quick at."""
    size = least
    while True:
        left = size
        for prime in (2, 3, 5):
            while left % prime == 0:
                left //= prime
        if left == 1:
            return size
        size += 1


def fft_size(hop_size: int, n_bands: int) -> int:
    """Of one segment with room for its filter, four bands' reach, on either side."""
    return _fast_length(hop_size + 8 * n_bands)


@functools.lru_cache(maxsize=8)
@torch.inference_mode(False)  # a cached tensor must serve training too
def _shapes(n_bands: int, n_fft: int) -> Tensor:
    return band_shapes(n_bands, n_fft // 2 + 1)


def play_noise(noise_magnitudes: Tensor, hop_size: int, key: NDArray[np.uint32], start_sample: int = 0,
               n_fft: int | None = None) -> Tensor:
    """Noise of F segments from the F + 1 frames at their borders.

    White noise passes the filters of both frames, which have no phase, and the two are cross-faded: the noise of a
    segment needs no frame beyond its own two, because white noise is known ahead.

    Args:
        noise_magnitudes: [B, F + 1, K], linear, >= 0; in takes, frames of zeros are left out.
        hop_size: samples per segment.
        key: [B, 1] or [1, 1], from noise_key.
        start_sample: absolute position of the first sample.
        n_fft: None takes fft_size(hop_size, K).
    Returns:
        audio [B, F * hop_size]; differentiable in noise_magnitudes.
    """
    batch, n_frames, n_bands = noise_magnitudes.shape
    n_segments = n_frames - 1
    step = CHUNK_SEGMENTS * torch.get_num_threads()
    if batch > 1 and batch * n_segments > step:  # whole rows where there are several: cutting rows costs gradients
        rows = max(1, step // n_segments)
        keys = np.broadcast_to(key, (batch, 1))
        return torch.cat([play_noise(part, hop_size, keys[at * rows : at * rows + len(part)], start_sample, n_fft)
                          for at, part in enumerate(noise_magnitudes.split(rows))])
    n_fft = fft_size(hop_size, n_bands) if n_fft is None else n_fft
    shapes = _shapes(n_bands, n_fft).to(noise_magnitudes)
    if noise_magnitudes.requires_grad:
        step = n_segments
    chunks = [
        _play_chunk(noise_magnitudes[:, at : at + step + 1], shapes, hop_size, n_fft, key,
                    start_sample + at * hop_size)
        for at in range(0, n_segments, step)
    ]
    return chunks[0] if len(chunks) == 1 else torch.cat(chunks, dim=1)


def _play_chunk(noise_magnitudes: Tensor, shapes: Tensor, hop_size: int, n_fft: int, key: NDArray[np.uint32],
                start_sample: int) -> Tensor:
    batch, n_frames, _ = noise_magnitudes.shape
    n_segments = n_frames - 1
    rows = sounding_segments(noise_magnitudes)
    if rows is not None and not len(rows):
        return noise_magnitudes.new_zeros(batch, n_segments * hop_size)
    margin = (n_fft - hop_size) // 2
    white = white_noise(key, start_sample - margin, n_fft + (n_segments - 1) * hop_size, noise_magnitudes.device)
    pieces = white.to(noise_magnitudes.dtype).expand(batch, -1).unfold(-1, n_fft, hop_size).flatten(0, 1)
    response = (noise_magnitudes.square() @ shapes + 1e-20).sqrt()
    now, after = response[:, :-1].flatten(0, 1), response[:, 1:].flatten(0, 1)
    if rows is not None:
        pieces, now, after = pieces[rows], now[rows], after[rows]
    spectrum = torch.fft.rfft(pieces)
    first, second = (torch.fft.irfft(spectrum * frame, n=n_fft)[:, margin : margin + hop_size] for frame in (now, after))
    faded = torch.lerp(first, second, crossfade(hop_size, noise_magnitudes))
    if rows is None:
        return faded.view(batch, -1)
    audio = noise_magnitudes.new_zeros(batch * n_segments, hop_size)
    return audio.index_copy(0, rows, faded).view(batch, -1)


@in_single_precision
def filtered_noise(noise_magnitudes: Tensor, hop_size: int, *, seed: Tensor | int = 0, voice: Tensor | int = 0,
                   start_sample: int = 0) -> Tensor:
    """White noise through a filter that changes from frame to frame.

    Its power at a frequency is that of the two bands around it, interpolated linearly, and its amplitude is linear
    between frames; the last frame is held for a hop.

    Args:
        noise_magnitudes: [B, F, K], linear, >= 0; K bands from 0 to Nyquist. Ones give white noise of unit power.
        hop_size: samples per frame.
        seed, voice: see noise_key.
        start_sample: absolute position of frame 0.
    Returns:
        audio [B, F * hop_size]; differentiable in noise_magnitudes.
    Source: Engel et al., "DDSP", ICLR 2020, filtered noise; cross-faded here.
    """
    check_range("filtered_noise", "hop_size", hop_size, 1, 1_000_000)
    return play_noise(hold_last(noise_magnitudes), hop_size, noise_key(seed, voice), start_sample)
