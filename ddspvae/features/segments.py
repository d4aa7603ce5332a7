"""Pitch, periodicity and loudness curves to notes, without a score."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ddspvae.signals.units import db_to_amplitude, hz_to_pitch

VOICED = 0.5  # periodicity from which a frame counts as pitched
SILENCE_BELOW_LOUDEST_DB = 55.0
GAP_S = 0.030  # an unpitched stretch this long separates notes
SHORTEST_S = 0.050
HELD_S, HELD_SEMITONES = 0.060, 0.3  # a step counts when this much of it lies this near to its centre
STEP_SEMITONES = 0.6
DIP_DB = 6.0
DIP_SPAN_S = 0.4  # a dip wider than this is phrasing, not a new attack
STATES_PER_SEMITONE = 5
WIDEST_VIBRATO_STEP = 1.15  # semitones between the centres of half cycles at +-60 cents, and a margin
HALF_CYCLE_S = 0.140  # of 4 Hz, and a margin
ROUND = 0.12
RIPPLE_HZ = (3.0, 8.5)  # of loudness that swings with a vibrato
RIPPLE_DB = 12.0  # it swings by no more
RIPPLE_EVEN = 1.5  # its cycles, and its falls and rises, are alike within this ratio
RIPPLE_DUTY = (0.4, 0.64)  # of a cycle, below its middle amplitude: half of a sine, less between notes, which have tops


def segment_notes(
    f0_hz: NDArray, periodicity: NDArray, loudness_db: NDArray, frame_rate_hz: float
) -> list[tuple[int, int, float]]:
    """Find the notes in a monophonic take.

    A new note begins where the pitch moves by 0.6 semitone or more and is held for 60 ms or more, after
    30 ms or more without pitch, and where the loudness dips by 6 dB or more between two sounding
    stretches. Vibrato of up to +-60 cents, from 4 Hz up, splits nothing, nor does loudness that swings with it
    or a note that is reached by a scoop. What is shorter than 50 ms belongs to a neighbour, or is dropped.

    Args:
        f0_hz, periodicity, loudness_db: [F] each.
        frame_rate_hz: frames per second.
    Returns:
        (start frame, stop frame, mean pitch as MIDI number) per note, in order, not overlapping.
    """
    pitch = hz_to_pitch(np.asarray(f0_hz, dtype=np.float64))
    loudness = np.asarray(loudness_db, dtype=np.float64)
    sounding = (np.asarray(periodicity) >= VOICED) & (loudness > loudness.max() - SILENCE_BELOW_LOUDEST_DB)
    shortest = max(1, round(SHORTEST_S * frame_rate_hz))
    notes = []
    for start, stop in _runs(sounding, round(GAP_S * frame_rate_hz)):
        if stop - start < shortest:
            continue
        for low, high in _split_at_steps(pitch[start:stop], frame_rate_hz):
            borders = [0, *_dips(loudness[start + low : start + high], shortest, frame_rate_hz), high - low]
            for begin, end in pairwise(borders):
                first, last = start + low + begin, start + low + end
                notes.append((first, last, _note_pitch(pitch[first:last])))
    return notes


def _runs(mask: NDArray, gap: int) -> list[tuple[int, int]]:
    """Stretches where mask holds, joined over holes shorter than gap frames."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(int)))
    runs: list[tuple[int, int]] = []
    for start, stop in edges.reshape(-1, 2).tolist():
        if runs and start - runs[-1][1] < gap:
            runs[-1] = (runs[-1][0], stop)
        else:
            runs.append((start, stop))
    return runs


def _centre(pitch: NDArray) -> float:
    margin = len(pitch) // 5  # attacks and glides are not the note's pitch
    return float(np.median(pitch[margin : len(pitch) - margin]))


