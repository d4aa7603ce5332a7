"""MIDI as it comes, as a source of frames: who plays which note, by the causal rules."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ddspvae.features.reach import within_reach
from ddspvae.live.networks import LiveNetworks
from ddspvae.live.player import Ahead, Frames
from ddspvae.live.voices import Voices
from ddspvae.midi.allocate import Allocator, Assignment
from ddspvae.midi.causal import CausalPerformer
from ddspvae.midi.channels import PARAMETER_NUMBERS, Channel
from ddspvae.model.decoder import rows_of

if TYPE_CHECKING:
    from ddspvae.live.playable import Playable

ALL_SOUND_OFF, RESET_CONTROLLERS = 120, 121
MOST_BEND = 128.0  # semitones: beyond lies no key
HOPS_TO_FREE = 16  # between looks for voices that have faded out


class LiveNotes:
    """Messages on the clock, and what they make the voices play.

    Args: as in Instrument.stream.
    """

    def __init__(self, instrument: Playable, networks: LiveNetworks, voices: int, mono: bool, expression: float) -> None:
        config, self._statistics = instrument.config, instrument.statistics
        self._hop_size, self._frames_per_z = config.hop_size, config.frames_per_z
        self._networks = networks
        self._allocator = Allocator(voices, mono=mono)
        self._performer = CausalPerformer(instrument.statistics, config.sample_rate, voices, expression=expression)
        self._z = torch.zeros(voices, 1, config.n_z)
        self.knobs = torch.zeros(1, config.n_z)  # 0 is what is typical
        self._channels: dict[int, Channel] = {}
        self._bent_semitones = 0.0
        self._waiting: list[tuple[int, int, Any]] = []
        self.n_received = 0

    def receive(self, at_sample: int, message: Any) -> None:
        """Keep a message for its time."""
        heapq.heappush(self._waiting, (at_sample, self.n_received, message))
        self.n_received += 1

    @property
    def next_sample(self) -> float:
        """When the next message is due."""
        return self._waiting[0][0] if self._waiting else float("inf")

    def play(self, voices: Voices, sample: int) -> None:
        """All that happens at a sample."""
        fresh: set[int] = set()
        bound: set[int] = set()
        while self.next_sample == sample:
            self._play_message(heapq.heappop(self._waiting)[2], voices, sample, fresh, bound)
        attacking, going_on = (np.array(sorted(changed), dtype=np.int64) for changed in (fresh, bound))
        voices.change(sample, attacking, self._attack(voices, attacking, sample) if fresh else None, going_on)

    def _play_message(self, message: Any, voices: Voices, sample: int, fresh: set[int], bound: set[int]) -> None:
        answer = Assignment()
        if message.type == "note_on" and message.velocity > 0:
            answer = self._allocator.note_on(message.note, message.velocity)
        elif message.type in ("note_on", "note_off"):
            answer = self._allocator.note_off(message.note)
        elif message.type == "pitchwheel":
            self._channel(message).turn_wheel(message.pitch, 0.0)
            self._bend(self._channel(message).bend_now_semitones, voices)
            self._channel(message).bend_semitones.clear()  # what was, nobody asks for
        elif message.type == "control_change":
            answer = self._control(message, voices)
        elif message.type == "reset":
            answer = Assignment(released=(*self._allocator.sustain(False).released, *self._allocator.all_notes_off()))
            self._channels.clear()
            self._bend(0.0, voices)
        for voice in answer.released:
            self._performer.release(voice, sample)
        if answer.voice is not None:
            voice, legato = answer.voice, answer.legato and bool(voices.sounding[answer.voice])
            if legato and voice not in fresh:
                bound.add(voice)
            else:
                if voices.sounding[voice] and voice not in fresh:
                    voices.fade(voice, sample)
                fresh.add(voice)
                bound.discard(voice)
            self._performer.start(voice, answer.pitch, answer.velocity, sample, legato=voice in bound)
        if message.type == "reset" or (message.type == "control_change" and message.control == ALL_SOUND_OFF):
            for voice in np.flatnonzero(voices.sounding).tolist():
                if voice not in fresh:  # which has taken over a voice that fades already
                    voices.fade(voice, sample)
                voices.stop(voice)
            for voice in range(len(voices.sounding)):
                self._allocator.free(voice)
            fresh.clear()
            bound.clear()

    def _control(self, message: Any, voices: Voices) -> Assignment:
        channel = self._channel(message)
        match message.control:
            case control if control in (*PARAMETER_NUMBERS, RESET_CONTROLLERS):
                before = channel.bend_now_semitones
                channel.control(control, message.value, 0.0)  # the range of the wheel, the tuning; or all of it back
                channel.bend_semitones.clear()
                if channel.bend_now_semitones != before:
                    self._bend(channel.bend_now_semitones, voices)
                return self._allocator.sustain(False) if control == RESET_CONTROLLERS else Assignment()
            case 64:
                return self._allocator.sustain(message.value >= 64)
            case 120:
                return Assignment(released=tuple(self._allocator.all_notes_off()))
            case 123:
                return self._allocator.all_keys_up()
        return Assignment()

    def _channel(self, message: Any) -> Channel:
        return self._channels.setdefault(message.channel, Channel())

    def _bend(self, semitones: float, voices: Voices) -> None:
        """The wheel that was moved last bends all voices."""
        semitones = min(max(semitones, -MOST_BEND), MOST_BEND)
        if semitones != self._bent_semitones:
            self._performer.bend(semitones)
            self._bent_semitones = semitones
            voices.expect_jumps()

    def _attack(self, voices: Voices, fresh: NDArray[np.int64], sample: int) -> Frames:
        """Begin notes; their frames at the end of the hop."""
        curves = self._curves(fresh, (sample, voices.end, voices.end + self._hop_size))
        self._z[fresh] = self.knobs
        f0_hz, periodicity, loudness_db = curves
        z = self._z[rows_of(fresh, self._z)]
        return voices.player.attack(self._networks, fresh, f0_hz, periodicity, loudness_db, z)

    def ahead(self, voices: NDArray[np.int64], ages: NDArray[np.int64], at_sample: int, before_hz: Tensor) -> Ahead:
        """As Source wants it; z is what the knobs say, anew every frames_per_z frames of each voice, held in between."""
        curves = self._curves(voices, (at_sample, at_sample + self._hop_size))
        f0_hz, periodicity, loudness_db = (curve[:, :1] for curve in curves)
        self._z[voices[ages % self._frames_per_z == 0]] = self.knobs
        z = self._z[rows_of(voices, self._z)]
        return Ahead(voices, f0_hz, periodicity, loudness_db, z, before_hz, curves[0][:, 1:])

    def over(self, voices: NDArray[np.int64], at_sample: int) -> NDArray[np.bool_]:
        """Released and faded out; looked for now and then."""
        if at_sample // self._hop_size % HOPS_TO_FREE:
            return np.zeros(len(voices), dtype=bool)
        over = self._performer.finished(voices, at_sample)
        for voice in voices[over].tolist():
            self._allocator.free(voice)
        return over

    def _curves(self, voices: NDArray[np.int64], instants: tuple[int, ...]) -> tuple[Tensor, ...]:
        """f0_hz, periodicity, loudness_db [V, N, 1] at N instants: in one call, which costs little more than one instant."""
        f0_hz, periodicity, loudness_db = self._performer.curves(np.repeat(voices, len(instants)),
                                                                 np.tile(instants, len(voices)))
        curves = f0_hz, periodicity, within_reach(f0_hz, loudness_db, self._statistics)
        return tuple(torch.from_numpy(curve).view(len(voices), -1, 1) for curve in curves)
