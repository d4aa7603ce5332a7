"""MEI: notes by partitura, and beside them the control events and attributes that it drops."""

from __future__ import annotations

from collections import Counter, defaultdict
from copy import deepcopy
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ddspvae.scores.heads import Head, PartHeads, read_heads
from ddspvae.scores.mei_tree import ID, MICROTONES, local, prepare
from ddspvae.scores.signs import LEAPS, Signs
from ddspvae.scores.source import WHERE, Element
from ddspvae.scores.words import find_kind, find_number
from ddspvae.scores.written import Bar, Hairpin, Tempo, WrittenNote, WrittenPart, WrittenScore
from ddspvae.signals.checks import InputError

ARTICULATIONS = {"acc": "accent", "stacc": "staccato", "ten": "tenuto", "stacciss": "staccatissimo", "marc": "strong-accent",
                 "spicc": "spiccato", "ten-stacc": "detached-legato", "stress": "stress", "unstress": "unstress"}
ORNAMENTS = {"trill": "trill-mark", "mordent": "mordent", "turn": "turn"}
NEAR = 0.02  # quarters, of a time stamp, which is rounded
NO_SOUND = {"staff", "tie", "beamSpan", "tupletSpan", "fing", "sb", "pb", "mNum", "harm", "annot", "octave", "fingGrp", "lv"}


def read_mei(root: Element, path: Path) -> WrittenScore:
    """A tree of MEI; every staff is a part.

    Raises:
        InputError: no music in it, or what cannot be read.
    """
    music = next(root.iter("{*}music"), None)
    if music is None or next(music.iter("{*}measure"), None) is None:
        raise InputError(f"{WHERE}: {path} has no measures; is it a whole score?")
    left_out = prepare(root)
    heads = read_heads(_only_notes(root), path, "mei")
    return _Reader(root, heads, left_out).read()


def _only_notes(root: Element) -> Element:
    """A copy without control events, bar lines and brackets, which partitura reads otherwise or not at all."""
    kept = deepcopy(root)
    for measure in list(kept.iter("{*}measure")):
        for side in ("left", "right"):
            measure.attrib.pop(side, None)
        for child in list(measure):
            if local(child) not in ("staff", "tie"):
                measure.remove(child)
    for ending in list(kept.iter("{*}ending")):
        ending.tag = ending.tag.replace("ending", "section")
    return kept


