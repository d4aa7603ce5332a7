"""Audio back to notes, so that a rendered score can be compared with the score that was asked for."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import ArrayLike

from ddspvae.evaluation.metrics import check_audio
from ddspvae.features.f0 import track_f0
from ddspvae.features.loudness import a_weighted_loudness
from ddspvae.performer.transcribe import transcribe
from ddspvae.signals import Notes, Performance

FRAME_RATE_HZ = 200  # 5 ms: a tenth of the 50 ms that an onset may be off


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
