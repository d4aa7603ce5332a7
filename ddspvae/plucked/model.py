"""What every pluck of an instrument does: pitch, velocity and string to partials that fall, each at its own rate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ddspvae.features.weighting import a_weighting
from ddspvae.plucked.partials import EARLY_S
from ddspvae.plucked.surface import Surface
from ddspvae.signals.checks import InputError, check_range
from ddspvae.signals.units import db_to_power, hz_to_pitch, pitch_to_hz, power_to_db

PREFIX, OWNER = "plucked.", ":"  # a sign that no instrument has in its name
HEARD_S = 0.1  # after the onset, when a note's level is read
USUAL_VELOCITY = 80  # what a note of the recordings' own level is played with
HIGHEST_HZ = 16_000.0
MOST_PARTIALS = 150
SOFTEST_DB = -75.0  # of a partial beside the note, that is still played
FALL_DB_PER_S = (0.5, 600.0)
STIFFEST = 0.02
DARKER_DB = 0.25  # an octave, per dB that a note is softer, where the recordings do not tell
LEVEL_SCALES = np.array([0.25, 2.0, 2.0])  # octaves within which levels hang together: place on the string, pitch, string
FALL_SCALES = np.array([1.5, 0.7, 1.0])  # and decays: number of the partial, fret, string


def velocity_db(velocity: float) -> float:
    """How far from the recordings' own level a velocity plays: 40 log10(velocity / 80) dB.

    Source: MMA, "Downloadable Sounds Level 1", velocity to attenuation.
    """
    return float(40 * np.log10(max(velocity, 1) / USUAL_VELOCITY))


@dataclass(frozen=True, eq=False)
class Pluck:
    """One note as it rings.

    Args:
        f0_hz: of its partials.
        ratios, level_db, early_db, fall_db_per_s: [K], of each partial: frequency over f0, level at the onset (dB of
            amplitude), how much louder it begins, and how fast it falls while nobody damps it.
        onset: [N, K'], magnitudes of the onset's noise bands, a frame every 5 ms.
        damp_db_per_s: how fast everything falls once it is damped.
    """

    f0_hz: float
    ratios: NDArray
    level_db: NDArray
    early_db: NDArray
    fall_db_per_s: NDArray
    onset: NDArray
    damp_db_per_s: float

    def levels_db(self, time_s: NDArray, damped_s: float = np.inf) -> NDArray:
        """Of each partial at instants [F] since the onset, [F, K]; damped_s is when a hand or a damper stops the string."""
        time = np.asarray(time_s, float)[:, None]
        own = self.level_db + self.early_db * np.exp(-time / EARLY_S) - self.fall_db_per_s * time
        return np.asarray(own - self.damp_db_per_s * np.maximum(time - damped_s, 0))

    def loudness_db(self, time_s: NDArray, damped_s: float = np.inf) -> NDArray:
        """The A-weighted loudness of all of them at instants [F], [F]."""
        weight = a_weighting(self.f0_hz * self.ratios) / 2
        return np.asarray(power_to_db(db_to_power(self.levels_db(time_s, damped_s)) @ weight))


@dataclass(frozen=True, eq=False)
class Plucks:
    """The decay model of an instrument.

    Args:
        strings: [S, 4], open pitch (MIDI number) of each, and what `stiffness_on` reads; none where every pitch has a
            string of its own.
        stiffness: log B over pitch, for those.
        level: dB of a partial beside the note's level.
        early: dB likewise, of what falls first.
        fall: log of dB per second.
        onset: [N, K], magnitudes of the onset's noise bands beside a note of 0 dB, a frame every 5 ms.
        numbers: [3], level of the recordings' notes (A-weighted dB), damping in dB per second, attack in s.
        notes: [M, 5] what was measured: f0 in Hz, B, open string in Hz, level in dB, partials found.
    """

    strings: NDArray
    stiffness: Surface
    level: Surface
    early: Surface
    fall: Surface
    onset: NDArray
    numbers: NDArray
    notes: NDArray

    @property
    def usual_db(self) -> float:
        """Level of a note of velocity 80, A-weighted dB, 0.1 s after its onset."""
        return float(self.numbers[0])

    @property
    def damp_db_per_s(self) -> float:
        """How fast a damped note falls."""
        return float(self.numbers[1])

    @property
    def attack_s(self) -> float:
        """How long a note takes to begin."""
        return float(self.numbers[2])

    def strike(self, pitch: float, velocity: float, string: int | None = None) -> Pluck:
        """What a note does.

        Args:
            pitch: MIDI note number, fractional allowed.
            velocity: 1 to 127.
            string: number of one of `strings`; None takes the highest that has the note.
        """
        check_range("strike", "pitch", pitch, -12, 160)
        check_range("strike", "velocity", velocity, 1, 127)
        f0_hz = float(pitch_to_hz(pitch))
        open_hz, stiffness = self._stiffness(pitch, string)
        k = np.arange(1, MOST_PARTIALS + 1)
        ratios = k * np.sqrt(1 + stiffness * k**2)
        k, ratios = k[ratios * f0_hz < HIGHEST_HZ], ratios[ratios * f0_hz < HIGHEST_HZ]
        above_db = velocity_db(velocity)
        level = self.level.at(*level_coordinates(f0_hz, ratios, open_hz, above_db))
        early = self.early.at(*level_coordinates(f0_hz, ratios, open_hz, above_db)).clip(0, 18)
        fall = np.exp(self.fall.at(*fall_coordinates(f0_hz, ratios, open_hz, above_db))).clip(*FALL_DB_PER_S)
        pluck = Pluck(f0_hz, ratios, level, early, fall, np.zeros((0, 0)), self.damp_db_per_s)
        level_db = self.usual_db + above_db
        level = level + level_db - float(pluck.loudness_db(np.array([HEARD_S]))[0])
        kept = level + early > level_db + SOFTEST_DB
        kept[0] = True
        onset = self.onset * 10 ** (level_db / 20)
        return Pluck(f0_hz, ratios[kept], level[kept], early[kept], fall[kept], onset, self.damp_db_per_s)

    def stiffness_at(self, f0_hz: NDArray) -> NDArray:
        """B of what sounds at pitches [F] in Hz, [F], where nobody says on which string: the highest that has them."""
        return np.asarray(np.exp(np.interp(hz_to_pitch(np.asarray(f0_hz, float)), *self._usual_stiffness)))

    @cached_property
    def _usual_stiffness(self) -> tuple[NDArray, NDArray]:
        """Pitches, a semitone apart, and log B: a glide across an open string's pitch bends where a hand would jump."""
        pitches = np.arange(0.0, 141.0)
        return pitches, np.log([self._stiffness(float(pitch), None)[1] for pitch in pitches])

    def _stiffness(self, pitch: float, string: int | None) -> tuple[float, float]:
        """The open string in Hz, and B."""
        f0_hz = float(pitch_to_hz(pitch))
        if not len(self.strings):
            place = np.array([np.log2(f0_hz / 440)])
            return f0_hz, min(float(np.exp(self.stiffness.at(place[:, None], trend_of_stiffness(place))[0])), STIFFEST)
        if string is None:
            low = np.flatnonzero(self.strings[:, 0] <= pitch + 0.5)
            string = int(low[self.strings[low, 0].argmax()]) if len(low) else int(self.strings[:, 0].argmin())
        return float(pitch_to_hz(float(self.strings[string, 0]))), min(stiffness_on(self.strings[string], f0_hz), STIFFEST)

    def to_arrays(self, owner: str = "") -> dict[str, NDArray[np.float32]]:
        """As a preset file keeps them; owner: one of the instruments in it, where there are many."""
        arrays: dict[str, NDArray[np.float32]] = {}
        for field in fields(self):
            value, name = getattr(self, field.name), _prefix(owner) + field.name
            if isinstance(value, Surface):
                arrays |= value.to_arrays(name)
            else:
                arrays[name] = np.asarray(value, np.float32)
        return arrays

    @staticmethod
    def split(arrays: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Plucks]]:
        """The arrays of a preset file to those of the network, and what `to_arrays` wrote beside them, by owner.

        Raises:
            InputError: parts are missing.
        """
        others = {name: array for name, array in arrays.items() if not name.startswith(PREFIX)}
        owners = {name.removeprefix(PREFIX).rpartition(OWNER)[0] for name in arrays if name not in others}
        return others, {owner: Plucks._read(arrays, _prefix(owner)) for owner in sorted(owners)}

    @staticmethod
    def _read(arrays: Mapping[str, Any], prefix: str) -> Plucks:
        try:
            found: dict[str, Any] = {field.name: Surface.from_arrays(arrays, prefix + field.name) if field.type == "Surface"
                     else arrays[prefix + field.name].astype(np.float64) for field in fields(Plucks)}
            plucks = Plucks(**found)
            plucks.strike(60, USUAL_VELOCITY)
        except (KeyError, ValueError, IndexError) as error:
            raise InputError(f"load: the decay model of this instrument is damaged ({error}); train it again.") from error
        return plucks


