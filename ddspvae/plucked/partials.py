"""One ringing note of a recording: how each of its partials begins and falls."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ddspvae.plucked.stiffness import fit_stiffness
from ddspvae.signals.units import amplitude_to_db

MOST_PARTIALS = 100
HIGHEST_HZ = 10_000.0
HOP_S = 0.005
PERIODS, SHORTEST_S = 2.5, 0.030  # of the window that keeps a partial from its neighbours
EARLY_S = 0.12  # with which what falls first falls
FLOOR_DB, DEEPEST_DB = 8.0, 40.0  # above the noise, and below its peak, a partial is followed
LEAST_S, LEAST_FALL_DB = 0.15, 6.0  # that tell a decay


@dataclass(frozen=True, eq=False)
class Ringing:
    """A note, measured.

    Args:
        f0_hz, stiffness: of its partials.
        n_found: partials that told the stiffness.
        onset_s: in the recording.
        level_db: [K], of each partial at the onset, dB full scale of its amplitude, without what falls early.
        early_db: [K], >= 0: how much louder it begins, falling by e in EARLY_S.
        fall_db_per_s: [K]; NaN where it could not be measured.
        string_hz: pitch of the open string, where it is known; else 0.
        curves_db: [K, F], level every HOP_S from the onset on.
    """

    f0_hz: float
    stiffness: float
    n_found: int
    onset_s: float
    level_db: NDArray
    early_db: NDArray
    fall_db_per_s: NDArray
    string_hz: float
    curves_db: NDArray

    @property
    def ratios(self) -> NDArray:
        """Of the partials' frequencies to f0, [K]."""
        k = np.arange(1, len(self.level_db) + 1)
        return np.asarray(k * np.sqrt(1 + self.stiffness * k**2))


def find_onset_s(audio: NDArray, sample_rate: int, first_s: float, last_s: float) -> float:
    """When a note between two instants begins: where its power, in 5 ms, first passes a tenth of the most within 0.3 s."""
    begin, end = max(round(first_s * sample_rate), 0), round(last_s * sample_rate)
    every = max(round(0.001 * sample_rate), 1)
    piece = np.asarray(audio[begin:end], np.float64) ** 2
    if len(piece) < 6 * every:
        return first_s
    power = piece[: len(piece) // every * every].reshape(-1, every).mean(axis=1)
    power = np.convolve(power, np.ones(5) / 5, "full")[: len(power)]
    early = power[: max(300, int(0.3 * len(power)))]
    return first_s + max(int(np.argmax(early >= 0.1 * early.max())) - 4, 0) * every / sample_rate


def follow_partials(audio: NDArray, sample_rate: int, frequencies_hz: NDArray, f0_hz: float) -> NDArray:
    """Levels of sinusoids in a piece of sound, [K, F] dB of amplitude, every HOP_S: turned to 0 Hz, in a Hann window.

    Both happen in one spectrum of the whole, of which each partial takes the few bins that its window lets through.
    """
    window_s = max(PERIODS / f0_hz, SHORTEST_S)
    n_frames = -(-len(audio) // round(HOP_S * sample_rate))
    n_samples = n_frames * round(HOP_S * sample_rate)
    spectrum = np.fft.fft(audio, n_samples)
    seconds = n_samples / sample_rate
    reach = min(int(4 / window_s * seconds), n_frames)  # to where less than a thousandth is let through
    offset = np.arange(-reach, reach + 1)
    rows = []
    for hz in frequencies_hz:
        middle = round(hz * seconds)
        x = window_s * ((middle + offset) / seconds - hz)
        with np.errstate(divide="ignore", invalid="ignore"):
            passes = np.where(np.abs(np.abs(x) - 1) < 1e-6, 0.5, np.sinc(x) / (1 - x**2))  # of a Hann window
        turned = np.zeros(4 * n_frames, complex)
        turned[offset] = spectrum[(middle + offset) % n_samples] * passes
        rows.append(np.abs(np.fft.ifft(turned))[::4] * (4 * n_frames / n_samples) * 2)
    return np.asarray(amplitude_to_db(np.array(rows)))


def measure_ringing(audio: NDArray, sample_rate: int, f0_hz: float, span_s: tuple[float, float],
                    within: tuple[float, float] | None = None, string_hz: float = 0.0) -> Ringing | None:
    """Measure a note.

    Args:
        audio: [T], a take.
        sample_rate: Hz.
        f0_hz: about what pitch.
        span_s: when it begins and ends, about.
        within: the least and the largest stiffness; None is any.
        string_hz: of the open string, 0 where that is not known.
    Returns:
        None where too little is heard of it.
    """
    onset_s = find_onset_s(audio, sample_rate, span_s[0] - 0.05, span_s[1])
    end_s = span_s[1]
    if end_s - onset_s < LEAST_S:
        return None
    piece = audio[: round(end_s * sample_rate)]
    tuned, stiffness, numbers, _ = fit_stiffness(piece, sample_rate, f0_hz, onset_s, *([] if within is None else [within]))
    if len(numbers) < 2:
        return None
    k = np.arange(1, MOST_PARTIALS + 1)
    hz = k * tuned * np.sqrt(1 + stiffness * k**2)
    hz = hz[hz < min(HIGHEST_HZ, 0.45 * sample_rate)]
    start = max(onset_s - 0.1, 0.0)
    curves = follow_partials(np.asarray(piece[round(start * sample_rate):], np.float64), sample_rate, hz, tuned)
    curves = curves[:, round((onset_s - start) / HOP_S):]
    level, early, fall = (np.array(column) for column in zip(*(fit_decay(row, tuned) for row in curves)))
    return Ringing(tuned, stiffness, len(numbers), onset_s, level, early, fall, string_hz, curves)


def fit_decay(curve_db: NDArray, f0_hz: float) -> tuple[float, float, float]:
    """A partial's level at the onset, what falls early, and how fast the rest falls: least squares in dB.

    Args:
        curve_db: [F], every HOP_S from the onset on.
        f0_hz: of the note, which says how long the window of the measurement was.
    Returns:
        level_db, early_db, fall_db_per_s; the last is NaN where the partial cannot be followed.
    """
    skip = round(max(PERIODS / f0_hz, SHORTEST_S) / 2 / HOP_S) + 1  # until the window has left the onset
    curve = curve_db[skip:]
    if len(curve) < LEAST_S / HOP_S:
        return float(curve_db.max(initial=-120.0)), 0.0, float("nan")
    floor = float(np.quantile(curve, 0.02)) if len(curve) > 2 / HOP_S else -120.0
    peak = float(curve[: round(0.1 / HOP_S)].max())
    low = np.flatnonzero(curve < max(peak - DEEPEST_DB, floor + FLOOR_DB))
    stop = int(low[0]) if len(low) else len(curve)
    if stop < LEAST_S / HOP_S or peak - curve[max(stop - 20, 0) : stop].mean() < LEAST_FALL_DB:
        return peak, 0.0, float("nan")
    time_s = (np.arange(stop) + skip) * HOP_S
    lines = np.stack([np.ones(stop), -time_s], axis=1)
    level, fall = np.linalg.lstsq(lines, curve[:stop], rcond=None)[0]
    rest = curve[:stop] - lines @ (level, fall)
    bell = np.exp(-time_s / EARLY_S)
    early = float(np.clip(rest @ bell / (bell @ bell), 0, 24))
    return float(level), early, float(fall) if fall > 0 else float("nan")
