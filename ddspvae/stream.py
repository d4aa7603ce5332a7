"""Live: MIDI events or performance frames in, audio in blocks of any size out."""

from __future__ import annotations

import heapq
import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ddspvae.checks import InputError, check_range, fail
from ddspvae.midi.allocate import Allocator, Assignment
from ddspvae.midi.causal import CausalPerformer
from ddspvae.model.decoder import FRAMES_PER_STEP, Memory, rows_of
from ddspvae.player import Ahead, Frames, Player, one_thread
from ddspvae.signals import Performance
from ddspvae.synth.constrain import audible
from ddspvae.synth.convolve import Convolver, fft_convolve
from ddspvae.synth.envelopes import segment_phase, start_phase

if TYPE_CHECKING:
    from ddspvae.audio import Audio
    from ddspvae.instrument import Instrument

BEND_RANGE_SEMITONES = 2.0
SUSTAIN, ALL_SOUND_OFF, ALL_NOTES_OFF = 64, 120, 123
JUMP_HOPS = 4  # for which a pitch may come as a surprise to frames that were made ahead
HOPS_TO_FREE = 16  # between looks for voices that have faded out
LEVEL_REACH_S = 2.0  # a room that falls 60 dB in its longest second: what it rang before is 120 dB down


class Stream:
    """One instrument that plays now.

    Everything happens on one clock of samples. The sound of a hop is made when the hop begins, and made again from a
    note's first sample on where one begins inside it; so a note sounds at once, and blocks of any sizes, one sample
    each if need be, give the same sound.

    Args: as in Instrument.stream.
    """

    delay_samples = 0  # from a note-on to its first sample
    lookahead_frames = 3  # a frame that is fed live must be there so many hops before its instant

    def __init__(self, instrument: Instrument, voices: int = 8, *, mono: bool = False, seed: int = 0, dry: bool = False,
                 ir: Audio | None = None, wet_db: float = 0.0, decay: float = 1.0, expression: float = 1.0,
                 start_s: float = 0.0) -> None:
        check_range("stream", "voices", voices, 1, 1024)
        check_range("stream", "expression", expression, 0, 2)
        check_range("stream", "start_s", start_s, 0, 1e6)
        self.instrument, self.config = instrument, instrument.config
        self.hop_size = self.config.hop_size
        with torch.inference_mode():
            self._room, self._response = instrument.room_and_response(dry, ir, wet_db, decay)
            self._convolver = None if self._response is None else Convolver(self._response, self.hop_size)
            self._player = Player(instrument.model, self._room, voices, seed=seed)
            self._begun = Frames.nothing(voices, self.config.n_harmonics, self.config.n_noise_bands)
            self._begun_phase = self._player.phase.clone()
            self._z = torch.zeros(voices, 1, self.config.n_z)
            self._next = Frames.nothing(voices, self.config.n_harmonics, self.config.n_noise_bands)
        self._is_next = np.zeros(voices, dtype=bool)  # whose frame at the end of the next hop is there already
        self._ahead: Ahead | None = None  # what that frame will be
        self._remembered: tuple[Memory, NDArray] | None = None  # before voices heard it
        self._chores = {  # by place in the hop
            self.hop_size // 4: self._expect, self.hop_size // 2: self._listen_ahead,
            self.hop_size * 3 // 4: self._control_ahead, self.hop_size * 7 // 8: self._make_noise_ahead,
        }
        self._is_changed = np.zeros(voices, dtype=bool)  # what has another future since
        self._is_new = np.zeros(voices, dtype=bool)  # what has another past since
        self._networks = instrument.live_networks()
        self._begun_sample = np.zeros(voices, dtype=np.int64)
        self._allocator = Allocator(voices, mono=mono)
        self._performer = CausalPerformer(instrument.statistics, self.config.sample_rate, voices, expression=expression)
        self._fed: dict[int, tuple[int, Performance]] = {}  # by voice; where on the clock it begins, in frames
        self._fed_before: set[int] = set()  # voices that began
        self._sounding = np.zeros(voices, dtype=bool)
        self.sample = round(start_s * self.config.frame_rate_hz) * self.hop_size
        self._start = self.sample
        self._jumping_until = self.sample
        self._hop = self.sample - self.hop_size  # where the hop began whose sound is there
        self._dry = torch.zeros(voices, self.hop_size)
        self._noise = torch.zeros(voices, self.hop_size)  # up to the next frame
        self._mix = torch.zeros(self.hop_size)
        self._fading = torch.zeros(2 * self.hop_size)  # what is left of notes whose voice was taken
        self._rung: dict[int, Tensor] = {}  # of what fed voices played before the clock began
        self._ringing = torch.zeros(1, 0)  # all of it
        self._events: list[tuple[int, int, Any]] = []
        self._n_events = 0

    def send(self, message: Any, offset: int = 0) -> None:
        """Play a MIDI message `offset` samples after the start of the next block.

        Understood, whatever the channel: note_on, note_off, pitchwheel (two semitones), sustain pedal (64), all sound off
        (120), all notes off (123). Other messages change nothing; a room rings on after all of them. A note starts at
        its own sample; what bends or ends one is heard within two hops.

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
        if self._fed:
            raise InputError("stream.send: this stream plays the performances it was fed; open another one for MIDI.")
        heapq.heappush(self._events, (self.sample + int(offset), self._n_events, message))
        self._n_events += 1

    @torch.inference_mode()
    @one_thread()
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
        check_range("stream.feed", "voice", voice, 0, self._player.n_voices - 1)
        if self._n_events:
            raise InputError("stream.feed: this stream plays MIDI; open another one for performances.")
        performance = self.instrument.adapt(performance)
        at_border = self.sample == self._hop + self.hop_size
        if not self._sounding[voice] and not at_border:
            raise InputError(f"stream.feed: a performance must begin between hops of {self.hop_size} samples, got sample "
                             f"{self.sample}; feed it before the first read, or before the voice runs out.")
        first, before = self._fed.get(voice, (0, None))
        joined = performance if before is None else before.then(performance)
        self._fed[voice] = self._without_past(first, joined)
        if self._sounding[voice]:
            return
        now = self.sample // self.hop_size
        if voice not in self._fed_before or self.sample == self._start:
            self._begin_fed(joined, voice, now)
        elif now < self._end(voice):
            ahead = self._fed_ahead(np.array([voice]), now)
            assert ahead is not None
            self._listen(ahead)
            self._player.last.put(slice(voice, voice + 1), self._player.frame(self._networks, ahead))
            self._sounding[voice] = True

    def _end(self, voice: int) -> int:
        """The frame at which a fed voice is over."""
        first, performance = self._fed[voice]
        return first + performance.n_frames

    def _without_past(self, first: int, performance: Performance) -> tuple[int, Performance]:
        """A performance from what is to be played on; its first frame on the clock."""
        every = self.config.frames_per_z
        gone = max(0, self.sample // self.hop_size - first - 1) // every * every
        if not gone or self.sample == self._start or gone >= performance.n_frames:
            return first, performance
        return first + gone, replace(
            performance, f0_hz=performance.f0_hz[gone:], periodicity=performance.periodicity[gone:],
            loudness_db=performance.loudness_db[gone:], z=performance.z[gone // every :])

    def _begin_fed(self, performance: Performance, voice: int, now: int) -> None:
        """Bring a voice to where it is at frame `now` of its performance, and let what it played before ring."""
        config, per_row = self.config, self.config.frames_per_z
        tail = 0 if self._response is None else -(-self._response.shape[-1] // self.hop_size)
        if now >= performance.n_frames + tail:
            return
        self._fed_before.add(voice)
        # what reaches to now: the room's tail, before it the decoder's memory and the level's
        reach = tail + FRAMES_PER_STEP * self.instrument.model.decoder.stack.receptive_field
        reach += math.ceil(LEVEL_REACH_S * config.frame_rate_hz)
        every = math.lcm(per_row, FRAMES_PER_STEP)
        first = max(0, min(now, performance.n_frames - 1) - reach) // every * every
        past = Player(self.instrument.model, self._room, 1, seed=self._player.seed, first_voice=voice)
        past.memory.n_frames += first
        last = min(now, performance.n_frames - 1)
        part = slice(first, last + 1)
        f0_hz, periodicity, loudness_db = (_column(curve[part]) for curve in (
            performance.f0_hz, performance.periodicity, performance.loudness_db))
        z = torch.from_numpy(np.array(performance.z[first // per_row : last // per_row + 1]))[None]
        frames = past.control(f0_hz, periodicity, loudness_db, z, _one(performance.f0_hz, last + 1),
                              _one(performance.f0_hz, first - 1))
        past.phase = start_phase(_column(performance.f0_hz[: first + 1]), config.sample_rate, self.hop_size)[:, -1:]
        past.last = frames[:, -1:]
        played = frames if now == last else frames.then(past.last)
        if now > first:
            audio, past.phase = past.sound(played, past.phase, first * self.hop_size, past.noise_keys)
            if self._response is not None:
                audio = torch.nn.functional.pad(audio, (0, (now - first) * self.hop_size - audio.shape[-1]))
                n_taps = self._response.shape[-1]
                rung = fft_convolve(torch.nn.functional.pad(audio, (0, n_taps)), self._response)[:, -n_taps:]
                self._rung[voice] = rung
                self._ringing = torch.stack(list(self._rung.values())).sum(0)
        self._player.adopt(voice, past)
        self._sounding[voice] = now < performance.n_frames

    @torch.inference_mode()
    @one_thread()
    def read(self, n_samples: int) -> Audio:
        """The next samples, [n_samples], or [2, n_samples] in a stereo room."""
        check_range("stream.read", "n_samples", n_samples, 0, 10**9)
        parts, end = [], self.sample + n_samples
        while self.sample < end:
            if self.sample == self._hop + self.hop_size:
                self._next_hop()
            begin = self.sample - self._hop
            self._go_on_to(min(end, self._hop + self.hop_size))
            dry = self._mix[None, begin : self.sample - self._hop]
            parts.append(dry if self._convolver is None else self._convolver(dry))
        if not parts:
            return np.zeros(0 if self._response is None or len(self._response) == 1 else (2, 0), dtype=np.float32)
        audio = parts[0].clone() if len(parts) == 1 else torch.cat(parts, dim=-1)
        if self._ringing.shape[-1]:
            n = min(n_samples, self._ringing.shape[-1])
            audio[:, :n] += self._ringing[:, :n]
            self._ringing = self._ringing[:, n:]
        sound: Audio = audio.numpy()
        return sound[0] if len(sound) == 1 else sound

    def _go_on_to(self, end: int) -> None:
        """Advance the clock inside a hop, with all that happens on the way.

        The frames at the end of the next hop, and the noise up to them, are made ahead, a part of the work at each of
        four places: so small blocks share it evenly.
        """
        while self.sample < end:
            if self._events and self._events[0][0] == self.sample:
                self._play_events()
                self._mix_voices()
            place = self.sample - self._hop
            if place in self._chores:
                self._chores[place]()
            until = min([end, *(self._hop + later for later in self._chores if later > place)])
            self.sample = min(until, self._events[0][0]) if self._events else until

    def _next_hop(self) -> None:
        self._hop += self.hop_size
        self._dry.zero_()
        self._fading = torch.nn.functional.pad(self._fading[self.hop_size :], (0, self.hop_size))
        if self._events and self._events[0][0] == self.sample:
            self._play_events()
        else:
            self._advance(np.flatnonzero(self._sounding))
        self._remembered = None
        self._mix_voices()

    def _mix_voices(self) -> None:
        self._mix = self._dry.sum(0) + self._fading[: self.hop_size]

    def _play_events(self) -> None:
        """All that happens at this sample; voices that begin or change sound from here on."""
        fresh: set[int] = set()
        bound: set[int] = set()
        while self._events and self._events[0][0] == self.sample:
            self._play_event(heapq.heappop(self._events)[2], fresh, bound)
        if self._remembered is not None:
            expected = [voice for voice in sorted(bound) if not self._is_new[voice]]
            if expected:
                self._player.recall(np.array(expected), self._remembered)
        at_border = self.sample == self._hop
        new = np.array(sorted(fresh | bound), dtype=np.int64)
        self._is_next[new] = False
        self._is_changed[new] = True
        if bound:
            self._jumping_until = self._hop + JUMP_HOPS * self.hop_size
        if bound and not at_border:
            rows = torch.tensor(sorted(bound))
            frames, phase = self._cut(rows)
            self._player.last.put(rows, frames)
            self._player.phase[rows] = phase
        if fresh:
            self._attack(np.array(sorted(fresh)))
        self._advance(np.flatnonzero(self._sounding) if at_border else new)

    def _play_event(self, message: Any, fresh: set[int], bound: set[int]) -> None:
        answer = Assignment()
        if message.type == "note_on" and message.velocity > 0:
            answer = self._allocator.note_on(message.note, message.velocity)
        elif message.type in ("note_on", "note_off"):
            answer = self._allocator.note_off(message.note)
        elif message.type == "pitchwheel":
            self._performer.bend(BEND_RANGE_SEMITONES * message.pitch / 8192)
            self._jumping_until = self._hop + JUMP_HOPS * self.hop_size
        elif message.type == "control_change" and message.control == SUSTAIN:
            answer = self._allocator.sustain(message.value >= 64)
        elif message.type == "control_change" and message.control in (ALL_SOUND_OFF, ALL_NOTES_OFF):
            answer = Assignment(released=tuple(self._allocator.all_notes_off()))
        for voice in answer.released:
            self._performer.release(voice, self.sample)
        if answer.voice is not None:
            voice, legato = answer.voice, answer.legato and bool(self._sounding[answer.voice])
            if legato and voice not in fresh:
                bound.add(voice)
            else:
                if self._sounding[voice] and voice not in fresh:
                    self._fade(voice)
                fresh.add(voice)
                bound.discard(voice)
            self._performer.start(voice, answer.pitch, answer.velocity, self.sample, legato=voice in bound)
        if message.type == "control_change" and message.control == ALL_SOUND_OFF:
            for voice in np.flatnonzero(self._sounding).tolist():
                if voice not in fresh:  # which has taken over a voice that fades already
                    self._fade(voice)
                self._dry[voice, self.sample - self._hop :] = 0
                self._sounding[voice] = False
            for voice in range(len(self._sounding)):
                self._allocator.free(voice)
            fresh.clear()
            bound.clear()

    def _fade(self, voice: int) -> None:
        """Let what a voice plays fade out, within a hop or what is left of it, beside whatever the voice does next."""
        place = self.sample - self._hop
        if 0 < place <= self.hop_size // 2:  # enough of it is there already
            self._fading[place : self.hop_size] += self._dry[voice, place:] * torch.linspace(1, 0, self.hop_size - place)
            self._dry[voice, place:] = 0
            return
        rows = torch.tensor([voice])
        frames, phase = self._cut(rows)
        fade, _ = self._player.sound(frames.then(frames.silenced()), phase, self.sample, self._player.noise_keys[[voice]])
        self._fading[place : place + self.hop_size] += fade[0]
        self._dry[voice, place:] = 0

    def _cut(self, rows: Tensor) -> tuple[Frames, Tensor]:
        """The frame and the phase in which voices are at this sample, and from which they may go on differently."""
        last, phase = self._player.last[rows], self._player.phase[rows]
        if self.sample == self._hop:
            return last, phase
        frames, phases = [], []
        for row, voice in enumerate(rows.tolist()):  # each may have begun its segment elsewhere
            one = rows[row : row + 1]
            length = self._hop + self.hop_size - int(self._begun_sample[voice])
            done = self.sample - int(self._begun_sample[voice])
            begun, begun_phase = self._begun[one], self._begun_phase[one]
            both = torch.cat([begun.f0_hz, last.f0_hz[row : row + 1]], dim=1)
            frames.append(begun.between(last[row : row + 1], done / length))
            if done:
                phases.append(segment_phase(both, begun_phase, self.config.sample_rate, length)[..., done : done + 1] % 1)
            else:
                phases.append(begun_phase)
        return Frames(*(torch.cat([getattr(frame, name) for frame in frames])
                        for name in ("f0_hz", "heights", "noise_magnitudes"))), torch.cat(phases)

    def _attack(self, voices: NDArray[np.int64]) -> None:
        """The first frame of new notes: at this very sample, and silent, so that the stack alone need hear it."""
        self._player.attack(voices)
        ahead = self._midi_ahead(voices, self.sample, self._hop + self.hop_size, None)
        self._listen(ahead)
        self._player.memory.n_frames[voices] = 1
        rows = torch.from_numpy(voices)
        silent = self._player.last[rows].silenced()
        self._player.last.put(rows, Frames(ahead.f0_hz, silent.heights, silent.noise_magnitudes))
        self._sounding[voices] = self._is_new[voices] = True

    def _choose_z(self, ahead: Ahead) -> None:
        """z of MIDI voices: the likeliest, anew every frames_per_z frames of each, held in between."""
        due = np.flatnonzero(self._player.memory.n_frames[ahead.voices] % self.config.frames_per_z == 0)
        if len(due):
            curves = (ahead.f0_hz, ahead.periodicity, ahead.loudness_db)
            mean, _ = self._networks.prior(*(curve[rows_of(due, curve)] for curve in curves))
            self._z[rows_of(ahead.voices[due], self._z)] = mean[..., : self.config.n_z]

    def _expect(self) -> None:
        """What will be played at the end of the next hop, if nothing happens."""
        self._is_changed[:] = False
        self._ahead = self._look_ahead(np.flatnonzero(self._sounding), self._hop + 2 * self.hop_size)

    def _listen_ahead(self) -> None:
        """The stacks hear it."""
        self._is_new[:] = False
        self._remembered = self._player.remember()
        if self._ahead is not None and self._drop_changed():
            self._listen(self._ahead)

    def _control_ahead(self) -> None:
        """The frames there, for the voices that went on as they were expected to."""
        if self._ahead is not None and self._drop_changed():
            voices = self._ahead.voices
            self._next.put(rows_of(voices, self._dry), self._player.frame(self._networks, self._ahead))
            self._is_next[voices] = True
        self._ahead = None

    def _drop_changed(self) -> bool:
        """Forget what was expected of voices that have changed since; is any left?"""
        assert self._ahead is not None
        kept = ~self._is_changed[self._ahead.voices] & self._sounding[self._ahead.voices]
        if not kept.all():
            self._ahead = self._ahead.only(kept)
        return bool(kept.any())

    def _listen(self, ahead: Ahead) -> None:
        self._player.step(self._networks, ahead, self._z[rows_of(ahead.voices, self._z)])

    def _make_noise_ahead(self) -> None:
        self._make_noise(np.flatnonzero(self._is_next), self._hop + self.hop_size, self.hop_size)

    def _make_noise(self, voices: NDArray[np.int64], at_sample: int, length: int) -> None:
        """The noise from the last frames to the next."""
        if len(voices):
            rows, keys = rows_of(voices, self._dry), self._player.noise_keys[voices]
            frames = self._player.last[rows].then(self._next[rows])
            self._noise[rows, :length] = self._player.noise(frames, at_sample, keys, length)

    def _advance(self, voices: NDArray[np.int64]) -> None:
        """From this sample to the end of the hop: the frames there, and the sound on the way."""
        if not len(voices):
            return
        end = self._hop + self.hop_size
        length = end - self.sample
        missing = voices[~self._is_next[voices]]
        if len(missing):
            self._next.put(rows_of(missing, self._dry), self._frames_at(missing, end))
            self._make_noise(missing, self.sample, length)
        self._is_next[voices] = False
        rows = rows_of(voices, self._dry)
        begun, phase, frames = self._player.last[rows], self._player.phase[rows], self._next[rows]
        if self._hop < self._jumping_until:  # no harmonic may sound across Nyquist
            may = audible(frames.f0_hz, begun.heights.shape[-1], self.config.sample_rate)
            begun = Frames(begun.f0_hz, begun.heights * may, begun.noise_magnitudes)
        audio, after = self._player.harmonics(begun.then(frames), phase, length)
        self._begun.put(rows, begun)
        self._begun_phase[rows], self._begun_sample[voices] = phase, self.sample
        self._player.last.put(rows, frames)
        self._player.phase[rows] = after
        self._dry[rows, self.hop_size - length :] = audio + self._noise[rows, :length]
        if self._fed:
            over = np.array([self._end(voice) <= end // self.hop_size for voice in voices.tolist()])
        elif end // self.hop_size % HOPS_TO_FREE == 0:
            over = self._performer.finished(voices, end)
        else:
            return
        for voice in voices[over].tolist():
            self._sounding[voice] = False
            self._allocator.free(voice)

    def _frames_at(self, voices: NDArray[np.int64], at_sample: int) -> Frames:
        """The frames of voices at a later instant, if nothing happens until then; a performance that is over stays."""
        ahead = self._look_ahead(voices, at_sample)
        if ahead is not None:
            self._listen(ahead)
        if ahead is not None and len(ahead.voices) == len(voices):
            return self._player.frame(self._networks, ahead)
        frames = self._player.last[torch.from_numpy(voices)]
        if ahead is not None:
            frames.put(torch.from_numpy(np.searchsorted(voices, ahead.voices)), self._player.frame(self._networks, ahead))
        return frames

    def _look_ahead(self, voices: NDArray[np.int64], at_sample: int) -> Ahead | None:
        """What voices are about to play; None if no voice goes on."""
        if not len(voices):
            return None
        if self._fed:
            return self._fed_ahead(voices, at_sample // self.hop_size)
        before_hz = self._player.last.f0_hz[rows_of(voices, self._dry)]
        return self._midi_ahead(voices, at_sample, at_sample + self.hop_size, before_hz)

    def _midi_ahead(self, voices: NDArray[np.int64], at_sample: int, after_sample: int, before_hz: Tensor | None) -> Ahead:
        n = len(voices)  # both instants in one call, which costs little more than one
        instants = np.repeat([at_sample, after_sample], n)
        both_hz, periodicity, loudness_db = map(_rows, self._performer.curves(np.tile(voices, 2), instants))
        f0_hz = both_hz[:n]
        ahead = Ahead(voices, f0_hz, periodicity[:n], loudness_db[:n], f0_hz if before_hz is None else before_hz.clone(),
                      both_hz[n:])
        self._choose_z(ahead)
        return ahead

    def _fed_ahead(self, voices: NDArray[np.int64], frame: int) -> Ahead | None:
        going = np.array([voice for voice in voices.tolist() if frame < self._end(voice)], dtype=np.int64)
        if not len(going):
            return None
        takes = [(take, frame - first) for first, take in (self._fed[voice] for voice in going.tolist())]
        f0_hz, periodicity, loudness_db = (_rows(np.array([getattr(take, name)[at] for take, at in takes]))
                                           for name in ("f0_hz", "periodicity", "loudness_db"))
        after_hz = _rows(np.array([take.f0_hz[min(at + 1, take.n_frames - 1)] for take, at in takes]))
        z = torch.from_numpy(np.stack([take.z[at // self.config.frames_per_z] for take, at in takes]))[:, None]
        self._z[rows_of(going, self._z)] = z
        return Ahead(going, f0_hz, periodicity, loudness_db, self._player.last.f0_hz[torch.from_numpy(going)], after_hz)


def _column(curve: NDArray) -> Tensor:
    """[F] to [1, F, 1]."""
    return torch.from_numpy(np.array(curve, dtype=np.float32))[None, :, None]


def _rows(curve: NDArray) -> Tensor:
    """[V] to [V, 1, 1]."""
    return torch.from_numpy(np.array(curve, dtype=np.float32))[:, None, None]


def _one(curve: NDArray, frame: int) -> Tensor | None:
    """[1, 1, 1], or None where the curve has no such frame."""
    return _rows(curve[frame : frame + 1]) if 0 <= frame < len(curve) else None
