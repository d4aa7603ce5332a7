"""Plucks as curves: what a score says of pitch and loudness where every note falls by itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from ddspvae.features.refine import refine_f0
from ddspvae.midi.closed_forms import fade_periodicity
from ddspvae.midi.expression import hold_steps, read_expression
from ddspvae.midi.rules import REST_DB, Curves
from ddspvae.plucked.model import Plucks
from ddspvae.plucked.strings import Fingering
from ddspvae.signals import Features, Notes
from ddspvae.signals.curves import on_the_way
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


@dataclass(frozen=True, eq=False)
class Rings:
    """Of an instrument between some that hold their notes and some that pluck them: half a guitar falls half as fast.

    Args:
        plucks: of those that pluck, N.
        shares: [2, N], of each where a score begins and where it ends, 0 to 1; the rest is held.
    """

    plucks: tuple[Plucks, ...] = ()
    shares: NDArray = field(default_factory=lambda: np.zeros((2, 0)))

    @classmethod
    def of(cls, plucks: Plucks | None) -> Rings:
        """Of an instrument that is plucked altogether, or not at all."""
        return cls() if plucks is None else cls((plucks,), np.ones((2, 1)))

    @property
    def whole(self) -> Plucks | None:
        """Of one that is plucked altogether."""
        return self.plucks[0] if len(self.plucks) == 1 and bool((self.shares == 1).all()) else None

    def play(self, line: Notes, held: Curves, frame_rate_hz: float, n_whole: float) -> Curves:
        """Means of what all play, in octaves and decibels.

        Args:
            line: one voice; held: as it is played by who holds its notes; frame_rate_hz: of it.
            n_whole: frames from one instrument to the other.
        """
        if not self.plucks:
            return held
        played = [held, *(pluck_curves(line, one, held, frame_rate_hz) for one in self.plucks)]
        if self.whole is not None:
            return played[1]
        shares = on_the_way(self.shares, len(held.f0_hz), n_whole)
        weights = np.concatenate([1 - shares.sum(axis=1, keepdims=True), shares], axis=1)

        def mean(curves: Sequence[NDArray]) -> NDArray[np.float32]:
            return np.einsum("fn,nf->f", weights, np.stack(curves), dtype=np.float32)

        return replace(held, f0_hz=np.exp2(mean([np.log2(one.f0_hz) for one in played])),
                       periodicity=mean([one.periodicity for one in played]),
                       loudness_db=mean([one.loudness_db for one in played]))


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
