"""What `plucked.py` measures in a note, recorded or played, by ways that took no part in the fit."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares
from scipy.signal import stft

RATE = 48_000
N_FFT, HOP = 8192, 960
DEEPEST_DB, FLOOR_DB, LEAST_FALL_DB, FAINT_DB = 40.0, 8.0, 10.0, 45.0
SETTLED_S = 0.12
NEAR = 0.3  # of f0: where a partial's peak is looked for


def spectrogram_db(audio: NDArray) -> tuple[NDArray, NDArray]:
    """Frequencies in Hz, and levels [bins, frames] in dB, a frame every 20 ms from the first sample on."""
    hz, _, frames = stft(audio, RATE, nperseg=N_FFT, noverlap=N_FFT - HOP)
    return hz, 20 * np.log10(np.abs(frames) + 1e-7)


def peaks_hz(audio: NDArray, onset_s: float, f0_hz: float, n: int) -> NDArray:
    """The first n partials, each the loudest peak near where those before it let it be expected; NaN where none stands out.

    Of a stiff string partial 9 may lie where a flexible one has its tenth, so (f_k / k)^2 is followed as a line over k^2.
    """
    start = round((onset_s + 0.03) * RATE)
    piece = audio[start : start + round(np.clip(40 / f0_hz, 0.3, 0.8) * RATE)]
    size = 1 << (len(piece).bit_length() + 2)
    levels = 20 * np.log10(np.abs(np.fft.rfft(piece * np.hanning(len(piece)), size)) + 1e-9)
    bin_hz, found = RATE / size, np.full(n, np.nan)
    for k in range(1, n + 1):
        known = np.flatnonzero(~np.isnan(found)) + 1
        middle, reach = k * (found[known[-1] - 1] / known[-1] if len(known) else f0_hz), NEAR * f0_hz
        if len(known) >= 3:
            line = np.polyfit(known**2, (found[known - 1] / known) ** 2, 1, w=known)
            middle = k * np.sqrt(max(np.polyval(line, k * k), (0.9 * f0_hz) ** 2))
        low, high = int((middle - reach) / bin_hz), int((middle + reach) / bin_hz)
        if high >= len(levels) - 1:
            break
        top = low + int(levels[low:high].argmax())
        if levels[top] > np.median(levels[low:high]) + 20 and levels[top] > levels.max() - 60:
            left, at, right = levels[top - 1 : top + 2]
            found[k - 1] = (top + 0.5 * (left - right) / (left - 2 * at + right)) * bin_hz
    return found


def decay_times_s(audio: NDArray, onset_s: float, partials_hz: NDArray) -> NDArray:
    """Seconds in which each partial falls by 60 dB, by a straight line; NaN where it cannot be followed."""
    hz, levels = spectrogram_db(audio)
    first = round((onset_s + SETTLED_S) * RATE / HOP)
    found, loudest = [], -np.inf
    for at_hz in partials_hz:
        if np.isnan(at_hz):
            found.append((np.nan, -np.inf))
            continue
        nearest = int(np.abs(hz - at_hz).argmin())
        curve = levels[max(nearest - 1, 0) : nearest + 2].max(axis=0)[first:]
        peak, floor = float(curve[:5].max()), float(np.quantile(curve, 0.02))
        low = np.flatnonzero(curve < max(peak - DEEPEST_DB, floor + FLOOR_DB))
        stop = int(low[0]) if len(low) else len(curve)
        loudest = max(loudest, peak)
        if stop < 6:
            found.append((np.nan, peak))
            continue
        slope = float(np.polyfit(np.arange(stop) * HOP / RATE, curve[:stop], 1)[0])
        falls = -slope * stop * HOP / RATE >= LEAST_FALL_DB
        found.append((-60 / slope if falls else np.nan, peak))
    return np.array([time if level > loudest - FAINT_DB else np.nan for time, level in found])


def within(cents: NDArray) -> float:
    """Share of the partials that were heard, that are within 5 cents."""
    return float((cents[~np.isnan(cents)] <= 5).mean())


def law_error(real_s: NDArray) -> NDArray:
    """How far the decay times of one note are from the best straight law of their own."""
    known = ~np.isnan(real_s)
    number, logs = np.log(np.arange(1, len(real_s) + 1)), np.log(real_s)
    return np.abs(np.expm1(np.polyval(np.polyfit(number[known], logs[known], 1), number) - logs))


def stretch_error(heard_hz: NDArray) -> NDArray:
    """Cents that the partials of one note are off the best k f0 sqrt(1 + B k^2) of their own."""
    k = np.arange(1, len(heard_hz) + 1)

    def off(told: NDArray) -> NDArray:
        return 1200 * np.log2(k * told[0] * np.sqrt(1 + np.exp(told[1]) * k**2) / heard_hz)

    fit = min((least_squares(lambda told: off(told)[~np.isnan(heard_hz)], (heard_hz[0], np.log(start)), x_scale=(0.1, 1.0),
                             loss="soft_l1", f_scale=2.0) for start in (1e-5, 1e-4, 1e-3)), key=lambda found: found.cost)
    return off(fit.x)
