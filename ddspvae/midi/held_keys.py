"""The keys and pedals of one channel: when its notes begin and end, and what happens to them in between."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field

from ddspvae.signals import Note, Steps

SHORTEST_NOTE_S = 0.010
MOST_KEYS = 128  # that can begin together
CHORD_S = 0.020  # keys that go down within this time are one chord, which no mono mode takes apart
BOUND_GAP_S = 0.35  # after a longer rest a note attacks, whatever the legato switch says


@dataclass(eq=False, slots=True)
class Sounding:
    """A note that has begun and not ended.

    Args:
        part: which part it belongs to; a note off ends notes of its own part.
        channel: it came on, 0 to 15; in an MPE zone not the zone's.
        last_s: when it ends if nothing ends it.
        tuned: the pitch that its key sounds; None is that of the key's number.
        kept: by the sostenuto pedal.
        steps: of the note's own bend_semitones, pressure and brightness, where they changed.
        bound_to: the note that it goes on from.
        is_over: it has ended.
    """

    part: Hashable
    channel: int
    pitch: int
    velocity: int
    onset_s: float
    last_s: float
    tuned: float | None = None
    legato: bool | None = None
    glide_from: float | None = None
    glide_s: float = 0.0
    key_down: bool = True
    kept: bool = False
    steps: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    bound_to: Sounding | None = None
    is_over: bool = False
    _bent: float = 0.0
    _retuned: float = 0.0

    @property
    def sounds(self) -> float:
        """The pitch that it began with."""
        return self.pitch if self.tuned is None else self.tuned

    def now(self, name: str) -> float:
        """Where the note's own bend_semitones, pressure or brightness is."""
        steps = self.steps.get(name)
        return float(steps[-1][1]) if steps else 0.0

    def bend(self, time_s: float, semitones: float) -> None:
        """The wheel that belongs to this note alone."""
        self._bent = semitones
        self.follow(time_s, bend_semitones=semitones + self._retuned)

    def retune(self, time_s: float, pitch: float) -> None:
        """Another pitch for the key, while it sounds."""
        self._retuned = pitch - self.sounds
        self.follow(time_s, bend_semitones=self._bent + self._retuned)

    def forget(self) -> None:
        """Keep where its own curves are, and not how they came there."""
        for steps in self.steps.values():
            del steps[:-1]

    def follow(self, time_s: float, **values: float) -> None:
        """Write down the note's own bend_semitones, pressure or brightness, where it changes."""
        for name, value in values.items():
            steps = self.steps.setdefault(name, [])
            if value != (steps[-1][1] if steps else 0.0):
                steps.append((time_s, value))

    def ended(self, time_s: float) -> Note:
        """The finished note; what came with its end or later is no longer its own."""
        offset_s = max(time_s, self.onset_s + SHORTEST_NOTE_S)
        own: dict[str, Steps] = {name: tuple(step for step in steps if step[0] < offset_s)
                                 for name, steps in self.steps.items()}
        return Note(self.sounds, self.velocity, self.onset_s, offset_s, self.legato, self.glide_from, self.glide_s,
                    **own)  # type: ignore[arg-type]


class _Neighbours:
    """Where a note whose end was lost is likely to have ended: with those that began together with it, or at the next."""

    def __init__(self, ended: Sequence[tuple[Hashable, Note]], lost: Iterable[Sounding]) -> None:
        spans: defaultdict[Hashable, list[tuple[float, float]]] = defaultdict(list)
        for part, note in ended:
            spans[part].append((note.onset_s, note.offset_s))
        for one in lost:
            spans[one.part].append((one.onset_s, math.inf))
        self._onsets_s: dict[Hashable, list[float]] = {}
        self._offsets_s: dict[Hashable, list[float]] = {}
        for part, own in spans.items():
            own.sort()
            self._onsets_s[part], self._offsets_s[part] = [onset_s for onset_s, _ in own], [offset_s for _, offset_s in own]

    def end_s(self, lost: Sounding) -> float:
        """Infinity where nothing tells."""
        onsets_s = self._onsets_s[lost.part]
        first = bisect_left(onsets_s, lost.onset_s - CHORD_S)
        after = bisect_left(onsets_s, lost.onset_s + CHORD_S, first)
        together = min(self._offsets_s[lost.part][first : min(after, first + MOST_KEYS)], default=math.inf)
        return min(together, onsets_s[after]) if after < len(onsets_s) else together


