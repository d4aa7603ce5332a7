"""MusicXML: notes by partitura, and beside them what it drops, read from the same elements."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ddspvae.scores.heads import Head, PartHeads, read_heads
from ddspvae.scores.musicxml_tree import only_notes, prepare, to_partwise
from ddspvae.scores.signs import LEAPS, Signs
from ddspvae.scores.source import WHERE, Element
from ddspvae.scores.words import UNITS, find_kind, find_number
from ddspvae.scores.written import Bar, Dynamic, Hairpin, Tempo, WrittenNote, WrittenPart, WrittenScore
from ddspvae.signals.checks import InputError

ACCIDENTALS = {"sharp": 1, "natural": 0, "flat": -1, "double-sharp": 2, "sharp-sharp": 2, "flat-flat": -2}
PLAYED = {"accent", "strong-accent", "staccato", "tenuto", "detached-legato", "staccatissimo", "spiccato", "stress",
          "unstress", "soft-accent", "breath-mark", "trill-mark", "wavy-line", "mordent", "inverted-mordent", "turn",
          "inverted-turn", "delayed-turn", "delayed-inverted-turn", "shake", "tremolo", "arpeggiate", "accidental-mark"}
SILENT = {"fingering", "up-bow", "down-bow", "string", "fret", "tap", "heel", "toe", "thumb-position", "pluck",
          "fingernails", "hole", "handbell", "double-tongue", "triple-tongue", "open-string", "other-technical", "caesura"}
NOT_SOUND = {"rehearsal", "segno", "coda", "octave-shift", "image", "bracket", "staff-divide", "metronome", "dynamics",
             "wedge", "words", "dashes"}


def read_musicxml(root: Element, path: Path) -> WrittenScore:
    """A tree of MusicXML, by parts or by bars.

    Raises:
        InputError: no notes, or what cannot be read.
    """
    if root.tag == "score-timewise":
        to_partwise(root)
    if root.tag != "score-partwise" or root.find("part") is None:
        raise InputError(f"{WHERE}: {path} has no parts; is it a whole score?")
    prepare(root)
    heads = {part.id: part for part in read_heads(only_notes(root), path, "musicxml")}
    score = WrittenScore([], [], [], [])
    for index, element in enumerate(root.findall("part")):
        part = _Part(element, heads.get(element.get("id", "P1"), PartHeads("", "")), root)
        part.walk()
        score.parts.append(part.written())
        score.tempi += part.signs.all_tempi()
        score.tempo_changes += [change for change in part.signs.tempo_changes if change not in score.tempo_changes]
        score.left_out += part.signs.left_out
        if not index:
            score.bars = part.bars
        for bar, other in zip(score.bars, part.bars):  # signs for all stand in any part
            _merge(bar, other)
    return score


def _merge(bar: Bar, other: Bar) -> None:
    bar.endings = bar.endings or other.endings
    bar.repeats = max(bar.repeats, other.repeats)
    for name in ("starts_repeat", "segno", "coda", *LEAPS):
        setattr(bar, name, getattr(bar, name) or getattr(other, name))


@dataclass
class _Part:
    """Walks through a part, with the place in quarters at hand."""

    element: Element
    read: PartHeads
    root: Element
    signs: Signs = field(default_factory=Signs)
    bars: list[Bar] = field(default_factory=list)
    notes: dict[str, Element] = field(default_factory=dict)
    transposes: list[tuple[float, float]] = field(default_factory=list)
    _open: dict[tuple[str, str], Any] = field(default_factory=dict)
    _divisions: float = 1.0
    _endings: tuple[int, ...] = ()

    def walk(self) -> None:
        """Read everything but the notes themselves."""
        at = 0.0
        for number, measure in enumerate(self.element.findall("measure"), start=1):
            bar = Bar(at, at, measure.get("number") or str(number), self._endings)
            self.bars.append(bar)
            begins = furthest = at
            for child in measure:
                if child.tag == "attributes":
                    self._read_attributes(child, at)
                elif child.tag == "note":
                    self.notes[child.get("id", "")] = child
                    quarters = find_number(child.findtext("duration") or "0") / self._divisions
                    if child.find("chord") is None and child.find("grace") is None:
                        at += quarters
                elif child.tag in ("backup", "forward"):
                    quarters = find_number(child.findtext("duration") or "0") / self._divisions
                    at = max(at - quarters, begins) if child.tag == "backup" else at + quarters
                elif child.tag == "direction":
                    offset = child.findtext("offset") or "0"
                    sign = -1 if offset.strip().startswith("-") else 1
                    self._read_direction(child, max(at + sign * find_number(offset) / self._divisions, 0.0), bar)
                elif child.tag == "sound":
                    self._read_sound(child, at, bar)
                elif child.tag == "barline":
                    self._read_barline(child, bar)
                furthest = max(furthest, at)
            bar.end = at = furthest

    def _read_attributes(self, element: Element, at: float) -> None:
        self._divisions = find_number(element.findtext("divisions") or "") or self._divisions
        for transpose in element.findall("transpose"):
            octaves = float(transpose.findtext("octave-change") or 0)
            self.transposes.append((at, float(transpose.findtext("chromatic") or 0) + 12 * octaves))

    def _read_direction(self, element: Element, at: float, bar: Bar) -> None:
        has_level, last = False, None
        sound = element.find("sound")
        for kind in (child for holder in element.findall("direction-type") for child in holder):
            if kind.tag == "dynamics":
                for letter in kind:
                    name = (letter.text or "").strip() if letter.tag == "other-dynamics" else letter.tag
                    has_level |= self.signs.add_dynamic(at, name)
            elif kind.tag == "words" and kind.text:
                last = self._read_words(kind.text, at, bar, sound) or last
            elif kind.tag == "wedge":
                self._read_wedge(kind, at)
            elif kind.tag == "dashes":
                self._read_dashes(kind, at, last)
            elif kind.tag == "metronome" and (sound is None or not sound.get("tempo")):
                self._read_metronome(kind, at)
            elif kind.tag in ("segno", "coda"):
                setattr(bar, kind.tag, True)
            elif kind.tag not in NOT_SOUND:
                self.signs.left_out[{"pedal": "pedal marks"}.get(kind.tag, kind.tag)] += 1
        if sound is not None:
            self._read_sound(sound, at, bar, has_level)

    def _read_words(self, text: str, at: float, bar: Bar, sound: Element | None) -> Any:
        kind = find_kind(text)
        if kind in LEAPS:
            setattr(bar, kind, True)
        if kind == "tempo" and sound is not None and sound.get("tempo"):
            return None
        if kind in ("plucked", "bowed") and sound is not None and sound.get("pizzicato"):
            return None
        return self.signs.add_words(at, text)

    def _read_wedge(self, element: Element, at: float) -> None:
        key, kind = ("wedge", element.get("number", "1")), element.get("type")
        if kind in ("crescendo", "diminuendo"):
            self._open[key] = len(self.signs.hairpins)
            self.signs.hairpins.append(Hairpin(at, None, 1 if kind == "crescendo" else -1))
        elif kind == "stop" and (index := self._open.pop(key, None)) is not None:
            self.signs.hairpins[index] = replace(self.signs.hairpins[index], end=at)

    def _read_dashes(self, element: Element, at: float, last: Any) -> None:
        key = ("dashes", element.get("number", "1"))
        if element.get("type") == "start" and last is not None:
            self._open[key] = last
        elif element.get("type") == "stop" and (begun := self._open.pop(key, None)) is not None:
            _, where, index = begun
            where[index] = replace(where[index], end=at)

    def _read_metronome(self, element: Element, at: float) -> None:
        unit = UNITS.get(element.findtext("beat-unit") or "", 1.0)
        dots = len(element.findall("beat-unit-dot"))
        number = find_number(element.findtext("per-minute") or "")
        if number:
            self.signs.tempi.append(Tempo(at, number * unit * (2 - 0.5**dots)))

    def _read_sound(self, element: Element, at: float, bar: Bar, has_level: bool = False) -> None:
        if (tempo := find_number(element.get("tempo", ""))) > 0:
            self.signs.tempi.append(Tempo(at, tempo))
        if element.get("dynamics") and not has_level and not any(mark.at == at for mark in self.signs.dynamics):
            # percent of a forte, whose velocity is 90
            self.signs.dynamics.append(Dynamic(at, min(max(0.9 * find_number(element.get("dynamics", "")), 1), 127)))
        if element.get("pizzicato") in ("yes", "no"):
            self.signs.plucks.append((at, element.get("pizzicato") == "yes"))
        for name, flag in (("dacapo", "da_capo"), ("dalsegno", "dal_segno"), ("tocoda", "to_coda"), ("fine", "fine"),
                           ("segno", "segno"), ("coda", "coda")):
            if element.get(name):
                setattr(bar, flag, True)

    def _read_barline(self, element: Element, bar: Bar) -> None:
        repeat, ending = element.find("repeat"), element.find("ending")
        if repeat is not None and repeat.get("direction") == "forward":
            bar.starts_repeat = True
        elif repeat is not None:
            bar.repeats = max(int(find_number(repeat.get("times", "2"))), 2)
        if ending is not None and ending.get("type") == "start":
            self._endings = bar.endings = _passes(ending.get("number", "1"))
        elif ending is not None:
            self._endings = ()
        for name in ("segno", "coda"):
            if element.find(name) is not None:
                setattr(bar, name, True)

    def written(self) -> WrittenPart:
        """The part, when all of it was walked through."""
        end = max((bar.end for bar in self.bars), default=0.0)
        said = _instrument(self.root, self.element.get("id", ""))
        part = WrittenPart(self.read.name, dynamics=self.signs.dynamics, hairpins=self.signs.hairpins,
                           slurs=self.read.slurs, plucked=self.signs.plucked(end), **said)
        is_drums = part.program < 0
        part.program = max(part.program, 0)
        for at, head in enumerate(self.read.heads):
            note = self._note(head, at)
            if is_drums:
                self.signs.left_out["drum notes"] += 1
            elif note is not None:
                part.notes.append(note)
        self.signs.left_out["unpitched notes"] += sum(note.find("unpitched") is not None for note in self.notes.values())
        self.signs.left_out += Counter()
        return part

    def _note(self, head: Head, at: int) -> WrittenNote | None:
        element = self.notes[head.id]
        if element.find("cue") is not None:
            return None
        moved = next((semitones for place, semitones in reversed(self.transposes) if place <= head.start + 1e-9), 0.0)
        marks, strokes, alternates, alter = self._marks(element)
        if round(head.start, 6) in self.signs.sforzati:
            marks.add("sforzato")
        grace = "" if not head.grace else "before" if head.grace == "acciaccatura" else "on"
        fermata = element.find("notations/fermata") is not None
        return WrittenNote(
            head.id, head.start, head.length, head.pitch + moved + float(element.get("microtone", "0")), str(head.voice),
            head.neighbour(1, alter), head.neighbour(-1), frozenset(marks), strokes, alternates, grace, head.steals,
            head.tied_from, fermata, at)

    def _marks(self, element: Element) -> tuple[set[str], int, str, int | None]:
        """Marks of a note, strokes of its tremolo, which of a pair it is, and the accidental over its ornament."""
        marks: set[str] = set()
        strokes, alternates, alter = 0, "", None
        for notations in element.findall("notations"):
            for child in (*notations.findall("*"), *notations.findall("articulations/*"), *notations.findall("ornaments/*"),
                          *notations.findall("technical/*")):
                if child.tag == "tremolo":
                    strokes, alternates = int(find_number(child.text or "3")), child.get("type", "single")
                elif child.tag == "accidental-mark":
                    alter = ACCIDENTALS.get(child.text or "", alter)
                elif child.tag in PLAYED:
                    marks.add(child.tag)
                elif child.tag not in SILENT and child.tag not in (
                        "articulations", "ornaments", "technical", "slur", "tied", "tuplet", "fermata", "dynamics"):
                    self.signs.left_out[child.tag.replace("-", " ")] += 1
        return marks, strokes, "" if alternates == "single" else alternates, alter


def _passes(text: str) -> tuple[int, ...]:
    """The numbers over a bracket: "1, 2", "1-3"."""
    found: list[int] = []
    for first, last in re.findall(r"(\d+)(?:\s*-\s*(\d+))?", text):
        found += range(int(first), min(int(last or first), int(first) + 99) + 1)
    return tuple(found) or (1,)


def _instrument(root: Element, part_id: str) -> dict[str, Any]:
    """What the list of parts says of a part's sound: its program (-1 for drums), volume and pan."""
    element = next((part for part in root.findall("part-list/score-part") if part.get("id") == part_id), None)
    midi = None if element is None else element.find("midi-instrument")
    if midi is None:
        return {}
    said: dict[str, Any] = {"program": min(max(int(find_number(midi.findtext("midi-program") or "1")) - 1, 0), 127)}
    if midi.findtext("midi-channel") == "10":
        said["program"] = -1
    if midi.findtext("volume"):
        said["volume"] = min(find_number(midi.findtext("volume") or "") / 100, 1.0)
    if midi.findtext("pan"):
        pan = float(midi.findtext("pan") or 0)
        said["pan"] = min(max((pan + 90) / 180, 0.0), 1.0)
    return said
