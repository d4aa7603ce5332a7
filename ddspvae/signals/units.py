"""Conversions between the units of the field. No such formula is written anywhere else.

Every function takes a float, a numpy array or a torch tensor and returns the same kind.
"""

from __future__ import annotations

import math
from typing import Any, TypeVar

import numpy as np

Number = TypeVar("Number")

A4_HZ = 440.0
A4_PITCH = 69
CENTS_PER_SEMITONE = 100.0
DB_FLOOR = -120.0  # what silence is called; far below 16-bit rounding noise (-98 dB)


def _log2(x: Any) -> Any:
    return x.log2() if hasattr(x, "log2") else np.log2(x)


def _log10(x: Any) -> Any:
    return x.log10() if hasattr(x, "log10") else np.log10(x)


def _at_least(x: Any, low: float) -> Any:
    return x.clamp(min=low) if hasattr(x, "clamp") else np.maximum(x, low)


def hz_to_pitch(frequency_hz: Number) -> Number:
    """Frequency in Hz to a (fractional) MIDI note number.

    >>> float(hz_to_pitch(440.0))
    69.0
    """
    return A4_PITCH + 12 * _log2(frequency_hz / A4_HZ)  # type: ignore[operator]


def pitch_to_hz(pitch: Number) -> Number:
    """MIDI note number, fractional allowed, to Hz.

    >>> float(pitch_to_hz(57))
    220.0
    """
    return A4_HZ * 2.0 ** ((pitch - A4_PITCH) / 12)  # type: ignore[operator,return-value]


def semitones_to_ratio(semitones: Number) -> Number:
    """Interval in semitones to a frequency ratio.

    >>> float(semitones_to_ratio(12))
    2.0
    """
    return 2.0 ** (semitones / 12)  # type: ignore[operator,return-value]


def hz_to_cents(frequency_hz: Number, reference_hz: Number) -> Number:
    """Signed distance from reference to frequency, in cents.

    >>> float(hz_to_cents(880.0, 440.0))
    1200.0
    """
    return 1200 * _log2(frequency_hz / reference_hz)  # type: ignore[operator,return-value]


def power_to_db(power: Number, floor_db: float = DB_FLOOR) -> Number:
    """Power (mean square) to dB, never below floor_db.

    >>> float(power_to_db(0.01))
    -20.0
    """
    return 10 * _log10(_at_least(power, 10 ** (floor_db / 10)))  # type: ignore[operator,return-value]


def db_to_power(level_db: Number) -> Number:
    """dB to power (mean square).

    >>> float(db_to_power(-20.0))
    0.01
    """
    return 10.0 ** (level_db / 10)  # type: ignore[operator,return-value]


def amplitude_to_db(amplitude: Number, floor_db: float = DB_FLOOR) -> Number:
    """Linear amplitude to dB, never below floor_db.

    >>> float(amplitude_to_db(0.1))
    -20.0
    """
    return 20 * _log10(_at_least(amplitude, 10 ** (floor_db / 20)))  # type: ignore[operator,return-value]


def db_to_amplitude(level_db: Number) -> Number:
    """dB to linear amplitude.

    >>> float(db_to_amplitude(-20.0))
    0.1
    """
    return 10.0 ** (level_db / 20)  # type: ignore[operator,return-value]


def samples_to_frames(n_samples: int, hop_size: int) -> int:
    """Number of frames that cover n_samples: frame n describes the instant n * hop_size.

    >>> samples_to_frames(481, 240)
    3
    """
    return -(-n_samples // hop_size)


def nats_to_bits(nats: Number) -> Number:
    """Information in nats to bits.

    >>> round(nats_to_bits(math.log(2)), 6)
    1.0
    """
    return nats / math.log(2)  # type: ignore[operator,return-value]
