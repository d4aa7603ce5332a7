"""The keys and pedals of one channel: when its notes begin and end, and what happens to them in between."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field

from ddspvae.signals import Note, Steps

SHORTEST_NOTE_S = 0.010
CHORD_S = 0.020  # keys that go down within this time are one chord, which no mono mode takes apart
BOUND_GAP_S = 0.35  # after a longer rest a note attacks, whatever the legato switch says


@dataclass(eq=False)
class Sounding:
    """A note that has begun and not ended.

    Args:
        part: which part it belongs to; a note off ends notes of its own part.
        channel: it came on, 0 to 15; in an MPE zone not the zone's.
        last_s: when it ends if nothing ends it.
        kept: by the sostenuto pedal.
    """

    part: Hashable
    channel: int
    pitch: int
    velocity: int
    onset_s: float
    last_s: float
    legato: bool | None = None
    glide_from: float | None = None
    glide_s: float = 0.0
    key_down: bool = True
    kept: bool = False
    bend_semitones: list[tuple[float, float]] = field(default_factory=list)
    pressure: list[tuple[float, float]] = field(default_factory=list)
    brightness: list[tuple[float, float]] = field(default_factory=list)

    def follow(self, time_s: float, **values: float) -> None:
        """Write down the note's own bend_semitones, pressure or brightness, where it changes."""
        for name, value in values.items():
            steps = getattr(self, name)
            if value != (steps[-1][1] if steps else 0.0):
                steps.append((time_s, value))

    def ended(self, time_s: float) -> Note:
        """The finished note; what came with its end or later is no longer its own."""
        offset_s = max(time_s, self.onset_s + SHORTEST_NOTE_S)

        def own(steps: list[tuple[float, float]]) -> Steps:
            return tuple(step for step in steps if step[0] < offset_s)

        return Note(self.pitch, self.velocity, self.onset_s, offset_s, self.legato, self.glide_from, self.glide_s,
                    own(self.bend_semitones), own(self.pressure), own(self.brightness))


@dataclass
class Keys:
    """Which notes of a channel sound, by its keys and pedals; `finished` collects (part, note).

    Notes of the same pitch that overlap end first in, first out. One that only a pedal holds ends when it is struck again.

    Args:
        mono: the channel plays one note at a time; one that overlaps the note before ends it and is bound to it.
        glide_s: how long a portamento takes; 0 is none.
        portamento: every note comes from the pitch of the note before.
        glide_source: the pitch that the next note comes from, whatever `portamento` says; bound, if that pitch sounds.
    """

    mono: bool = False
    glide_s: float = 0.0
    portamento: bool = False
    glide_source: int | None = None
    sounding: list[Sounding] = field(default_factory=list)
    finished: list[tuple[Hashable, Note]] = field(default_factory=list)
    _sustain: bool = False
    _sostenuto: bool = False
    _legato_since_s: float | None = None
    _before: Sounding | None = None  # the note that began last
    _before_end_s: float = float("-inf")

    def press(self, note: Sounding) -> None:
        """A key goes down."""
        same = (note.part, note.channel, note.pitch)
        again = [other for other in self.sounding
                 if not other.key_down and (other.part, other.channel, other.pitch) == same]
        self._end(again, note.onset_s)
        self._end(self._articulate(note), note.onset_s)
        self.sounding.append(note)
        self._before, self._before_end_s = note, float("inf")

    def release(self, part: Hashable, channel: int, pitch: int, time_s: float) -> None:
        """A key goes up; a pedal may hold the note."""
        for note in self.sounding:
            if note.key_down and (note.part, note.channel, note.pitch) == (part, channel, pitch):
                note.key_down = False
                self._end_unheld(time_s)
                return

    def sustain(self, down: bool, time_s: float) -> None:
        """The pedal that holds every note."""
        self._sustain = down
        self._end_unheld(time_s)

    def sostenuto(self, down: bool, time_s: float) -> None:
        """The pedal that holds the notes whose keys are down when it goes down."""
        if down != self._sostenuto:
            for note in self.sounding:
                note.kept = down and note.key_down
        self._sostenuto = down
        self._end_unheld(time_s)

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
        self._end_unheld(time_s)

    def silence(self, time_s: float, channel: int | None = None) -> None:
        """Every note ends, of one channel or of all, whatever holds it."""
        self._end(self.on(channel), time_s)

    def finish(self) -> None:
        """The piece is over: what still sounds lasts as long as it may."""
        for note in self.sounding:
            self.finished.append((note.part, note.ended(note.last_s)))
        self.sounding.clear()

    def on(self, channel: int | None, pitch: int | None = None) -> list[Sounding]:
        """The sounding notes of a channel, of a pitch; None is any."""
        return [note for note in self.sounding if channel in (None, note.channel) and pitch in (None, note.pitch)]

    def _articulate(self, note: Sounding) -> list[Sounding]:
        """Whether a note is bound to the one before, and where its portamento comes from; what it ends."""
        before, now = self._before, note.onset_s
        ended: list[Sounding] = []
        if before is not None and now - before.onset_s >= CHORD_S:
            pedalled = (self._legato_since_s is not None and self._before_end_s >= self._legato_since_s
                        and now - self._before_end_s <= BOUND_GAP_S)
            if pedalled or (self.mono and self._before_end_s > now):
                note.legato = True if before.pitch != note.pitch else None  # the same pitch is struck again
                ended = list(self.sounding)
        source, self.glide_source = self.glide_source, None
        if source is None and self.portamento and before is not None:
            source = before.pitch
        elif source is not None:
            left = self.on(note.channel, source)
            note.legato = True if left else note.legato
            ended += [other for other in left if other not in ended]
        if source is not None and self.glide_s:
            note.glide_from, note.glide_s = float(source), self.glide_s
        return ended

    def _end_unheld(self, time_s: float) -> None:
        self._end([note for note in self.sounding if not (note.key_down or note.kept or self._sustain)], time_s)

    def _end(self, notes: list[Sounding], time_s: float) -> None:
        for note in notes:
            self.sounding.remove(note)
            self.finished.append((note.part, note.ended(time_s)))
            if note is self._before:
                self._before_end_s = time_s