def _note_pitch(pitch: NDArray) -> float:
    """Mean under a Hann window, which a few cycles of vibrato leave where it is; without a tracker's slips."""
    middle = np.sort(pitch)[len(pitch) // 2]  # not the median, which lies half way between two notes as long as each other
    near = np.abs(pitch - middle) <= 1
    return float(np.average(pitch, weights=near * np.hanning(len(pitch) + 2)[1:-1]))


def _split_at_steps(pitch: NDArray, frame_rate_hz: float) -> list[tuple[int, int]]:
    """The piecewise constant curve that costs least: |distance| per frame, plus a price per step.

    The price is what a step of 0.6 semitone saves in 50 ms. Distance is capped at a semitone, so that
    a tracker's octave slip of 60 ms is not a note.
    """
    price = STEP_SEMITONES * SHORTEST_S * frame_rate_hz
    states = np.unique(np.round(pitch * STATES_PER_SEMITONE)) / STATES_PER_SEMITONE
    cost = np.minimum(np.abs(pitch[:, None] - states), 1.0)
    stayed = np.ones(cost.shape, dtype=bool)
    best_before = np.zeros(len(pitch), dtype=int)
    total = cost[0].copy()
    for frame in range(1, len(pitch)):  # Viterbi
        cheapest = int(total.argmin())
        changed = total[cheapest] + price
        stayed[frame] = total <= changed
        best_before[frame] = cheapest
        np.minimum(total, changed, out=total)
        total += cost[frame]
    borders = [len(pitch)]
    state = int(total.argmin())
    for frame in range(len(pitch) - 1, 0, -1):
        if not stayed[frame, state]:
            state = int(best_before[frame])
            borders.append(frame)
    return _merge(pitch, [0, *reversed(borders)], frame_rate_hz)


def _merge(pitch: NDArray, borders: list[int], frame_rate_hz: float) -> list[tuple[int, int]]:
    """Remove the border that means least until every step is a note's: large, and between plateaus."""
    longest, held = round(HALF_CYCLE_S * frame_rate_hz), round(HELD_S * frame_rate_hz)
    while len(borders) > 2:
        pieces = [pitch[a:b] for a, b in pairwise(borders)]
        centres = np.array([_centre(piece) for piece in pieces])
        steps = np.abs(np.diff(centres))
        short = np.array([np.sum(np.abs(piece - centre) <= HELD_SEMITONES) < held for piece, centre in zip(pieces, centres)])
        # a piece longer than half a cycle may hold the rest of the vibrato
        swings = np.array([_is_swing(*pair, step, longest)
                           and (max(map(len, pair)) > longest or _turns_back(centres, at))
                           for at, (pair, step) in enumerate(zip(pairwise(pieces), steps))])
        weakest = int(np.where((steps < STEP_SEMITONES) | short[1:] | short[:-1] | swings, steps, np.inf).argmin())
        if not (steps[weakest] < STEP_SEMITONES or short[weakest] or short[weakest + 1] or swings[weakest]):
            break
        del borders[weakest + 1]
    for index in range(1, len(borders) - 1):
        borders[index] = _middle(pitch, *borders[index - 1 : index + 2])
    return list(pairwise(borders))


def _turns_back(centres: NDArray, at: int) -> bool:
    """Whether the step from piece `at` to the next is undone right before or after, about as far."""
    step = centres[at + 1] - centres[at]
    back = -np.diff(centres[max(at - 1, 0) : at + 3]) / (step or 1.0)
    return bool(((back > 0.4) & (back < 1.6)).any())


def _is_swing(before: NDArray, after: NDArray, step: float, longest: int) -> bool:
    """Whether two pieces are half cycles of a vibrato.

    Those of +-60 cents have centres 1.05 semitones apart, like a small step, but they are round: the mean
    distance to their median is 0.15 of it. Two notes of 100 ms joined by a glide of 40 ms come to 0.05.
    """
    if step > WIDEST_VIBRATO_STEP or min(len(before), len(after)) > longest:
        return False
    # clipped, because a wide glide from a third note does not make a plateau round
    distance = [np.minimum(np.abs(piece - np.median(piece)), step / 2).mean() for piece in (before, after)]
    return min(distance) > ROUND * step


def _middle(pitch: NDArray, start: int, border: int, stop: int) -> int:
    """Where a glide across the border passes the middle; the capped distance leaves it anywhere on the way."""
    before, after = _centre(pitch[start:border]), _centre(pitch[border:stop])
    low, high = (start + border + 1) // 2, (border + stop) // 2
    to_before, to_after = np.abs(pitch[low:high] - before), np.abs(pitch[low:high] - after)
    wrong = np.concatenate([[0.0], np.cumsum(to_before - to_after)])
    return low + int(wrong.argmin())


def _dips(loudness_db: NDArray, shortest: int, frame_rate_hz: float) -> list[int]:
    """Frames at the bottom of dips that are 6 dB below both sides within 0.2 s, but for those of a tremolo."""
    from scipy import signal  # half a second to import, and no score needs it

    span = 2 * round(DIP_SPAN_S * frame_rate_hz / 2) + 1
    found, _ = signal.find_peaks(-loudness_db, prominence=DIP_DB, wlen=max(3, span), distance=shortest)
    ripples, _ = signal.find_peaks(-loudness_db, prominence=DIP_DB / 2, wlen=max(3, span), distance=shortest)
    return [int(dip) for dip in found
            if shortest <= dip <= len(loudness_db) - shortest and not _is_ripple(loudness_db, ripples, dip, frame_rate_hz)]


def _is_ripple(loudness_db: NDArray, dips: NDArray, dip: int, frame_rate_hz: float) -> bool:
    """Whether a dip is one of three or more that are even and round, at the rate of a vibrato."""
    at = int(np.searchsorted(dips, dip))
    shortest, longest = frame_rate_hz / RIPPLE_HZ[1], frame_rate_hz / RIPPLE_HZ[0]
    for first in range(max(at - 2, 0), at + 1):
        cycles = np.diff(dips[first : first + 3])
        if len(cycles) == 2 and shortest <= cycles.min() and cycles.max() <= min(longest, RIPPLE_EVEN * cycles.min()):
            break
    else:
        return False
    row = dips[first : first + 3]
    swell_db = (loudness_db[row[2]] - loudness_db[row[0]]) / (row[2] - row[0])
    reach = int(cycles.mean() * 0.6)
    around = np.arange(max(dip - reach, 0), min(dip + reach + 1, len(loudness_db)))
    amplitude = db_to_amplitude(loudness_db[around] - swell_db * (around - dip))
    before, after = amplitude[around <= dip], amplitude[around >= dip]
    top, bottom = min(before.max(), after.max()), before[-1]
    fall, rise = (int(np.sum(part < (top + bottom) / 2)) for part in (before, after))
    duty = (fall + rise - 1) / cycles.mean()
    return bool(top <= bottom * db_to_amplitude(RIPPLE_DB) and max(fall, rise) <= RIPPLE_EVEN * min(fall, rise)
                and RIPPLE_DUTY[0] <= duty <= RIPPLE_DUTY[1])
