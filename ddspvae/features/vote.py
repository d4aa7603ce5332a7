"""Which octave? A vote of the chosen tracker, autocorrelation and a spectral comb, held over stretches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ddspvae.features.autocorrelation import RANGE_HZ, Track, autocorrelation, autocorrelations
from ddspvae.features.comb import Comb, comb
from ddspvae.features.paths import best_choice
from ddspvae.features.ranges import MARGIN_BELOW_SEMITONES
from ddspvae.signals.curves import LEAP_OCTAVES, read_pitch_at
from ddspvae.signals.units import semitones_to_ratio

RATIOS = (1.0, 1 / 2, 2.0, 1 / 3, 3.0)
AGREE_CENTS = 60.0
WEIGHT_TRACKER, WEIGHT_AUTOCORRELATION, WEIGHT_COMB = 1.0, 0.8, 0.6  # two together outvote the third
HOLD_S = 0.06  # a change of mind costs as much as this long a full disagreement
PRIOR_CENTS = 150.0  # what autocorrelation and comb search around a prior
OVERRULED = 1000.0
UNHEARD = 0.4  # half a voter against the margin below what was heard: it is rather an octave of what is played
COMB_HEARS = 0.2


class Others(NamedTuple):
    """What the two voters hear that are not the tracker."""

    autocorrelation: Track
    comb: Track


def ask_others(audio_16k: NDArray, prior_hz: float | None, ranges_hz: Sequence[tuple[float, float] | None]) -> list[Others]:
    """What they hear in some ranges, arguments as of `settle_octave`: for little more than in one."""
    if prior_hz is not None:
        return [Others(autocorrelation(audio_16k, prior_hz, one or RANGE_HZ), comb(audio_16k, prior_hz, one or RANGE_HZ))
                for one in ranges_hz]
    searched_hz = [one or RANGE_HZ for one in ranges_hz]
    heard = Comb()
    correlated = autocorrelations(audio_16k, searched_hz, also=heard.hear)
    return [Others(*both) for both in zip(correlated, heard.tracks(searched_hz))]


def settle_octave(
    audio_16k: NDArray,
    times_s: NDArray,
    f0_hz: NDArray,
    periodicity: NDArray,
    tracker_range_hz: tuple[float, float],
    *,
    prior_hz: float | None = None,
    range_hz: tuple[float, float] | None = None,
    others: Others | None = None,
) -> tuple[NDArray, NDArray]:
    """Correct the octave of a pitch curve, and replace it where the tracker is unsure or out of its range.

    Args:
        audio_16k: [T] at 16 kHz.
        times_s: [F], the frames' instants.
        f0_hz, periodicity: [F], what the chosen tracker says.
        tracker_range_hz: the lowest and highest pitch that the tracker knows.
        prior_hz: the pitch of a single note, where it is known.
        range_hz: the lowest and highest pitch that can have been played, where they are known, as `ranges` finds it: its
            lowest tone is a margin. Nothing beyond is chosen but where nothing within is on offer, and there periodicity
            is 0; so it is where another octave of the tracker's is taken that neither of the others hears.
        others: what the other two voters hear, where `ask_others` was asked already.
    Returns:
        f0_hz, periodicity: [F]. The curve is the tracker's, or it times 1/3, 1/2, 2 or 3, or autocorrelation's.
    """
    track, combed = others or ask_others(audio_16k, prior_hz, [range_hz])[0]
    other_hz = read_pitch_at(times_s, track.times_s, track.f0_hz)
    other_sure = np.interp(times_s, track.times_s, track.periodicity)
    if prior_hz is not None:  # one choice at least lies within the prior
        edge = 2.0 ** ((PRIOR_CENTS - 1) / 1200)
        other_hz = np.clip(other_hz, prior_hz / edge, prior_hz * edge)
    comb_hz = read_pitch_at(times_s, combed.times_s, combed.f0_hz)
    comb_sure = np.interp(times_s, combed.times_s, combed.periodicity)

    choices_hz = np.stack([f0_hz * ratio for ratio in RATIOS] + [other_hz], axis=1)
    tracker_sure = periodicity * _inside(f0_hz, tracker_range_hz)
    reward = WEIGHT_AUTOCORRELATION * other_sure[:, None] * _agree(choices_hz, other_hz)
    reward += WEIGHT_COMB * comb_sure[:, None] * _agree(choices_hz, comb_hz)
    reward += WEIGHT_TRACKER * tracker_sure[:, None] * _agree(choices_hz, f0_hz)
    reward[:, 0] += 0.05  # where all agree, the tracker's own curve
    if prior_hz is not None:
        reward[~_agree(choices_hz, np.full(len(f0_hz), prior_hz), PRIOR_CENTS)] -= OVERRULED
    possible = np.ones(choices_hz.shape, dtype=bool)
    if range_hz is not None:
        possible = (choices_hz >= range_hz[0]) & (choices_hz <= range_hz[1])
        reward[~possible] -= OVERRULED
        reward[choices_hz < range_hz[0] * semitones_to_ratio(MARGIN_BELOW_SEMITONES)] -= UNHEARD
    frames_per_s = 1 / (times_s[1] - times_s[0]) if len(times_s) > 1 else 1.0
    # a leap in pitch costs, not a change of candidate: a tracker that flickers between octaves is followed
    # from its own curve to half of it and back, and the pitch stays where it was
    log2_hz = np.log2(choices_hz)
    leaps = np.abs(log2_hz[1:, None, :] - log2_hz[:-1, :, None]) > LEAP_OCTAVES
    choice = best_choice(reward, HOLD_S * frames_per_s * leaps)
    rows = np.arange(len(choice))
    chosen_hz = choices_hz[rows, choice]
    seconded = _agree(chosen_hz[:, None], other_hz)[:, 0]
    # rumble and hum repeat too, but have no harmonics
    thirded = (comb_sure > COMB_HEARS) & _agree(chosen_hz[:, None], comb_hz)[:, 0]
    other_sure = np.where(seconded, np.where(thirded, other_sure, 0.45 * other_sure), 0.0)
    sure = np.where(choice < len(RATIOS), periodicity, 0.0)
    if range_hz is not None:
        sure = np.where((choice == 0) | seconded | thirded, sure, 0.0)
    return chosen_hz, np.where(possible[rows, choice], np.maximum(sure, other_sure), 0.0)


def _agree(choices_hz: NDArray, f0_hz: NDArray, within_cents: float = AGREE_CENTS) -> NDArray:
    return np.abs(np.log2(choices_hz / f0_hz[:, None])) * 1200 < within_cents


def _inside(f0_hz: NDArray, range_hz: tuple[float, float]) -> NDArray:
    """1 within the range, 0 in its outer semitone, where a tracker piles up what lies beyond."""
    semitone = 2.0 ** (1 / 12)
    return (f0_hz > range_hz[0] * semitone) & (f0_hz < range_hz[1] / semitone)
