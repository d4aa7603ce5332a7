"""MIDI as it comes, as a source of frames: who plays which note, by the causal rules."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ddspvae.engine.frames import Ahead, Array, Frames
from ddspvae.features.reach import within_reach
from ddspvae.live.desk import Desk
from ddspvae.live.voices import Voices
from ddspvae.midi.allocate import Allocator, Assignment
from ddspvae.midi.causal import CausalPerformer
from ddspvae.midi.channels import ALL_SOUND_OFF
from ddspvae.midi.controller_map import USUAL, ControllerMap, Shape
from ddspvae.midi.held_keys import Sounding
from ddspvae.midi.mpe import Port
from ddspvae.midi.tuning import Pitches
from ddspvae.signals import CONTROLLERS

if TYPE_CHECKING:
    from ddspvae.live.playable import Playable

SHAPING = ("pitchwheel", "aftertouch", "polytouch", "control_change", "sysex", "reset")  # what a note that sounds hears of
MIXING, MIX = (7, 39, 10, 42), (CONTROLLERS["volume"], CONTROLLERS["pan"])
MOST_BEND = 128.0  # semitones: beyond lies no key
HOPS_TO_FREE = 16  # between looks for voices that have faded out


def _bounded(shape: Shape) -> float:
    return min(max(shape.bend_semitones, -MOST_BEND), MOST_BEND)


class LiveNotes:
    """Messages on the clock, and what they make the voices play: all that a file may say, as `midi.mpe` hears it.

    Args: as in Instrument.stream.
    """

    def __init__(self, instrument: Playable, voices: int, mono: bool, expression: float, controllers: str = USUAL,
                 tuning: Pitches | None = None, stereo: bool = False) -> None:
        config, self._statistics = instrument.config, instrument.statistics
        self._rate, self._hop_size, self._frames_per_z = config.sample_rate, config.hop_size, config.frames_per_z
        self._allocator = Allocator(voices, mono=mono)
        self._map = ControllerMap(controllers, instrument.statistics)
        expression = 0.0 if self._map.is_breath else expression  # whose vibrato is all played by hand
        self._performer = CausalPerformer(instrument.statistics, config.sample_rate, voices, expression=expression)
        self._z = np.zeros((voices, config.n_z), np.float32)
        self.knobs = np.zeros(config.n_z, np.float32)  # 0 is what is typical
        self._brightness = instrument.axis_names.index("brightness") if "brightness" in instrument.axis_names else None
        self._offsets = np.zeros((voices, config.n_z), np.float32)  # of each voice, beside the knobs
        self._tuning = tuning
        self._port = Port(tuning, keeps_older=True)
        self._notes: dict[int, Sounding] = {}  # that each voice played last
        self._held: list[Sounding] = []
        self._shapes: dict[int, Shape] = {}  # as each voice was told
        self.desk = Desk(config.sample_rate, stereo)
        self._mix = MIX  # volume and pan that were sent last
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
        self._port.forget()
        self.desk.move(*self._mix, sample)
        attacking, going_on = (np.array(sorted(changed), dtype=np.int64) for changed in (fresh, bound))
        voices.change(sample, attacking, self._attack(voices, attacking, sample) if fresh else None, going_on)

    def _play_message(self, message: Any, voices: Voices, sample: int, fresh: set[int], bound: set[int]) -> None:
        struck = self._hear(message, sample / self._rate)
        is_off = message.type == "control_change" and message.control == ALL_SOUND_OFF
        if message.type == "reset" or is_off:
            number = self._port.manager(message.channel) if is_off else None
            cut = [voice for voice, note in self._notes.items() if number in (None, self._port.manager(note.channel))]
            self._cut(cut, voices, sample, fresh, bound)
        if message.type in SHAPING:
            for voice, note in self._notes.items():
                self._shape(voice, note, voices, sample)
        if struck is not None:
            again = next((note for note in self._held if note.is_over and (note.channel, note.pitch)
                          == (struck.channel, struck.pitch)), None)
            self._held.append(struck)
            self._answer(self._allocator.note_on(struck.sounds, struck.velocity, struck, again=again,
                                                 bound_to=struck.bound_to), voices, sample, fresh, bound)
        for note in [note for note in self._held if note.is_over]:
            self._held.remove(note)
            self._answer(self._allocator.note_off(note), voices, sample, fresh, bound)

    def _hear(self, message: Any, time_s: float) -> Sounding | None:
        """Let the port hear it; the note that begins, if one does."""
        port = self._port
        match message.type:
            case "note_on" if message.velocity:
                return port.press(None, message.channel, message.note, message.velocity, time_s, float("inf"))
            case "note_on" | "note_off":
                port.release(None, message.channel, message.note, time_s)
            case "pitchwheel":
                port.turn_wheel(message.channel, message.pitch, time_s)
            case "aftertouch":
                port.press_all(message.channel, message.value, time_s)
            case "polytouch":
                port.press_key(message.channel, message.note, message.value, time_s)
            case "control_change":
                port.control(message.channel, message.control, message.value, time_s)
                self._map.hear(port.manager(message.channel), message.control, message.value)
                home = port.home(message.channel)
                if message.control in MIXING:
                    self._mix = home.value("volume"), home.value("pan")
            case "sysex":
                port.retune(message.data, time_s)
            case "reset":
                for channel in port.channels:
                    channel.keys.silence(time_s)
                self._port = Port(self._tuning, keeps_older=True)
                self._map.reset()
                self._mix = MIX
        return None

    def _answer(self, answer: Assignment, voices: Voices, sample: int, fresh: set[int], bound: set[int]) -> None:
        """Let voices do what the allocator says."""
        for voice in answer.released:
            self._performer.release(voice, sample)
        if answer.voice is None:
            return
        voice, note = answer.voice, answer.key
        assert isinstance(note, Sounding)
        legato = answer.legato and bool(voices.sounding[voice])
        if legato and voice not in fresh:
            bound.add(voice)
        else:
            if voices.sounding[voice] and voice not in fresh:
                voices.fade(voice, sample)
            fresh.add(voice)
            bound.discard(voice)
        start = self._map.start(note, answer.velocity, self._port.home(note.channel).keys.glide_s)
        self._notes[voice] = note
        shape = self._map.shape(self._port.manager(note.channel), self._port.home(note.channel), note)
        self._performer.start(voice, answer.pitch, start.velocity, sample, legato=voice in bound, attack_s=start.attack_s,
                              glide_s=start.glide_s, glide_from=start.glide_from, bend_semitones=_bounded(shape))
        self._tell(voice, shape, sample, at_once=voice in fresh)

    def _cut(self, cut: list[int], voices: Voices, sample: int, fresh: set[int], bound: set[int]) -> None:
        """End the sound of voices at once."""
        for voice in cut:
            if voices.sounding[voice] and voice not in fresh:  # which has taken over a voice that fades already
                voices.fade(voice, sample)
            voices.stop(voice)
            fresh.discard(voice)
            bound.discard(voice)
            self._notes.pop(voice, None)
            self._performer.release(voice, sample)
        for note in [note for note in self._held if note.is_over]:
            self._held.remove(note)
            self._allocator.note_off(note)
        for voice in cut:
            self._allocator.free(voice)

    def _shape(self, voice: int, note: Sounding, voices: Voices, sample: int) -> None:
        """Let a voice follow its channel and its note's own curves."""
        before = self._shapes[voice]
        shape = self._map.shape(self._port.manager(note.channel), self._port.home(note.channel), note)
        if shape == before:
            return
        if shape.bend_semitones != before.bend_semitones:
            self._performer.bend(_bounded(shape), voice)
            voices.expect_jumps()
        self._tell(voice, shape, sample)

    def _tell(self, voice: int, shape: Shape, sample: int, *, at_once: bool = False) -> None:
        self._shapes[voice] = shape
        self._performer.shape(voice, sample, gain_db=shape.gain_db, vibrato_cents=shape.vibrato_cents, rate_hz=shape.rate_hz,
                              at_once=at_once)
        if self._brightness is not None:
            self._offsets[voice, self._brightness] = shape.brightness

    def _attack(self, voices: Voices, fresh: NDArray[np.int64], sample: int) -> Frames:
        """Begin notes; their frames at the end of the hop."""
        curves = self._curves(fresh, (sample, voices.end, voices.end + self._hop_size))
        self._z[fresh] = self.knobs + self._offsets[fresh]
        f0_hz, periodicity, loudness_db = curves
        return voices.player.attack(fresh, f0_hz, periodicity, loudness_db, self._z[fresh])

    def ahead(self, voices: NDArray[np.int64], ages: NDArray[np.int64], at_sample: int, before_hz: Array) -> Ahead:
        """As Source wants it; z is what the knobs say, anew every frames_per_z frames of each voice, held in between."""
        curves = self._curves(voices, (at_sample, at_sample + self._hop_size))
        f0_hz, periodicity, loudness_db = (curve[:, 0] for curve in curves)
        due = voices[ages % self._frames_per_z == 0]
        self._z[due] = self.knobs + self._offsets[due]
        return Ahead(voices, f0_hz, periodicity, loudness_db, self._z[voices], before_hz, curves[0][:, 1])

    def over(self, voices: NDArray[np.int64], at_sample: int) -> NDArray[np.bool_]:
        """Released and faded out; looked for now and then."""
        if at_sample // self._hop_size % HOPS_TO_FREE:
            return np.zeros(len(voices), dtype=bool)
        over = self._performer.finished(voices, at_sample)
        for voice in voices[over].tolist():
            self._allocator.free(voice)
            self._notes.pop(voice, None)
        return over

    def _curves(self, voices: NDArray[np.int64], instants: tuple[int, ...]) -> tuple[Array, ...]:
        """f0_hz, periodicity, loudness_db [V, N] at N instants: in one call, which costs little more than one instant."""
        f0_hz, periodicity, loudness_db = self._performer.curves(np.repeat(voices, len(instants)),
                                                                 np.tile(instants, len(voices)))
        curves = f0_hz, periodicity, within_reach(f0_hz, loudness_db, self._statistics)
        return tuple(curve.reshape(len(voices), -1) for curve in curves)
