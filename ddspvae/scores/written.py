"""What stands in a score, whatever file it came from: notes with their marks, and the signs beside them.

All times are quarter notes from the start, as written: repeats are not played out, tempo does not count.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass
class WrittenNote:
    """One note head.

    Args:
        id: of its element, unique in the score.
        start, length: quarter notes; a grace note's length is what its head says, and takes no time of the bar.
        pitch: MIDI number that sounds, fractions for microtones.
        voice: within the part; the notes of a voice follow each other.
        above, below: semitones to its neighbours in the key, for ornaments.
        marks: articulations, ornaments and bowings by the names that MusicXML has for them.
        strokes: of a tremolo; 0 is none.
        alternates: with the next note of its voice ("start"), or with the one before ("stop").
        grace: "before" the beat, "on" it, or "", no grace note.
        steals: share of the note beside it that a grace note takes; None is the usual.
        tied_from: id of the note that it prolongs.
        has_fermata: is held.
        at: where it stands in the file, for order among grace notes.
    """

    id: str
    start: float
    length: float
    pitch: float
    voice: str
    above: float = 2.0
    below: float = -2.0
    marks: frozenset[str] = frozenset()
    strokes: int = 0
    alternates: str = ""
    grace: str = ""
    steals: float | None = None
    tied_from: str = ""
    has_fermata: bool = False
    at: int = 0

    @property
    def end(self) -> float:
        """Where it ends, in quarters."""
        return self.start if self.grace else self.start + self.length


@dataclass(frozen=True)
class Dynamic:
    """How loud it is from a place on.

    Args:
        at: quarters.
        velocity: from there on.
        first: of the notes that start there, where it is another (fp); None is the same.
    """

    at: float
    velocity: float
    first: float | None = None


@dataclass(frozen=True)
class Hairpin:
    """Louder (+1) or softer (-1) from start to end; end is None where no end is written."""

    start: float
    end: float | None
    sign: int


@dataclass(frozen=True)
class Tempo:
    """Quarters a minute from a place on; 0 is "a tempo", what was set last, and -1 what was set first."""

    at: float
    per_minute: float


@dataclass(frozen=True)
class TempoChange:
    """Slower (factor < 1) or faster, bit by bit from start to end; end is None where none is written."""

    start: float
    end: float | None
    factor: float


@dataclass
class WrittenPart:
    """One part.

    Args:
        name: of the instrument.
        program: General MIDI, 0 to 127; 0 also where none is said.
        volume, pan: 0 to 1, of the mix; None where nothing is said.
        notes: in any order.
        slurs: ids of the first and the last note of each.
        dynamics, hairpins: of the part.
        plucked: spans of pizzicato, in quarters.
    """

    name: str = ""
    program: int = 0
    volume: float | None = None
    pan: float | None = None
    notes: list[WrittenNote] = field(default_factory=list)
    slurs: list[tuple[str, str]] = field(default_factory=list)
    dynamics: list[Dynamic] = field(default_factory=list)
    hairpins: list[Hairpin] = field(default_factory=list)
    plucked: list[tuple[float, float]] = field(default_factory=list)


@dataclass
class Bar:
    """One measure, and the signs that say which comes next.

    Args:
        start, end: quarters.
        name: its number, as printed.
        endings: passes that it is played in, (1,) and (2,) under the usual brackets; () is all.
        repeats: how often the stretch that ends here is played; 1 is no repeat sign.
        starts_repeat, segno, coda: at its beginning.
        to_coda, fine, da_capo, dal_segno: at its end.
    """

    start: float
    end: float
    name: str = ""
    endings: tuple[int, ...] = ()
    starts_repeat: bool = False
    repeats: int = 1
    segno: bool = False
    coda: bool = False
    to_coda: bool = False
    fine: bool = False
    da_capo: bool = False
    dal_segno: bool = False


@dataclass
class WrittenScore:
    """All parts, what they share, and what was met that nothing here can play, with how often."""

    parts: list[WrittenPart]
    bars: list[Bar]
    tempi: list[Tempo]
    tempo_changes: list[TempoChange]
    left_out: Counter[str] = field(default_factory=Counter)

    def bar_at(self, quarters: float) -> str:
        """The number of the bar that a place is in."""
        return next((bar.name for bar in reversed(self.bars) if bar.start <= quarters + 1e-9), "1")
