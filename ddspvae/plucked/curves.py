"""Plucks as curves: what a score says of pitch and loudness where every note falls by itself."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ddspvae.features.refine import refine_f0
from ddspvae.midi.closed_forms import fade_periodicity
from ddspvae.midi.expression import hold_steps, read_expression
from ddspvae.midi.rules import REST_DB, Curves
from ddspvae.plucked.model import Plucks
from ddspvae.plucked.strings import Fingering
from ddspvae.signals import Features, Notes
from ddspvae.signals.units import pitch_to_hz


def first_partial(features: Features, audio: NDArray, sample_rate: int, plucks: Plucks | None) -> Features:
    """What was heard of a take, with the pitch of its first partial; those above are stretched, and all together lie higher.

    Args:
        features: of the take, whose pitch is that on which all partials agree.
        audio: [T], the take.
        sample_rate: Hz, a whole multiple of the frame rate.
        plucks: of the instrument; None of one that is not plucked, whose partials are not stretched.
    """
    if plucks is None:
        return features
    hop_size = round(sample_rate / features.frame_rate_hz)
    return replace(features, f0_hz=refine_f0(audio, sample_rate, hop_size, features.f0_hz, features.periodicity,
                                             plucks.stiffness_at(features.f0_hz)))


def pluck_curves(line: Notes, plucks: Plucks, played: Curves, frame_rate_hz: float) -> Curves:
    """A line of one voice: pitches that neither vibrate nor glide, loudness by the decay model, damped at each offset.

    Args:
        line: one voice.
        plucks: of the instrument.
        played: another performance of it, for its frames, and what controllers ask of the timbre.
        frame_rate_hz: frames per second.
    """
    n_frames = len(played.f0_hz)
    time_s = np.arange(n_frames) / frame_rate_hz + 5e-7
    onset_s = np.array([note.onset_s for note in line.notes])
    index = np.maximum(np.searchsorted(onset_s, time_s, side="right") - 1, 0)
    asked = read_expression(replace(line, controllers={name: steps for name, steps in line.controllers.items()
                                                       if name != "pressure"}), time_s, index)
    loudness, sure = np.full(n_frames, REST_DB), np.zeros(n_frames)
    pitch = np.empty(n_frames)
    fingering = Fingering(plucks.strings[:, 0] if len(plucks.strings) else ())
    for number, note in enumerate(line.notes):
        frames = np.flatnonzero(index == number)
        if not len(frames):
            continue
        string = fingering.take(note.pitch, note.onset_s)
        fingering.free(string)
        since_s = time_s[frames] - note.onset_s
        pluck = plucks.strike(note.pitch, note.velocity, string if len(plucks.strings) else None)
        pitch[frames] = note.pitch + hold_steps(note.bend_semitones, time_s[frames])
        rings = since_s >= 0
        damped_s = note.offset_s - note.onset_s
        loudness[frames[rings]] = pluck.loudness_db(since_s[rings], damped_s)
        sure[frames[rings]] = fade_periodicity(np.maximum(since_s[rings] - damped_s, 0), plucks.damp_db_per_s)
    return Curves(pitch_to_hz(pitch + asked.bend_semitones).astype(np.float32), sure.astype(np.float32),
                  np.maximum(loudness + asked.gain_db, REST_DB).astype(np.float32), asked.offsets)
