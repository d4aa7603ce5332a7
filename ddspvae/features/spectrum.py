"""What a synthesizer of harmonics and noise would have to play to sound like a take: both, measured in the take itself.

Every harmonic is turned down to 0 Hz along the phase of f0 and low-passed; what is left of the take when all of them are
taken off is noise. Phases are thrown away.

Known fault: the noise that lies near a harmonic is taken off with it and counted as the harmonic's. White noise reads 6 dB
too soft at an f0 of 60 Hz, 9 at 100 and 180, 4 at 260, 2 at 440, 1 at 880, with steps where the bandwidth changes.
"""

from __future__ import annotations

import functools
import math

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.signal import firwin
from torch import Tensor

from ddspvae.audio import Audio
from ddspvae.features.bands import N_NOISE_BANDS, band_shapes
from ddspvae.threads import one_thread
from ddspvae.units import samples_to_frames

VERSION = 1  # part of a cache key: raise it with every change of the result
HIGHEST_HZ = 16_000.0  # of a harmonic
MOST_HARMONICS = 400
BANDWIDTHS_HZ = (80.0, 40.0, 20.0)  # each for pitches whose neighbours lie far enough away
NEAREST = 0.45  # of f0: the widest band that keeps a harmonic apart from the next
SLOW_RATE_HZ = 2000.0  # after the first of two low-passes
FILTER_S = 2.56  # length of the second, times its bandwidth
NOISE_WINDOW_S = 0.0213
BLOCK_FRAMES = 512  # what fits a processor's cache


@one_thread()
def measure_spectrum(audio: Audio, sample_rate: int, hop_size: int, f0_hz: NDArray[np.floating],
                     n_harmonics: int | None = None) -> NDArray[np.float32]:
    """Magnitudes of noise bands and amplitudes of harmonics around each frame's instant.

    Args:
        audio: [T], full scale +-1.
        sample_rate: Hz.
        hop_size: samples per frame.
        f0_hz: [F], F = ceil(T / hop_size), Hz.
        n_harmonics: H; None takes all that lie below 16 kHz anywhere, MOST_HARMONICS at most.
    Returns:
        [F, N_NOISE_BANDS + H]: magnitudes as `synth.noise.filtered_noise` takes them, then amplitudes as
        `synth.harmonic.harmonic` multiplies them out; 0 for harmonics above 16 kHz or 0.45 of the sample rate.
    Source: Serra & Smith, "Spectral modeling synthesis", Computer Music Journal, 1990, for the split.
    """
    n_frames = samples_to_frames(len(audio), hop_size)
    f0_hz = np.asarray(f0_hz, dtype=float)[:n_frames]
    highest_hz = min(HIGHEST_HZ, 0.45 * sample_rate)
    if n_harmonics is None:
        n_harmonics = int(np.clip(highest_hz / f0_hz.min(), 1, MOST_HARMONICS))
    reach = math.ceil(FILTER_S / BANDWIDTHS_HZ[-1] * sample_rate / hop_size)  # frames
    blocks = []
    for first in range(0, n_frames, BLOCK_FRAMES):
        low, high = max(0, first - reach), min(first + BLOCK_FRAMES + reach, n_frames)
        part = np.pad(audio[low * hop_size : high * hop_size], (0, max(0, high * hop_size - len(audio))))
        block = _measure(torch.from_numpy(part.astype(np.float32)), sample_rate, hop_size, f0_hz[low:high], n_harmonics,
                         highest_hz)
        blocks.append(block[first - low : first - low + BLOCK_FRAMES])
    return torch.cat(blocks).numpy()


def _measure(audio: Tensor, sample_rate: int, hop_size: int, f0_hz: NDArray, n_harmonics: int, highest_hz: float) -> Tensor:
    """Whole frames of audio [F * hop_size] to [F, K + H]."""
    n_frames = len(f0_hz)
    cycles = np.cumsum(np.interp(np.arange(len(audio)) / hop_size, np.arange(n_frames), f0_hz)) / sample_rate
    turn = torch.from_numpy(np.exp(2j * np.pi * (cycles % 1)).astype(np.complex64))
    every = _decimation(sample_rate, hop_size)
    f0 = torch.from_numpy(f0_hz.astype(np.float32))
    # a triangle around every such sample: what the piece before it rises to, and what its own falls from
    ramp = torch.arange(every) / every**2
    triangle = torch.stack([ramp, 1 / every - ramp], dim=1)
    fade = torch.arange(hop_size) / hop_size
    filters = _filters(sample_rate / every)
    class_of = sum((f0 * NEAREST < width).long() for width in BANDWIDTHS_HZ[:-1])
    rest, turned, levels = audio.clone(), turn.clone(), []
    for number in range(1, n_harmonics + 1):
        sides = torch.stack([turned.real * audio, turned.imag * audio]).view(2, -1, every) @ triangle
        slow = sides[..., 1]
        slow[:, 1:] += sides[:, :-1, 0]
        level = torch.zeros(2, n_frames)
        for at, taps in enumerate(filters):
            chosen = (class_of == at) & (number * f0 < highest_hz)
            if chosen.any():
                half = len(taps) // 2
                windows = torch.nn.functional.pad(slow, (half, half)).unfold(1, len(taps), hop_size // every)
                level = torch.where(chosen, 2 * (windows[:, :n_frames] @ taps), level)
        levels.append(level)
        if level.any():  # played as cosines and sines that fade from frame to frame
            following = torch.cat([level[:, 1:], level[:, -1:]], dim=1)
            wave = torch.addcmul(level[..., None], (following - level)[..., None], fade).flatten(1)
            rest.addcmul_(wave[0], turned.real, value=-1).addcmul_(wave[1], turned.imag, value=-1)
        turned = turned * turn
    return torch.cat([_band_magnitudes(rest, sample_rate, hop_size), torch.stack(levels).norm(dim=1).T], dim=1)


def _band_magnitudes(audio: Tensor, sample_rate: int, hop_size: int) -> Tensor:
    """Of noise [F * hop_size], [F, N_NOISE_BANDS]; white noise of unit power is 1 everywhere."""
    n_fft = 2 ** round(math.log2(NOISE_WINDOW_S * sample_rate))
    window = torch.hann_window(n_fft)
    spectrum = torch.stft(audio, n_fft, hop_size, window=window, pad_mode="constant", return_complex=True)
    power = spectrum.abs().square().T[: len(audio) // hop_size] / window.square().sum()
    shapes = band_shapes(N_NOISE_BANDS, 8 * (n_fft // 2) + 1)  # a narrow band lies between two bins
    bins = torch.nn.functional.avg_pool1d(torch.nn.functional.pad(shapes[None], (4, 4), mode="replicate"), 9, 8)[0]
    return (power @ (bins / bins.sum(1, keepdim=True)).T).sqrt()


def _decimation(sample_rate: int, hop_size: int) -> int:
    """The largest divisor of the hop that leaves SLOW_RATE_HZ."""
    return max(n for n in range(1, hop_size + 1) if hop_size % n == 0 and (n == 1 or sample_rate / n >= SLOW_RATE_HZ))


@functools.lru_cache(maxsize=8)
def _filters(rate_hz: float) -> tuple[Tensor, ...]:
    """Low-passes of BANDWIDTHS_HZ for a signal at this rate, each of an odd number of taps that sum to 1."""
    sizes = [2 * round(FILTER_S / width * rate_hz / 2) + 1 for width in BANDWIDTHS_HZ]
    return tuple(torch.from_numpy(firwin(size, width, fs=rate_hz).astype(np.float32))
                 for size, width in zip(sizes, BANDWIDTHS_HZ))