@dataclass
class Keys:
    """Which notes of a channel sound, by its keys and pedals; `finished` collects (part, note).

    A note ends where its pitch is struck again. `strays` collects (part, pitch, time_s) of note offs that found nothing to
    end.

    Args:
        mono: the channel plays one note at a time; one that overlaps the note before ends it and is bound to it.
        glide_s: how long a portamento takes; 0 is none.
        portamento: every note comes from the pitch of the note before.
        glide_source: the pitch that the next note comes from, whatever `portamento` says; bound, if that pitch sounds.
        keeps_older: a note goes on while its key is down though another is bound to it, to be gone back to.
    """

    mono: bool = False
    glide_s: float = 0.0
    portamento: bool = False
    glide_source: int | None = None
    keeps_older: bool = False
    sounding: dict[Sounding, None] = field(default_factory=dict)  # in order of onset
    finished: list[tuple[Hashable, Note]] = field(default_factory=list)
    strays: list[tuple[Hashable, int, float]] = field(default_factory=list)
    n_lost: int = 0  # notes without a note off
    _by_key: dict[tuple[int, int], list[Sounding]] = field(default_factory=dict)  # channel, pitch; those that sound
    _struck_again: list[tuple[Sounding, float]] = field(default_factory=list)  # while their keys were down, and when
    _sustain: bool = False
    _sostenuto: bool = False
    _legato_since_s: float | None = None
    _before: Sounding | None = None  # the note that began last
    _before_end_s: float = float("-inf")

    def press(self, note: Sounding) -> None:
        """A key goes down."""
        on_key = self._by_key.setdefault((note.channel, note.pitch), [])
        again = [other for other in on_key if other.part == note.part]
        self._end(again, note.onset_s, again)
        self._end(self._articulate(note), note.onset_s)
        self.sounding[note] = None
        on_key.append(note)
        self._before, self._before_end_s = note, float("inf")

    def is_down(self, channel: int, pitch: int) -> bool:
        """Whether a key that came on a channel is down."""
        return any(note.key_down for note in self._by_key.get((channel, pitch), ()))

    def release(self, part: Hashable, channel: int, pitch: int, time_s: float) -> None:
        """A key goes up; a pedal may hold the note."""
        down = [note for note in self._by_key.get((channel, pitch), ()) if note.key_down]
        own = [note for note in down if note.part == part] or down
        if own:
            own[0].key_down = False
            self._end_unheld(time_s, own[:1])
        else:
            self.strays.append((part, pitch, time_s))

    def sustain(self, down: bool, time_s: float) -> None:
        """The pedal that holds every note."""
        self._sustain = down
        self._end_unheld(time_s, list(self.sounding))

    def sostenuto(self, down: bool, time_s: float) -> None:
        """The pedal that holds the notes whose keys are down when it goes down."""
        if down != self._sostenuto:
            for note in self.sounding:
                note.kept = down and note.key_down
        self._sostenuto = down
        self._end_unheld(time_s, list(self.sounding))

    def legato(self, down: bool, time_s: float) -> None:
        """The switch that binds notes to one another, across rests of up to 0.35 s."""
        if not down:
            self._legato_since_s = None
        elif self._legato_since_s is None:
            self._legato_since_s = time_s

    def all_up(self, time_s: float, channel: int | None = None) -> None:
        """All keys go up, those of one channel or of all; pedals still hold."""
        for note in self.on(channel):
            note.key_down = False
        self._end_unheld(time_s, list(self.sounding))

    def silence(self, time_s: float, channel: int | None = None, pitch: int | None = None) -> None:
        """Every note ends, of one channel or of all, whatever holds it; of one pitch, if it is given."""
        self._end(self.on(channel, pitch), time_s)

    def finish(self, strays: Callable[[Sounding], Sequence[float]] = lambda note: ()) -> None:
        """The piece is over: notes that a pedal holds last as long as they may, and those whose end was lost are ended.

        Args:
            strays: when note offs of a note's pitch came that found nothing to end, in order.
        """
        # of a key struck again before it went up: two note offs came, one of them astray; or one was lost, or never meant
        spare = Counter((part, pitch) for part, pitch, _ in self.strays)
        lost = {note: note.last_s for note in self.sounding if note.key_down}
        held = [(note, note.last_s) for note in self.sounding if not note.key_down]
        for note, end_s in self._struck_again:
            if spare[note.part, note.pitch]:
                spare[note.part, note.pitch] -= 1
                held.append((note, end_s))
            else:
                lost[note] = end_s
        self.finished += [(note.part, note.ended(end_s)) for note, end_s in held]
        self.n_lost = len(lost)
        neighbours = _Neighbours(self.finished, lost)
        for note, latest_s in lost.items():
            astray = strays(note)
            later = bisect_right(astray, note.onset_s)
            end_s = astray[later] if later < len(astray) else neighbours.end_s(note)
            self.finished.append((note.part, note.ended(min(end_s, latest_s))))
        self.sounding.clear()
        self._by_key.clear()

    def forget(self) -> None:
        """Keep what sounds, and nothing of what was."""
        for past in (self.finished, self.strays, self._struck_again):
            past.clear()
        for note in self.sounding:
            note.forget()

    def on(self, channel: int | None, pitch: int | None = None) -> list[Sounding]:
        """The sounding notes of a channel, of a pitch; None is any."""
        return [note for note in self.sounding if channel in (None, note.channel) and pitch in (None, note.pitch)]

    def _articulate(self, note: Sounding) -> list[Sounding]:
        """Whether a note is bound to the one before, and where its portamento comes from; what it ends."""
        before, before_end_s, now = self._before, self._before_end_s, note.onset_s
        ended: list[Sounding] = []
        is_line = self.mono or self._legato_since_s is not None
        if self.keeps_older and is_line and self.sounding and before_end_s <= now:  # an older one has been gone back to
            before, before_end_s = next(reversed(self.sounding)), float("inf")
        if before is not None and now - before.onset_s >= CHORD_S:
            pedalled = (self._legato_since_s is not None and before_end_s >= self._legato_since_s
                        and now - before_end_s <= BOUND_GAP_S)
            if pedalled or (self.mono and before_end_s > now):
                note.legato = True if before.pitch != note.pitch else None  # the same pitch is struck again
                note.bound_to = before if note.legato else None
                ended = [] if self.keeps_older else list(self.sounding)
        source, self.glide_source = self.glide_source, None
        if source is None and self.portamento and before is not None:
            source = before.pitch
        elif source is not None:
            left = self.on(note.channel, source)
            note.legato = True if left else note.legato
            note.bound_to = left[0] if left else note.bound_to
            ended += [other for other in left if other not in ended]
        if source is not None and self.glide_s:
            note.glide_from, note.glide_s = float(source), self.glide_s
        return ended

    def _end_unheld(self, time_s: float, notes: Sequence[Sounding]) -> None:
        self._end([note for note in notes if not (note.key_down or note.kept or self._sustain)], time_s)

    def _end(self, notes: Sequence[Sounding], time_s: float, struck_again: Sequence[Sounding] = ()) -> None:
        for note in notes:
            del self.sounding[note]
            note.is_over = True
            self._by_key[note.channel, note.pitch].remove(note)
            if note in struck_again and note.key_down:
                self._struck_again.append((note, time_s))
            else:
                self.finished.append((note.part, note.ended(time_s)))
            if note is self._before:
                self._before_end_s = time_s
