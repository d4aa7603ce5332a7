"""General MIDI programs to the instruments there are: by family, by name, and by register."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ddspvae.midi.program_names import PROGRAM_NAMES
from ddspvae.signals import Notes
from ddspvae.signals.checks import InputError

ENOUGH = 0.75  # share of a part's notes in range above which the family decides
HOME = 0.4  # of the way up its range lies what an instrument is mostly written for: the top is for climaxes
NAMED_BEFORE = (0, 48, 49, 50, 51)  # piano, which is what was never set, and string ensembles: a track's name says more

# families by kinship, the nearest first: what rings by itself is nearest to what rings by itself
KIN: Mapping[str, tuple[str, ...]] = {
    "string": ("string", "voice", "reed", "pipe", "brass", "sax", "plucked", "keys", "percussion"),
    "plucked": ("plucked", "keys", "percussion", "string", "reed", "pipe", "sax", "voice", "brass"),
    "brass": ("brass", "sax", "reed", "string", "voice", "pipe", "plucked", "keys", "percussion"),
    "reed": ("reed", "sax", "pipe", "brass", "string", "voice", "plucked", "keys", "percussion"),
    "sax": ("sax", "reed", "brass", "pipe", "string", "voice", "plucked", "keys", "percussion"),
    "pipe": ("pipe", "reed", "voice", "string", "sax", "brass", "plucked", "keys", "percussion"),
    "voice": ("voice", "string", "pipe", "reed", "brass", "sax", "plucked", "keys", "percussion"),
    "keys": ("keys", "plucked", "percussion", "string", "reed", "pipe", "brass", "sax", "voice"),
    "organ": ("organ", "reed", "pipe", "string", "brass", "voice", "sax", "keys", "plucked", "percussion"),
    "synth": ("synth", "string", "voice", "reed", "pipe", "brass", "sax", "plucked", "keys", "percussion"),
    "drum": ("drum", "percussion", "plucked", "keys", "string", "reed", "brass", "sax", "pipe", "voice"),
    "percussion": ("percussion", "plucked", "keys", "pipe", "reed", "string", "brass", "sax", "voice"),
}


@dataclass(frozen=True)
class Program:
    """What a General MIDI program asks for.

    Args:
        family: a key of KIN.
        low, high: the compass it is written for, sounding MIDI numbers.
        instrument: the key of INSTRUMENTS that it names, if any.
    """

    family: str
    low: int
    high: int
    instrument: str = ""


# family, lowest and highest sounding note, and other words for it in track names, singular
INSTRUMENTS: Mapping[str, tuple[str, int, int, tuple[str, ...]]] = {
    "violin": ("string", 55, 100, ("violine", "violino", "violon", "fiddle")),
    "viola": ("string", 48, 88, ("bratsche",)),
    "cello": ("string", 36, 76, ("violoncello", "celli", "violoncelle")),
    "double-bass": ("string", 28, 60, ("contrabass", "kontrabass", "contrabasse", "string bass", "basse")),
    "piccolo": ("pipe", 74, 108, ()),
    "flute": ("pipe", 60, 96, ("flauto", "flûte", "flöte", "fife")),
    "recorder": ("pipe", 72, 98, ("blockflöte",)),
    "oboe": ("reed", 58, 91, ("oboi", "english horn", "cor anglais")),
    "clarinet": ("reed", 50, 94, ("clarinetto", "klarinette", "clarinette")),
    "bassoon": ("reed", 34, 75, ("fagotto", "fagott", "basson")),
    "saxophone-soprano": ("sax", 56, 88, ("soprano sax",)),
    "saxophone-alto": ("sax", 49, 81, ("alto sax", "saxophone", "sax")),
    "saxophone-tenor": ("sax", 44, 76, ("tenor sax",)),
    "saxophone-baritone": ("sax", 36, 69, ("baritone sax", "bari sax")),
    "trumpet": ("brass", 55, 84, ("tromba", "trompete", "trompette", "cornet")),
    "horn": ("brass", 34, 77, ("corno", "corni", "cor")),
    "trombone": ("brass", 34, 72, ("posaune",)),
    "tuba": ("brass", 28, 58, ()),
    "guitar-acoustic": ("plucked", 40, 84, ("guitar", "gitarre", "guitare", "nylon guitar", "steel guitar")),
    "guitar-electric": ("plucked", 40, 88, ("electric guitar", "e-guitar", "overdriven guitar", "distortion guitar")),
    "harp": ("plucked", 24, 103, ()),
    "bass-electric": ("plucked", 28, 67, ("electric bass", "bass guitar", "e-bass")),
    "piano": ("keys", 21, 108, ("pianoforte", "klavier", "clavier")),
    "voice": ("voice", 43, 84, ("choir", "vocal", "vocals", "vox", "soprano", "alto", "tenor", "voices")),
    "voice-male-hum": ("voice", 43, 60, ("humming",)),
}

# the programs that name one of them; several share an instrument
NAMED: Mapping[int, str] = {
    24: "guitar-acoustic", 25: "guitar-acoustic", 26: "guitar-electric", 27: "guitar-electric", 28: "guitar-electric",
    29: "guitar-electric", 30: "guitar-electric", 31: "guitar-electric", 40: "violin", 41: "viola", 42: "cello",
    43: "double-bass", 46: "harp", 52: "voice", 53: "voice", 54: "voice", 56: "trumpet", 57: "trombone", 58: "tuba",
    59: "trumpet", 60: "horn", 64: "saxophone-soprano", 65: "saxophone-alto", 66: "saxophone-tenor",
    67: "saxophone-baritone", 68: "oboe", 69: "oboe", 70: "bassoon", 71: "clarinet", 72: "piccolo", 73: "flute",
    74: "recorder", 110: "violin",
}

# all others, from program to program: family and compass
OTHERS: Mapping[range, tuple[str, int, int]] = {
    range(0, 8): ("keys", 21, 108),
    range(8, 16): ("percussion", 48, 108),
    range(16, 24): ("organ", 36, 96),
    range(32, 40): ("plucked", 28, 67),  # basses
    range(44, 45): ("string", 28, 100),  # tremolo
    range(45, 46): ("plucked", 28, 100),  # pizzicato
    range(47, 48): ("drum", 36, 57),  # timpani stand under the orchestra as its basses do
    range(48, 52): ("string", 28, 96),
    range(55, 56): ("string", 36, 84),  # orchestra hit
    range(61, 64): ("brass", 36, 84),
    range(75, 80): ("pipe", 60, 96),
    range(80, 81): ("reed", 48, 96),  # a square wave is hollow, as a clarinet is
    range(81, 82): ("synth", 36, 96),
    range(82, 84): ("pipe", 60, 96),  # calliope, chiff
    range(84, 85): ("plucked", 40, 88),  # charang
    range(85, 86): ("voice", 43, 84),
    range(86, 87): ("synth", 36, 96),
    range(87, 88): ("plucked", 28, 67),  # bass and lead
    range(88, 91): ("synth", 36, 96),  # pads
    range(91, 92): ("voice", 43, 84),
    range(92, 104): ("synth", 36, 96),  # pads and effects
    range(104, 109): ("plucked", 48, 84),  # sitar, banjo, shamisen, koto, kalimba
    range(109, 110): ("reed", 60, 81),  # bagpipe
    range(111, 112): ("reed", 60, 84),  # shanai
    range(112, 116): ("percussion", 60, 96),
    range(116, 119): ("drum", 28, 60),  # taiko, toms: as timpani
    range(119, 128): ("percussion", 36, 96),
}

PROGRAMS: tuple[Program, ...] = tuple(
    Program(*INSTRUMENTS[NAMED[number]][:3], NAMED[number]) if number in NAMED else
    Program(*next(other for numbers, other in OTHERS.items() if number in numbers)) for number in range(128))


RINGING = ("plucked", "keys", "percussion", "drum")  # families whose notes nobody feeds
HOW_NEAR = {"voice-male-hum": "one man who hums, without vowels or words"}  # of an instrument that says little of its family


def told_replacement(notes: Notes, preset: str) -> str | None:
    """Whom a part asks for, who plays it instead, and how near that is; None where the very instrument plays.

    Args:
        notes: a part.
        preset: who plays it.

    >>> told_replacement(Notes((), name="Left hand", program=0), "guitar-electric")
    "asks for acoustic grand piano and is played by guitar-electric: not the instrument, but its notes ring as that one's do"
    """
    asked, instrument = program_of(notes), find_instrument(preset)
    if asked.instrument and asked.instrument == instrument:
        return None
    by_name = asked.instrument and asked.instrument != PROGRAMS[notes.program].instrument
    wanted = asked.instrument.replace("-", " ") if by_name else PROGRAM_NAMES[notes.program]
    family = INSTRUMENTS[instrument][0] if instrument else ""
    if family == asked.family and instrument in HOW_NEAR:
        near = HOW_NEAR[instrument]
    elif family == asked.family:
        near = "its nearest relative here"
    elif family in RINGING and asked.family in RINGING:
        near = "not the instrument, but its notes ring as that one's do"
    elif asked.family in RINGING:
        near = "a sustained instrument, whose notes do not die away by themselves"
    else:
        near = "the nearest there is, of another family"
    return f"asks for {wanted} and is played by {preset}: {near}"


def find_instrument(name: str) -> str:
    """The key of INSTRUMENTS that a name speaks of, in any number and spelling; empty if none.

    >>> find_instrument("2 Clarinets in A"), find_instrument("my-double-bass"), find_instrument("Track 1")
    ('clarinet', 'double-bass', '')
    """
    spoken = " ".join(re.findall(r"[^\W\d_]+", name.lower()))
    found = [(len(word), -at, key) for key, (*_, others) in INSTRUMENTS.items()
             for word in (key.replace("-", " "), *others)
             if (at := _find_word(word.replace("-", " "), spoken)) >= 0]
    return max(found)[2] if found else ""


def _find_word(word: str, spoken: str) -> int:
    match = re.search(rf"\b{re.escape(word)}(?:e?s)?\b", spoken)
    return match.start() if match else -1


def program_of(notes: Notes) -> Program:
    """What a part asks for: by its program; by its track's name where the program says little."""
    instrument = find_instrument(notes.name)
    if instrument and notes.program in NAMED_BEFORE:
        return Program(*INSTRUMENTS[instrument][:3], instrument)
    return PROGRAMS[notes.program]


