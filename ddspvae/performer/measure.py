"""Controls from a performance: what each note of it sounds like."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from numpy.typing import NDArray

from ddspvae.features.segments import VOICED
from ddspvae.features.statistics import Statistics
from ddspvae.model.axes import find_onsets, from_rest
from ddspvae.model.stack import scale_curves
from ddspvae.performer.controls import ControlRanges, NoteControls, measure_ranges
from ddspvae.performer.loudness_shape import inner_frames, measure_shape
from ddspvae.performer.transcribe import transcribe
from ddspvae.performer.vibrato import EDGE_S, measure_vibrato
from ddspvae.signals import Notes, Performance
from ddspvae.signals.units import CENTS_PER_SEMITONE, db_to_amplitude, hz_to_pitch

ATTACK_S = 0.080  # two rows of z, where a note's noise is its attack's
LEAST_ONSET = 0.05  # of a row, below which it tells nothing of bite


def measure_controls(performance: Performance, notes: Notes) -> NoteControls:
    """The controls of every note.

    Args:
        performance: a take, analyzed, or a score, played; of an instrument without named axes brightness and attack
            noise are 0.
        notes: the notes in it, one at a time, as `transcribe` finds them or as they were played.
    Returns:
        NoteControls without NaN.
    """
    rate_hz, n_frames = performance.frame_rate_hz, performance.n_frames
    shapes = [measure_shape(performance.loudness_db[span]) for span in inner_frames(notes, rate_hz, n_frames)]
    cents = CENTS_PER_SEMITONE * hz_to_pitch(performance.f0_hz.astype(np.float64))
    vibratos = [measure_vibrato(cents[span], rate_hz) for span in inner_frames(notes, rate_hz, n_frames, EDGE_S)]
    volume, fluctuation, centre = np.array(shapes).reshape(-1, 3).T
    extent, vibrato_hz = np.array(vibratos).reshape(-1, 2).T
    pitched = _by_rows(performance.periodicity >= VOICED, performance)
    return NoteControls(volume, fluctuation, centre, extent,
                        _axis_means(performance, "brightness", pitched, note_rows(performance, notes)),
                        _axis_means(performance, "bite", _onset_rows(performance), note_rows(performance, notes, ATTACK_S)),
                        vibrato_hz)


def ranges_of_takes(takes: Iterable[Performance], statistics: Statistics) -> ControlRanges:
    """The ranges of an instrument, from the notes found in the takes that it was trained on; for its card.

    Args:
        takes: analyzed with the instrument.
        statistics: of the same takes.
    """
    return measure_ranges((measure_controls(take, notes) for take in takes
                           if (notes := transcribe(take, statistics)).notes), statistics)


def note_rows(performance: Performance, notes: Notes, longest_s: float = np.inf) -> list[slice]:
    """The rows of z whose middle lies in each note, or in its first seconds; the nearest for a note that is between two."""
    row_s = performance.frames_per_z / performance.frame_rate_hz
    middle_s = (np.arange(len(performance.z)) + 0.5) * row_s
    found = []
    for note in notes.notes:
        until_s = min(note.offset_s, note.onset_s + max(longest_s, 1.5 * row_s))
        first, last = np.searchsorted(middle_s, [note.onset_s, until_s])
        first = min(int(first), len(middle_s) - 1)
        found.append(slice(first, max(int(last), first + 1)))
    return found


def _axis_means(performance: Performance, axis: str, weights: NDArray, rows: list[slice]) -> NDArray:
    """The mean of an axis over the rows of each note, by weight; where no row tells, of all alike."""
    if axis not in performance.axis_names:
        return np.zeros(len(rows))
    values = performance.z[:, performance.axis_names.index(axis)].astype(np.float64)
    return np.array([np.average(values[span], weights=weights[span] if weights[span].any() else None) for span in rows])


def _by_rows(curve: NDArray, performance: Performance) -> NDArray:
    """The mean of a curve [F] over the frames of each row of z, [M]."""
    missing = -len(curve) % performance.frames_per_z
    return np.pad(curve.astype(float), (0, missing)).reshape(-1, performance.frames_per_z).mean(axis=1)


def _onset_rows(performance: Performance) -> NDArray:
    """How much every row of z tells of the axis "bite", [M]: how much of an onset it is, by amplitude.

    Where a note is still 20 dB below its level, the tracker has hardly found it, and little of its noise is heard.
    """
    scaled = scale_curves(*(torch.tensor(curve)[None, :, None] for curve in (
        performance.f0_hz, performance.periodicity, performance.loudness_db)))
    onset = find_onsets(from_rest(scaled))[0, :, 0].numpy()
    tells = _by_rows(np.maximum(2 * onset - 1, 0) * (performance.periodicity >= VOICED), performance)
    return np.where(tells > LEAST_ONSET, tells, 0.0) * _by_rows(db_to_amplitude(performance.loudness_db), performance)
