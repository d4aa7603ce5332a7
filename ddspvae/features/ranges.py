"""Between which pitches an instrument plays."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ddspvae.features.segments import SILENCE_BELOW_LOUDEST_DB, VOICED
from ddspvae.signals import Features
from ddspvae.signals.units import hz_to_pitch, pitch_to_hz

SUPPORT_S = 0.25
EXTREMES = (0.001, 0.999)  # quantiles of pitch: single frames beyond are slips
# Downwards a take may go a tone beyond what was heard in training. Farther, and most slips lie within: a tracker that is
# unsure of two strings takes their common fundamental, which for a fifth is an octave below the lower one. Upwards players
# climb, and trackers hardly ever slip (never in five minutes of violin): an octave keeps out only what is absurd.
MARGIN_BELOW_SEMITONES, MARGIN_ABOVE_SEMITONES = 2.0, 12.0


def pitch_range_hz(pitch_low: float, pitch_high: float) -> tuple[float, float]:
    """The lowest and highest pitch to expect of an instrument that was heard between two MIDI numbers, in Hz."""
    return float(pitch_to_hz(pitch_low - MARGIN_BELOW_SEMITONES)), float(pitch_to_hz(pitch_high + MARGIN_ABOVE_SEMITONES))


def find_range_hz(features: Sequence[Features]) -> tuple[float, float] | None:
    """The lowest and highest pitch to expect, a margin beyond what is sure, loud and well supported in some takes.

    Returns:
        Hz, as `Statistics.range_hz`; None where no take has a sure pitch.
    """
    pitch = []
    for take in features:
        sounding = take.loudness_db > take.loudness_db.max() - SILENCE_BELOW_LOUDEST_DB
        sure = sounding & (take.periodicity >= VOICED)
        pitch.append(supported_pitch(hz_to_pitch(take.f0_hz[sure].astype(np.float64)), take.frame_rate_hz))
    if not sum(map(len, pitch)):
        return None
    return pitch_range_hz(*np.quantile(np.concatenate(pitch), EXTREMES))


def supported_pitch(pitch: NDArray, rate_hz: float) -> NDArray:
    """Frames whose semitone and its neighbours sound for 0.25 s or more in the take: not a tracker's lone slip."""
    semitone = np.round(pitch).astype(int)
    if len(pitch) == 0:
        return pitch
    count = np.bincount(semitone - semitone.min() + 1, minlength=int(np.ptp(semitone)) + 3)
    around = np.convolve(count, np.ones(3, dtype=int), mode="same")[semitone - semitone.min() + 1]
    return pitch[around >= min(SUPPORT_S * rate_hz, around.max())]
