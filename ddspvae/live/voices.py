"""The voices of a stream, hop by hop: what they are about to play is asked of a source, and made into sound."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ddspvae.engine.frames import Ahead, Array, Frames, rows_of
from ddspvae.live.player import Player
from ddspvae.live.source import Source

JUMP_HOPS = 4  # for which a pitch may come as a surprise to frames that were made ahead


@dataclass(eq=False)
class _Leaving:
    """A note's last hop.

    Args:
        voice: that played it.
        begin, end: its frames at both ends, the second silent.
        phase: [1], at the first.
        noise: [hop_size], when it is made.
    """

    voice: int
    begin: Frames
    end: Frames
    phase: NDArray[np.float64]
    noise: Array | None = None


class Voices:
    """The sound of all voices, one hop at a time, made when the hop begins.

    What changes inside a hop is made again from that sample on. The frames at the end of the next hop, and the noise up
    to them, are made ahead at four places in the hop, so that small blocks share the work evenly; where notes begin, whose
    sound cannot wait, most of that is left to the next hop.

    Args:
        player: of the voices.
        source: of their frames.
        first_sample: where the clock begins, a whole number of hops.
    """

    def __init__(self, player: Player, source: Source, first_sample: int) -> None:
        n_voices = len(player.last)
        self.player, self.source, self.hop_size = player, source, player.hop_size
        self.sounding = np.zeros(n_voices, dtype=bool)
        self.begin = first_sample - self.hop_size  # of the hop whose sound is there
        self.mix = np.zeros(self.hop_size, np.float32)
        self._chores: Mapping[int, Callable[[], None]] = {  # by place in the hop
            self.hop_size // 4: self._expect, self.hop_size // 2: self._listen_ahead,
            self.hop_size * 3 // 4: self._control_ahead, self.hop_size * 7 // 8: self._make_noise_ahead,
        }
        self.places = sorted(self._chores)
        self._left: list[Callable[[], None]] = []  # chores that waited
        self._is_late = False  # this hop had notes to begin
        self._ahead: Ahead | None = None  # what the frame at the end of the next hop will be
        self._next_begin = first_sample  # where the next hop begins
        self._next = player.last.copy()  # that frame
        self._is_next = np.zeros(n_voices, dtype=bool)  # who has it
        self._remembered: Any = None  # before voices heard it
        self._is_changed = np.zeros(n_voices, dtype=bool)  # what has another future since it was expected
        self._is_new = np.zeros(n_voices, dtype=bool)  # what has another past since that was remembered
        self._begun = player.last.copy()  # where segments began
        self._begun_phase = player.phase.copy()
        self._begun_sample = np.zeros(n_voices, dtype=np.int64)
        self._jumping_until = first_sample
        self._dry = np.zeros((n_voices, self.hop_size), np.float32)
        self._noise = np.zeros((n_voices, self.hop_size), np.float32)  # up to the next frame
        self._fading = np.zeros(self.hop_size, np.float32)  # what is left in this hop of notes that gave way
        self._leaving: list[_Leaving] = []  # notes that gave way and take one more hop to fade

    @property
    def end(self) -> int:
        """The sample after the hop whose sound is there."""
        return self.begin + self.hop_size

    def next_hop(self) -> None:
        """Go on to the hop that begins where this one ends; its sound is there after `advance`."""
        self.begin = self.end
        self._is_late = False
        self._dry[:] = 0
        self._fading[:] = 0

    def advance(self) -> None:
        """Make the sound of a hop that begins."""
        for chore in self._left:
            chore()
        self._left.clear()
        self._advance(np.flatnonzero(self.sounding), self.begin)
        self._remembered = None
        self._sum()

    def work(self, place: int) -> None:
        """Do what is to be done at a place in the hop."""
        chore = self._chores[place]
        if self._is_late and chore != self._expect:
            self._left.append(chore)
        else:
            chore()

    def change(self, at_sample: int, fresh: NDArray[np.int64], begun: Frames | None, bound: NDArray[np.int64]) -> None:
        """Let voices that begin a note, or are bound to another one, sound accordingly from a sample on.

        Args:
            fresh: [R], voices whose first frame the player has at that sample; begun, their frames at the end of the hop.
            bound: voices that go on differently.
        """
        if self._remembered is not None:
            expected = bound[~self._is_new[bound]]
            if len(expected):
                self.player.recall(expected, self._remembered)
        new = np.sort(np.concatenate([fresh, bound]))
        self._is_next[new] = False
        self._is_changed[new] = True
        if len(bound):
            self.expect_jumps()
            if at_sample > self.begin:
                frames, phase = self._cut(bound, at_sample)
                self.player.last.put(bound, frames)
                self.player.phase[bound] = phase
        if begun is not None:
            self._is_late = True
            self._next.put(fresh, begun)
            self._is_next[fresh] = self.sounding[fresh] = self._is_new[fresh] = True
            self._make_noise(fresh, at_sample, self.end - at_sample)
        if at_sample == self.begin:
            self.advance()
        else:
            if len(new):
                self._advance(new, at_sample)
            self._sum()  # also of what was only cut off

    def expect_jumps(self) -> None:
        """From now on for a while, harmonics near Nyquist need another look."""
        self._jumping_until = self.begin + JUMP_HOPS * self.hop_size

    def fade(self, voice: int, at_sample: int) -> None:
        """Let what a voice plays fade out, in half a hop to one and a half, beside whatever the voice does next."""
        place, length = at_sample - self.begin, self.end - at_sample
        row = slice(voice, voice + 1)
        way = 1.0  # of the fade, in this hop
        if 2 * length < self.hop_size or not place:
            way = length / (length + self.hop_size) if place else 0.0
            last = self.player.last[row].copy().scaled(1 - way)
            self._leaving.append(_Leaving(voice, last, last.scaled(0), self.player.phase[row].copy()))
        if place:
            self._fading[place:] += self._dry[voice, place:] * np.linspace(1, 1 - way, length, dtype=np.float32)
        self._dry[voice, place:] = 0

    def stop(self, voice: int) -> None:
        """Play nothing more on a voice that fades."""
        self.sounding[voice] = False

    def resume(self, voice: int, at_sample: int) -> None:
        """Let a voice that had fallen silent go on from the frame at a sample."""
        ahead = self._look_ahead(np.array([voice]), at_sample)
        if ahead is not None:
            self.player.step(ahead)
            self.player.last.put(slice(voice, voice + 1), self.player.frame(ahead))
            self.sounding[voice] = True

    def _sum(self) -> None:
        self.mix = self._dry.sum(0) + self._fading

    def _cut(self, voices: NDArray[np.int64], at_sample: int) -> tuple[Frames, NDArray[np.float64]]:
        """Frame and phase of voices at a sample inside the hop, from which they may go on differently."""
        begun, last, begun_sample = self._begun[voices], self.player.last[voices], self._begun_sample[voices]
        length, done = self.end - begun_sample, at_sample - begun_sample  # each may have begun its segment elsewhere
        begin_hz, end_hz = begun.f0_hz.astype(np.float64), last.f0_hz.astype(np.float64)
        cycles = (begin_hz * done + (end_hz - begin_hz) * np.square(done) / (2 * length)) / self.player.sample_rate
        return begun.between(last, done / length), (self._begun_phase[voices] + cycles) % 1

    def _expect(self) -> None:
        """What will be played at the end of the next hop, if nothing happens."""
        self._is_changed[:] = False
        self._next_begin = self.end
        self._ahead = self._look_ahead(np.flatnonzero(self.sounding), self.end + self.hop_size)

    def _listen_ahead(self) -> None:
        """The stacks hear it."""
        self._is_new[:] = False
        self._remembered = self.player.remember()
        if self._ahead is not None and self._drop_changed():
            self.player.step(self._ahead)

    def _control_ahead(self) -> None:
        """The frames there, for the voices that went on as they were expected to."""
        if self._ahead is not None and self._drop_changed():
            voices = self._ahead.voices
            self._next.put(rows_of(voices, len(self._dry)), self.player.frame(self._ahead))
            self._is_next[voices] = True
        self._ahead = None

    def _drop_changed(self) -> bool:
        """Forget what was expected of voices that have changed since; is any left?"""
        assert self._ahead is not None
        kept = ~self._is_changed[self._ahead.voices] & self.sounding[self._ahead.voices]
        if not kept.all():
            self._ahead = self._ahead.only(kept)
        return bool(kept.any())

    def _make_noise_ahead(self) -> None:
        self._make_noise(np.flatnonzero(self._is_next), self._next_begin, self.hop_size, self._leaving)

    def _make_noise(self, voices: NDArray[np.int64], at_sample: int, length: int, leaving: Sequence[_Leaving] = ()) -> None:
        """The noise of segments from the last frames to the next, and of notes that leave meanwhile."""
        begins, ends = ([getattr(one, name) for one in leaving] for name in ("begin", "end"))
        numbers = [one.voice for one in leaving]
        if len(voices):
            rows = rows_of(voices, len(self._dry))
            begins.append(self.player.last[rows])
            ends.append(self._next[rows])
            numbers += voices.tolist()
        if not numbers:
            return
        keys = self.player.noise_keys[numbers]
        noise = self.player.noise(Frames.joined(begins), Frames.joined(ends), at_sample, keys, length)
        for one, part in zip(leaving, noise):
            one.noise = part.copy()
        if len(voices):
            self._noise[rows, :length] = noise[len(leaving) :]

    def _advance(self, voices: NDArray[np.int64], at_sample: int) -> None:
        """From a sample to the end of the hop: the frames there, and the sound on the way."""
        length = self.end - at_sample
        missing = voices[~self._is_next[voices]]
        if len(missing):
            self._next.put(missing, self._frames_at(missing, self.end))
            self._make_noise(missing, at_sample, length)
        self._is_next[voices] = False
        rows = rows_of(voices, len(self._dry))
        begun, phase, frames = self.player.last[rows], self.player.phase[rows], self._next[rows]
        if self.begin < self._jumping_until:  # no harmonic may sound across Nyquist
            numbers = np.arange(1, begun.heights.shape[1] + 1)
            may = frames.f0_hz[:, None] * numbers < self.player.sample_rate / 2
            begun = Frames(begun.f0_hz, begun.heights * may, begun.noise_magnitudes)
        begins, ends, start = begun, frames, phase
        leaving = self._leaving if length == self.hop_size else []
        if leaving:  # in one go with the others, which costs little more than those alone
            self._make_noise(voices[:0], at_sample, length, [one for one in leaving if one.noise is None])
            begins, ends = (Frames.joined([*(getattr(one, name) for one in leaving), own])
                            for name, own in (("begin", begun), ("end", frames)))
            start = np.concatenate([*(one.phase for one in leaving), phase])
        if len(start):
            audio, after = self.player.harmonics(begins, ends, start, length)
        for row, one in enumerate(leaving):
            assert one.noise is not None
            self._fading += audio[row] + one.noise
        if leaving:
            audio, after, self._leaving = audio[len(leaving) :], after[len(leaving) :], []
        if not len(voices):
            return
        self._begun.put(rows, begun)
        self._begun_phase[rows], self._begun_sample[voices] = phase, at_sample
        self.player.last.put(rows, frames)
        self.player.phase[rows] = after
        self._dry[rows, self.hop_size - length :] = audio + self._noise[rows, :length]
        self.sounding[voices[self.source.over(voices, self.end)]] = False

    def _frames_at(self, voices: NDArray[np.int64], at_sample: int) -> Frames:
        """The frames of voices at a later instant, if nothing happens until then; who has nothing to play stays."""
        ahead = self._look_ahead(voices, at_sample)
        if ahead is not None:
            self.player.step(ahead)
        if ahead is not None and len(ahead.voices) == len(voices):
            return self.player.frame(ahead)
        frames = self.player.last[voices]
        if ahead is not None:
            frames.put(np.searchsorted(voices, ahead.voices), self.player.frame(ahead))
        return frames

    def _look_ahead(self, voices: NDArray[np.int64], at_sample: int) -> Ahead | None:
        if not len(voices):
            return None
        before_hz = self.player.last.f0_hz[voices]
        return self.source.ahead(voices, self.player.n_frames[voices], at_sample, before_hz)
