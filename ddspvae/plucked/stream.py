"""Plucks played live: MIDI in, audio in blocks of any size out."""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from typing import Any

import numpy as np

from ddspvae.audio import Audio
from ddspvae.engine.live_room import LiveRoom
from ddspvae.midi.channels import PARAMETER_NUMBERS, Channel
from ddspvae.midi.tuning import Pitches, Tunings
from ddspvae.plucked.model import Plucks
from ddspvae.plucked.play import Player, gain_db_of
from ddspvae.signals.checks import InputError, check_choice, check_range, fail

KNEE = 0.9  # of full scale; below it nothing is changed
AXES = ("brightness", "breathiness", "hollowness", "bite")


class PluckedStream:
    """An instrument whose notes ring, played now; what it plays is what `render` plays of the same events.

    Args:
        plucks: of the instrument.
        sample_rate: Hz.
        hop_size: samples, of the room's blocks.
        response: [R, L], impulse response of the room; None is dry.
        gain: of the dry sound.
        mono, seed, tones: as for `Player`.
        start: sample on the clock to begin at.
        limit: bend samples above 0.9 so that none reaches 1.
        tuning: the pitches of all keys; None is equal temperament. Tuning messages change it.
        stereo: two channels, in a room of one as well.
    """

    delay_samples = 0

    def __init__(self, plucks: Plucks, sample_rate: int, hop_size: int, response: Audio | None, gain: float, *,
                 mono: bool = False, seed: int = 0, tones: Mapping[str, float] | None = None, start: int = 0,
                 limit: bool = True, tuning: Pitches | None = None, stereo: bool = False) -> None:
        self.limits, self.sample, self.hop_size, self.sample_rate = limit, start, hop_size, sample_rate
        self._stereo, self._tuning = stereo, tuning
        self._tunings = Tunings() if tuning is None else Tunings(tuning)
        self._tones = dict(tones or {})
        self._player = Player(plucks, sample_rate, seed=seed, tones=self._tones, mono=mono)
        self._player.now = start
        self._room = None if response is None else LiveRoom(response, hop_size)
        self._gain = np.float32(gain)
        self._waiting: list[tuple[int, int, Any]] = []
        self._n_received = 0
        self._held: dict[tuple[int, int], Any] = {}
        self._pedalled: list[Any] = []
        self._pedal = False
        self._channels: dict[int, Channel] = {}

    def send(self, message: Any, offset: int = 0) -> None:
        """Play a MIDI message `offset` samples after the start of the next block.

        Understood: note_on, note_off; pitchwheel, its range, tunings; expression, breath, brightness; sustain (64) and
        soft pedal (67); all sound off (120), reset all controllers (121), all notes off (123), and system reset.

        Args:
            message: a mido.Message.
            offset: samples, >= 0.
        """
        if not hasattr(message, "type"):
            raise fail("stream.send", "message", "be a mido.Message", type(message).__name__)
        check_range("stream.send", "offset", offset, 0, 10**9)
        if offset != int(offset):
            raise fail("stream.send", "offset", "be a whole number of samples", offset)
        heapq.heappush(self._waiting, (self.sample + int(offset), self._n_received, message))
        self._n_received += 1

    @property
    def n_sounding(self) -> int:
        """Notes that are still heard."""
        return self._player.n_sounding

    @property
    def follow_delay_s(self) -> float:
        """Nothing is followed."""
        return 0.0

    def follow(self, *_: Any) -> None:
        """A string is plucked, and follows no voice.

        Raises:
            InputError: always.
        """
        raise InputError("stream.follow: this instrument is plucked, and cannot follow a voice or a bow; play it from MIDI.")

    def turn(self, axis: str, value: float) -> None:
        """Turn a knob, heard from the next note on: an axis with a name, in standard deviations."""
        check_choice("stream.turn", "axis", axis, AXES)
        check_range("stream.turn", "value", value, -10, 10)
        self._player.turn(axis, value)

    def feed(self, *_: Any, **__: Any) -> None:
        """A string is plucked, not fed.

        Raises:
            InputError: always.
        """
        raise InputError("stream.feed: this instrument is plucked, and its streams play MIDI; play performances with "
                         "resynthesize.")

    def read(self, n_samples: int) -> Audio:
        """The next samples, [n_samples], or [2, n_samples] in a stereo room."""
        check_range("stream.read", "n_samples", n_samples, 0, 10**9)
        parts, end = [], self.sample + int(n_samples)
        while True:
            while self._waiting and self._waiting[0][0] <= self.sample:
                self._play(heapq.heappop(self._waiting)[2])
            if self.sample >= end:
                break
            stop = min(end, self._waiting[0][0]) if self._waiting else end
            dry = self._player.read(stop - self.sample) * self._gain
            parts.append(dry[None] if self._room is None else self._room(dry))
            self.sample = stop
        audio = np.concatenate(parts, axis=-1) if parts else np.zeros((1, 0), np.float32)
        if self.limits:
            over = np.abs(audio) - KNEE
            bent = np.sign(audio) * (KNEE + (1 - KNEE - 1e-6) * np.tanh(over / (1 - KNEE)))
            audio = np.where(over > 0, bent, audio).astype(np.float32)
        if self._stereo and len(audio) == 1:
            return np.repeat(audio, 2, axis=0)
        return audio[0] if len(audio) == 1 else audio

    def _play(self, message: Any) -> None:
        kind = message.type
        if kind == "note_on" and message.velocity > 0:
            key = message.channel, message.note
            again = self._held.pop(key, None)
            if again is not None:
                self._player.damp(again)
            channel = self._channel(message)
            pitch = self._tunings.pitch(message.channel, channel.tuning, message.note)
            if pitch is not None:
                self._held[key] = self._player.strike(pitch, message.velocity)
        elif kind in ("note_on", "note_off"):
            self._release(self._held.pop((message.channel, message.note), None))
        elif kind == "pitchwheel":
            self._channel(message).turn_wheel(message.pitch, 0.0)
            self._bend(self._channel(message))
        elif kind == "control_change":
            self._control(message)
        elif kind == "sysex":
            self._tunings.receive(message.data)
        elif kind == "reset":
            self._tunings = Tunings() if self._tuning is None else Tunings(self._tuning)
            self._player.choke_all()
            self._held.clear()
            self._pedalled.clear()
            self._channels.clear()
            self._pedal, self._player.bend_semitones = False, 0.0

    def _control(self, message: Any) -> None:
        number, channel = message.control, self._channel(message)
        if number == 64:
            self._pedal = message.value >= 64
            if not self._pedal:
                self._lift()
        elif number == 120:
            self._player.choke_all()
            self._held.clear()
            self._pedalled.clear()
        elif number == 123:
            for key in list(self._held):
                self._release(self._held.pop(key))
        elif number in (*PARAMETER_NUMBERS, 2, 11, 67, 74, 121):
            channel.control(number, message.value, 0.0)
            self._bend(channel)
            if number == 121:
                self._pedal = False
                self._lift()
            self._player.gain_db = gain_db_of(*(channel.value(name) for name in ("expression", "breath", "soft")))
            self._player.turn_brightness(channel.value("brightness"))

    def _lift(self) -> None:
        for note in self._pedalled:
            self._player.damp(note)
        self._pedalled.clear()

    def _release(self, note: Any) -> None:
        if note is None:
            return
        if self._pedal:
            self._pedalled.append(note)
        else:
            self._player.damp(note)

    def _bend(self, channel: Channel) -> None:
        self._player.bend_semitones = channel.bend_now_semitones
        channel.bend_semitones.clear()  # what was, nobody asks for

    def _channel(self, message: Any) -> Channel:
        return self._channels.setdefault(message.channel, Channel())
