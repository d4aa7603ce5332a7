"""What can be wrong with one recording, in numbers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d, uniform_filter1d

from ddspvae.audio import resample
from ddspvae.signals.units import DB_FLOOR, power_to_db

CLIP_LEVEL = 0.999
CLIP_RUN = 3  # samples; shorter runs are honest peaks
FLAT_LEVEL, FLAT_STEP = 0.5, 5e-4  # of the peak: a top that is cut lies above, and is entered in a step, not in a curve
LEVEL_WINDOW_S = 0.03
LEVEL_BLOCK_S = 30.0  # of a take, at once
PAUSE_S = 0.1
SILENT_DB = -50.0  # below the loudest frame
RATE_HZ, WINDOW, HOP = 16000, 2048, 800  # 128 ms keeps apart what a semitone separates above 270 Hz
SECOND_DB = -10.0  # a partial that the pitch does not explain, below the strongest it does; reverberation stays under
N_SECOND = 2  # such partials in a frame; one alone is a resonance or a ringing string


def clipped_share(channels: NDArray) -> float:
    """Share of samples in runs of three or more at full scale, or that are equal and begin in a step: cut off below it.

    Args:
        channels: [T, C], full scale +-1.

    >>> clipped_share(np.array([[0.0], [1.0], [1.0], [1.0], [0.5], [1.0], [0.0], [0.0]]))
    0.375
    """
    n_clipped = 0
    for channel in channels.T:
        for sign in (1, -1):
            flat = np.concatenate([[False], sign * channel >= CLIP_LEVEL, [False]])
            lengths = np.diff(np.flatnonzero(np.diff(flat.astype(np.int8))))[::2]
            n_clipped += int(lengths[lengths >= CLIP_RUN].sum())
    return max(n_clipped, sum(map(_count_cut, channels.T))) / channels.size


def _count_cut(channel: NDArray) -> int:
    """Samples in runs of equal ones near the peak that a steep slope runs into."""
    peak = float(np.abs(channel).max(initial=0.0))
    if peak < 0.05:
        return 0
    steps = np.diff(channel)
    flat = np.concatenate([[False], (steps == 0) & (np.abs(channel[1:]) > FLAT_LEVEL * peak), [False]])
    starts, stops = np.flatnonzero(np.diff(flat.astype(np.int8))).reshape(-1, 2).T  # of equal steps
    entered = np.abs(steps[np.maximum(starts - 1, 0)]) > FLAT_STEP * peak
    counts = (stops - starts + 1 >= CLIP_RUN) & entered & (starts > 0)
    return int((stops - starts + 1)[counts].sum())


def frame_levels_db(audio: NDArray, sample_rate: int, hop_size: int) -> NDArray:
    """Mean square in 30 ms around each frame's instant, in dB full scale, [F]."""
    window = max(1, round(LEVEL_WINDOW_S * sample_rate))
    around, size, levels = -(-window // hop_size), round(LEVEL_BLOCK_S * sample_rate / hop_size), []
    for first in range(0, -(-len(audio) // hop_size), size):  # frames at a time: an hour of squares would fill the memory
        begin = max(0, first - around)
        part = audio[begin * hop_size : (first + size + around) * hop_size].astype(np.float64)
        power = np.maximum(uniform_filter1d(part**2, window, mode="constant"), 0)[::hop_size]
        levels.append(power_to_db(power[first - begin : first - begin + size]))
    return np.concatenate([np.zeros(0), *levels])


def quietest_pause(levels_db: NDArray, frame_rate_hz: float) -> slice:
    """The 0.1 s that stay under the lowest level, digital silence apart: a pause, if there is one.

    Args:
        levels_db: [F].
    """
    width = min(len(levels_db), max(1, round(PAUSE_S * frame_rate_hz)))
    windows = np.lib.stride_tricks.sliding_window_view(levels_db, width)
    alive = windows.min(axis=1) > DB_FLOOR + 1
    highest = np.where(alive, windows.max(axis=1), np.inf)
    start = int(highest.argmin())
    return slice(start, start + width)


def second_pitch_share(audio: NDArray, sample_rate: int, f0_hz: NDArray, sure: NDArray, hop_size: int) -> float:
    """Share of the surely pitched frames in which partials stand out that are no harmonics of f0.

    A second voice, a chord, or an f0 in the wrong octave does that; breath and bow noise do not, because their
    energy has no peaks. An octave or a fifth cannot be seen: both voices are harmonics of one low pitch.

    Args:
        audio: [T].
        f0_hz, sure: [F], pitch and whether it is trusted.
    """
    audio_16k = resample(audio, sample_rate, RATE_HZ)
    padded = np.pad(audio_16k, (WINDOW // 2, WINDOW))
    instants = np.arange(0, len(audio_16k), HOP)
    frames_at = np.minimum(np.round(instants / RATE_HZ * sample_rate / hop_size).astype(int), len(f0_hz) - 1)
    instants, frames_at = instants[sure[frames_at]], frames_at[sure[frames_at]]
    if not len(instants):
        return 0.0
    bins_hz = np.fft.rfftfreq(WINDOW, 1 / RATE_HZ)
    window = np.hanning(WINDOW)
    band = (bins_hz > 60) & (bins_hz < 4000)
    n_second = 0
    for start, f0 in zip(instants, f0_hz[frames_at].astype(np.float64)):
        power = np.abs(np.fft.rfft(padded[start : start + WINDOW] * window)) ** 2
        power_db = 10 * np.log10(power + 1e-12)
        is_peak = band & (power == maximum_filter1d(power, 5))
        # 10 dB above its surroundings makes a partial of a bump of noise
        is_peak &= power_db > uniform_filter1d(power_db, 31) + 10
        harmonic = np.maximum(np.round(bins_hz / f0), 1)
        # two bins of main lobe, and a quarter tone for vibrato and inharmonic strings
        explained = np.abs(bins_hz - harmonic * f0) < 16 + 0.03 * bins_hz
        if not (is_peak & explained).any():
            n_second += 1
            continue
        loudest = power_db[is_peak & explained].max()
        n_second += int((power_db[is_peak & ~explained] > loudest + SECOND_DB).sum() >= N_SECOND)
    return n_second / len(instants)
