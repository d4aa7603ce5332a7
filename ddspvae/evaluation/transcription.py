"""Audio back to notes, so that a rendered score can be compared with the score that was asked for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike

from ddspvae.evaluation.metrics import check_audio
from ddspvae.features.f0 import track_f0
from ddspvae.features.loudness import a_weighted_loudness
from ddspvae.performer.transcribe import transcribe
from ddspvae.signals import Note, Notes, Performance
from ddspvae.signals.checks import InputError, fail
from ddspvae.signals.units import pitch_to_hz

ONSET_TOLERANCE_S = 0.05
PITCH_TOLERANCE_CENTS = 50.0
FRAME_RATE_HZ = 200  # 5 ms: a tenth of the 50 ms that an onset may be off


@dataclass(frozen=True)
class NoteScores:
    """Share of the found notes that are right, share of the right notes that are found, harmonic mean."""

    precision: float
    recall: float
    f_measure: float


def audio_to_notes(audio: ArrayLike, sample_rate: int, tracker: str) -> Notes:
    """Write down the notes of one melody.

    Args:
        audio: [T], one note at a time.
        sample_rate: Hz.
        tracker: "swift" or "crepe".
    Returns:
        Notes with fractional pitches; velocity 127 is the loudest of the take.
        No notes for silence.
    Raises:
        InputError: audio is not [T], not finite or empty.
    """
    audio = check_audio("audio_to_notes", "audio", audio)
    hop_size = round(sample_rate / FRAME_RATE_HZ)
    frame_rate_hz = sample_rate / hop_size
    f0_hz, periodicity = track_f0(audio, sample_rate, hop_size, tracker)
    loudness_db = a_weighted_loudness(torch.from_numpy(audio)[None], sample_rate, hop_size)[0].numpy()
    n_frames = len(f0_hz)
    return transcribe(Performance(f0_hz, periodicity, loudness_db, np.zeros((n_frames, 0)), (), frame_rate_hz, 1))


def note_scores(reference: Notes, estimate: Notes) -> NoteScores:
    """Notes that begin within 50 ms of the score's and lie within 50 cents of its pitch; lengths do not count.

    A note sounds at its pitch plus the bend that holds in its middle.

    Raises:
        InputError: the reference has no note, or mir_eval is not installed.
    Source: Raffel et al., "mir_eval", ISMIR 2014, `transcription.precision_recall_f1_overlap`.
    """
    try:
        from mir_eval import transcription
    except ImportError as error:
        raise InputError("note_scores: mir_eval is not installed; pip install 'ddspvae[evaluation]'.") from error
    if not reference.notes:
        raise fail("note_scores", "reference", "hold at least one note", 0)
    if not estimate.notes:
        return NoteScores(0.0, 0.0, 0.0)
    columns = []
    for part in (reference, estimate):
        columns.append(np.array([(note.onset_s, note.offset_s) for note in part.notes]))
        columns.append(np.array([pitch_to_hz(note.pitch + _bend_of(part, note)) for note in part.notes]))
    precision, recall, f_measure, _ = transcription.precision_recall_f1_overlap(
        *columns, onset_tolerance=ONSET_TOLERANCE_S, pitch_tolerance=PITCH_TOLERANCE_CENTS, offset_ratio=None)
    return NoteScores(float(precision), float(recall), float(f_measure))


def _bend_of(part: Notes, note: Note) -> float:
    middle_s = (note.onset_s + note.offset_s) / 2
    return sum(next((semitones for time_s, semitones in reversed(steps) if time_s <= middle_s), 0.0)
               for steps in (part.bend_semitones, note.bend_semitones))
