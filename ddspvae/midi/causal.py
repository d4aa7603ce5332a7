"""The rules of `rules.py` for events as they come: nothing played depends on what is still to happen."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ddspvae.features.statistics import Statistics
from ddspvae.midi.closed_forms import VIBRATO_FADE_S, fade_periodicity, velocity_to_level_db, vibrato_cents
from ddspvae.midi.expression import SMOOTH_S
from ddspvae.midi.rules import (
    LEGATO_CHANGE_S,
    LEGATO_DIP_DB,
    LONGEST_ATTACK_S,
    LONGEST_GLIDE_S,
    REST_DB,
    SLOWEST_VIBRATO_HZ,
    USUAL_VIBRATO_HZ,
)
from ddspvae.signals.checks import check_range, fail
from ddspvae.signals.units import A4_PITCH, CENTS_PER_SEMITONE, amplitude_to_db, db_to_amplitude, pitch_to_hz

SILENT_DB = -115.0  # A-weighted: a low note that faint stays below 1e-5 of full scale, and its voice may be given away
SHORTEST_S = 1e-6  # of an attack or a glide: at its own sample it has yet to begin, at the next it is over
# rows of the state
(ONSET, RELEASE, CHANGE_S, AMPLITUDE, FROM_AMPLITUDE, DIP_DB, PITCH, FROM_PITCH, FROM_PERIODICITY, GLIDE_S, BEND, SHAPED,
 GAIN_DB, FROM_GAIN_DB, VIBRATO, FROM_VIBRATO, RATE_HZ, CYCLES) = range(18)
N_OF_NOTE = 10  # rows that a note sets; the others go on from note to note


class CausalPerformer:
    """The rules, one instant at a time: what it plays depends only on what has happened.

    - A note begins at its onset, in silence; its amplitude rises along a straight line to the level of its velocity.
    - A bound note takes over what its voice plays: the pitch glides, the amplitude goes to the new level, dipping by 2 dB.
    - Vibrato comes after its delay, in every note, at its full extent.
    - What controllers ask for, `shape`, is reached along a straight line of 10 ms; bends are followed at once.
    - A released note falls from where it is. A glide goes on to its end; then the pitch stays.

    What `rules.perform` does knowing the future is left out: no phrase swells, no attack or glide ahead of the onset, no
    shorter attack in a short note, no hole before the same pitch.

    All curves are closed forms of the time since a voice's last events: `curves` changes nothing, so it may be asked for
    any instant from the last event on, in any order, and answers as if no other event were to come.

    Args:
        statistics: of the instrument's recordings.
        sample_rate: samples per second, of all times given to the methods.
        n_voices: voices, numbered from 0, each of one note at a time.
        expression: scales the vibrato; 0 is a machine, 1 is usual.
    Raises:
        InputError: a number out of range; from `start` and `release` also an event before the voice's last.
    """

    def __init__(self, statistics: Statistics, sample_rate: int, n_voices: int, *, expression: float = 1.0) -> None:
        check_range("CausalPerformer", "sample_rate", sample_rate, 1, 10_000_000)
        check_range("CausalPerformer", "n_voices", n_voices, 1, 10_000)
        check_range("CausalPerformer", "expression", expression, 0, 10)
        self.n_voices = n_voices
        if statistics.vibrato_rate_hz < SLOWEST_VIBRATO_HZ:
            statistics = replace(statistics, vibrato_rate_hz=USUAL_VIBRATO_HZ, vibrato_extent_cents=0.0)
        self._statistics = statistics
        self._sample_rate = sample_rate
        self._attack_s = max(min(statistics.attack_s, LONGEST_ATTACK_S), SHORTEST_S)
        self._glide_s = max(min(statistics.glide_s, LONGEST_GLIDE_S), SHORTEST_S)
        self._extent_cents = expression * statistics.vibrato_extent_cents
        self._bend_semitones = 0.0
        # float64: samples stay exact; a voice that has not played yet was released at 0, in silence
        self._state = np.zeros((18, n_voices))
        self._state[CHANGE_S] = self._attack_s
        self._state[[PITCH, FROM_PITCH]] = A4_PITCH
        self._state[GLIDE_S] = self._glide_s
        self._state[RATE_HZ] = statistics.vibrato_rate_hz

    def start(self, voice: int, pitch: float, velocity: int, at_sample: int, *, legato: bool = False,
              attack_s: float | None = None, glide_s: float | None = None, glide_from: float | None = None,
              bend_semitones: float | None = None) -> None:
        """Begin a note.

        Args:
            voice: 0 to n_voices - 1. Without legato, what it still plays ends at once.
            pitch: MIDI note number, 0 to 127, fractional allowed.
            velocity: 1 to 127.
            at_sample: when, >= 0; not before the voice's last event.
            legato: the voice goes on sounding, without a jump in f0_hz, loudness_db or periodicity. A silent voice has
                nothing to go on from, and attacks.
            attack_s, glide_s: None is as the instrument has it.
            glide_from: MIDI note number that its pitch glides from; None is what a bound note's voice plays.
            bend_semitones: of this voice, from now on; None leaves it. A bound note's pitch does not jump by it.
        """
        self._check_event("start", voice, at_sample)
        check_range("start", "pitch", pitch, 0, 127)
        check_range("start", "velocity", velocity, 1, 127)
        amplitude = db_to_amplitude(velocity_to_level_db(velocity, self._statistics))
        change_s = self._attack_s if attack_s is None else max(attack_s, SHORTEST_S)
        from_amplitude, dip_db, from_pitch, from_periodicity = 0.0, 0.0, pitch, 1.0
        bent = self._state[BEND, voice]
        self._state[BEND, voice] = bent if bend_semitones is None else bend_semitones
        if legato:
            before = [float(values[0]) for values in self._play(np.array([voice]), at_sample)]
            if before[2] > SILENT_DB:
                from_pitch, from_periodicity, from_amplitude = before[0], before[1], db_to_amplitude(before[2])
                from_pitch += bent - self._state[BEND, voice]
                change_s, dip_db = LEGATO_CHANGE_S, LEGATO_DIP_DB
        if glide_from is not None:
            from_pitch = glide_from
        self._state[:N_OF_NOTE, voice] = (at_sample, np.inf, change_s, amplitude, from_amplitude, dip_db, pitch, from_pitch,
                                          from_periodicity, self._glide_s if glide_s is None else max(glide_s, SHORTEST_S))
        self._state[CYCLES, voice] = 0

    def release(self, voice: int, at_sample: int) -> None:
        """End a voice's note; one that has ended already stays as it is.

        Args:
            voice: 0 to n_voices - 1.
            at_sample: when; not before the voice's last event.
        """
        self._check_event("release", voice, at_sample)
        self._state[RELEASE, voice] = min(self._state[RELEASE, voice], at_sample)

    def bend(self, semitones: float, voice: int | None = None) -> None:
        """Turn the pitch wheel for all voices, or that of one, in every curve asked for from now on."""
        check_range("bend", "semitones", semitones, -128, 128)
        if voice is None:
            self._bend_semitones = semitones
        else:
            self._state[BEND, voice] = semitones

    def shape(self, voice: int, at_sample: int, *, gain_db: float = 0.0, vibrato_cents: float = 0.0,
              rate_hz: float | None = None, at_once: bool = False) -> None:
        """What controllers ask of a voice from now on, whatever note it plays.

        Args:
            voice: 0 to n_voices - 1.
            at_sample: when; not before the voice's last event.
            gain_db: beside the level of the note.
            vibrato_cents: +- this far, beside the note's own and without its delay.
            rate_hz: of the vibrato, which goes on from where it is; None is the instrument's.
            at_once: for a note that begins.
        """
        self._check_event("shape", voice, at_sample)
        check_range("shape", "gain_db", gain_db, -120, 60)
        check_range("shape", "vibrato_cents", vibrato_cents, 0, 1200)
        rate_hz = self._statistics.vibrato_rate_hz if rate_hz is None else rate_hz
        check_range("shape", "rate_hz", rate_hz, 0, 20)
        state = self._state[:, voice]
        left = self._unshaped(state, at_sample)
        for now, before, asked in ((GAIN_DB, FROM_GAIN_DB, gain_db), (VIBRATO, FROM_VIBRATO, vibrato_cents)):
            state[before] = asked if at_once else state[now] + (state[before] - state[now]) * left
            state[now] = asked
        since_s = (at_sample - state[ONSET]) / self._sample_rate - self._statistics.vibrato_delay_s
        state[CYCLES] = 0 if at_once else (state[CYCLES] + (state[RATE_HZ] - rate_hz) * since_s) % 1
        state[RATE_HZ], state[SHAPED] = rate_hz, at_sample

    def curves(self, voices: NDArray[np.int_], at_sample: int | NDArray[np.int_]
               ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
        """What voices play at an instant, if nothing else happens until then.

        Args:
            voices: [N], which ones.
            at_sample: when, one for all or one each; not before the last event of any of them.
        Returns:
            f0_hz [N], > 0; periodicity [N], 0 to 1; loudness_db [N], at least -120.
        """
        pitch, periodicity, loudness_db = self._play(voices, at_sample)
        state = self._state.take(voices, axis=1)
        loudness_db += state[GAIN_DB] + (state[FROM_GAIN_DB] - state[GAIN_DB]) * self._unshaped(state, at_sample)
        return (pitch_to_hz(pitch + state[BEND] + self._bend_semitones).astype(np.float32), periodicity.astype(np.float32),
                np.maximum(loudness_db, REST_DB).astype(np.float32))

    def finished(self, voices: NDArray[np.int_], at_sample: int) -> NDArray[np.bool_]:
        """Which voices [N] are released and have faded to SILENT_DB or less; those that never played are, too."""
        state = self._state.take(voices, axis=1)
        *_, loudness_db = self._levels(state, at_sample)
        return (state[RELEASE] <= at_sample) & (loudness_db <= SILENT_DB)

    def _play(self, voices: NDArray[np.int_], at_sample: int | NDArray[np.int_]) -> tuple[NDArray, NDArray, NDArray]:
        """Pitch without the wheel, periodicity, and loudness in dB, which falls without end: [N] float64 each."""
        state, statistics = self._state.take(voices, axis=1), self._statistics
        since_s, released_s, left, loudness_db = self._levels(state, at_sample)
        glided = 0.5 - 0.5 * np.cos(np.pi * np.minimum(since_s / state[GLIDE_S], 1))
        pitch = state[FROM_PITCH] + (state[PITCH] - state[FROM_PITCH]) * glided
        asked_cents = state[VIBRATO] + (state[FROM_VIBRATO] - state[VIBRATO]) * self._unshaped(state, at_sample)
        if self._extent_cents or asked_cents.any():
            fade = np.maximum(1 - released_s / VIBRATO_FADE_S, 0)
            cents = vibrato_cents(self._extent_cents, since_s, since_s - statistics.vibrato_delay_s, fade, statistics,
                                  asked_cents, state[RATE_HZ], state[CYCLES])
            pitch += cents / CENTS_PER_SEMITONE
        periodicity = ((1 + (state[FROM_PERIODICITY] - 1) * left)
                       * fade_periodicity(released_s, statistics.release_db_per_s))
        return pitch, periodicity, loudness_db

    def _unshaped(self, state: NDArray, at_sample: int | NDArray[np.int_]) -> NDArray:
        """What is left of the way to what controllers ask, 1 to 0."""
        return np.asarray(1 - (at_sample - state[SHAPED]) / (SMOOTH_S * self._sample_rate)).clip(0, 1)

    def _levels(self, state: NDArray, at_sample: int | NDArray[np.int_]) -> tuple[NDArray, NDArray, NDArray, NDArray]:
        """Seconds since onset and since release, what is left of the change, 1 to 0, and loudness in dB: [N] each."""
        since_s, released_s = (at_sample - state[: RELEASE + 1]) / self._sample_rate
        released_s = np.maximum(released_s, 0)
        # a release stops the change where it is
        left = np.maximum(1 - (since_s - released_s) / state[CHANGE_S], 0)
        amplitude = state[AMPLITUDE] + (state[FROM_AMPLITUDE] - state[AMPLITUDE]) * left
        # the dip is a parabola: 0 at both ends of the change, full in the middle
        fall_db = state[DIP_DB] * 4 * left * (1 - left) + self._statistics.release_db_per_s * released_s
        return since_s, released_s, left, amplitude_to_db(amplitude) - fall_db

    def _check_event(self, where: str, voice: int, at_sample: int) -> None:
        check_range(where, "voice", voice, 0, self.n_voices - 1)
        onset, release = self._state[[ONSET, RELEASE], voice]
        last = onset if release == np.inf else release
        if at_sample < last:
            raise fail(where, "at_sample", f"not come before the last event of voice {voice} at {last:.0f}", at_sample)
