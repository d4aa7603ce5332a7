"""The voices of a stream, hop by hop: what they are about to play is asked of a source, and made into sound."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ddspvae.live.networks import LiveNetworks
from ddspvae.live.player import Ahead, Frames, Player
from ddspvae.live.source import Source
from ddspvae.model.decoder import Memory, rows_of
from ddspvae.synth.constrain import audible
from ddspvae.synth.envelopes import segment_phase

JUMP_HOPS = 4  # for which a pitch may come as a surprise to frames that were made ahead


@dataclass(eq=False)
class _Leaving:
    """A note's last hop.

    Args:
        voice: that played it.
        segment: its frames at both ends, the second silent.
        phase: [1, 1, 1], at the first.
        noise: [hop_size], when it is made.
    """

    voice: int
    segment: Frames
    phase: Tensor
    noise: Tensor | None = None


class Voices:
    """The sound of all voices, one hop at a time, made when the hop begins.

    What changes inside a hop is made again from that sample on. The frames at the end of the next hop, and the noise up
    to them, are made ahead at four places in the hop, so that small blocks share the work evenly; where notes begin, whose
    sound cannot wait, most of that is left to the next hop.

    Args:
        player: of the voices.
        networks: of the same model.
        source: of their frames.
        first_sample: where the clock begins, a whole number of hops.
    """

    def __init__(self, player: Player, networks: LiveNetworks, source: Source, first_sample: int) -> None:
        config, n_voices = player.model.config, player.n_voices
        self.player, self.source, self.hop_size = player, source, player.hop_size
        self._networks = networks
        self.sounding = np.zeros(n_voices, dtype=bool)
        self.begin = first_sample - self.hop_size  # of the hop whose sound is there
        self.mix = torch.zeros(self.hop_size)
        self._chores: Mapping[int, Callable[[], None]] = {  # by place in the hop
            self.hop_size // 4: self._expect, self.hop_size // 2: self._listen_ahead,
            self.hop_size * 3 // 4: self._control_ahead, self.hop_size * 7 // 8: self._make_noise_ahead,
        }
        self.places = sorted(self._chores)
        self._left: list[Callable[[], None]] = []  # chores that waited
        self._is_late = False  # this hop had notes to begin
        self._ahead: Ahead | None = None  # what the frame at the end of the next hop will be
        self._next_begin = first_sample  # where the next hop begins
        self._next = Frames.nothing(n_voices, config.n_harmonics, config.n_noise_bands)  # that frame
        self._is_next = np.zeros(n_voices, dtype=bool)  # who has it
        self._remembered: tuple[Memory, NDArray] | None = None  # before voices heard it
        self._is_changed = np.zeros(n_voices, dtype=bool)  # what has another future since it was expected
        self._is_new = np.zeros(n_voices, dtype=bool)  # what has another past since that was remembered
        self._begun = Frames.nothing(n_voices, config.n_harmonics, config.n_noise_bands)  # where segments began
        self._begun_phase = player.phase.clone()
        self._begun_sample = np.zeros(n_voices, dtype=np.int64)
        self._jumping_until = first_sample
        self._dry = torch.zeros(n_voices, self.hop_size)
        self._noise = torch.zeros(n_voices, self.hop_size)  # up to the next frame
        self._fading = torch.zeros(self.hop_size)  # what is left in this hop of notes that gave way
        self._leaving: list[_Leaving] = []  # notes that gave way and take one more hop to fade

    @property
    def end(self) -> int:
        """The sample after the hop whose sound is there."""
        return self.begin + self.hop_size

    def next_hop(self) -> None:
        """Go on to the hop that begins where this one ends; its sound is there after `advance`."""
        self.begin = self.end
        self._is_late = False
        self._dry.zero_()
        self._fading.zero_()

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
                rows = torch.from_numpy(bound)
                frames, phase = self._cut(rows, at_sample)
                self.player.last.put(rows, frames)
                self.player.phase[rows] = phase
        if begun is not None:
            self._is_late = True
            self._next.put(rows_of(fresh, self._dry), begun)
            self._is_next[fresh] = self.sounding[fresh] = self._is_new[fresh] = True
            self._make_noise(fresh, at_sample, self.end - at_sample)
        if at_sample == self.begin:
            self.advance()
        else:
            self._advance(new, at_sample)
            self._sum()

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
            last = self.player.last[row].scaled(1 - way)
            self._leaving.append(_Leaving(voice, last.then(last.scaled(0)), self.player.phase[row].clone()))
        if place:
            self._fading[place:] += self._dry[voice, place:] * torch.linspace(1, 1 - way, length)
        self._dry[voice, place:] = 0

    def stop(self, voice: int) -> None:
        """Play nothing more on a voice that fades."""
        self.sounding[voice] = False

    def resume(self, voice: int, at_sample: int) -> None:
        """Let a voice that had fallen silent go on from the frame at a sample."""
        ahead = self._look_ahead(np.array([voice]), at_sample)
        if ahead is not None:
            self.player.step(self._networks, ahead)
            self.player.last.put(torch.tensor([voice]), self.player.frame(self._networks, ahead))
            self.sounding[voice] = True

    def _sum(self) -> None:
        self.mix = self._dry.sum(0) + self._fading

    def _cut(self, rows: Tensor, at_sample: int) -> tuple[Frames, Tensor]:
        """Frame and phase of voices at a sample inside the hop, from which they may go on differently."""
        last = self.player.last[rows]
        frames, phases = [], []
        for row, voice in enumerate(rows.tolist()):  # each may have begun its segment elsewhere
            one = rows[row : row + 1]
            length, done = self.end - int(self._begun_sample[voice]), at_sample - int(self._begun_sample[voice])
            begun, begun_phase = self._begun[one], self._begun_phase[one]
            both = torch.cat([begun.f0_hz, last.f0_hz[row : row + 1]], dim=1)
            frames.append(begun.between(last[row : row + 1], done / length))
            if done:
                phases.append(segment_phase(both, begun_phase, self.player.sample_rate, length)[..., done : done + 1] % 1)
            else:
                phases.append(begun_phase)
        return Frames.joined(frames), torch.cat(phases)

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
            self.player.step(self._networks, self._ahead)

    def _control_ahead(self) -> None:
        """The frames there, for the voices that went on as they were expected to."""
        if self._ahead is not None and self._drop_changed():
            voices = self._ahead.voices
            self._next.put(rows_of(voices, self._dry), self.player.frame(self._networks, self._ahead))
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
        segments = [one.segment for one in leaving]
        numbers = [one.voice for one in leaving]
        if len(voices):
            rows = rows_of(voices, self._dry)
            segments.append(self.player.last[rows].then(self._next[rows]))
            numbers += voices.tolist()
        if not segments:
            return
        frames = segments[0] if len(segments) == 1 else Frames.joined(segments)
        noise = self.player.noise(frames, at_sample, self.player.noise_keys[numbers], length)
        for one, part in zip(leaving, noise):
            one.noise = part
        if len(voices):
            self._noise[rows, :length] = noise[len(leaving) :]

    def _advance(self, voices: NDArray[np.int64], at_sample: int) -> None:
        """From a sample to the end of the hop: the frames there, and the sound on the way."""
        length = self.end - at_sample
        missing = voices[~self._is_next[voices]]
        if len(missing):
            self._next.put(rows_of(missing, self._dry), self._frames_at(missing, self.end))
            self._make_noise(missing, at_sample, length)
        self._is_next[voices] = False
        rows = rows_of(voices, self._dry)
        begun, phase, frames = self.player.last[rows], self.player.phase[rows], self._next[rows]
        if self.begin < self._jumping_until:  # no harmonic may sound across Nyquist
            may = audible(frames.f0_hz, begun.heights.shape[-1], self.player.sample_rate)
            begun = Frames(begun.f0_hz, begun.heights * may, begun.noise_magnitudes)
        segments, start = begun.then(frames), phase
        leaving = self._leaving if length == self.hop_size else []
        if leaving:  # in one go with the others, which costs little more than those alone
            self._make_noise(voices[:0], at_sample, length, [one for one in leaving if one.noise is None])
            segments = Frames.joined([*(one.segment for one in leaving), segments])
            start = torch.cat([*(one.phase for one in leaving), phase])
        if len(start):
            audio, after = self.player.harmonics(segments, start, length)
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
            self.player.step(self._networks, ahead)
        if ahead is not None and len(ahead.voices) == len(voices):
            return self.player.frame(self._networks, ahead)
        frames = self.player.last[torch.from_numpy(voices)]
        if ahead is not None:
            frames.put(torch.from_numpy(np.searchsorted(voices, ahead.voices)), self.player.frame(self._networks, ahead))
        return frames

    def _look_ahead(self, voices: NDArray[np.int64], at_sample: int) -> Ahead | None:
        if not len(voices):
            return None
        before_hz = self.player.last.f0_hz[rows_of(voices, self._dry)].clone()
        return self.source.ahead(voices, self.player.memory.n_frames[voices], at_sample, before_hz)
