"""Live: MIDI events or performance frames in, audio in blocks of any size out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ddspvae.engine.frames import Array, Frames
from ddspvae.live.followed import Followed
from ddspvae.live.midi_source import LiveNotes
from ddspvae.live.opening import open_player, open_room
from ddspvae.live.performance_source import FedTakes
from ddspvae.live.voices import Voices
from ddspvae.midi.controller_map import USUAL
from ddspvae.midi.tuning import Pitches
from ddspvae.signals import Performance
from ddspvae.signals.checks import InputError, check_choice, check_range, fail

if TYPE_CHECKING:
    from ddspvae.audio import Audio
    from ddspvae.live.playable import Playable


KNEE = 0.9  # of full scale; below it nothing is changed


def within_full_scale(audio: Array) -> Array:
    """Sample by sample: what is below the knee as it is, what is above bent so that it stays below 1."""
    over = np.abs(audio) - np.float32(KNEE)
    if not (over > 0).any():
        return audio
    bent = np.sign(audio) * (KNEE + (1 - KNEE - 1e-6) * np.tanh(over / (1 - KNEE)))
    return np.where(over > 0, bent, audio).astype(np.float32)


class Stream:
    """One instrument that plays now.

    Everything happens on one clock of samples. The sound of a hop is made when the hop begins, and made again from a
    note's first sample on where one begins inside it; so a note sounds at once, and blocks of any sizes, one sample
    each if need be, give the same sound.

    Args: as in Instrument.stream.
    """

    delay_samples = 0  # from a note-on to its first sample
    lookahead_frames = 3  # a frame that is fed live must be there so many hops before its instant

    def __init__(self, instrument: Playable, voices: int = 8, *, mono: bool = False, seed: int = 0, dry: bool = False,
                 ir: Audio | None = None, wet_db: float = 0.0, decay: float = 1.0, expression: float = 1.0,
                 start_s: float = 0.0, limit: bool = True, controllers: str = USUAL, tuning: Pitches | None = None,
                 stereo: bool = False) -> None:
        self.limits = limit
        check_range("stream", "voices", voices, 1, 1024)
        check_range("stream", "expression", expression, 0, 2)
        check_range("stream", "start_s", start_s, 0, 1e6)
        self.instrument, self.hop_size = instrument, instrument.config.hop_size
        self.sample = self._start = round(start_s * instrument.config.frame_rate_hz) * self.hop_size
        tail, self._response = instrument.rooms.response(dry, ir, wet_db, decay)
        self._player = open_player(instrument.live_networks, tail, voices, seed)
        self._room = None if self._response is None else open_room(self._response, self.hop_size)
        self._notes = LiveNotes(instrument, voices, mono, expression, controllers, tuning, stereo)
        self._takes = FedTakes(instrument)
        self._followed = Followed(instrument, self._notes.knobs)
        self._voices = Voices(self._player, self._notes, self.sample)
        self._warm_up()
        self._entered: set[int] = set()  # voices that were fed
        self._rung: dict[int, Array] = {}  # of what fed voices played before the clock began
        self._ringing = np.zeros((1, 0), np.float32)  # all of it
        self._shape = (2,) if stereo or (self._response is not None and len(self._response) == 2) else ()

    def send(self, message: Any, offset: int = 0) -> None:
        """Play a MIDI message `offset` samples after the start of the next block.

        Understood is all that `read_midi` understands: notes, by channel; the wheel, its range and the tunings; controllers,
        pressure of channels and keys, pedals, portamento, mono modes, MPE zones, MIDI tuning messages; and system reset.
        In a mono mode, or under the legato pedal, a note that ends first gives way to the one that its voice played before.
        Programs and drums change nothing; a room rings on after all of them. A note starts at
        its own sample; what bends, shapes or ends one is heard within two hops, brightness within eight.

        Args:
            message: a mido.Message.
            offset: samples, >= 0.
        Raises:
            InputError: not a message, or this stream is fed performances.
        """
        if not hasattr(message, "type"):
            raise fail("stream.send", "message", "be a mido.Message", type(message).__name__)
        check_range("stream.send", "offset", offset, 0, 10**9)
        if offset != int(offset):
            raise fail("stream.send", "offset", "be a whole number of samples", offset)
        if self._takes:
            raise InputError("stream.send: this stream plays the performances it was fed; open another one for MIDI.")
        self._notes.receive(self.sample + int(offset), message)

    @property
    def sample_rate(self) -> int:
        """Hz."""
        return self.instrument.config.sample_rate

    @property
    def follow_delay_s(self) -> float:
        """From `follow` to its frame: they are settled a quarter of a hop into the hop before their own."""
        return 2.25 * self.hop_size / self.instrument.config.sample_rate

    @property
    def n_sounding(self) -> int:
        """How many voices sound."""
        return int(self._voices.sounding.sum())

    def turn(self, axis: str, value: float) -> None:
        """Turn a knob: an axis of z for all notes of a stream that plays MIDI, heard from each voice's next row on.

        Args:
            axis: one of instrument.axis_names.
            value: 0 is what is typical; for named axes, in standard deviations of the training set.
        Raises:
            InputError: no such axis.
        """
        check_choice("stream.turn", "axis", axis, self.instrument.axis_names)
        check_range("stream.turn", "value", value, -10, 10)
        self._notes.knobs[self.instrument.axis_names.index(axis)] = value

    def feed(self, performance: Performance, voice: int = 0) -> None:
        """Play frames: the first of them at 0 on the clock, or after those that this voice was fed before.

        Frames may come in pieces while they are played, lookahead_frames early; a voice that runs out of them falls
        silent until it is fed again. A stream whose clock began later is where it would be had it played from 0.

        Args:
            performance: of this instrument, or adapted to it.
            voice: which voice plays it.
        Raises:
            InputError: no such voice, MIDI was sent, or the first frames come in the middle of a hop.
        """
        check_range("stream.feed", "voice", voice, 0, len(self._player.last) - 1)
        if self._notes.n_received:
            raise InputError("stream.feed: this stream plays MIDI; open another one for performances.")
        performance = self.instrument.adapt(performance)
        voices, now = self._voices, self.sample // self.hop_size
        if not voices.sounding[voice] and self.sample != voices.end:
            raise InputError(f"stream.feed: a performance must begin between hops of {self.hop_size} samples, got sample "
                             f"{self.sample}; feed it before the first read, or before the voice runs out.")
        voices.source = self._takes
        at_start = self.sample == self._start
        joined = self._takes.add(voice, performance, past_frames=0 if at_start else now)
        if voices.sounding[voice]:
            return
        if voice not in self._entered or at_start:
            self._entered.add(voice)
            rung = self._takes.enter(self._player, joined, voice, now, self._response)
            voices.sounding[voice] = now < joined.n_frames
            if rung is not None:
                self._rung[voice] = rung
                self._ringing = np.sum(list(self._rung.values()), axis=0)
        elif now < self._takes.end(voice):
            voices.resume(voice, self.sample)

    def follow(self, f0_hz: float, periodicity: float, loudness_db: float) -> None:
        """Let the first voice play a frame from now on, until another one is told; heard within three hops.

        Args:
            f0_hz: Hz, > 0; periodicity: 0 to 1; loudness_db: A-weighted, -120 is silence.
        Raises:
            InputError: out of range; or the stream has begun with something else.
        """
        check_range("stream.follow", "f0_hz", f0_hz, 1, 1e5)
        check_range("stream.follow", "periodicity", periodicity, 0, 1)
        check_range("stream.follow", "loudness_db", loudness_db, -400, 60)
        self._followed.tell(f0_hz, periodicity, loudness_db)
        if not self._followed.is_begun:
            if self._notes.n_received or self._takes or self.sample != self._start:
                raise InputError("stream.follow: this stream plays something else; open another one.")
            self._followed.is_begun = True
            self._voices.source = self._followed
            self._voices.resume(0, self.sample)

    def read(self, n_samples: int) -> Audio:
        """The next samples, [n_samples], or [2, n_samples] in a stereo room; within full scale if this stream limits."""
        check_range("stream.read", "n_samples", n_samples, 0, 10**9)
        if n_samples != int(n_samples):
            raise fail("stream.read", "n_samples", "be a whole number", n_samples)
        n_samples = int(n_samples)
        parts, end = [], self.sample + n_samples
        while self.sample < end:
            if self.sample == self._voices.end:
                self._next_hop()
            hop = self._voices.begin
            begin = self.sample - hop
            self._go_on_to(min(end, self._voices.end))
            dry = self._voices.mix[None, begin : self.sample - hop]
            wet = dry if self._room is None else self._room(dry[0])
            parts.append(self._notes.desk.place(wet, hop + begin))
        if not parts:
            return np.zeros((*self._shape, 0), dtype=np.float32)
        audio = parts[0].copy() if len(parts) == 1 else np.concatenate(parts, axis=-1)
        if self._ringing.shape[-1]:
            n = min(n_samples, self._ringing.shape[-1])
            audio[:, :n] += self._ringing[:, :n]
            self._ringing = self._ringing[:, n:]
        if self.limits:
            audio = within_full_scale(audio)
        sound: Audio = audio[0] if len(audio) == 1 else audio
        return sound

    def _warm_up(self) -> None:
        """Load what is compiled, before a note waits for it: a moment of a voice, which then forgets it."""
        player, config = self._player, self.instrument.config
        curve, z = np.ones((1, 3), np.float32), np.zeros((1, config.n_z), np.float32)
        for length in (1, self.hop_size):
            frame = player.attack(np.zeros(1, np.int64), curve, curve, -curve, z)
            player.harmonics(player.last[:1], frame, np.zeros(1), length)
            player.noise(player.last[:1], frame, 0, player.noise_keys[:1], length)
        player.last.put(slice(0, 1), Frames.nothing(1, config.n_harmonics, config.n_noise_bands))
        player.n_frames[0] = 0
        if self._room is not None:
            self._room(np.zeros(self.hop_size, np.float32))

    def _next_hop(self) -> None:
        self._voices.next_hop()
        if self._notes.next_sample == self.sample:
            self._notes.play(self._voices, self.sample)
        else:
            self._voices.advance()

    def _go_on_to(self, end: int) -> None:
        """Advance the clock inside a hop, with all that happens on the way."""
        voices = self._voices
        while self.sample < end:
            if self._notes.next_sample == self.sample:
                self._notes.play(voices, self.sample)
            place = self.sample - voices.begin
            if place in voices.places:
                voices.work(place)
            later = [voices.begin + at for at in voices.places if at > place]
            self.sample = int(min([end, self._notes.next_sample, *later]))
