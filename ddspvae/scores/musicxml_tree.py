"""MusicXML made plain: by parts, every note with an id, and a copy of the notes alone."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from ddspvae.scores.source import Element
from ddspvae.scores.words import find_number

SAID_OF_NOTES = ("grace", "chord", "pitch", "unpitched", "rest", "duration", "tie", "voice", "staff")


def to_partwise(root: Element) -> None:
    """From bars that hold parts to parts that hold bars."""
    from lxml import etree

    parts: dict[str, Any] = {}
    for measure in root.findall("measure"):
        for part in measure.findall("part"):
            home = parts.setdefault(part.get("id", "P1"), etree.Element("part", id=part.get("id", "P1")))
            bar = etree.SubElement(home, "measure", dict(measure.attrib))
            bar.extend(list(part))
        root.remove(measure)
    root.extend(parts.values())
    root.tag = "score-partwise"


def prepare(root: Element) -> None:
    """Every note gets an id; lengths are whole numbers, as partitura wants them; what sounds stands in `alter`."""
    for number, note in enumerate(root.iter("note")):
        note.set("id", f"n{number}")
        alter = note.find("pitch/alter")
        accidental = note.find("accidental")
        if alter is not None:
            value = find_number((alter.text or "0").lstrip("+-")) * (-1 if (alter.text or "").strip()[:1] == "-" else 1)
            alter.text = str(int(value))
            note.set("microtone", str(value - int(value)))
        if accidental is not None:  # what sounds stands in alter
            note.remove(accidental)
        if note.find("tie") is None:
            for tied in note.findall("notations/tied"):
                if tied.get("type") in ("start", "stop"):
                    tie = deepcopy(tied)
                    tie.tag = "tie"
                    note.append(tie)
    for part in root.findall("part"):
        lengths = [*part.iter("duration"), *part.iter("divisions")]
        if any("." in (length.text or "") for length in lengths):
            for length in lengths:
                length.text = str(round(960 * find_number(length.text or "0")))




def only_notes(root: Element) -> Element:
    """A copy that holds what partitura is asked for: nothing else can trip it."""
    kept = deepcopy(root)
    for measure in kept.iter("measure"):
        for child in list(measure):
            if child.tag not in ("note", "backup", "forward", "attributes"):
                measure.remove(child)
            elif child.tag == "note":
                _strip(child)
    for child in list(kept):
        if child.tag not in ("part-list", "part"):
            kept.remove(child)
    return kept


def _strip(note: Element) -> None:
    """What a note is, when, and its slurs; not how it looks."""
    is_grace = note.find("grace") is not None
    for child in list(note):
        if child.tag == "notations":
            for mark in list(child):
                if mark.tag != "slur":
                    child.remove(mark)
        elif child.tag not in SAID_OF_NOTES and not (is_grace and child.tag == "type"):
            note.remove(child)
