"""How stiff a string is: the pitch of a note and how far its partials are stretched, from one spectrum."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MOST_PARTIALS = 24
HIGHEST_HZ = 7000.0
STIFFEST = 8e-3
SPARSE = 16  # bins, of which the surroundings look at one
SETTLING_S = 0.03  # after the onset, which is no sinusoid
WINDOW_PERIODS, WINDOW_S = 40.0, (0.3, 0.8)
STANDS_OUT = 1.2  # nepers above its surroundings
NEAR = 0.006  # of a frequency: where its peak is looked for
BESIDE, SLACK = 0.45, 0.02  # of f0: what lies so near belongs to a partial's number
SOFTER = 2.0  # nepers below the loudest there: no peak of the series
TUNING_CENTS = np.arange(-24.0, 25.0, 2.0)


def fit_stiffness(audio: NDArray, sample_rate: int, f0_hz: float, onset_s: float,
                  within: tuple[float, float] = (0.0, STIFFEST)) -> tuple[float, float, NDArray, NDArray]:
    """Fit f_k = k f0 sqrt(1 + B k^2) to the partials of a note.

    Args:
        audio: [T], with one note.
        sample_rate: Hz.
        f0_hz: about what pitch, within 24 cents.
        onset_s: when the note begins.
        within: the least and the largest B.
    Returns:
        f0_hz; B; numbers [N] of the partials that were found, and their frequencies in Hz [N].
    Source: Rauhala et al., "Fast automatic inharmonicity estimation algorithm", JASA 2007, for partials in turn.
    """
    from scipy.ndimage import median_filter

    start = round((onset_s + SETTLING_S) * sample_rate)
    length = round(float(np.clip(WINDOW_PERIODS / f0_hz, *WINDOW_S)) * sample_rate)
    piece = np.asarray(audio[start : start + length], np.float64)
    if len(piece) < 8 * sample_rate / f0_hz:
        return f0_hz, within[0], np.zeros(0, int), np.zeros(0)
    n_fft = 1 << (len(piece).bit_length() + 2)
    logs = np.log(np.abs(np.fft.rfft(piece * np.hanning(len(piece)), n_fft)) + 1e-9)
    bin_hz = sample_rate / n_fft
    coarse = median_filter(logs[::SPARSE], max(round(f0_hz / bin_hz / SPARSE), 1) | 1)
    above = (logs - np.repeat(coarse, SPARSE)[: len(logs)]).clip(STANDS_OUT, 4 + STANDS_OUT) - STANDS_OUT
    highest = min(HIGHEST_HZ, 0.45 * sample_rate)
    number = np.arange(1, MOST_PARTIALS + 1)
    number = number[number * f0_hz * (1 + SLACK) < highest]
    nearby = [logs[int((k - BESIDE) * f0_hz / bin_hz) : int((k + BESIDE) * f0_hz / bin_hz) + 1].max() for k in number]
    standing = [above[int((k - BESIDE) * f0_hz / bin_hz) : int((k + BESIDE) * f0_hz / bin_hz) + 1].max() > 0 for k in number]
    best, stiffness, tuned = -1.0, within[0], f0_hz
    grid = np.geomspace(max(within[0], 2e-6), max(within[1], 2.1e-6), 200)
    for candidate in [within[0], *grid]:
        at_hz = f0_hz * 2 ** (TUNING_CENTS[:, None] / 1200) * number * np.sqrt(1 + candidate * number**2)
        bins = np.minimum(at_hz / bin_hz + 0.5, len(logs) - 1).astype(int)
        # of several series, the louder one is the string's: what the pick-up adds lies at whole multiples
        score = ((1 - (np.array(nearby) - logs[bins]) / SOFTER).clip(0) * (np.array(standing) & (at_hz < highest))).sum(1)
        if score.max() > best:
            best, stiffness = float(score.max()), float(candidate)
            tuned = float(f0_hz * 2 ** (TUNING_CENTS[score.argmax()] / 1200))
    found = np.zeros(0, int), np.zeros(0)
    for _ in range(6):
        found = _peaks(logs, above, bin_hz, len(piece) / sample_rate, tuned, stiffness, highest)
        if len(found[0]) < 3:
            break
        tuned, stiffness = _line(*found, tuned, within)
    return tuned, stiffness, *found


def _peaks(logs: NDArray, above: NDArray, bin_hz: float, seconds: float, f0_hz: float, stiffness: float, highest: float
           ) -> tuple[NDArray, NDArray]:
    """The peaks nearest to where partials should be: numbers and Hz."""
    numbers, found = [], []
    for k in range(1, MOST_PARTIALS + 1):
        expected = k * f0_hz * np.sqrt(1 + stiffness * k * k)
        if expected > highest:
            break
        reach = min(max(expected * NEAR, 1.2 / seconds), 0.25 * f0_hz)
        low = int((expected - reach) / bin_hz)
        top = low + int(logs[low : int((expected + reach) / bin_hz) + 2].argmax())
        if not low < top < len(logs) - 1 or above[top] <= 0:
            continue
        left, middle, right = logs[top - 1 : top + 2]
        bend = left - 2 * middle + right
        if bend < 0:
            numbers.append(k)
            found.append((top + 0.5 * (left - right) / bend) * bin_hz)
    return np.array(numbers, int), np.array(found)


def _line(numbers: NDArray, found_hz: NDArray, f0_hz: float, within: tuple[float, float]) -> tuple[float, float]:
    """(f_k / k)^2 = f0^2 (1 + B k^2) is a line over k^2; outliers weigh little."""
    k = numbers.astype(float)
    y = (found_hz / k / f0_hz) ** 2 - 1
    lines, weight = np.stack([np.ones(len(k)), k**2], axis=1), k.copy()
    offset = slope = 0.0
    for _ in range(8):
        offset, slope = np.linalg.lstsq(lines * weight[:, None], y * weight, rcond=None)[0]
        stiffness = float(np.clip(slope / (1 + offset), *within))
        offset = float(np.average((1 + y) / (1 + stiffness * k**2), weights=weight) - 1)
        miss = np.abs((1 + offset) * (1 + stiffness * k**2) - 1 - y)
        weight = k / (1 + np.square(miss / max(1.5 * float(np.median(miss)), 1e-4)))
    return f0_hz * float(np.sqrt(1 + offset)), stiffness
