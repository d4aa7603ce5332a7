"""MusicXML in few words: what the excerpts in tests/excerpts and the tests of single marks are written with."""

from __future__ import annotations

import re

DIVISIONS = 24  # of a quarter: 16ths, triplets
TYPES = {6: "16th", 3: "32nd", 12: "eighth", 24: "quarter", 48: "half", 96: "whole", 18: "eighth", 36: "quarter", 72: "half",
         8: "eighth", 16: "quarter"}


def note(name: str, quarters: float, notations: str = "", *, inside: str = "", voice: int = 1, chord: bool = False) -> str:
    """A note such as "F#4" or "Bb3", or a rest, "r"; notations and other children as XML."""
    length = round(DIVISIONS * quarters)
    dot = "<dot/>" if length in (18, 36, 72) else ""
    pitch = "<rest/>" if name == "r" else _pitch(name)
    around = f"<notations>{notations}</notations>" if notations else ""
    ties = "".join(f'<tie type="{kind}"/>' for kind in re.findall(r'<tied type="(\w+)"', notations))
    return (f"<note>{'<chord/>' * chord}{pitch}<duration>{length}</duration>{ties}<voice>{voice}</voice>"
            f"<type>{TYPES.get(length, 'quarter')}</type>{dot}{inside}{around}</note>")


def grace(name: str, slash: bool = True, kind: str = "eighth", notations: str = "") -> str:
    """A grace note, with a slash or without."""
    around = f"<notations>{notations}</notations>" if notations else ""
    return f'<note><grace{" slash=" + chr(34) + "yes" + chr(34) if slash else ""}/>{_pitch(name)}<voice>1</voice>' \
           f"<type>{kind}</type>{around}</note>"


def _pitch(name: str) -> str:
    found = re.fullmatch(r"([A-G])([#b+]*)(-?\d)", name)
    assert found, name
    step, sign, octave = found.groups()
    alter = {"": "", "#": "1", "b": "-1", "##": "2", "bb": "-2", "+": "0.5"}[sign]
    return f"<pitch><step>{step}</step>{f'<alter>{alter}</alter>' * bool(alter)}<octave>{octave}</octave></pitch>"


def direction(content: str, sound: str = "", offset: float = 0.0) -> str:
    """Something above or below the staff."""
    moved = f"<offset>{round(offset * DIVISIONS)}</offset>" if offset else ""
    return f"<direction><direction-type>{content}</direction-type>{moved}{f'<sound {sound}/>' * bool(sound)}</direction>"


def dynamics(name: str) -> str:
    """p, f, fp, sfz."""
    return direction(f"<dynamics><{name}/></dynamics>")


def wedge(kind: str) -> str:
    """crescendo, diminuendo, stop."""
    return direction(f'<wedge type="{kind}"/>')


def words(text: str) -> str:
    """A direction in words."""
    return direction(f"<words>{text}</words>")


def metronome(per_minute: float, unit: str = "quarter", dots: int = 0) -> str:
    """A tempo mark."""
    return direction(f"<metronome><beat-unit>{unit}</beat-unit>{'<beat-unit-dot/>' * dots}"
                     f"<per-minute>{per_minute:g}</per-minute></metronome>")


def slur(kind: str) -> str:
    """start or stop."""
    return f'<slur type="{kind}" number="1"/>'


def articulation(name: str) -> str:
    """accent, staccato and so on."""
    return f"<articulations><{name}/></articulations>"


def attributes(fifths: int = 0, beats: int = 4, unit: int = 4, transpose: str = "") -> str:
    """What the first bar begins with."""
    return (f"<attributes><divisions>{DIVISIONS}</divisions><key><fifths>{fifths}</fifths></key>"
            f"<time><beats>{beats}</beats><beat-type>{unit}</beat-type></time>"
            f"<clef><sign>G</sign><line>2</line></clef>{transpose}</attributes>")


def bar(*content: str) -> str:
    """A measure; its number comes with the score."""
    return "".join(content)


def score(*parts: tuple[str, list[str]], program: int | None = None) -> str:
    """A whole file: (name, bars) of each part."""
    midi = "" if program is None else f'<midi-instrument id="I1"><midi-program>{program}</midi-program></midi-instrument>'
    listed = "".join(f'<score-part id="P{number}"><part-name>{name}</part-name>{midi}</score-part>'
                     for number, (name, _) in enumerate(parts, start=1))
    written = "".join(f'<part id="P{number}">' + "".join(f'<measure number="{index}">{content}</measure>\n'
                      for index, content in enumerate(bars, start=1)) + "</part>"
                      for number, (_, bars) in enumerate(parts, start=1))
    return ('<?xml version="1.0" encoding="UTF-8"?>\n<score-partwise version="4.0">'
            f"<part-list>{listed}</part-list>\n{written}</score-partwise>\n")
