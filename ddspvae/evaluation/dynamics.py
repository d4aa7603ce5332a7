"""How brightness goes with loudness, in recordings and in what is played from MIDI; and how the two are made to meet."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from ddspvae.audio import Audio
from ddspvae.features.f0 import VOICED
from ddspvae.features.listening_tables import window_size
from ddspvae.features.loudness import a_weighted_loudness, by_blocks, centred_stft
from ddspvae.features.partials import read_attributes
from ddspvae.features.segments import segment_notes
from ddspvae.features.weighting import a_weighting
from ddspvae.instrument.instrument import Instrument
from ddspvae.model.form import BRIGHTNESS
from ddspvae.performer.gestures import Gestures
from ddspvae.performer.loudness_shape import inner_frames
from ddspvae.performer.transcribe import to_notes
from ddspvae.signals import Features, Note, Notes
from ddspvae.signals.units import hz_to_pitch

VELOCITIES = (10, 40, 70, 100, 127)
N_PITCHES, NOTE_S, REST_S = 5, 1.0, 1.2
MARGIN = 0.1  # of the range, at either end, where no note is played
HELD_DB = 10.0  # below the middle of its note, a frame counts no more
ROUNDS, MOST_TURN = 2, 0.5  # octaves per 10 dB and round, either way
MOST_RATIO = 2.0  # of the played slope to the recordings', or the other way round
NEAR = 0.01  # octaves per 10 dB by which two slopes may differ, whatever their ratio
LEAST_PLAYED = 0.02  # octaves per 10 dB: an instrument that gets duller as it gets louder was heard wrongly


@dataclass(frozen=True, eq=False)
class Frames:
    """Level, dB, and log2 of the centroid in Hz of frames, [N], and which semitone and folder each belongs to."""

    level_db: NDArray
    octaves: NDArray
    group: tuple[Hashable, ...]

    @property
    def slope(self) -> float:
        """Octaves per 10 dB, common to all groups; NaN where no group has two levels."""
        number = np.unique(np.array([hash(one) for one in self.group]), return_inverse=True)[1]
        count = np.bincount(number)

        def within(values: NDArray) -> NDArray:
            return np.asarray(values - (np.bincount(number, weights=values) / count)[number])

        level, octaves = within(self.level_db), within(self.octaves)
        spread = float(level @ level)
        return 10 * float(level @ octaves) / spread if spread > 0 else float("nan")


def centroid_octaves(audio: Audio, sample_rate: int, hop_size: int) -> NDArray:
    """log2 of the centroid of the A-weighted power spectrum, Hz, of every frame, [F]."""
    def octaves(piece: torch.Tensor, rate: int, hop: int) -> torch.Tensor:
        spectrum = centred_stft(piece, window_size(rate), hop)
        frequency_hz = torch.linspace(0, rate / 2, spectrum.shape[-1])
        power = (spectrum.real.square() + spectrum.imag.square()) * a_weighting(frequency_hz)
        return ((power @ frequency_hz) / power.sum(-1).clamp(min=1e-20)).clamp(min=1.0).log2()

    sound = torch.from_numpy(np.asarray(audio, np.float32))[None]
    return by_blocks(octaves, sound, sample_rate, hop_size)[0].double().numpy()


def level_db(audio: Audio, sample_rate: int, hop_size: int) -> NDArray:
    """A-weighted loudness of every frame, [F]."""
    sound = torch.from_numpy(np.asarray(audio, np.float32))[None]
    return by_blocks(a_weighted_loudness, sound, sample_rate, hop_size)[0].double().numpy()


def hear(takes: Iterable[tuple[Hashable, Audio, Features]], sample_rate: int, hop_size: int, *, as_axis: bool = False
         ) -> Frames:
    """The sure, held frames inside the notes of recordings.

    Args:
        takes: what was recorded at one gain (a room), [T] of sound, and what is heard in it.
        as_axis: brightness as its axis reads it, not the centroid.
    """
    levels, octaves, groups = [np.zeros(0)], [np.zeros(0)], []
    for room, audio, take in takes:
        level = np.asarray(take.loudness_db, dtype=float)
        found = segment_notes(take.f0_hz, take.periodicity, level, take.frame_rate_hz)
        inside = np.zeros(len(level), dtype=bool)
        for span in inner_frames(to_notes(found, take.frame_rate_hz), take.frame_rate_hz, len(level)):
            inside[span] = level[span] > np.median(level[span]) - HELD_DB
        inside &= take.periodicity >= VOICED
        levels.append(level[inside])
        bright = read_attributes(torch.from_numpy(np.array(take.partials)))[:, 0].double().numpy() if as_axis else \
            centroid_octaves(audio, sample_rate, hop_size)[: len(level)]
        octaves.append(bright[inside])
        groups += [(room, semitone) for semitone in np.round(hz_to_pitch(take.f0_hz[inside].astype(float)))]
    return Frames(np.concatenate(levels), np.concatenate(octaves), tuple(groups))


def play(instrument: Instrument, velocities: Sequence[int] = VELOCITIES, *, dry: bool = False, performer: str | None = None
         ) -> tuple[Frames, NDArray]:
    """Notes over the range at every velocity.

    Returns:
        frames of the notes' middles; and the mean centroid, Hz (geometric), of each velocity [V].
    """
    rate, hop = instrument.config.sample_rate, instrument.config.hop_size
    low, high = instrument.statistics.pitch_low, instrument.statistics.pitch_high
    pitches = np.round(np.linspace(low + MARGIN * (high - low), high - MARGIN * (high - low), N_PITCHES))
    asked = [(float(pitch), velocity) for pitch in pitches for velocity in velocities]
    starts_s = REST_S / 2 + (NOTE_S + REST_S) * np.arange(len(asked))
    notes = Notes(tuple(Note(pitch, velocity, start_s, start_s + NOTE_S)
                        for (pitch, velocity), start_s in zip(asked, starts_s.tolist())))
    performance = instrument.perform(notes, performer=performer)
    audio = instrument.resynthesize(performance, dry=dry)
    heard_db, octaves = level_db(audio, rate, hop), centroid_octaves(audio, rate, hop)
    spans = inner_frames(notes, performance.frame_rate_hz, performance.n_frames)
    frames = Frames(np.concatenate([heard_db[span] for span in spans]), np.concatenate([octaves[span] for span in spans]),
                    tuple(pitch for (pitch, _), span in zip(asked, spans) for _ in range(span.stop - span.start)))
    means = np.array([octaves[span].mean() for span in spans]).reshape(len(pitches), len(velocities)).mean(axis=0)
    return frames, 2**means


def meet_dynamics(instrument: Instrument, heard: float) -> None:
    """Let what is typically bright at a loudness rise so steeply, in place, that what is played rises as the recordings do.

    The network may play the same brightness with another spectrum when it is loud, and `Typical` rises by a least slope
    everywhere, also where the recordings hardly do. The axes are read from what is typical, so a recording is played back
    as before; gestures must be learned afterwards.

    Args:
        instrument: that was trained.
        heard: the slope of its recordings, octaves per 10 dB, as `hear` finds it; where it is less than LEAST_PLAYED, that.
    """
    if not instrument.config.n_z:
        return
    for _ in range(ROUNDS):
        missing = np.maximum(heard, LEAST_PLAYED) - play(instrument, performer="rules")[0].slope
        if np.isfinite(missing):
            instrument.model.decoder.typical.steepen(float(np.clip(missing, -MOST_TURN, MOST_TURN)) / 10)


def meet_gestures(instrument: Instrument, heard: float) -> Gestures:
    """The notes that the learned player remembers, the louder ones as much brighter as makes it rise as the recordings do.

    Their brightness goes with no level (`performer.gestures`), but their details may. Where the player is right already
    (`is_met`), they stay as they are.

    Args:
        instrument: that has met the dynamics by the rules.
        heard: as for `meet_dynamics`.
    """
    gestures, per_deviation = instrument.gestures, float(instrument.model.decoder.typical.deviation[BRIGHTNESS])
    wanted = np.maximum(heard, LEAST_PLAYED)
    for turn in range(ROUNDS + 1 if len(gestures) and instrument.config.n_z else 0):
        player = Instrument(instrument.model, instrument.card, instrument.name, gestures=gestures)
        played = play(player, performer="learned")[0].slope
        if not np.isfinite(wanted - played) or (is_met(played, wanted) if turn == 0 else abs(wanted - played) < NEAR / 2):
            break
        gestures = gestures.brightened(float(wanted - played) / 10 / per_deviation)
    return gestures


def is_met(played: float, heard: float) -> bool:
    """Whether a played slope has the recordings' sign and is within a factor of two of theirs, or all but theirs."""
    return abs(played - heard) < NEAR or (played * heard > 0 and 1 / MOST_RATIO <= played / heard <= MOST_RATIO)
