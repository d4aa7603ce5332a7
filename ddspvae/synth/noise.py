"""Filtered noise, addressed by absolute time: a function of (seed, voice, absolute sample)."""

from __future__ import annotations

import functools

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ddspvae.features.bands import band_shapes
from ddspvae.signals.checks import check_range
from ddspvae.synth.envelopes import crossfade, hold_last, sounding_segments
from ddspvae.synth.precision import in_single_precision
from ddspvae.synth.white import fft_size, noise_key, white_samples

CHUNK_SEGMENTS = 128  # for each thread: their spectra fit the cache of one core


def white_noise(key: NDArray[np.uint32], start_sample: int, n_samples: int, device: torch.device | str = "cpu") -> Tensor:
    """White noise of unit power by key and absolute position, [B, n_samples], as a tensor: see `white.white_samples`."""
    return torch.from_numpy(white_samples(key, start_sample, n_samples)).to(device)


@functools.lru_cache(maxsize=8)
@torch.inference_mode(False)  # a cached tensor must serve training too
def bin_shapes(n_bands: int, n_fft: int) -> Tensor:
    """How band powers become bin powers, [n_bands, n_fft // 2 + 1]."""
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
    shapes = bin_shapes(n_bands, n_fft).to(noise_magnitudes)
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
    return filter_white(white.to(noise_magnitudes.dtype), noise_magnitudes, shapes, hop_size, n_fft, rows)


def filter_white(white: Tensor, noise_magnitudes: Tensor, shapes: Tensor, hop_size: int, n_fft: int,
                 rows: Tensor | None = None) -> Tensor:
    """Noise of F segments from white noise that is given.

    Args:
        white: [B or 1, n_fft + (F - 1) * hop_size], from (n_fft - hop_size) // 2 samples before the first segment on.
        noise_magnitudes: [B, F + 1, K].
        shapes: bin_shapes(K, n_fft).
        hop_size, n_fft: as in play_noise.
        rows: which of the B * F segments to play; None for all, the others are silent.
    Returns:
        audio [B, F * hop_size].
    """
    batch, n_segments, margin = len(noise_magnitudes), noise_magnitudes.shape[1] - 1, (n_fft - hop_size) // 2
    pieces = white.expand(batch, -1).unfold(-1, n_fft, hop_size).flatten(0, 1)
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