@dataclass
class _Reader:
    """Puts control events at their places."""

    root: Element
    heads: list[PartHeads]
    left_out: Counter[str]
    bars: list[Bar] = field(default_factory=list)
    signs: dict[int, Signs] = field(default_factory=lambda: defaultdict(Signs))
    marks: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    fermatas: set[str] = field(default_factory=set)
    slurs: list[tuple[str, str]] = field(default_factory=list)
    _begins_next: bool = False  # the bar line before begins a repeat

    def read(self) -> WrittenScore:
        """Everything."""
        self.elements = {element.get(ID, ""): element for element in self.root.iter() if element.get(ID)}
        self.places = {head.id: head.start for part in self.heads for head in part.heads}
        self.home = {head.id: index for index, part in enumerate(self.heads) for head in part.heads}
        for element in self.root.iter("{*}chord"):
            inside = [note.get(ID, "") for note in element.iter("{*}note")]
            if inside and inside[0] in self.places:
                self.places[element.get(ID, "")] = self.places[inside[0]]
                self.home[element.get(ID, "")] = self.home[inside[0]]
        self.definitions = list(next(self.root.iter("{*}music")).iter("{*}staffDef"))[: len(self.heads)]
        self.staff_of = {definition.get("n", str(index + 1)): index for index, definition in enumerate(self.definitions)}
        measures = list(next(self.root.iter("{*}music")).iter("{*}measure"))
        unit = 4.0
        units = []
        for element in next(self.root.iter("{*}music")).iter():
            if local(element) in ("scoreDef", "staffDef", "meterSig"):
                unit = find_number(element.get("meter.unit") or element.get("unit") or "") or unit
            elif local(element) == "measure":
                units.append(unit)
        for measure, (start, end) in zip(measures, self.heads[0].bars):
            self.bars.append(self._bar(measure, start, end))
        for bar, measure, beat in zip(self.bars, measures, units):
            for child in measure:
                if local(child) not in NO_SOUND:
                    self._read_event(child, bar, 4 / beat)
        parts = [self._part(index, part) for index, part in enumerate(self.heads)]
        signs = [self.signs[index] for index in range(len(self.heads))]
        for each in signs:
            self.left_out += each.left_out
        return WrittenScore(parts, self.bars, [tempo for each in signs for tempo in each.all_tempi()],
                            [change for each in signs for change in each.tempo_changes], +self.left_out)

    def _bar(self, measure: Element, start: float, end: float) -> Bar:
        ending = next(measure.iterancestors("{*}ending"), None)
        passes = () if ending is None else tuple(int(char) for char in ending.get("n", "1") if char.isdigit()) or (1,)
        bar = Bar(start, end, measure.get("n", str(len(self.bars) + 1)), passes,
                  measure.get("left") in ("rptstart", "rptboth"), 2 if measure.get("right") in ("rptend", "rptboth") else 1)
        if self.bars and measure.get("left") in ("rptend", "rptboth"):
            self.bars[-1].repeats = 2
        bar.starts_repeat |= self._begins_next
        self._begins_next = measure.get("right") in ("rptstart", "rptboth")
        return bar

    def _at(self, element: Element, bar: Bar, quarters: float) -> float:
        """Where an event begins."""
        start = element.get("startid", "").lstrip("#")
        if start in self.places:
            return self.places[start]
        return bar.start + max((find_number(element.get("tstamp", "1")) or 1.0) - 1, 0.0) * quarters

    def _end(self, element: Element, bar: Bar, quarters: float) -> float | None:
        """Where it ends, if that is written: at a note, or "1m+3", the third beat of the next bar."""
        end = element.get("endid", "").lstrip("#")
        if end in self.places:
            return self.places[end]
        until = element.get("tstamp2")
        if not until:
            return None
        bars, _, beat = until.rpartition("m+")
        target = self.bars[min(self.bars.index(bar) + int(find_number(bars)), len(self.bars) - 1)]
        return target.start + max(find_number(beat) - 1, 0.0) * quarters

    def _staff(self, element: Element) -> int:
        """Which part an event belongs to; the first for those of all."""
        start = element.get("startid", "").lstrip("#")
        if start in self.home:
            return self.home[start]
        return self.staff_of.get(element.get("staff", "").split(" ")[0], 0)

    def _read_event(self, element: Element, bar: Bar, quarters: float) -> None:
        kind, part = local(element), self._staff(element)
        signs, at = self.signs[part], self._at(element, bar, quarters)
        text = " ".join("".join(element.itertext()).split())
        if kind == "dynam":
            if not signs.add_dynamic(at, text.lower()):
                self._end_words(signs.add_words(at, text), self._end(element, bar, quarters))
        elif kind == "hairpin":
            signs.hairpins.append(Hairpin(at, self._end(element, bar, quarters), -1 if element.get("form") == "dim" else 1))
        elif kind == "tempo":
            self._read_tempo(element, at, text, signs)
        elif kind in ("dir", "repeatMark"):
            self._read_direction(element, bar, at, text, signs)
        elif kind == "slur":
            first, last = element.get("startid", "").lstrip("#"), element.get("endid", "").lstrip("#")
            self.slurs.append((self._note_id(first) or self._note_at(part, at), self._note_id(last) or self._note_at(
                part, self._end(element, bar, quarters) or at)))
        elif kind == "fermata":
            self.fermatas |= set(self._targets(element, part, at))
        elif kind in ORNAMENTS or kind in ("arpeg", "breath"):
            for target in self._targets(element, part, at):
                self.marks[target].add(self._name(element, kind))
        elif kind != "dynamicSpan":
            self.left_out["pedal marks" if kind == "pedal" else kind] += 1

    @staticmethod
    def _name(element: Element, kind: str) -> str:
        if kind == "mordent":
            return "inverted-mordent" if element.get("form") == "upper" else "mordent"
        if kind == "turn":
            name = "inverted-turn" if element.get("form") == "lower" else "turn"
            return name if element.get("delayed") != "true" else f"delayed-{name}"
        return {"arpeg": "arpeggiate", "breath": "breath-mark"}.get(kind) or ORNAMENTS[kind]

    @staticmethod
    def _end_words(put: tuple[str, list[Any], int] | None, end: float | None) -> None:
        if put is not None and end is not None:
            _, where, index = put
            where[index] = replace(where[index], end=end)

    def _read_tempo(self, element: Element, at: float, text: str, signs: Signs) -> None:
        per_minute = find_number(element.get("midi.bpm", "")) or (60e6 / find_number(element.get("midi.mspb", ""))
                                                                   if element.get("midi.mspb") else 0.0)
        if not per_minute and element.get("mm"):
            unit = 4 / (find_number(element.get("mm.unit", "4")) or 4)
            per_minute = find_number(element.get("mm", "")) * unit * (2 - 0.5 ** find_number(element.get("mm.dots", "0")))
        if per_minute:
            signs.tempi.append(Tempo(at, per_minute))
        elif find_kind(text):
            signs.add_words(at, text)

    def _read_direction(self, element: Element, bar: Bar, at: float, text: str, signs: Signs) -> None:
        said = (element.get("func") or element.get("type") or "").lower()
        kind = {"dacapo": "da_capo", "dalsegno": "dal_segno", "fine": "fine", "tocoda": "to_coda", "segno": "segno",
                "coda": "coda"}.get(said) or find_kind(text)
        if kind in (*LEAPS, "segno", "coda"):
            setattr(bar, kind, True)
        else:
            signs.add_words(at, text)

    def _note_id(self, id: str) -> str:
        """Of a note, or of the first of a chord."""
        element = self.elements.get(id)
        if element is None:
            return ""
        return id if local(element) == "note" else next((note.get(ID, "") for note in element.iter("{*}note")), "")

    def _note_at(self, part: int, at: float) -> str:
        return next((head.id for head in self.heads[part].heads if abs(head.start - at) < NEAR and not head.grace), "")

    def _targets(self, element: Element, part: int, at: float) -> list[str]:
        start = element.get("startid", "").lstrip("#")
        if start in self.elements:
            found = self.elements[start]
            return [note.get(ID, "") for note in ([found] if local(found) == "note" else found.iter("{*}note"))]
        return [head.id for head in self.heads[part].heads if abs(head.start - at) < NEAR and not head.grace]

    def _part(self, index: int, read: PartHeads) -> WrittenPart:
        definition, signs = self.definitions[index], self.signs[index]
        end = max((bar.end for bar in self.bars), default=0.0)
        around = [definition, *definition.iterancestors("{*}staffGrp", "{*}scoreDef")]
        label = next((found.text.strip() for place in around for found in place.findall("{*}label") if found.text), "")
        midi = next((found for place in around for found in place.findall("{*}instrDef")), None)
        moved = next((find_signed(place.get("trans.semi", "")) for place in around if place.get("trans.semi")), 0.0)
        part = WrittenPart(label or read.name, dynamics=signs.dynamics, hairpins=signs.hairpins, plucked=signs.plucked(end),
                           slurs=[slur for slur in self.slurs if self.home.get(slur[0]) == index])
        if midi is not None and midi.get("midi.instrnum"):
            part.program = min(int(find_number(midi.get("midi.instrnum", ""))), 127)
        part.notes = [self._note(head, at, moved, signs) for at, head in enumerate(read.heads)]
        return part

    def _note(self, head: Head, at: int, moved: float, signs: Signs) -> WrittenNote:
        element = self.elements[head.id]
        holders = [element, *element.iterancestors("{*}chord")]
        marks = set().union(*(self.marks[holder.get(ID, "")] for holder in holders))
        for holder in holders:
            for said in [holder.get("artic", ""), *(artic.get("artic", "") for artic in holder.findall("{*}artic"))]:
                for name in said.split():
                    if name in ARTICULATIONS:
                        marks.add(ARTICULATIONS[name])
                    elif name not in ("dnbow", "upbow"):
                        self.left_out[name] += 1
        if round(head.start, 6) in signs.sforzati:
            marks.add("sforzato")
        grace = next((holder.get("grace", "") for holder in holders if holder.get("grace")), "")
        octave = find_number(element.get("oct.ges", "")) - head.octave if element.get("oct.ges") else 0.0
        micro = MICROTONES.get(element.get("microtone", ""), 0.0)
        return WrittenNote(
            head.id, head.start, head.length, head.pitch + moved + micro + 12 * octave, str(head.voice), head.neighbour(1),
            head.neighbour(-1), frozenset(marks), int(element.get("strokes", "0")), element.get("alternates", ""),
            "" if not grace else "on" if grace == "acc" else "before", None, head.tied_from,
            any(holder.get(ID) in self.fermatas or holder.get("fermata") for holder in holders), at)


def find_signed(text: str) -> float:
    """A number with its sign."""
    return -find_number(text) if text.strip().startswith("-") else find_number(text)


