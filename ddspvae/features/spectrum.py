"""What a synthesizer of harmonics and noise would have to play to sound like a take: both, measured in the take itself.

Every harmonic is turned down to 0 Hz along the phase of f0 and low-passed; what is left of the take when all of them are
taken off is noise. Phases are thrown away. The noise that lies near a harmonic is taken off with it: how much that is
follows from the low-pass, so it is given back to the noise, and taken from the harmonic.
"""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ddspvae.audio import Audio
from ddspvae.features.spectrum_tables import (
    BANDWIDTHS_HZ,
    FILTER_S,
    HIGHEST_HZ,
    HOLE_STEP_HZ,
    LEAST_LEFT,
    LEAST_OF_HARMONIC,
    NEAREST,
    SMOOTH_S,
    band_bins,
    decimation,
    low_passes,
    noise_fft,
    noise_taken,
)
from ddspvae.kernels.compiler import HAS_COMPILER
from ddspvae.signals.units import samples_to_frames

if TYPE_CHECKING:
    from ddspvae.features.compiled_spectrum import Measure

__all__ = ["BANDWIDTHS_HZ", "HIGHEST_HZ", "MOST_HARMONICS", "VERSION", "measure_spectrum"]

VERSION = 2  # part of a cache key: raise it with every change of the result
MOST_HARMONICS = 400
BLOCK_FRAMES = 1048  # with what is around them, at 48 kHz, whole tiles of compiled loops


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
    f0_hz = np.asarray(f0_hz, dtype=np.float64)[:n_frames]
    highest_hz = min(HIGHEST_HZ, 0.45 * sample_rate)
    if n_harmonics is None:
        n_harmonics = int(np.clip(highest_hz / f0_hz.min(), 1, MOST_HARMONICS))
    reach = math.ceil(FILTER_S / BANDWIDTHS_HZ[-1] * sample_rate / hop_size)  # frames
    blocks = []
    for first in range(0, n_frames, BLOCK_FRAMES):
        low, high = max(0, first - reach), min(first + BLOCK_FRAMES + reach, n_frames)
        part = np.pad(audio[low * hop_size : high * hop_size], (0, max(0, high * hop_size - len(audio))))
        block = _measure(part.astype(np.float32), sample_rate, hop_size, f0_hz[low:high], n_harmonics, highest_hz)
        blocks.append(block[first - low : first - low + BLOCK_FRAMES])
    return np.concatenate(blocks)


def _measure(audio: NDArray[np.float32], sample_rate: int, hop_size: int, f0_hz: NDArray[np.float64], n_harmonics: int,
             highest_hz: float) -> NDArray[np.float32]:
    """Whole frames of audio [F * hop_size] to [F, K + H]."""
    f0 = f0_hz.astype(np.float32)
    class_of = (f0[:, None] * np.float32(NEAREST) < np.array(BANDWIDTHS_HZ[:-1], np.float32)).sum(axis=1)
    if HAS_COMPILER:
        from ddspvae.features.compiled_spectrum import measure_block

        return measure_block(audio, f0_hz, _how(sample_rate, hop_size), class_of, n_harmonics, highest_hz)
    from ddspvae.features import torch_spectrum

    return torch_spectrum.measure_block(audio, f0_hz, sample_rate, hop_size, class_of, n_harmonics, highest_hz)


@functools.lru_cache(maxsize=4)
def _how(sample_rate: int, hop_size: int) -> Measure:
    """All of this, for compiled loops."""
    from ddspvae.features.compiled_spectrum import Measure
    from ddspvae.kernels.bands import Bands

    every = decimation(sample_rate, hop_size)
    filters = low_passes(sample_rate / every)
    sizes = np.array([len(taps) for taps in filters])
    rows = np.stack([np.pad(taps, (0, sizes.max() - len(taps))) for taps in filters])
    taken = [noise_taken(at, sample_rate, hop_size) for at in range(len(filters))]
    return Measure(sample_rate, hop_size, every, rows, sizes, np.stack([one.hole for one in taken]), HOLE_STEP_HZ,
                   np.array([one.power for one in taken], np.float32), Bands.of(band_bins(noise_fft(sample_rate))),
                   round(SMOOTH_S * sample_rate / hop_size / 2), LEAST_LEFT, LEAST_OF_HARMONIC)
