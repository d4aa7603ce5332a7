"""Writes the excerpts of this folder: python -m tests.excerpts.write. What they must sound like stands in answers.py."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

from tests.musicxml_text import (
    articulation,
    attributes,
    bar,
    direction,
    dynamics,
    grace,
    metronome,
    note,
    score,
    slur,
    wedge,
    words,
)

FOLDER = Path(__file__).parent
HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n<mei xmlns="http://www.music-encoding.org/ns/mei" meiversion="5.0">' \
       "<meiHead><fileDesc><titleStmt><title>excerpt</title></titleStmt></fileDesc></meiHead>\n"


def repeat(way: str, ending: str = "", times: str = "") -> str:
    """A bar line with a repeat sign and, where there is one, the bracket that ends or begins at it."""
    side = "left" if way == "forward" else "right"
    often = f' times="{times}"' if times else ""
    sign = f'<repeat direction="{way}"{often}/>' if way else ""
    return f'<barline location="{side}">{ending}{sign}</barline>'


def bracket(number: str, kind: str) -> str:
    """Where a bracket begins or ends."""
    return f'<ending number="{number}" type="{kind}"/>'


def opened(number: str) -> str:
    """A bar line at the left, at which a bracket begins."""
    return f'<barline location="left">{bracket(number, "start")}</barline>'


def tied(kind: str) -> str:
    """Half of a tie."""
    return f'<tied type="{kind}"/>'


def dynamics_excerpt() -> str:
    """p, a crescendo through two bars to f, a subito p, a held crescendo, a diminuendo without an end, fp."""
    return score(("Violin", [
        bar(attributes(), metronome(120), dynamics("p"), note("D4", 1), note("E4", 1), wedge("crescendo"), note("F4", 1),
            note("G4", 1)),
        bar(note("A4", 1), note("B4", 1), wedge("stop"), dynamics("f"), note("C5", 2)),
        bar(dynamics("p"), note("B4", 1), note("A4", 1), wedge("crescendo"), note("G4", 2)),
        bar(wedge("stop"), dynamics("ff"), note("E5", 1), wedge("diminuendo"), note("D5", 1), note("C5", 1), note("B4", 1)),
        bar(dynamics("pp"), note("A4", 2), dynamics("fp"), note("D5", 2))]), program=41)


def slurs_excerpt() -> str:
    """Slurs beside notes without them; staccato, tenuto, accent, marcato, portato."""
    return score(("Flute", [
        bar(attributes(1), metronome(96), dynamics("mf"), note("G4", 1, slur("start")), note("A4", 1), note("B4", 1),
            note("C5", 1, slur("stop"))),
        bar(note("D5", 1), note("C5", 1), note("B4", 1), note("A4", 1)),
        bar(note("G4", 1, articulation("staccato")), note("A4", 1, articulation("staccatissimo")),
            note("B4", 1, articulation("tenuto")), note("D5", 1, articulation("accent"))),
        bar(note("E5", 1, articulation("strong-accent")), note("D5", 1, slur("start") + articulation("staccato")),
            note("C5", 1, slur("stop") + articulation("staccato")), note("G4", 1))]), program=74)


def grace_excerpt() -> str:
    """One with a slash, one without, two of them before a note, one that says what it takes."""
    stealing = '<note><grace steal-time-following="25"/><pitch><step>F</step><alter>1</alter><octave>5</octave></pitch>' \
               "<voice>1</voice><type>eighth</type></note>"
    return score(("Violin", [
        bar(attributes(2), metronome(60), note("D5", 1), grace("F#5"), note("E5", 1), grace("G5", slash=False),
            note("F#5", 2)),
        bar(note("A5", 2), grace("E5"), grace("F#5"), note("G5", 2)),
        bar(stealing, note("E5", 2), note("D5", 2))]), program=41)


def ornaments_excerpt() -> str:
    """A trill in a key with flats, a mordent, a pralltriller, a turn, tremolos on a note and between two."""
    def ornament(name: str) -> str:
        return f"<ornaments><{name}/></ornaments>"
    return score(("Violin", [
        bar(attributes(-2), metronome(60), note("A4", 2, ornament("trill-mark")), note("D5", 2, ornament("mordent"))),
        bar(note("C5", 2, ornament("inverted-mordent")), note("F5", 2, ornament("turn"))),
        bar(note("G4", 2, '<ornaments><tremolo type="single">2</tremolo></ornaments>'),
            note("D5", 1, '<ornaments><tremolo type="start">2</tremolo></ornaments>'),
            note("F5", 1, '<ornaments><tremolo type="stop">2</tremolo></ornaments>')),
        bar(note("Bb4", 2, '<ornaments><trill-mark/><accidental-mark>flat</accidental-mark></ornaments>'),
            note("G4", 2))]), program=41)


def tempo_excerpt() -> str:
    """A metronome mark, a dotted one, a ritardando, a tempo, a fermata."""
    return score(("Violin", [
        bar(attributes(), metronome(60), *(note(name, 1) for name in ("C5", "D5", "E5", "F5"))),
        bar(metronome(80, "quarter", 1), *(note(name, 1) for name in ("G5", "F5", "E5", "D5"))),
        bar(words("rit."), *(note(name, 1) for name in ("C5", "D5", "E5", "F5"))),
        bar(words("a tempo"), note("G5", 1), note("E5", 1), note("C5", 1, "<fermata/>"), note("D5", 1))]), program=41)


def repeats_excerpt() -> str:
    """A repeat with two brackets, one that is played three times, da capo al fine."""
    fine = direction("<words>Fine</words>", 'fine="yes"')
    da_capo = direction("<words>D.C. al Fine</words>", 'dacapo="yes"')
    return score(("Flute", [
        bar(attributes(0, 2), metronome(120), repeat("forward"), note("C5", 1), note("D5", 1)),
        bar(opened("1"), note("E5", 1), note("F5", 1), repeat("backward", bracket("1", "stop"))),
        bar(opened("2"), note("G5", 2), fine,
            repeat("", bracket("2", "stop"))),
        bar(repeat("forward"), note("A5", 1), note("B5", 1), repeat("backward", times="3")),
        bar(note("C6", 2), da_capo)]), program=74)


def transposing_excerpt() -> str:
    """A clarinet in A, whose C sounds as A, and a double bass, which sounds an octave below."""
    in_a = "<transpose><diatonic>-2</diatonic><chromatic>-3</chromatic></transpose>"
    octave = "<transpose><diatonic>0</diatonic><chromatic>0</chromatic><octave-change>-1</octave-change></transpose>"
    return score(
        ("Clarinet in A", [bar(attributes(0, transpose=in_a), metronome(100),
                               *(note(name, 1) for name in ("C5", "E5", "G5", "E5"))),
                           bar(note("F5", 2), note("C5", 2))]),
        ("Contrabass", [bar(attributes(-3, transpose=octave), note("A3", 2), note("C4", 2)),
                        bar(note("D3", 4))]))


def pizzicato_excerpt() -> str:
    """Pizzicato and arco, ties over a bar line, triplets, an accidental that a tie carries on."""
    third = 1 / 3
    return score(("Cello", [
        bar(attributes(-1), metronome(90), direction("<words>pizz.</words>", 'pizzicato="yes"'), note("D3", 1),
            note("F3", 1), note("A3", 2)),
        bar(direction("<words>arco</words>", 'pizzicato="no"'), note("Bb3", third), note("A3", third), note("G3", third),
            note("F3", 1), note("C#3", 2, tied("start"))),
        bar(note("C#3", 1, tied("stop")), note("D3", 3))]), program=43)


def mei_excerpt() -> str:
    """Such marks in MEI: tempo, dynamics, hairpin, slur, staccato, a tie by attribute, grace note, fermata, brackets."""
    return HEAD + """<music><body><mdiv><score>
