"""MEI made plain: what partitura does not know is turned into what it knows, and noted down on the notes."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping

from ddspvae.scores.source import Element
from ddspvae.scores.words import find_number

ID = "{http://www.w3.org/XML/1998/namespace}id"
UNWRAPPED = ("graceGrp", "bTrem", "fTrem", "app", "lem", "choice", "sic", "corr", "orig", "reg", "supplied", "unclear",
             "add", "rdg", "ligature", "halfmRpt")
FIRST_ONLY = ("app", "choice")  # of what stands there side by side
IN_LAYERS = ("note", "chord", "rest", "mRest", "multiRest", "beam", "tuplet", "clef", "space")
IN_SECTIONS = ("measure", "scoreDef", "section", "ending", "sb", "pb", "expansion")
# accidentals that partitura does not know: those that it is told instead, and semitones beside them
ACCIDENTALS: Mapping[str, tuple[str, str]] = {
    "1qs": ("n", "+0.5"), "1qf": ("n", "-0.5"), "3qs": ("s", "+0.5"), "3qf": ("f", "-0.5"), "su": ("s", "+0.5"),
    "sd": ("s", "-0.5"), "fu": ("f", "+0.5"), "fd": ("f", "-0.5"), "nu": ("n", "+0.5"), "nd": ("n", "-0.5"),
    "xs": ("x", "+1"), "ts": ("x", "+1"), "tf": ("ff", "-1")}
MICROTONES = {"+0.5": 0.5, "-0.5": -0.5, "+1": 1.0, "-1": -1.0}


def local(element: Element) -> str:
    """The name of an element without its namespace."""
    return str(element.tag).rpartition("}")[2]


def prepare(root: Element) -> Counter[str]:
    """Change a tree so that partitura reads it; what is lost on the way, counted."""
    left_out: Counter[str] = Counter()
    _add_namespace(root)
    music = next(root.iter("{*}music"))
    for layer in list(music.iter("{*}layer")):
        _flatten(layer, left_out)
    for section in list(music.iter("{*}section", "{*}ending")):
        for child in list(section):
            if local(child) not in IN_SECTIONS:
                section.remove(child)
    for number, element in enumerate(root.iter()):
        if isinstance(element.tag, str) and element.get(ID) is None:
            element.set(ID, f"made-{number}")
    _settle_definitions(music)
    for element in music.iter("{*}note", "{*}accid"):
        for name in ("accid", "accid.ges"):
            if element.get(name) in ACCIDENTALS:
                note = element if local(element) == "note" else element.getparent()
                plain, beside = ACCIDENTALS[element.get(name, "")]
                element.set(name, plain)
                if note is not None:
                    note.set("microtone", beside)
    _tie(music)
    return left_out


def _add_namespace(root: Element) -> None:
    """Of files that leave it out."""
    if not str(root.tag).startswith("{"):
        for element in root.iter():
            if isinstance(element.tag, str):
                element.tag = "{http://www.music-encoding.org/ns/mei}" + element.tag


def _flatten(holder: Element, left_out: Counter[str]) -> None:
    """Tremolos, groups and editorial choices become the notes that they hold."""
    for child in list(holder):
        name = local(child)
        if name in UNWRAPPED:
            inside = list(child)[:1] if name in FIRST_ONLY else list(child)
            if name in ("bTrem", "fTrem"):
                _note_tremolo(child, inside, name)
            if name == "graceGrp":
                for note in inside:
                    note.set("grace", note.get("grace") or child.get("grace") or "unknown")
            at = holder.index(child)
            holder.remove(child)
            for offset, element in enumerate(inside):
                holder.insert(at + offset, element)
            _flatten(holder, left_out)
            return
        if name in ("mSpace", "mRpt", "mRpt2"):
            left_out["repeated bars in one sign"] += name != "mSpace"
            child.tag = child.tag.replace(name, "mRest")
        elif name not in IN_LAYERS:
            holder.remove(child)
        elif name in ("beam", "tuplet"):
            _flatten(child, left_out)


def _note_tremolo(element: Element, inside: list[Element], name: str) -> None:
    """How many strokes each note has, and which of a pair it is."""
    for index, child in enumerate(inside):
        duration = find_number(element.get("unitdur", "")) or 32.0
        own = find_number(child.get("dur", "4")) or 4.0
        strokes = max(round(_log2(duration / max(own, 4.0))), 1)
        for note in [child, *child.iter("{*}note")]:
            note.set("strokes", str(strokes))
            if name == "fTrem":
                note.set("alternates", "stop" if index else "start")


def _log2(value: float) -> float:
    from math import log2

    return log2(max(value, 1.0))


def _settle_definitions(music: Element) -> None:
    """Meters and keys that are written as elements of the whole score stand with every staff, too."""
    for group in music.iter("{*}staffGrp"):
        if group.get("symbol") is None and group.find("{*}grpSym") is None:
            group.set("symbol", "none")
    for definition in music.iter("{*}scoreDef"):
        meter, key = definition.find("{*}meterSig"), definition.find("{*}keySig")
        for staff in definition.iter("{*}staffDef"):
            if meter is not None and staff.find("{*}meterSig") is None and not staff.get("meter.count"):
                staff.set("meter.count", meter.get("count", "4"))
                staff.set("meter.unit", meter.get("unit", "4"))
            if key is not None and staff.find("{*}keySig") is None and not staff.get("key.sig"):
                staff.set("key.sig", key.get("sig", "0"))
    first = next(music.iter("{*}scoreDef"), None)
    if first is not None and not any(element.get("meter.count") or local(element) == "meterSig" for element in first.iter()):
        first.set("meter.count", "4")
        first.set("meter.unit", "4")


def _tie(music: Element) -> None:
    """Ties that are written as attributes become elements."""
    from lxml import etree

    open_ties: dict[tuple[str, str, str, str], str] = {}
    layers: defaultdict[tuple[str, str], list[Element]] = defaultdict(list)
    for layer in music.iter("{*}layer"):
        staff = layer.getparent()
        layers[staff.get("n", "1") if staff is not None else "1", layer.get("n", "1")].append(layer)
    for (staff_number, layer_number), found in layers.items():
        for layer in found:
            for note in layer.iter("{*}note"):
                chord = next(note.iterancestors("{*}chord"), None)
                said = note.get("tie") or (chord.get("tie") if chord is not None else "") or ""
                key = (staff_number, layer_number, note.get("pname", ""), note.get("oct", ""))
                if said in ("m", "t") and key in open_ties:
                    measure = next(note.iterancestors("{*}measure"))
                    tie = etree.SubElement(measure, measure.tag.replace("measure", "tie"))
                    tie.set(ID, f"tie-{note.get(ID)}")
                    tie.set("startid", f"#{open_ties.pop(key)}")
                    tie.set("endid", f"#{note.get(ID)}")
                if said in ("i", "m"):
                    open_ties[key] = note.get(ID, "")
