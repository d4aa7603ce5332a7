"""What the words in a score ask for: tempi, ritardandi, crescendi, pizzicato, leaps; Italian, as scores have it."""

from __future__ import annotations

import re
from collections.abc import Mapping

# quarters a minute where a word stands without a number
TEMPI: Mapping[str, float] = {
    "larghissimo": 24, "grave": 40, "largo": 50, "lento": 54, "larghetto": 63, "adagio": 66, "adagietto": 72, "andante": 80,
    "andantino": 88, "moderato": 104, "allegretto": 112, "allegro moderato": 116, "allegro": 132, "vivace": 156,
    "vivo": 156, "presto": 180, "prestissimo": 200, "menuetto": 112, "minuetto": 112}
UNITS: Mapping[str, float] = {"long": 16, "breve": 8, "whole": 4, "half": 2, "quarter": 1, "eighth": 0.5, "16th": 0.25,
                              "32nd": 0.125}
GLYPHS = {"♩": 1.0, "♪": 0.5, "\U0001d15d": 4.0, "\U0001d15e": 2.0, "\U0001d15f": 1.0, "\U0001d160": 0.5,
          "\U0001d161": 0.25}
SLOWER, FASTER = 0.7, 1.3  # where a ritardando or an accelerando leads
_KINDS = (
    ("first_tempo", r"tempo\s*(i|1|primo|prima)\b|tempo (del|di) (inizio|prima)"),
    ("a_tempo", r"\ba\s*tempo|tempo giusto"),
    ("slower", r"\b(rit|ritard|riten|rall|allarg|slent|rallent|ritenuto|ritardando|rallentando|allargando|calando|"
               r"smorzando|morendo|slentando)\b"),
    ("faster", r"\b(accel|string|affrett|stringendo|accelerando|affrettando)\b"),
    ("softer", r"\b(dim|decresc|decr|diminuendo|decrescendo)\b"),
    ("louder", r"\b(cresc|crescendo)\b"),
    ("plucked", r"\b(pizz|pizzicato)\b"),
    ("bowed", r"\b(arco|col arco|coll'arco)\b"),
    ("da_capo", r"\bd\.?\s*c\b\.?|\bda capo\b"),
    ("dal_segno", r"\bd\.?\s*s\b\.?|\bdal segno\b"),
    ("to_coda", r"\bto coda\b|\bal coda\b$|\balla coda\b"),
    ("fine", r"^\s*fine\s*\.?$"),
)


def find_kind(text: str) -> str:
    """What a direction asks for: one of the kinds here, "tempo" for one with a number of its own, or "".

    >>> find_kind("poco rit."), find_kind("Allegro con brio"), find_kind("D.C. al Fine"), find_kind("dolce")
    ('slower', 'tempo', 'da_capo', '')
    """
    plain = " ".join(text.lower().split())
    for kind, pattern in _KINDS:
        if re.search(pattern, plain):
            return kind
    return "tempo" if find_tempo(plain) else ""


def find_tempo(text: str) -> float:
    """Quarters a minute that a tempo's words stand for, by the number in them if there is one; 0 for none.

    >>> find_tempo("Allegro moderato"), find_tempo("Allegro (♩ = ca. 100)"), find_tempo("con fuoco")
    (116, 100.0, 0)
    """
    plain = " ".join(text.lower().split())
    number = re.search(r"([♩♪\U0001d15d-\U0001d161]?)\s*(\.?)\s*=\s*(?:ca?\.?\s*)?(\d+(?:[.,]\d+)?)", plain)
    if number:
        glyph, dot, per_minute = number.groups()
        return float(per_minute.replace(",", ".")) * GLYPHS.get(glyph, 1.0) * (1.5 if dot else 1.0)
    known = [word for word in TEMPI if re.search(rf"\b{word}\b", plain)]
    return TEMPI[max(known, key=len)] if known else 0


def find_number(text: str) -> float:
    """The first number of a metronome mark ("ca. 120"), 0 for none."""
    found = re.search(r"\d+(?:[.,]\d+)?", text)
    return float(found.group().replace(",", ".")) if found else 0.0