<scoreDef><meterSig count="3" unit="4"/><keySig sig="1s"/><staffGrp><staffDef n="1" lines="5" clef.shape="G" clef.line="2">
<label>Violin</label><instrDef midi.instrnum="40"/></staffDef></staffGrp></scoreDef>
<section>
<measure n="1" left="rptstart"><staff n="1"><layer n="1"><note xml:id="a" pname="g" oct="4" dur="4"/>
<note xml:id="b" pname="a" oct="4" dur="4"/><note xml:id="c" pname="b" oct="4" dur="4" artic="stacc"/></layer></staff>
<tempo tstamp="1" mm="120" mm.unit="4">Allegro</tempo><dynam staff="1" tstamp="1">p</dynam>
<hairpin staff="1" tstamp="1" tstamp2="1m+1" form="cres"/><slur startid="#a" endid="#b"/></measure>
<ending n="1"><measure n="2" right="rptend"><staff n="1"><layer n="1"><note pname="c" oct="5" dur="4"/>
<note pname="d" oct="5" dur="2" tie="i"/></layer></staff><dynam staff="1" tstamp="1">f</dynam></measure>
<measure n="3" right="rptend"><staff n="1"><layer n="1"><note pname="d" oct="5" dur="2" dots="1" tie="t"/></layer></staff>
</measure></ending>
<ending n="2"><measure n="4" right="end"><staff n="1"><layer n="1">
<note pname="f" accid.ges="s" oct="4" dur="8" grace="unacc"/>
<note xml:id="e" pname="g" oct="4" dur="2" dots="1"/></layer></staff><fermata startid="#e"/></measure></ending>
</section></score></mdiv></body></music></mei>
""".replace('<measure n="2" right="rptend">', '<measure n="2">')


def voices_excerpt() -> str:
    """Two voices on a staff, chords, dal segno al coda."""
    back = "<backup><duration>96</duration></backup>"
    segno, coda = direction("<segno/>", 'segno="segno"'), direction("<coda/>", 'coda="coda"')
    to_coda, dal_segno = direction("<words>To Coda</words>", 'tocoda="coda"'), direction(
        "<words>D.S. al Coda</words>", 'dalsegno="segno"')
    return score(("Violin", [
        bar(attributes(), metronome(120), note("E5", 2), note("D5", 2), back, note("G4", 4, voice=2)),
        bar(segno, note("C5", 2), note("E5", 2), back, note("A4", 4, voice=2), to_coda),
        bar(note("D5", 4), note("B4", 4, chord=True), note("G4", 4, chord=True), dal_segno),
        bar(coda, note("C5", 4), note("E4", 4, chord=True))]), program=41)


EXCERPTS = {"dynamics.musicxml": dynamics_excerpt, "slurs.musicxml": slurs_excerpt, "grace.musicxml": grace_excerpt,
            "ornaments.musicxml": ornaments_excerpt, "tempo.musicxml": tempo_excerpt, "repeats.musicxml": repeats_excerpt,
            "transposing.musicxml": transposing_excerpt, "pizzicato.mxl": pizzicato_excerpt, "brackets.mei": mei_excerpt,
            "voices.musicxml": voices_excerpt}


def contents(name: str) -> bytes:
    """The bytes of one of them."""
    text = EXCERPTS[name]().encode()
    if not name.endswith(".mxl"):
        return text
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        container = b'<container><rootfiles><rootfile full-path="score.xml"/></rootfiles></container>'
        for inside, data in (("META-INF/container.xml", container), ("score.xml", text)):
            archive.writestr(zipfile.ZipInfo(inside, (1980, 1, 1, 0, 0, 0)), data)
    return packed.getvalue()


if __name__ == "__main__":
    for each in EXCERPTS:
        (FOLDER / each).write_bytes(contents(each))
