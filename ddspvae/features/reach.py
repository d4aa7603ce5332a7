"""How loud an instrument may be asked to play far below its range, where no ear hears what that takes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ddspvae.features.statistics import Statistics
from ddspvae.features.weighting import a_weighting
from ddspvae.signals.units import DB_FLOOR, hz_to_pitch, pitch_to_hz, power_to_db

MARGIN_DB = 6.0  # above the loudest that was heard, for those who make a take louder
BELOW_SEMITONES = 12.0  # an octave below its lowest note an instrument is still played
FADING_DB = 5.0  # a semitone below that


def loudest_db(f0_hz: NDArray, statistics: Statistics) -> NDArray[np.float64]:
    """The highest loudness that may be asked for at a pitch, A-weighted dB; infinity within the range.

    Below the range the fundamental may have the power that it has at the lowest note, and no more: A-weighting asks for
    1000 times as much power two octaves below 100 Hz. An octave below the range the instrument begins to fade.

    Args:
        f0_hz: of any shape, Hz.
        statistics: of the instrument.
    """
    f0_hz = np.asarray(f0_hz, dtype=np.float64)
    most = np.full(f0_hz.shape, np.inf)
    lowest_hz = float(pitch_to_hz(statistics.pitch_low))
    below = f0_hz < lowest_hz * 0.97  # a half semitone is intonation
    if not below.any():
        return most
    weight_db = power_to_db(a_weighting(np.append(f0_hz[below], lowest_hz)))
    beyond = statistics.pitch_low - BELOW_SEMITONES - hz_to_pitch(f0_hz[below])
    most[below] = (statistics.loudness_quantiles_db[-1] + MARGIN_DB + weight_db[:-1] - weight_db[-1]
                   - FADING_DB * beyond.clip(0))
    return most.clip(DB_FLOOR)


def within_reach(f0_hz: NDArray, loudness_db: NDArray, statistics: Statistics) -> NDArray:
    """The loudness, where it asks for more than `loudest_db` that; itself where nothing does."""
    most = loudest_db(f0_hz, statistics)
    return np.minimum(loudness_db, most).astype(loudness_db.dtype) if (loudness_db > most).any() else loudness_db
