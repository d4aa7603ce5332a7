"""How loud an instrument may be asked to play far outside its range, where no ear hears what that takes."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ddspvae.features.statistics import Statistics
from ddspvae.features.weighting import a_weighting
from ddspvae.signals.units import DB_FLOOR, hz_to_pitch, pitch_to_hz, power_to_db

MARGIN_DB = 6.0  # above the loudest that was heard, for those who make a take louder
BELOW_SEMITONES = 12.0  # an octave below its lowest note an instrument is still played
ABOVE_SEMITONES = 6.0  # and half of one above its highest, from where on most have noise left and no harmonics
FADING_DB = 5.0  # a semitone beyond that
INTONATION = 0.97  # half a semitone outside the range is still within


def loudest_db(f0_hz: NDArray, statistics: Statistics) -> NDArray[np.float64]:
    """The highest loudness that may be asked for at a pitch, A-weighted dB; infinity within the range.

    Outside the range the fundamental may have the power that it has at the nearest note within, and no more: A-weighting
    asks for 1000 times as much power two octaves below 100 Hz. Above, where the ear is keener, the loudness may not grow.
    An octave below the range the instrument begins to fade, and half an octave above it, where noise alone would have to be
    as loud as the note: its peaks are 9 dB above those of a tone.

    Args:
        f0_hz: of any shape, Hz.
        statistics: of the instrument.
    """
    f0_hz = np.asarray(f0_hz, dtype=np.float64)
    most = np.full(f0_hz.shape, np.inf)
    loudest, pitch = statistics.loudness_quantiles_db[-1] + MARGIN_DB, hz_to_pitch(f0_hz)
    low_hz, high_hz = float(pitch_to_hz(statistics.pitch_low)), float(pitch_to_hz(statistics.pitch_high))
    below, above = f0_hz < low_hz * INTONATION, f0_hz > high_hz / INTONATION
    if below.any():
        beyond = statistics.pitch_low - BELOW_SEMITONES - pitch[below]
        most[below] = loudest + _weight_db(f0_hz[below]) - _weight_db(low_hz) - FADING_DB * beyond.clip(0)
    if above.any():
        beyond = pitch[above] - statistics.pitch_high - ABOVE_SEMITONES
        keener_db = _weight_db(f0_hz[above]) - _weight_db(high_hz)
        most[above] = loudest + keener_db.clip(max=0) - FADING_DB * beyond.clip(0)
    return most.clip(DB_FLOOR)


def _weight_db(f0_hz: ArrayLike) -> NDArray[np.float64]:
    weight: NDArray[np.float64] = power_to_db(a_weighting(np.atleast_1d(f0_hz)))
    return weight


def within_reach(f0_hz: NDArray, loudness_db: NDArray, statistics: Statistics) -> NDArray:
    """The loudness, where it asks for more than `loudest_db` that; itself where nothing does."""
    most = loudest_db(f0_hz, statistics)
    return np.minimum(loudness_db, most).astype(loudness_db.dtype) if (loudness_db > most).any() else loudness_db
