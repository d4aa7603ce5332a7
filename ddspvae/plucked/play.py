"""Plucks to sound, block by block: what is played live and what is rendered come from here."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ddspvae.features.band_tables import band_shapes
from ddspvae.kernels.noise import Bins, bins_of, play_filtered_noise
from ddspvae.kernels.plucks import FAINTEST, play_partials
from ddspvae.midi.expression import BRIGHTNESS_RANGE, SOFT_PEDAL_DB, SOFTEST_DB, hold_steps
from ddspvae.plucked.model import Pluck, Plucks
from ddspvae.plucked.strings import Fingering
from ddspvae.signals import Notes
from ddspvae.signals.units import amplitude_to_db, db_to_amplitude, semitones_to_ratio
from ddspvae.synth.white import fft_size, noise_key

Array = NDArray[np.float32]
HOP_S = 0.005
FOLLOWS = 0.5  # of the way to a new bend or gain, each frame
TILT_DB, HOLLOW_DB, NOISE_DB = 3.8, 1.8, 4.0  # per standard deviation: an octave, odd against even, the onset's noise
EVEN_S = np.arange(0.01, 0.8, 0.02)  # where loudness stays on average: what is brighter begins louder, and falls faster
SHORTEST_S = 0.030
BLOCK_S = 1.0


@dataclass(eq=False)
class Sounding:
    """A note that sounds.

    Args:
        pluck: what it does.
        onset: [T], its noise.
        begin: sample of its onset; made: samples of it that are there.
        phases: [K], cycles, at the last frame.
        ratio, gain: bend and controllers at the last frame.
        damped, choked: the sample from which it is damped, and stops.
        waiting: [T], made and not yet played.
        own_semitones: steps of its own bend.
    """

    pluck: Pluck
    onset: Array
    begin: int
    string: int
    phases: NDArray[np.float64]
    ratio: float
    gain: float
    damped: float = math.inf
    choked: float = math.inf
    made: int = 0
    frame: int = 0
    heights: Array | None = None
    waiting: Array = field(default_factory=lambda: np.zeros(0, np.float32))
    own_semitones: tuple[tuple[float, float], ...] = ()
    over: bool = False


class Player:
    """The strings of an instrument, on one clock of samples.

    A note begins at its own sample. What bends, damps or ends it is heard from its next frame on, 5 ms later at most. So
    the sound depends on what happens and when, and not on how much is read at once.

    Args:
        plucks: of the instrument.
        sample_rate: Hz.
        seed, voice: of the noise.
        tones: standard deviations that the named axes are moved by.
        mono: whether a note ends the one before.
    """

    def __init__(self, plucks: Plucks, sample_rate: int, *, seed: int = 0, voice: int = 0,
                 tones: Mapping[str, float] | None = None, mono: bool = False) -> None:
        self.plucks, self.sample_rate, self.hop = plucks, sample_rate, round(HOP_S * sample_rate)
        self.now = 0
        self._tones = dict(tones or {})
        self._mono = mono
        self._fingering = Fingering(plucks.strings[:, 0] if len(plucks.strings) else ())
        self._notes: list[Sounding] = []
        self._seed, self._voice, self._struck = seed, voice, 0
        self.bend_semitones, self.gain_db, self.brightness = 0.0, 0.0, 0.0
        n_bands = plucks.onset.shape[1]
        n_fft = fft_size(self.hop, n_bands)
        self._bins: Bins = bins_of(band_shapes(n_bands, n_fft // 2 + 1), n_fft)

    @property
    def n_sounding(self) -> int:
        """Notes that are still heard."""
        return len(self._notes)

    def strike(self, pitch: float, velocity: float, string: int | None = None, *, brightness: float = 0.0,
               own_semitones: tuple[tuple[float, float], ...] = ()) -> Sounding:
        """Begin a note now.

        Args:
            pitch: MIDI number; velocity: 1 to 127.
            string: to play it on; None leaves that to the player.
            brightness: standard deviations from what is usual.
            own_semitones: steps of the note's own bend over seconds of this clock.
        Returns:
            what `damp` takes.
        """
        if string is None:
            string = self._fingering.take(pitch, self.now / self.sample_rate)
        for other in self._notes:
            if other.string == string or self._mono:
                other.choked = min(other.choked, self.now)
        tones = {**self._tones, "brightness": self._tones.get("brightness", 0.0) + brightness + self.brightness}
        pluck = _toned(self.plucks.strike(pitch, velocity, string if len(self.plucks.strings) else None), tones)
        key = noise_key(self._seed, self._voice + 1000 * self._struck)
        onset = play_filtered_noise(np.concatenate([pluck.onset, np.zeros_like(pluck.onset[:1])]).astype(np.float32)[None],
                                    self.hop, key[0], 0, self._bins)[0]
        self._struck += 1
        bend = self.bend_semitones + float(hold_steps(own_semitones, np.array([self.now / self.sample_rate]))[0])
        note = Sounding(pluck, onset, self.now, string, np.zeros(len(pluck.ratios)), float(semitones_to_ratio(bend)),
                     float(db_to_amplitude(self.gain_db)), own_semitones=own_semitones)
        self._notes.append(note)
        return note

    def turn(self, axis: str, value: float) -> None:
        """Move a named axis to so many standard deviations, from the next note on."""
        self._tones[axis] = value

    def turn_brightness(self, controller: float) -> None:
        """Controller 74, 0 to 1, from the next note on."""
        self.brightness = BRIGHTNESS_RANGE * (2 * controller - 1)

    def damp(self, note: Sounding) -> None:
        """Stop a string with a hand or a damper, now."""
        if note.damped == math.inf:
            note.damped = self.now
            self._fingering.free(note.string)

    def damp_all(self) -> None:
        """Stop all of them."""
        for note in self._notes:
            self.damp(note)

    def choke_all(self) -> None:
        """Silence, at once."""
        for note in self._notes:
            self.damp(note)
            note.choked = min(note.choked, self.now)

    def read(self, n_samples: int) -> Array:
        """The next samples, dry, [n_samples]."""
        audio = np.zeros(n_samples, np.float32)
        for note in self._notes:
            missing = self.now + n_samples - note.begin - note.made
            if missing > 0:
                self._make(note, -(-missing // self.hop))
            n = min(n_samples, len(note.waiting))
            audio[:n] += note.waiting[:n]
            note.waiting = note.waiting[n:]
        self._notes = [note for note in self._notes if not note.over or len(note.waiting)]
        self.now += n_samples
        return audio

    def _make(self, note: Sounding, n_frames: int) -> None:
        """n_frames more segments of a note; what has happened until now holds for all of them."""
        if note.over:
            return
        frames = note.frame + np.arange(n_frames + 1)
        frame_s = self.hop / self.sample_rate
        time_s = frames * frame_s
        at = note.begin + frames * self.hop
        damped_s = math.inf if note.damped == math.inf else \
            np.ceil(max(note.damped - note.begin, 0) / self.hop) * frame_s
        levels_db = note.pluck.levels_db(time_s, damped_s)
        gains, ratios = np.empty(n_frames + 1), np.empty(n_frames + 1)
        gains[0], ratios[0] = note.gain, note.ratio
        bends = self.bend_semitones + hold_steps(note.own_semitones, at / self.sample_rate)
        aim = float(db_to_amplitude(self.gain_db))
        for i in range(1, n_frames + 1):
            gains[i] = gains[i - 1] + FOLLOWS * (aim - gains[i - 1])
            # a bend acts from the segment on that begins after it
            ratios[i] = ratios[i - 1] + FOLLOWS * (float(semitones_to_ratio(bends[i - 1])) - ratios[i - 1])
        if abs(ratios[-1] - ratios[0]) < 1e-9:
            ratios[:] = ratios[0]
        heights = (db_to_amplitude(levels_db) * gains[:, None]).astype(np.float32)
        if note.heights is not None:
            heights[0] = note.heights
        if note.choked < math.inf:
            first = int(np.ceil(max(note.choked - note.begin, 0) / self.hop))
            heights[frames > first] = 0
        audio = play_partials(note.pluck.f0_hz * ratios, heights, note.pluck.ratios, note.phases, self.sample_rate, self.hop)
        start = note.frame * self.hop
        noise = note.onset[start : start + len(audio)]
        if note.choked == math.inf:
            audio[: len(noise)] += noise * np.float32(note.gain)
        note.waiting = np.concatenate([note.waiting, audio])
        note.frame, note.made = note.frame + n_frames, note.made + n_frames * self.hop
        note.gain, note.ratio, note.heights = float(gains[-1]), float(ratios[-1]), heights[-1]
        note.over = bool(heights[-1].max() <= FAINTEST) and note.frame > len(self.plucks.onset)


def _toned(pluck: Pluck, tones: Mapping[str, float]) -> Pluck:
    """A note made brighter, hollower or noisier; its loudness stays."""
    bright, hollow = tones.get("brightness", 0.0), tones.get("hollowness", 0.0)
    noise = tones.get("breathiness", 0.0) + tones.get("bite", 0.0)
    if not (bright or hollow or noise):
        return pluck
    odd = np.where(np.round(pluck.ratios).astype(int) % 2, 1.0, -1.0)
    level = pluck.level_db + TILT_DB * bright * np.log2(pluck.ratios) + HOLLOW_DB * hollow * odd
    moved = Pluck(pluck.f0_hz, pluck.ratios, level, pluck.early_db, pluck.fall_db_per_s,
                  pluck.onset * db_to_amplitude(NOISE_DB * noise), pluck.damp_db_per_s)
    level = level + float(np.mean(pluck.loudness_db(EVEN_S) - moved.loudness_db(EVEN_S)))
    return Pluck(moved.f0_hz, moved.ratios, level, moved.early_db, moved.fall_db_per_s, moved.onset, moved.damp_db_per_s)


def gain_db_of(expression: float, breath: float, soft: float) -> float:
    """What controllers take off a plucked part: nothing can be added to a string that nobody touches."""
    return float(np.clip(2 * amplitude_to_db(expression * breath), SOFTEST_DB, 0)) + SOFT_PEDAL_DB * (soft >= 0.5)


def play_score(plucks: Plucks, notes: Notes, sample_rate: int, *, seed: int = 0, voice: int = 0, transpose: float = 0.0,
               tones: Mapping[str, float] | None = None, mono: bool = False, tail_s: float = 1.0) -> Iterator[Array]:
    """A part of a score, dry, in blocks.

    Args:
        plucks: of the instrument.
        notes: a part, with chords.
        sample_rate: Hz.
        seed, voice, tones, mono: as for `Player`.
        transpose: semitones.
        tail_s: seconds after the last note's end.
    Yields:
        [T].
    """
    from ddspvae.signals import CONTROLLERS

    player = Player(plucks, sample_rate, seed=seed, voice=voice, tones=tones, mono=mono)
    now = dict(CONTROLLERS)
    events: list[tuple[int, int, int, str, float]] = []  # sample, rank, number, what, value

    def at(time_s: float) -> int:
        return round(time_s * sample_rate)

    for number, note in enumerate(notes.notes):
        off_s = max(note.offset_s, note.onset_s + SHORTEST_S)
        events += [(at(note.onset_s), 2, number, "on", 0.0), (at(off_s), 0, number, "off", 0.0)]
    events += [(at(time_s), 1, 0, "bend", value) for time_s, value in notes.bend_semitones]
    events += [(at(time_s), 1, 0, name, value) for name, steps in notes.controllers.items() for time_s, value in steps]
    sounding = {}
    for sample, _, number, what, value in sorted(events, key=lambda event: event[:3]):
        while player.now < sample:
            yield player.read(min(sample - player.now, round(BLOCK_S * sample_rate)))
        if what == "on":
            note = notes.notes[number]
            own = hold_steps(note.brightness, np.array([note.onset_s]))[0]
            sounding[number] = player.strike(min(max(note.pitch + transpose, 0), 160), note.velocity,
                                             brightness=BRIGHTNESS_RANGE * float(own), own_semitones=note.bend_semitones)
        elif what == "off":
            player.damp(sounding.pop(number))
        elif what == "bend":
            player.bend_semitones = value
        else:
            now[what] = value
            player.gain_db = gain_db_of(now["expression"], now["breath"], now["soft"])
            player.turn_brightness(now["brightness"])
    end = round((notes.duration_s + tail_s) * sample_rate)
    while player.now < end:
        yield player.read(min(end - player.now, round(BLOCK_S * sample_rate)))
