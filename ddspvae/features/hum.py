"""The hum of the mains between notes: a steady floor, and no playing."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ddspvae.features.segments import VOICED
from ddspvae.signals.units import CENTS_PER_SEMITONE, hz_to_pitch, power_to_db

MAINS_HZ = (50.0, 60.0)
MULTIPLES = (1, 2, 3, 4)  # of the mains, that a tracker hears as its pitch
NEAR_CENTS = 34.0  # trackers are so far off down there; G2, the nearest note, lies 35 below twice 50 Hz
BELOW_DB = 20.0  # the playing, from which on a steady tone of the mains is taken for hum
STEADY_DB = 3.0  # deviation of its level; a soft note of that pitch swells and fades
LEAST_S, MOST_S = 0.3, 60.0  # of pauses, that are listened to for hum
LEAST_RUN_S = 0.1  # of the hum in one pause
BESIDE_S = 0.1  # as far beside hum a note is measured together with it
STANDS_OUT_DB = 12.0  # of its surroundings in the spectrum of the pauses
QUIETEST_DB = -70.0  # below the playing; softer hum is nobody's trouble


def find_hum(f0_hz: NDArray, periodicity: NDArray, loudness_db: NDArray, frame_rate_hz: float) -> NDArray[np.bool_]:
    """The frames [F] in which a take only hums: a tone of the mains, steady, and far below the playing."""
    multiples = hz_to_pitch(np.array([mains * k for mains in MAINS_HZ for k in MULTIPLES]))
    away = np.abs(hz_to_pitch(f0_hz.astype(np.float64))[:, None] - multiples).min(axis=1) * CENTS_PER_SEMITONE
    playing_db = np.sort(loudness_db)[round(0.95 * (len(loudness_db) - 1))]  # np.quantile loads masked arrays
    of_mains = (periodicity >= VOICED) & (away < NEAR_CENTS)
    hum = of_mains & (loudness_db < playing_db - BELOW_DB)
    if hum.sum() < LEAST_S * frame_rate_hz:
        return np.zeros(len(f0_hz), dtype=bool)
    level_db = float(np.median(loudness_db[hum]))
    near = hum & (np.abs(loudness_db - level_db) < 2 * STEADY_DB)
    if near.sum() < max(LEAST_S * frame_rate_hz, 0.5 * hum.sum()) or loudness_db[near].std() > STEADY_DB:
        return np.zeros(len(f0_hz), dtype=bool)
    floor = hum & (loudness_db < level_db + 2 * STEADY_DB)
    # a soft low note is held once; hum comes back in every pause
    runs = np.diff(np.flatnonzero(np.diff(np.concatenate([[False], floor, [False]]).astype(np.int8))))[::2]
    if (runs >= LEAST_RUN_S * frame_rate_hz).sum() < 2:
        return np.zeros(len(f0_hz), dtype=bool)
    from scipy.ndimage import maximum_filter1d

    # beside it a note that begins or ends is measured together with it
    beside = maximum_filter1d(floor.astype(np.uint8), 2 * round(BESIDE_S * frame_rate_hz) + 1).astype(bool)
    off = np.abs(hz_to_pitch(f0_hz.astype(np.float64)) - hz_to_pitch(float(np.median(f0_hz[floor])))) * CENTS_PER_SEMITONE
    like_it = (periodicity >= VOICED) & (of_mains | (off < 2 * NEAR_CENTS))
    return floor | (like_it & beside & (loudness_db < playing_db - BELOW_DB / 4))


def without_hum(f0_hz: NDArray, periodicity: NDArray, hum: NDArray[np.bool_]) -> tuple[NDArray, NDArray]:
    """The pitch held through hum, and what is unvoiced beside it, from the playing before; no periodicity there."""
    kept = np.flatnonzero(~hum & (periodicity >= VOICED))
    if not len(kept):
        return f0_hz, np.where(hum, 0, periodicity).astype(periodicity.dtype)
    frames = np.arange(len(f0_hz))
    before = kept[np.maximum(np.searchsorted(kept, frames, side="right") - 1, 0)]
    is_kept = np.zeros(len(f0_hz), dtype=bool)
    is_kept[kept] = True
    run = np.cumsum(np.concatenate([[False], is_kept[1:] != is_kept[:-1]]))  # numbers of runs, kept and not
    replaced = ~is_kept & np.isin(run, run[hum])
    return (np.where(replaced, f0_hz[before], f0_hz).astype(f0_hz.dtype),
            np.where(hum, 0, periodicity).astype(periodicity.dtype))


def mains_hum(audio: NDArray, sample_rate: int, quiet: NDArray[np.bool_], hop_size: int, playing_db: float
              ) -> tuple[float, float] | None:
    """Which mains hum in the pauses of a take, and how loud.

    Args:
        audio: [T]; quiet: [F], frames without playing.
        playing_db: mean square of the playing, dB.
    Returns:
        Hz, and dB below the playing; None where none stands out of the noise.
    """
    from scipy import signal

    n = len(audio) // hop_size
    some = np.flatnonzero(quiet[:n])[: round(MOST_S * sample_rate / hop_size)]
    pauses = audio[: n * hop_size].reshape(n, hop_size)[some].reshape(-1)
    if len(pauses) < LEAST_S * sample_rate:
        return None
    size = min(len(pauses), round(0.5 * sample_rate))
    hz, density = signal.welch(pauses, sample_rate, "hann", size, scaling="spectrum")
    best: tuple[float, float] | None = None
    for mains in MAINS_HZ:
        lines = [mains * k for k in range(1, 7)]
        powers = []
        for line in lines:
            near = np.abs(hz - line)
            peak, around = density[near <= 4].max(initial=0), np.median(density[(near > 8) & (near < 22)])
            if peak > around * 10 ** (STANDS_OUT_DB / 10):
                powers.append(float(peak))
        level_db = float(power_to_db(sum(powers))) - playing_db
        if len(powers) >= 2 and level_db > QUIETEST_DB and (best is None or level_db > best[1]):
            best = mains, level_db
    return best
