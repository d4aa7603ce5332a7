"""Listen to what was played and correct it: the sound has the last word on a note's brightness and attack noise."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from ddspvae.editing.realise import move_axes
from ddspvae.features.partials import measure_partials
from ddspvae.model.encoder_inputs import EncoderInputs
from ddspvae.model.form import NAMED_AXES
from ddspvae.performer.controls import NoteControls
from ddspvae.performer.measure import measure_controls
from ddspvae.signals import Features, Notes, Performance

if TYPE_CHECKING:
    from ddspvae.instrument.instrument import Instrument

MOST = 3.0  # standard deviations, either way


def calibrate(instrument: Instrument, performance: Performance, notes: Notes, controls: NoteControls) -> Performance:
    """Move z note by note so that the sound, not z, is as bright and attacks as noisily as asked.

    What a network plays where z is typical need not be what the recordings had there; the difference is heard in one
    rendering, at the pitch that was asked for, and taken off.

    Args:
        instrument: which plays.
        performance: of `realise`.
        notes, controls: what was asked of it; NaN is left as it is.
    """
    if not instrument.config.n_z:
        return performance
    heard = measure_controls(replace(performance, z=heard_z(instrument, performance)), notes)
    return move_axes(performance, notes, controls, heard, MOST)


@torch.inference_mode()
def heard_z(instrument: Instrument, performance: Performance) -> np.ndarray:
    """The axes with names as they are read from the sound, [M, Z]; the others 0."""
    config = instrument.config
    audio = np.asarray(instrument.resynthesize(performance))[: performance.n_frames * config.hop_size]
    partials = measure_partials(audio, config.sample_rate, config.hop_size, performance.f0_hz)
    features = Features(performance.f0_hz, performance.periodicity, performance.loudness_db,
                        np.zeros((performance.n_frames, 1)), partials, performance.frame_rate_hz)
    read, _ = instrument.model.decoder.typical.read(EncoderInputs.of(features), config.frames_per_z, limit=1e3)
    z = np.zeros((len(performance.z), config.n_z))
    named = min(config.n_z, len(NAMED_AXES))
    z[:, :named] = read[0, :, :named].numpy()
    return z
