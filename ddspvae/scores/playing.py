"""A written score to the notes that a performer plays: repeats played out, marks turned into times, levels and bindings."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace

from ddspvae.scores.dynamics import DynamicCurve
from ddspvae.scores.marks import shape_dynamics, share_of, weight_of
from ddspvae.scores.order import play_order, runs
from ddspvae.scores.ornaments import alternate, ornament
from ddspvae.scores.tempo import TempoMap
from ddspvae.scores.written import WrittenNote, WrittenPart, WrittenScore
from ddspvae.signals import Note, Notes

SHORTEST_S = 0.05
BEFORE_S = 0.08  # of a grace note before the beat
MOST_OF_MAIN = 0.5  # that grace notes on the beat take
SPREAD_S = 0.045  # from note to note of a broken chord
ADJACENT_S = 0.02
EXTRA_CHANNELS = (*range(9), *range(10, 16))


@dataclass(frozen=True)
class _Sounding:
    """A note as it is played, and what binds it: the place among the notes of its voice, and whether a slur leads there."""

    note: Note
    voice: str
    bound: bool


def play(score: WrittenScore) -> list[Notes]:
    """The parts as they are played, without those that have no notes."""
    end = max((bar.end for bar in score.bars), default=0.0)
    fermatas = [(note.start, note.end) for part in score.parts for note in part.notes if note.has_fermata]
    tempo = TempoMap(score.tempi, score.tempo_changes, fermatas, end)
    stretches = [(score.bars[first].start, score.bars[last].end) for first, last in runs(play_order(score.bars))]
    played: list[Notes] = []
    for part in score.parts:
        if part.notes:
            played.append(_play_part(part, tempo, stretches, end, EXTRA_CHANNELS[len(played) % len(EXTRA_CHANNELS)]))
    return played


def _play_part(part: WrittenPart, tempo: TempoMap, stretches: list[tuple[float, float]], end: float, channel: int) -> Notes:
    curve = DynamicCurve(part.dynamics, part.hairpins, end)
    bound, under = _slurred(part)
    sounding: list[_Sounding] = []
    for (first, last), at_s in zip(stretches, _starts(stretches, tempo)):
        shift_s = at_s - tempo(first)
        inside = [note for note in part.notes if first - 1e-9 <= note.start < last - 1e-9]
        _Stretch(inside, tempo, shift_s, curve, bound, under).play(sounding)
    controllers = {name: ((0.0, value),) for name, value, usual in (
        ("volume", part.volume, 100 / 127), ("pan", part.pan, 0.5)) if value is not None and abs(value - usual) > 0.01}
    return Notes(_in_order(sounding), part.name, channel, part.program, controllers=controllers,
                 has_dynamics=bool(part.dynamics or part.hairpins))


def _starts(stretches: Iterable[tuple[float, float]], tempo: TempoMap) -> list[float]:
    """When each stretch begins, in seconds."""
    starts = [0.0]
    for first, last in stretches:
        starts.append(starts[-1] + tempo(last) - tempo(first))
    return starts[:-1]


def _with_ties(note: WrittenNote, following: dict[str, WrittenNote]) -> WrittenNote:
    """A note as long as all that are tied to it, with the marks of all."""
    length, marks, last = note.length, note.marks, note
    while (after := following.get(last.id)) is not None and abs(after.start - last.end) < 1e-6:
        length, marks, last = length + after.length, marks | after.marks, after
    return replace(note, length=length, marks=marks)


def _by_voice(notes: Iterable[WrittenNote]) -> dict[str, list[WrittenNote]]:
    """The notes of each voice as they follow each other, grace notes before the note that they adorn."""
    voices: defaultdict[str, list[WrittenNote]] = defaultdict(list)
    for note in sorted(notes, key=lambda note: (note.start, not note.grace, note.at)):
        voices[note.voice].append(note)
    return voices


def _slurred(part: WrittenPart) -> tuple[set[str], set[str]]:
    """Ids of the notes that a slur binds to the one before them, and of all under a slur."""
    bound: set[str] = set()
    under: set[str] = {first for first, _ in part.slurs}
    for voice in _by_voice(part.notes).values():
        places = {note.id: index for index, note in enumerate(voice)}
        for first, last in part.slurs:
            if first in places and last in places:
                begins, ends = voice[places[first]], voice[places[last]]
                for note in voice[places[first] + 1 :]:
                    if note.start > ends.start + 1e-9:
                        break
                    if begins.grace or note.start > begins.start + 1e-9:
                        bound.add(note.id)
    return bound, bound | under


@dataclass
class _Stretch:
    """Bars that are played as they stand, shift_s later than they are written."""

    notes: list[WrittenNote]
    tempo: TempoMap
    shift_s: float
    curve: DynamicCurve
    bound: set[str]
    under: set[str]

    def play(self, before: list[_Sounding]) -> None:
        """Add all its notes to those before, of which the last make room for grace notes."""
        here = {note.id for note in self.notes}
        following = {note.tied_from: note for note in self.notes if note.tied_from in here}
        played = before
        first = len(before)
        for name, voice in _by_voice(self.notes).items():
            graces: list[WrittenNote] = []
            for note in voice:
                if note.grace:
                    graces.append(note)
                    continue
                if note.tied_from in here:
                    continue
                whole = _with_ties(note, following)
                if note.alternates == "stop":
                    continue
                is_main = not graces or abs(graces[-1].start - note.start) < 1e-6
                other = _partner(note, voice)
                if other is not None:
                    played += self._alternate(whole, other, name)
                    continue
                played += self._adorn(whole, graces if is_main else [], name, played)
                graces = [] if is_main or note.start > graces[-1].start else graces
        before[first:] = self._spread(before[first:])

    def _s(self, quarters: float) -> float:
        return max(self.tempo(quarters) + self.shift_s, 0.0)

    def _adorn(self, note: WrittenNote, graces: list[WrittenNote], voice: str, played: list[_Sounding]) -> list[_Sounding]:
        """A note behind its grace notes, which take from it or from the one before."""
        start_s, end_s = self._s(note.start), self._s(note.end)
        found: list[_Sounding] = []
        before = [grace for grace in graces if grace.grace == "before"]
        on = [grace for grace in graces if grace.grace == "on"]
        begin_s = start_s - sum(self._grace_s(grace, note, BEFORE_S) for grace in before)
        if before and begin_s < 0:
            start_s, begin_s = start_s - begin_s, 0.0
        if before:
            _make_room(played, voice, begin_s)
        for grace in before:
            length_s = self._grace_s(grace, note, BEFORE_S)
            found.append(self._sound(grace, begin_s, begin_s + length_s, 0.0, grace.id in self.bound, voice, note.start))
            begin_s += length_s
        room_s = MOST_OF_MAIN * (end_s - start_s)
        wanted = [min(self._s(note.start + grace.length) - self._s(note.start), room_s) if grace.steals is None
                  else grace.steals * (end_s - start_s) for grace in on]
        scale = min(room_s / sum(wanted), 1.0) if wanted and sum(wanted) > 0 else 1.0
        for grace, length_s in zip(on, wanted):
            end_of_grace_s = start_s + scale * length_s
            found.append(self._sound(grace, start_s, end_of_grace_s, 0.0, grace.id in self.bound, voice, note.start))
            start_s = end_of_grace_s
        is_bound = note.id in self.bound
        for start, end, semitones, joins in ornament(note, note.marks, end_s - start_s, note.length):
            length_s = end_s - start_s
            found.append(self._sound(note, start_s + start * length_s, start_s + end * length_s, semitones,
                                     joins or (start == 0 and is_bound), voice, note.start, is_whole=end - start > 0.99))
        return found

    def _grace_s(self, grace: WrittenNote, main: WrittenNote, usual_s: float) -> float:
        if grace.steals is None:
            return usual_s
        return max(grace.steals * (self._s(main.start) - self._s(max(main.start - 1.0, 0.0))), 0.03)

    def _alternate(self, first: WrittenNote, second: WrittenNote, voice: str) -> list[_Sounding]:
        """A tremolo between two notes."""
        start_s, end_s = self._s(first.start), self._s(second.end)
        count = alternate(first.strokes, end_s - start_s, second.end - first.start)
        each_s, is_bound = (end_s - start_s) / count, first.id in self.bound
        return [self._sound(second if index % 2 else first, start_s + index * each_s, start_s + (index + 1) * each_s, 0.0,
                            index > 0 or is_bound, voice, first.start, is_whole=False) for index in range(count)]

    def _sound(self, written: WrittenNote, start_s: float, end_s: float, semitones: float, bound: bool, voice: str,
               place: float, *, is_whole: bool = True) -> _Sounding:
        """One note, as its marks have it."""
        marks = written.marks if not written.grace else frozenset()
        sounds_s = max(share_of(marks, written.id in self.under) * (end_s - start_s), min(SHORTEST_S, end_s - start_s))
        stop_s = start_s + sounds_s
        inside = max(place, self.tempo.inverse(start_s - self.shift_s))
        twofold = self.curve.first(place) if is_whole else None
        level = self.curve(inside)
        added, attack = weight_of(marks)
        points = self.curve.within(inside, max(self.tempo.inverse(stop_s - self.shift_s), inside + 1e-6))
        dynamics = [(self._s(at), velocity) for at, velocity in points] or [(start_s, level), (stop_s, level)]
        shaped = shape_dynamics(dynamics, start_s, stop_s, added, twofold)
        is_flat = not points and twofold is None and added <= 0
        velocity = int(min(max(round(shaped[0][1]), 1), 127))
        note = Note(min(max(written.pitch + semitones, 0.0), 127.0), velocity, start_s, stop_s, attack=attack,
                    dynamics=() if is_flat else tuple(shaped))
        return _Sounding(note, voice, bound)

    def _spread(self, played: list[_Sounding]) -> list[_Sounding]:
        """Broken chords, from below."""
        broken: defaultdict[float, list[tuple[float, str]]] = defaultdict(list)
        for written in self.notes:
            if "arpeggiate" in written.marks:
                broken[round(self._s(written.start), 6)].append((written.pitch, written.voice))
        spread = []
        for sound in played:
            chord = sorted(broken.get(round(sound.note.onset_s, 6), []))
            if (sound.note.pitch, sound.voice) in chord:
                later_s = SPREAD_S * chord.index((sound.note.pitch, sound.voice))
                onset_s = min(sound.note.onset_s + later_s, (sound.note.onset_s + sound.note.offset_s) / 2)
                spread.append(replace(sound, note=replace(sound.note, onset_s=onset_s)))
            else:
                spread.append(sound)
        return spread


def _partner(note: WrittenNote, voice: list[WrittenNote]) -> WrittenNote | None:
    """The note that a tremolo alternates with."""
    if note.alternates != "start":
        return None
    return next((second for second in voice if second.alternates == "stop" and second.start > note.start), None)


def _make_room(played: list[_Sounding], voice: str, at_s: float) -> None:
    """Let the note before grace notes end where they begin."""
    for index in range(len(played) - 1, -1, -1):
        sound = played[index]
        if sound.voice == voice:
            if sound.note.onset_s < at_s < sound.note.offset_s:
                played[index] = replace(sound, note=replace(sound.note, offset_s=at_s))
            elif sound.note.offset_s < at_s:
                return


def _in_order(sounding: list[_Sounding]) -> tuple[Note, ...]:
    """Notes in order of onset; those under a slur are bound where the one before is its neighbour on the line.

    A note that no slur leads to is tongued, or begins a bow; of one that a slur leads to, but between which and the one
    before another voice moves, the player finds out by their distance.
    """
    ordered = sorted(sounding, key=lambda sound: (sound.note.onset_s, sound.note.pitch))
    last: dict[str, int] = {}
    notes = []
    for index, sound in enumerate(ordered):
        before = last.get(sound.voice)
        legato: bool | None = False
        if sound.bound and before is not None:
            touches = sound.note.onset_s - ordered[before].note.offset_s < ADJACENT_S
            legato = (True if before == index - 1 else None) if touches else False
        notes.append(replace(sound.note, legato=legato))
        last[sound.voice] = index
    return tuple(notes)
