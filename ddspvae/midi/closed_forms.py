"""Closed forms that the rules share, offline and live: level of a velocity, fading, vibrato."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ddspvae.features.statistics import Statistics

FADED_DB = 40.0  # a release this far down is no longer pitched
VIBRATO_FADE_S = 0.060
QUANTILE_OF_VELOCITY = (0.05, 0.98)  # where velocities 1 and 127 fall among the levels that were heard


def velocity_to_level_db(velocity: NDArray | float, statistics: Statistics) -> NDArray:
    """Levels of the recordings that MIDI velocities stand for: 1 to 127 span the quantiles 0.05 to 0.98."""
    low, high = QUANTILE_OF_VELOCITY
    quantile = low + (velocity - 1) / 126 * (high - low)
    return np.asarray(np.interp(quantile * 100, np.arange(101), statistics.loudness_quantiles_db))


def fade_periodicity(rest_s: NDArray, release_db_per_s: NDArray | float) -> NDArray:
    """Periodicity rest_s seconds after a release began: 1 until then, 0 once it has faded by 40 dB."""
    return (1 - rest_s * release_db_per_s / FADED_DB).clip(0, 1)


def vibrato_cents(extent_cents: NDArray | float, since_onset_s: NDArray, since_delay_s: NDArray, fade: NDArray,
                  statistics: Statistics, at_once_cents: NDArray | float = 0.0, rate_hz: NDArray | float | None = None,
                  phase: NDArray | float = 0.0) -> NDArray:
    """Vibrato that rises after its delay.

    Args:
        extent_cents: +- this far at full height.
        since_onset_s: since the note began, where the vibrato is 0.
        since_delay_s: since the end of its delay, where half the extent is reached.
        fade: 1 while the note lasts, to 0 at its end.
        statistics: of the instrument's recordings, for the rate and the rise.
        at_once_cents: +- this far more, without the delay.
        rate_hz, phase: of the swing, and the cycles that it is ahead; None is the instrument's rate.
    Returns:
        cents, in the shape that the arguments share.
    """
    rise_s = max(statistics.vibrato_delay_s, 1 / max(statistics.vibrato_rate_hz, 1.0)) / 2
    # the delay is measured to half the extent, so the rise is centred on it
    envelope = (0.5 + since_delay_s / (2 * rise_s)).clip(0, 1)
    started = (since_onset_s / VIBRATO_FADE_S).clip(0, 1)
    swing = np.sin(2 * np.pi * ((statistics.vibrato_rate_hz if rate_hz is None else rate_hz) * since_delay_s + phase))
    return (extent_cents * envelope + at_once_cents) * fade * started * swing
