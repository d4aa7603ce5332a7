"""The sound that a note begins with and that follows no pitch: pick, hammer, finger."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ddspvae.features.band_tables import band_shapes
from ddspvae.plucked.partials import EARLY_S, HOP_S, Ringing
from ddspvae.signals.units import db_to_amplitude

LASTS_S = 0.12
WINDOW_S = 0.010
BELIEVED = 0.35  # quantile
FADE_FRAMES = 6  # at whose end nothing is left


def measure_onset(notes: Sequence[tuple[Ringing, NDArray, float]], sample_rate: int, n_bands: int) -> NDArray:
    """What is left of the first 0.12 s of notes without their partials, as most notes have it.

    Each partial is taken off as the decay model has it: a sinusoid that begins at the onset, of the amplitude and phase that
    take most off. Of several notes the softer rest is believed, since what is left of partials is no noise.

    Args:
        notes: each with its take [T] and its level, A-weighted dB.
        sample_rate: Hz.
        n_bands: of the noise.
    Returns:
        [N, n_bands], magnitudes beside a note of 0 dB, a frame every 5 ms.
    """
    n_frames = round(LASTS_S / HOP_S)
    if not notes:
        return np.zeros((n_frames, n_bands))
    rows = np.array([_left_over(note, audio, sample_rate, n_bands, n_frames) / db_to_amplitude(level_db)
                     for note, audio, level_db in notes])
    typical = np.quantile(rows, BELIEVED, axis=0)
    typical[-FADE_FRAMES:] *= np.linspace(1, 0, FADE_FRAMES)[:, None]
    # what hisses on is the recording's, not the onset's
    hiss = typical[-FADE_FRAMES - 4 : -FADE_FRAMES].mean(axis=0)
    return np.sqrt(np.maximum(typical**2 - hiss**2, 0))


def _left_over(note: Ringing, audio: NDArray, sample_rate: int, n_bands: int, n_frames: int) -> NDArray:
    """Magnitudes [N, K] of what is no partial."""
    begin = round(note.onset_s * sample_rate)
    length = round((n_frames + 2) * HOP_S * sample_rate)
    piece = np.zeros(length + round(0.2 * sample_rate))
    found = audio[begin : begin + len(piece)]
    piece[: len(found)] = found
    time_s = np.arange(len(piece)) / sample_rate
    heard = slice(0, round(max(6 / note.f0_hz, LASTS_S) * sample_rate))
    basis = []
    for hz, early_db, fall in zip(note.f0_hz * note.ratios, note.early_db, np.nan_to_num(note.fall_db_per_s, nan=20.0)):
        falls = db_to_amplitude(early_db * (np.exp(-time_s / EARLY_S) - 1) - fall * time_s)
        basis += [falls * np.cos(2 * np.pi * hz * time_s), falls * np.sin(2 * np.pi * hz * time_s)]
    lines = np.array(basis).T
    amounts = np.linalg.lstsq(lines[heard], piece[heard], rcond=1e-4)[0]
    rest = piece - lines @ amounts
    size = round(WINDOW_S * sample_rate)
    window = np.hanning(size)
    padded, hop = np.pad(rest, (size // 2, size)), round(HOP_S * sample_rate)
    frames = np.array([np.abs(np.fft.rfft(padded[at * hop : at * hop + size] * window)) ** 2 for at in range(n_frames)])
    own = np.array([np.abs(np.fft.rfft(np.pad(piece, (size // 2, size))[at * hop : at * hop + size] * window)) ** 2
                    for at in range(n_frames)])
    shapes = band_shapes(n_bands, frames.shape[1])
    # white noise of unit power has sum(window^2) in every bin; the rest never holds more than there was
    power = (np.minimum(frames, own) @ shapes.T) / np.maximum(shapes.sum(1), 1e-9) / np.square(window).sum()
    return np.sqrt(power)
