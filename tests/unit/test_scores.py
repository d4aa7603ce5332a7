"""Written scores: ten excerpts with known answers, every mark, and what is wrong with files."""

from __future__ import annotations

import sys
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest

from ddspvae import load
from ddspvae.instrument.loading import load_to_play
from ddspvae.scores import read_score
from ddspvae.signals import Notes
from ddspvae.signals.checks import InputError

from ..excerpts.answers import ANSWERS
from ..excerpts.write import EXCERPTS, FOLDER, contents, tied
from ..musicxml_text import (
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

pytest.importorskip("partitura", reason="partitura reads scores: pip install 'ddspvae[scores]'")


def read(path: Path) -> list[Notes]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return read_score(path)


def written(tmp_path: Path, *bars: str, name: str = "Violin") -> Notes:
    """The only part of a score of these bars."""
    path = tmp_path / "score.musicxml"
    path.write_text(score((name, list(bars))), encoding="utf-8")
    return read(path)[0]


def velocities(notes: Notes) -> list[int]:
    return [one.velocity for one in notes.notes]


@pytest.mark.parametrize("name", EXCERPTS)
def test_excerpts_are_what_their_script_writes(name):
    if name.endswith(".mxl"):
        with zipfile.ZipFile(FOLDER / name) as archive:
            assert archive.read("score.xml").decode() == EXCERPTS[name]()
    else:
        assert (FOLDER / name).read_bytes() == contents(name)


@pytest.mark.parametrize("name", ANSWERS)
def test_notes_of_the_excerpts_are_those_of_the_printed_music(name):
    parts = read(FOLDER / name)
    assert len(parts) == len(ANSWERS[name]) and set(ANSWERS) == set(EXCERPTS)
    for part, answer in zip(parts, ANSWERS[name]):
        found = [(one.onset_s, one.pitch) for one in part.notes]
        assert len(found) == len(answer)
        assert np.allclose(found, answer, atol=2e-3)


def test_dynamics_hold_until_the_next_and_hairpins_lead_there():
    notes = read(FOLDER / "dynamics.musicxml")[0]
    levels = velocities(notes)
    assert notes.has_dynamics and levels[:3] == [49, 49, 49]  # the f of bar 3 changes nothing before its hairpin
    assert np.all(np.diff(levels[2:7]) > 0) and levels[6] == 96
    assert levels[7:10] == [49, 49, 49] and levels[10] == 112
    assert np.all(np.diff(levels[11:15]) < 0) and levels[14] == 33
    for index in (2, 3, 4, 5, 9, 11, 12, 13):  # within each note, and from note to note, without a step
        points = notes.notes[index].dynamics
        assert points[0][1] == pytest.approx(levels[index], abs=0.5)
        assert points[-1][1] == pytest.approx(levels[index + 1], abs=0.5)
    assert notes.notes[9].dynamics == ((5.0, 49.0), (6.0, 112.0))  # a note that grows while it is held
    forte_piano = dict(notes.notes[15].dynamics)
    assert levels[15] == 96 and forte_piano[10.0] == 49


def test_a_hairpin_without_an_end_or_aim_goes_one_dynamic(tmp_path):
    notes = written(tmp_path, bar(attributes(), dynamics("mf"), note("C4", 1), wedge("crescendo"), note("D4", 1),
                                  note("E4", 2)), bar(wedge("stop"), note("F4", 4)))
    assert velocities(notes) == [80, 80, 85, 96]


def test_a_crescendo_that_is_written_to_end_in_a_piano_grows_first(tmp_path):
    notes = written(tmp_path, bar(attributes(), dynamics("mf"), wedge("crescendo"), note("C4", 2), note("D4", 2)),
                    bar(wedge("stop"), dynamics("p"), note("E4", 4)))
    assert velocities(notes) == [80, 88, 49]


def test_a_dynamic_inside_a_hairpin_is_met_on_the_way(tmp_path):
    notes = written(tmp_path, bar(attributes(), dynamics("p"), wedge("crescendo"), note("C4", 2), dynamics("mf"),
                                  note("D4", 2)), bar(wedge("stop"), dynamics("ff"), note("E4", 4)))
    assert velocities(notes) == [49, 80, 112]


def test_words_for_louder_and_dashes_make_a_hairpin(tmp_path):
    begun = direction('<words>cresc.</words></direction-type><direction-type><dashes type="start" number="1"/>')
    ended = direction('<dashes type="stop" number="1"/>')
    notes = written(tmp_path, bar(attributes(), dynamics("p"), begun, note("C4", 2), note("D4", 2), ended),
                    bar(note("E4", 2), dynamics("f"), note("F4", 2)))
    assert velocities(notes) == [49, 57, 65, 96]


def test_a_level_that_only_the_sound_element_says_is_a_percentage_of_90(tmp_path):
    notes = written(tmp_path, bar(attributes(), '<sound dynamics="50"/>', note("C4", 4)))
    assert velocities(notes) == [45]


@pytest.mark.parametrize("level", ["ppp", "p", "f", "fff"])
def test_accents_are_louder_than_plain_notes_at_every_dynamic(tmp_path, level):
    notes = written(tmp_path, bar(attributes(), dynamics(level), note("C4", 1), note("D4", 1, articulation("accent")),
                                  note("E4", 1, articulation("strong-accent")), note("F4", 1)),
                    bar(dynamics("sfz"), note("G4", 4)))
    plain, accent, marcato, after, sforzato = velocities(notes)
    assert plain == after < accent <= marcato <= sforzato
    assert notes.notes[1].attack < 1 and notes.notes[0].attack == 1


def test_slurs_bind_and_nothing_else_does():
    notes = read(FOLDER / "slurs.musicxml")[0].notes
    assert [one.legato for one in notes] == [False, True, True, True, *[False] * 10, False, False]


def test_articulations_shorten(tmp_path):
    notes = read(FOLDER / "slurs.musicxml")[0].notes
    shares = [(one.offset_s - one.onset_s) / 0.625 for one in notes]
    assert shares[8:] == pytest.approx([0.5, 0.3, 1, 1, 0.85, 0.75, 0.75, 1])


def test_a_slur_over_a_tie_and_a_rest_binds_what_touches(tmp_path):
    notes = written(tmp_path, bar(attributes(), note("C4", 2, slur("start")), note("D4", 2, tied("start"))),
                    bar(note("D4", 1, tied("stop")), note("E4", 1), note("r", 1), note("F4", 1, slur("stop"))))
    assert [one.legato for one in notes.notes] == [False, True, True, False]
    assert [one.pitch for one in notes.notes] == [60, 62, 64, 65]


def test_a_voice_beside_another_is_still_bound(tmp_path):
    back = "<backup><duration>96</duration></backup>"
    notes = written(tmp_path, bar(attributes(), note("E5", 2, slur("start")), note("D5", 2, slur("stop")), back,
                                  note("G3", 4, voice=2)))
    assert [(one.pitch, one.legato) for one in notes.notes] == [(55, False), (76, False), (74, True)]


def test_a_measured_tremolo_is_never_faster_than_can_be_heard(tmp_path):
    fast = '<ornaments><tremolo type="single">3</tremolo></ornaments>'
    notes = written(tmp_path, bar(attributes(), metronome(120), note("C4", 2, fast), note("D4", 2)))
    assert sum(one.pitch == 60 for one in notes.notes) == 14  # 16 32nds in a second would be too many


def test_a_broken_chord_is_spread_from_below(tmp_path):
    notes = written(tmp_path, bar(attributes(), note("G4", 4, "<arpeggiate/>"), note("C4", 4, "<arpeggiate/>", chord=True),
                                  note("E4", 4, "<arpeggiate/>", chord=True)))
    assert [(one.pitch, round(one.onset_s, 3)) for one in notes.notes] == [(60, 0.0), (64, 0.045), (67, 0.09)]


def test_quarter_tones_and_words_for_tempi(tmp_path):
    notes = written(tmp_path, bar(attributes(), words("Adagio"), note("A+4", 1), note("B4", 3)))
    assert notes.notes[0].pitch == 69.5 and notes.notes[1].onset_s == pytest.approx(60 / 66)


def test_a_grace_note_at_the_very_beginning_moves_its_note(tmp_path):
    notes = written(tmp_path, bar(attributes(), metronome(60), grace("D5"), note("C5", 4)))
    assert [(one.pitch, round(one.onset_s, 3)) for one in notes.notes] == [(74, 0.0), (72, 0.08)]


def test_scores_by_bars_are_read_as_scores_by_parts(tmp_path):
    path = tmp_path / "timewise.musicxml"
    text = score(("Violin", [bar(attributes(), note("C4", 4)), bar(note("D4", 4))]))
    for tag in ("score-partwise", "part id", "/part>", "measure number", "/measure>"):
        assert tag in text
    body = "".join(f'<measure number="{number}"><part id="P1">{content}</part></measure>'
                   for number, content in ((1, bar(attributes(), note("C4", 4))), (2, bar(note("D4", 4)))))
    head = text[text.index("<part-list>") : text.index("</part-list>") + 12]
    path.write_text(f"<score-timewise>{head}{body}</score-timewise>", encoding="utf-8")
    assert [one.pitch for one in read(path)[0].notes] == [60, 62]


def test_programs_volume_and_drums_come_from_the_list_of_parts(tmp_path):
    path = tmp_path / "score.musicxml"
    text = score(("Oboe", [bar(attributes(), note("C5", 4))]), ("Drums", [bar(attributes(), note("C3", 4))]), program=69)
    first, second = "<midi-program>69</midi-program>", "<midi-channel>10</midi-channel><midi-program>1</midi-program>"
    text = text.replace(first, first + "<volume>40</volume><pan>-45</pan>", 1)
    text = text[::-1].replace(first[::-1], second[::-1], 1)[::-1]
    path.write_text(text, encoding="utf-8")
    with pytest.warns(UserWarning, match="drum notes"):
        parts = read_score(path)
    assert len(parts) == 1 and parts[0].program == 68
    assert dict(parts[0].controllers) == {"volume": ((0.0, 0.4),), "pan": ((0.0, 0.25),)}


def test_what_is_not_played_is_listed_once_and_pizzicato_where_it_is(tmp_path):
    with pytest.warns(UserWarning, match="asks for pizzicato.* Cello from bar 1 to 1"):
        read_score(FOLDER / "pizzicato.mxl")
    path = tmp_path / "score.musicxml"
    pedal = direction('<pedal type="start"/>')
    path.write_text(score(("Violin", [bar(attributes(), words("dolce"), pedal, note("C4", 2, '<glissando type="start"/>'),
                                          note("D4", 2), pedal)])), encoding="utf-8")
    with pytest.warns(UserWarning) as told:
        read_score(path)
    assert [str(one.message) for one in told] == [
        f"read_score: {path} was read, but these are not played: pedal marks (2), the words \"dolce\", glissando."]


def test_what_an_excerpt_has_is_all_played():
    for name in ANSWERS:
        if name != "pizzicato.mxl":
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                read_score(FOLDER / name)


@pytest.mark.parametrize("content, told", [
    (b"", "is empty"), (b"hello", "is not a score that can be read"), (b"<html/>", "neither MusicXML nor MEI"),
    (b"<score-partwise/>", "has no parts"), (b"PK\x03\x04 damaged", "damaged archive"),
    (b'<score-partwise><part id="P1"><measure/></part></score-partwise>', "holds no notes|partitura can read"),
    (score(("Flute", [note("C4", 4)])).replace("<step>C</step>", "").encode(), "without a pitch|partitura"),
    (score(("Flute", [note("C4", 4)])).replace("<octave>4</octave>", "").encode(), "without a pitch"),
    (b'<mei xmlns="http://www.music-encoding.org/ns/mei"/>', "has no measures"),
    (b'<!DOCTYPE a [<!ENTITY b "c">]><score-partwise><part id="P1"><measure><note>&b;</note></measure></part>'
     b"</score-partwise>", "holds no notes|partitura can read"),
])
def test_what_is_no_score_is_refused_in_a_sentence(tmp_path, content, told):
    path = tmp_path / "bad.musicxml"
    path.write_bytes(content)
    with pytest.raises(InputError, match=told):
        read_score(path)


def test_a_missing_file_a_folder_and_an_archive_without_a_score_are_refused(tmp_path):
    with pytest.raises(InputError, match="no file"):
        read_score(tmp_path / "none.mxl")
    (tmp_path / "folder.mei").mkdir()
    with pytest.raises(InputError, match="is a folder"):
        read_score(tmp_path / "folder.mei")
    with zipfile.ZipFile(tmp_path / "empty.mxl", "w") as archive:
        archive.writestr("readme.txt", "nothing")
    with pytest.raises(InputError, match="archive without a score"):
        read_score(tmp_path / "empty.mxl")


@pytest.mark.parametrize("missing", ["lxml", "partitura"])
def test_without_partitura_the_sentence_says_what_to_install(monkeypatch, missing):
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(InputError, match=r"partitura is not installed, .* pip install 'ddspvae\[scores\]'"):
        read_score(FOLDER / "slurs.musicxml")


def test_karaoke_and_riff_midi_are_read_and_midi_2_clips_refused(tmp_path):
    song = (Path(__file__).parents[2] / "examples" / "melody.mid").read_bytes()
    (tmp_path / "song.kar").write_bytes(song)
    (tmp_path / "song.rmi").write_bytes(b"RIFF" + (12 + len(song)).to_bytes(4, "little") + b"RMIDdata"
                                        + len(song).to_bytes(4, "little") + song)
    assert len(read_score(tmp_path / "song.kar")[0].notes) == len(read_score(tmp_path / "song.rmi")[0].notes) == 40
    (tmp_path / "clip.midi2").write_bytes(b"SMF2CLIP" + bytes(64))
    with pytest.raises(InputError, match="MIDI 2.0 clip file"):
        read_score(tmp_path / "clip.midi2")


MEI = """<mei xmlns="http://www.music-encoding.org/ns/mei" meiversion="5.0"><music><body><mdiv><score>
<scoreDef key.sig="2f" meter.count="2" meter.unit="4"><pgHead><rend>Title</rend></pgHead><staffGrp>
<staffDef n="1" lines="5"><label>Clarinet in B</label></staffDef><staffDef n="2" lines="5" trans.semi="-12"/>
</staffGrp></scoreDef>
<section><pb/>
<measure n="0" metcon="false"><staff n="1"><layer n="1"><note pname="b" oct="4" dur="8"><accid accid.ges="f"/>
<verse n="1"><syl>la</syl></verse></note></layer></staff><staff n="2"><layer n="1"><rest dur="8"/></layer></staff>
<dynam staff="1 2" tstamp="1">mf</dynam><tempo tstamp="1" staff="1">Allegro <rend>(\u2669 = 60)</rend></tempo></measure>
<measure n="1"><staff n="1"><layer n="1"><beam><tuplet num="3" numbase="2"><note pname="c" oct="5" dur="8"/>
<note pname="d" oct="5" dur="8"/><note pname="e" oct="5" dur="8" accid.ges="f"/></tuplet></beam>
<chord dur="4" artic="acc stacc"><note pname="f" oct="5"/><note pname="a" oct="4"/></chord></layer>
<layer n="2"><mSpace/></layer></staff><staff n="2"><layer n="1"><mRest/></layer></staff>
<slur staff="1" tstamp="1" tstamp2="0m+1.6667"/></measure>
<scoreDef meter.count="3" meter.unit="8"/><sb/>
<measure n="2" right="end"><staff n="1"><layer n="1"><note pname="g" oct="5" dur="4" dots="1"/></layer></staff>
<staff n="2"><layer n="1"><graceGrp grace="acc"><note pname="c" oct="3" dur="16"/></graceGrp>
<note pname="d" oct="3" dur="4" dots="1"/></layer></staff><pedal dir="down" tstamp="1"/>
<dynam staff="2" tstamp="1">p</dynam><dir tstamp="1" staff="1">pizz.</dir></measure>
</section></score></mdiv></body></music></mei>"""


def test_mei_as_engravers_write_it(tmp_path):
    """A pickup, triplets, a chord, time stamps, a change of meter, two staves, a staff that sounds an octave lower."""
    path = tmp_path / "score.mei"
    path.write_text(MEI, encoding="utf-8")
    with pytest.warns(UserWarning) as told:
        upper, lower = read_score(path)
    third = 1 / 3
    assert [(one.pitch, round(one.onset_s, 3)) for one in upper.notes] == [
        (70, 0.0), (72, 0.5), (74, round(0.5 + third, 3)), (75, round(0.5 + 2 * third, 3)), (69, 1.5), (77, 1.5), (79, 2.5)]
    assert [one.legato for one in upper.notes] == [False, False, True, True, False, False, False]
    assert [one.offset_s - one.onset_s for one in upper.notes[4:6]] == pytest.approx([0.5, 0.5])
    assert [(one.pitch, one.velocity, round(one.onset_s, 3)) for one in lower.notes] == [(36, 49, 2.5), (38, 49, 2.75)]
    assert "pizzicato" in str(told[0].message) and "pedal marks" in str(told[1].message)


def test_notes_in_milliseconds_of_a_bar_without_end_are_refused(tmp_path):
    path = tmp_path / "long.musicxml"
    path.write_text(score(("Violin", [bar(attributes(), metronome(1), note("C4", 400), note("D4", 1))])), encoding="utf-8")
    with pytest.raises(InputError, match="lasts .* hours"):
        read_score(path)


def loudness_of_notes(notes: Notes, **how: object) -> tuple[np.ndarray, np.ndarray]:
    """dB in the middle of each note, and the deepest dB between each and the one before."""
    violin = load_to_play("violin")
    take = violin.perform(notes, **how)
    db, rate = take.loudness_db, take.frame_rate_hz
    middle = [db[round((one.onset_s + 0.3 * (one.offset_s - one.onset_s)) * rate) : round(
        (one.onset_s + 0.8 * (one.offset_s - one.onset_s)) * rate)].mean() for one in notes.notes]
    borders = [db[round((one.onset_s - 0.06) * rate) : round((one.onset_s + 0.02) * rate)].min() for one in notes.notes[1:]]
    return np.array(middle), np.array(borders)


@pytest.mark.parametrize("how", [{"performer": "learned"}, {"performer": "rules"}, {"expression": 0.0}, {"expression": 2.0}])
def test_played_dynamics_are_monotone_whoever_plays(how):
    notes = read(FOLDER / "dynamics.musicxml")[0]
    middle, _ = loudness_of_notes(notes, **how)
    assert np.all(np.diff(middle[2:7]) > 0) and np.all(np.diff(middle[10:15]) < 0)
    assert middle[7] < middle[6] - 3 and abs(middle[0] - middle[1]) < 1.5


def test_slurred_notes_are_bound_and_others_are_not():
    notes = read(FOLDER / "slurs.musicxml")[0]
    middle, borders = loudness_of_notes(notes)
    falls = np.minimum(middle[1:], middle[:-1]) - borders
    assert falls[:3].max() < 4.5 and falls[3:7].min() > 6


def test_accents_begin_sooner_and_louder_and_a_held_note_grows(tmp_path):
    notes = written(tmp_path, bar(attributes(), metronome(60), dynamics("mf"), note("D5", 1),
                                  note("D5", 1, articulation("accent")), wedge("crescendo"), note("D5", 2)),
                    bar(wedge("stop"), dynamics("ff"), note("D5", 4)))
    violin = load_to_play("violin")
    take = violin.perform(notes, performer="rules", expression=0.0)
    db, rate = take.loudness_db, round(take.frame_rate_hz)
    plain, accent = db[round(0.1 * rate) : round(0.9 * rate)], db[round(1.1 * rate) : round(1.9 * rate)]
    assert accent.max() > plain.max() + 1 and accent[-1] < accent.max() - 0.5
    held = db[round(2.3 * rate) : round(3.85 * rate)]
    assert np.all(np.diff(held) > -1e-3) and held[-1] > held[0] + 2


def test_nothing_swells_where_dynamics_are_written():
    notes = read(FOLDER / "slurs.musicxml")[0]
    flat = load("violin").perform(notes, performer="rules", expression=1.0).loudness_db
    still = load("violin").perform(notes, performer="rules", expression=0.0).loudness_db
    assert np.abs(flat - still).max() < 1e-4
