"""Listen to what was played and correct it: the last word on a note's brightness and attack noise has the sound."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from ddspvae.features.partials import measure_partials
from ddspvae.model.axes import NAMED_AXES
from ddspvae.model.heard import Heard
from ddspvae.performer.controls import NoteControls
from ddspvae.performer.measure import measure_controls, note_rows
from ddspvae.signals import Features, Notes, Performance

if TYPE_CHECKING:
    from ddspvae.instrument import Instrument

MOST = 3.0  # standard deviations that a note is moved by, either way


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
    heard = measure_controls(replace(performance, z=_heard_z(instrument, performance)), notes)
    z = performance.z.astype(np.float64)
    rows = note_rows(performance, notes)
    for axis, asked, found in (("brightness", controls.brightness, heard.brightness),
                               ("bite", controls.attack_noise, heard.attack_noise)):
        if axis not in performance.axis_names:
            continue
        column = performance.axis_names.index(axis)
        for index, span in enumerate(rows):
            until = rows[index + 1].start if index + 1 < len(rows) else len(z)
            missing = asked[index] - found[index]
            z[span.start : until, column] += 0.0 if np.isnan(missing) else np.clip(missing, -MOST, MOST)
    return replace(performance, z=z)


@torch.inference_mode()
def _heard_z(instrument: Instrument, performance: Performance) -> np.ndarray:
    """The axes with names as they are read from the sound, [M, Z]; the others 0."""
    config = instrument.config
    audio = np.asarray(instrument.resynthesize(performance))[: performance.n_frames * config.hop_size]
    partials = measure_partials(audio, config.sample_rate, config.hop_size, performance.f0_hz)
    features = Features(performance.f0_hz, performance.periodicity, performance.loudness_db,
                        np.zeros((performance.n_frames, 1)), partials, performance.frame_rate_hz)
    read, _ = instrument.model.decoder.typical.read(Heard.of(features), config.frames_per_z, limit=1e3)
    z = np.zeros((len(performance.z), config.n_z))
    named = min(config.n_z, len(NAMED_AXES))
    z[:, :named] = read[0, :, :named].numpy()
    return z
