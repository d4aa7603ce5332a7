"""Scores as text that a musician can read and correct, to MIDI files.

    title: Ode to Joy
    by: Ludwig van Beethoven, 1824
    tempo: 100
    meter: 4

    [trombone] program 57
    mf  a3/1 a3 bb3 c4 | c4 bb3 a3 g3 | < f3 f3 g3 a3 f | a3/1.5' g3/0.5 g3/2<>

- A note is a pitch (c4 is middle C, sounding; bb3, f#3) and, after a slash, its beats; without, as many as the one before.
  r is a rest.
- After it: ~ slurred to the next, . short, ' a breath before the next, < growing, > fading, <> a swell.
- pp p mp mf f ff hold from there on; < or > alone leads evenly to the next of them.
- @96 is a new tempo, | a bar line. Bars are counted: all but the first and the last must be full.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

import mido

from ddspvae.signals.checks import InputError, fail

TICKS_PER_BEAT = 480
DYNAMICS = {"pp": 40, "p": 54, "mp": 68, "mf": 82, "f": 98, "ff": 114}  # velocities
STEPS = {"c": 0, "d": 2, "e": 4, "f": 5, "g": 7, "a": 9, "b": 11}
WORD = re.compile(r"(?:([a-g])([#b]?)([0-8])|r)(?:/(\d+(?:\.\d+)?))?([~.']?)(<>|<|>|)([~.']?)")
SLUR_TICKS = 10  # that a slurred note overlaps the next
BREATH_TICKS, GAP_TICKS = 160, 40  # at least: shorter rests are not heard as such
ACCENT, WEAK = 5, -3  # velocity of the first beat, and between beats
SOFT, FULL = 84, 127  # of the expression controller, between which a note swells: 7 dB
EXPRESSION, VOLUME, PAN = 11, 7, 10
CONTROL_TICKS = 20


@dataclass
class Line:
    """One part: events with the tick they come at.

    Args:
        name: of the track.
        program: General MIDI, 0 to 127.
        volume, pan: controllers 7 and 10, 0 to 127.
        events: (tick, message); within a tick in this order.
        tempos: (tick, beats per minute).
    """

    name: str
    program: int
    volume: int = 100
    pan: int = 64
    events: list[tuple[int, mido.Message]] = field(default_factory=list)
    tempos: list[tuple[int, float]] = field(default_factory=list)


@dataclass
class Score:
    """A piece: what it is, and its lines."""

    title: str
    by: str
    lines: list[Line]


def read_score(path: Path) -> Score:
    """Read a text score.

    Raises:
        InputError: a word that is none, or a bar that is not full; with file, part and bar.
    """
    text = path.read_text(encoding="utf-8")
    head, *parts = re.split(r"^\[", text, flags=re.MULTILINE)
    said = dict(re.findall(r"^(\w+): *(.+?) *$", head, re.MULTILINE))
    if missing := [name for name in ("title", "by", "tempo", "meter") if name not in said]:
        raise fail("read_score", "the head of a score", "say title, by, tempo and meter", f"no {missing[0]}", str(path))
    lines = []
    for part in parts:
        heading, _, body = part.partition("\n")
        name, _, options = heading.partition("]")
        values = {key: int(value) for key, value in re.findall(r"(\w+) (\d+)", options)}
        line = Line(name, **values)
        line.tempos.append((0, float(said["tempo"])))
        _Reader(f"{path.name}, {name}", float(said["meter"]), line).read(body)
        lines.append(line)
    if not lines:
        raise fail("read_score", "a score", "hold at least one [part]", 0, str(path))
    return Score(said["title"], said["by"], lines)


@dataclass(frozen=True)
class _Written:
    """A note as it stands: start and length in ticks, beat in its bar; None in the first, which may be an upbeat."""

    pitch: int
    start: int
    length: int
    touch: str
    swell: str
    beat: float | None


class _Reader:
    """Reads the words of one part in order."""

    def __init__(self, where: str, meter: float, line: Line) -> None:
        self.where, self.meter, self.line = where, meter, line
        self.tick, self.beats, self.bar, self.bar_tick = 0, 1.0, 1, 0
        self.notes: list[_Written] = []
        self.marks: list[tuple[int, str]] = []  # index of the next note, dynamic or hairpin

    def read(self, body: str) -> None:
        """Fill the line."""
        for word in re.sub(r"//.*", "", body).split():
            if word == "|":
                self._close_bar()
            elif word in DYNAMICS or word in "<>":
                self.marks.append((len(self.notes), word))
            elif word.startswith("@"):
                self.line.tempos.append((self.tick, float(word[1:])))
            elif match := WORD.fullmatch(word):
                self._add(*match.groups(default=""))
            else:
                raise InputError(f"read_score: {self.where}, bar {self.bar}: '{word}' is no note, rest or mark.")
        self._write(self._velocities())

    def _close_bar(self) -> None:
        length = (self.tick - self.bar_tick) / TICKS_PER_BEAT
        if self.bar > 1 and abs(length - self.meter) > 1e-3:
            raise fail("read_score", f"{self.where}, bar {self.bar}", f"last {self.meter:g} beats", f"{length:g}")
        self.bar, self.bar_tick = self.bar + 1, self.tick

    def _add(self, step: str, sign: str, octave: str, beats: str, before: str, swell: str, after: str) -> None:
        self.beats = float(beats or self.beats)
        length = round(self.beats * TICKS_PER_BEAT)
        if step:
            pitch = 12 * (int(octave) + 1) + STEPS[step] + {"#": 1, "b": -1, "": 0}[sign]
            beat = None if self.bar == 1 else (self.tick - self.bar_tick) / TICKS_PER_BEAT
            self.notes.append(_Written(pitch, self.tick, length, before or after, swell, beat))
        self.tick += length

    def _velocities(self) -> list[int]:
        """Marks to a number a note: held, or led to the next mark; then the weight of the beat."""
        steady = [(at, DYNAMICS[word]) for at, word in self.marks if word in DYNAMICS] or [(0, DYNAMICS["mf"])]
        hairpins = [at for at, word in self.marks if word not in DYNAMICS]
        velocities = []
        for index, note in enumerate(self.notes):
            begun, now = max((mark for mark in steady if mark[0] <= index), default=steady[0])
            to = min((mark for mark in steady if mark[0] > index), default=None)
            since = max((at for at in hairpins if begun <= at <= index), default=None)
            if since is not None and to is not None:
                now += (to[1] - now) * (index - since + 1) / (to[0] - since + 1)
            weight = ACCENT if note.beat == 0 else WEAK if note.beat and note.beat % 1 else 0
            velocities.append(round(min(max(now + weight, 1), 127)))
        return velocities

    def _write(self, velocities: list[int]) -> None:
        events = self.line.events
        for note, velocity in zip(self.notes, velocities):
            start, length = note.start, note.length
            gap = {"~": -SLUR_TICKS, ".": length // 2, "'": max(length // 4, BREATH_TICKS)}
            end = start + length - min(gap.get(note.touch, max(length // 10, GAP_TICKS)), length // 2)
            for tick, value in _swell(note.swell, start, end):
                events.append((tick, mido.Message("control_change", control=EXPRESSION, value=value)))
            events.append((start, mido.Message("note_on", note=note.pitch, velocity=velocity)))
            events.append((end, mido.Message("note_off", note=note.pitch)))
            if note.swell:
                events.append((start + length, mido.Message("control_change", control=EXPRESSION, value=FULL)))
        events.sort(key=lambda event: event[0])


def _swell(kind: str, start: int, end: int) -> list[tuple[int, int]]:
    """Ticks and values of the expression controller over a note."""
    if not kind:
        return []
    steps = range(start, end, CONTROL_TICKS)
    ways = [(tick - start) / (end - start) for tick in steps]
    shape = {"<": lambda way: way, ">": lambda way: 1 - way, "<>": lambda way: 1 - abs(2 * way - 1)}[kind]
    return [(tick, round(SOFT + (FULL - SOFT) * shape(way))) for tick, way in zip(steps, ways)]


def write_midi(score: Score, path: Path) -> None:
    """Write a score as a MIDI file: tempos in the first track, then a track and channel a part."""
    file = mido.MidiFile(type=1, ticks_per_beat=TICKS_PER_BEAT)
    tempos = sorted({mark for line in score.lines for mark in line.tempos})
    file.tracks.append(_track([(tick, mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(bpm))) for tick, bpm in tempos],
                              score.title))
    for index, line in enumerate(score.lines):
        channel = index + (index >= 9)  # the tenth is for drums
        begin = [mido.Message("program_change", program=line.program),
                 mido.Message("control_change", control=VOLUME, value=line.volume),
                 mido.Message("control_change", control=PAN, value=line.pan)]
        events = [(0, message) for message in begin] + line.events
        file.tracks.append(_track([(tick, message.copy(channel=channel)) for tick, message in events], line.name))
    file.save(path)


def _track(events: list[tuple[int, mido.Message]], name: str) -> mido.MidiTrack:
    track, now = mido.MidiTrack([mido.MetaMessage("track_name", name=name)]), 0
    for tick, message in events:
        track.append(message.copy(time=tick - now))
        now = tick
    return track