def choose_preset(notes: Notes, cards: Mapping[str, Mapping[str, Any]], *, transpose: float = 0.0) -> str:
    """The preset that comes nearest to what a part asks for.

    Of those whose trained range holds at least three quarters of the notes (or else comes nearest to that): the very
    instrument; then the nearest family; then the most notes in range; then the one whose home register the part is in.

    Args:
        notes: a part.
        cards: of the presets there are, by name; what a name speaks of says its family.
        transpose: semitones by which the part will be moved.
    Raises:
        InputError: there are no presets.
    """
    if not cards:
        raise InputError("choose_preset: there are no presets to choose from; name one with --preset my.safetensors.")
    asked = program_of(notes)
    kin = KIN[asked.family]
    pitches = [note.pitch + transpose for note in notes.notes]
    middle = sum(pitches) / len(pitches) if pitches else (asked.low + asked.high) / 2

    def cost(name: str) -> tuple[float, bool, int, float, float, str]:
        statistics = cards[name]["statistics"]
        low, high = statistics["pitch_low"], statistics["pitch_high"]
        share = sum(low - 0.5 <= pitch <= high + 0.5 for pitch in pitches) / max(len(pitches), 1)
        instrument = find_instrument(name)
        family = INSTRUMENTS[instrument][0] if instrument else ""
        distance = kin.index(family) if family in kin else len(kin)
        is_same = bool(instrument) and instrument == asked.instrument
        return (round(max(ENOUGH - share, 0.0), 1), not is_same, distance, -round(share, 2),
                abs(low + HOME * (high - low) - middle), name)

    return min(cards, key=cost)