def _prefix(owner: str) -> str:
    return PREFIX + (owner + OWNER if owner else "")


def neck_bend(semitones: NDArray) -> NDArray:
    """How far up the neck notes are stopped, [N], as what log B changes by: [N, 2]."""
    return np.stack([semitones / 24, np.square(semitones / 24)], axis=-1)


def stiffness_on(string: NDArray, f0_hz: float) -> float:
    """B of a string that is stopped at a pitch: of one tension it grows with f0^2, and a little otherwise at short lengths.

    Args:
        string: [4], open pitch, log(B / f0^2) of the open string, and what that changes by over two octaves.
        f0_hz: of the note.
    Source: Fletcher, JASA 1964: B = pi^3 E d^4 / (64 T L^2).
    """
    way = neck_bend(np.array([float(hz_to_pitch(f0_hz)) - string[0]]))[0]
    return float(np.exp(string[1] + way @ string[2:]) * f0_hz**2)


def trend_of_stiffness(octaves: NDArray) -> NDArray:
    """What log B is made of over pitch, [N, 3]: a constant and a bent line."""
    return np.stack([np.ones_like(octaves), octaves, octaves**2], axis=-1)


def level_coordinates(f0_hz: Any, ratios: Any, open_hz: Any, above_db: Any) -> tuple[NDArray, NDArray]:
    """Where partials [N] are in the surfaces of levels, [N, 3], and what the trend is made of, [N, 7].

    A pick-up, a bridge or a hand is at a place of the string, wherever it is stopped: so partials hang together by their
    frequency over that of the open string.
    """
    ratios = np.asarray(ratios, float)
    number, frequency = np.log2(ratios), np.log2(f0_hz * ratios / 440)
    pitch, string = frequency - number, np.broadcast_to(np.log2(np.asarray(open_hz) / 440), ratios.shape)
    place = np.stack([frequency - string, pitch, string], axis=-1) / LEVEL_SCALES
    trend = np.stack([np.ones_like(number), number, frequency, pitch, number**2, frequency**2, above_db * number], axis=-1)
    return place, trend


def fall_coordinates(f0_hz: Any, ratios: Any, open_hz: Any, above_db: Any) -> tuple[NDArray, NDArray]:
    """Likewise of decays: [N, 3] and [N, 8].

    What a string loses depends on how short it is stopped, so notes of one fret hang together across the strings.
    """
    number = np.log2(np.asarray(ratios, float))
    pitch, string = (np.broadcast_to(np.log2(np.asarray(hz, float) / 440), number.shape) for hz in (f0_hz, open_hz))
    loud = np.broadcast_to(np.asarray(above_db, float) / 20, number.shape)
    fret = pitch - string
    place = np.stack([number, fret, string], axis=-1) / FALL_SCALES
    one = np.ones_like(number)
    return place, np.stack([one, number, pitch, fret, pitch * fret, number * fret, number**2, loud], axis=-1)
