"""What `features.spectrum` measures in a block of a take, in compiled loops."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ddspvae.features.listening_tables import hann_window
from ddspvae.kernels.bands import Bands, weigh
from ddspvae.kernels.frame_powers import frame_powers
from ddspvae.kernels.partials import LANES, Tile, less_noise, read_levels, read_noise, take_off, turn_down
from ddspvae.kernels.pitch import count_cycles, turn_by

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Measure:
    """How to measure, whatever the take.

    Args:
        sample_rate: Hz; hop_size, every: samples per frame, and per slow one, which divides it.
        filters, sizes: low-passes [C, longest], of so many taps each.
        holes: [C, R], the share of the noise that is missing at so many step_hz from a harmonic.
        shares: [C], what unit noise adds to the square of a harmonic's amplitude.
        bands: of N bins from 0 to Nyquist.
        half: frames to either side over which a harmonic is compared with noise.
        least_left, least_of_harmonic: of a band's noise, and of a harmonic's power.
    """

    sample_rate: int
    hop_size: int
    every: int
    filters: Floats
    sizes: NDArray[np.int64]
    holes: Floats
    step_hz: float
    shares: Floats
    bands: Bands
    half: int
    least_left: float
    least_of_harmonic: float


def measure_block(audio: Floats, f0_hz: NDArray[np.float64], how: Measure, class_of: NDArray[np.int64], n_harmonics: int,
                  highest_hz: float) -> Floats:
    """Whole frames of audio [F * hop_size], with filters class_of [F], to magnitudes and amplitudes [F, K + H]."""
    n_frames, hop_size = len(f0_hz), how.hop_size
    n_full = -(-n_frames // LANES) * LANES
    f0 = f0_hz.astype(np.float32)
    rest = np.zeros(n_full * hop_size, np.float32)
    rest[: len(audio)] = audio
    turn = _turn(f0_hz, n_full, how)
    n_here = max(0, min(n_harmonics, int(highest_hz / f0.min()) + 1))
    slow = np.zeros((n_here, 2, hop_size // how.every, n_full + 1), np.float32)
    levels, tile = np.zeros((n_harmonics, 2, n_full + 1), np.float32), Tile.of(how.every)
    turn_down(rest, turn, hop_size, how.every, tile, slow)
    line = np.empty((2, n_frames * hop_size // how.every), np.float32)
    read_levels(slow, f0, how.filters, how.sizes, class_of, highest_hz, line, levels[:n_here])
    levels[:, :, n_frames] = levels[:, :, n_frames - 1]  # held
    n_heard = np.minimum(np.ceil(highest_hz / f0), n_here).astype(np.int64)
    take_off(rest, turn, hop_size, how.every, np.pad(n_heard, (0, n_full - n_frames)), levels, tile)
    n_bins = how.bands.rows.shape[1]
    n_fft = 2 * (n_bins - 1)
    window = hann_window(n_fft)
    padded = np.zeros(n_frames * hop_size + n_fft, np.float32)
    padded[n_fft // 2 : n_fft // 2 + n_frames * hop_size] = rest[: n_frames * hop_size]
    power = frame_powers(padded, window / np.sqrt(np.square(window).sum()), hop_size, n_frames, n_fft)
    n_taken = np.minimum(np.floor(np.float32(highest_hz - 1e-3) / f0), np.float32(n_harmonics))
    left, of_noise = np.empty_like(power), np.empty((n_harmonics, n_frames), np.float32)
    read_noise(power, f0, n_taken, how.holes, class_of, np.float32(how.step_hz),
               np.float32(how.sample_rate / n_fft), how.shares, np.empty((2, n_bins + 1)), left, of_noise)
    amplitudes = np.empty((n_frames, n_harmonics), np.float32)
    less_noise(levels, of_noise, how.half, how.least_of_harmonic, np.empty((2, n_frames + 1)), amplitudes)
    noise = np.sqrt(weigh(power, how.bands) / np.maximum(weigh(left, how.bands), how.least_left))
    return np.concatenate([noise, amplitudes], axis=1)


def _turn(f0_hz: NDArray[np.float64], n_frames: int, how: Measure) -> Floats:
    """Cosine and sine of the fundamental's phase at every sample, [2, n_frames * hop_size]."""
    speed_hz, cycles = np.empty(n_frames * how.hop_size), np.empty(n_frames * how.hop_size)
    count_cycles(f0_hz, float(how.hop_size), 0, how.sample_rate, speed_hz, cycles)
    cycles += speed_hz / how.sample_rate
    turn = np.empty((2, len(cycles)), np.float32)
    turn_by(cycles, turn)  # in double precision: high harmonics multiply what is off
    return turn
