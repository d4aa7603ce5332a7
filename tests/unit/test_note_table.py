import json
from argparse import ArgumentParser, Namespace
from dataclasses import replace

import numpy as np
import pytest

from ddspvae import load
from ddspvae.commands import perform
from ddspvae.commands.main import main
from ddspvae.editing.calibrate import heard_z
from ddspvae.editing.note_table import NoteTable, read_lines, read_table, write_table
from ddspvae.editing.play_table import play_table
from ddspvae.editing.write_notes import write_take_notes
from ddspvae.midi.notes import read_midi
from ddspvae.performer.controls import CONTROLS
from ddspvae.performer.measure import measure_controls
from ddspvae.performer.transcribe import write_midi
from ddspvae.signals import Note, Notes
from ddspvae.signals.checks import InputError

HEADER = ("onset_s,offset_s,pitch,velocity,volume,volume_fluctuation,volume_peak_position,vibrato,vibrato_hz,brightness,"
          "attack_noise")


@pytest.fixture(scope="module")
def violin():
    return load("violin")


def drawn(n_notes=20, seed=0):
    random = np.random.default_rng(seed)
    times_s = np.cumsum(random.uniform(0.1, 0.7, n_notes + 1))
    notes = Notes(tuple(Note(float(pitch), int(velocity), float(start), float(stop)) for pitch, velocity, start, stop in zip(
        random.uniform(55, 90, n_notes), random.integers(1, 128, n_notes), times_s, times_s[1:])))
    scaled = {name: random.uniform(0, 1, n_notes) for name in CONTROLS}
    scaled["brightness"][3] = np.nan
    return NoteTable(notes, scaled, random.uniform(4, 7, n_notes))


def test_what_is_written_is_read_bit_by_bit(tmp_path):
    table = drawn()
    write_table(table, tmp_path / "notes.csv")
    back = read_table(tmp_path / "notes.csv")
    assert back.notes == table.notes
    for name in CONTROLS:
        np.testing.assert_array_equal(back.scaled[name], table.scaled[name])
    np.testing.assert_array_equal(back.vibrato_hz, table.vibrato_hz)
    assert (tmp_path / "notes.csv").read_text().splitlines()[0] == HEADER


def test_legato_and_portamento_have_columns_where_notes_have_them(tmp_path):
    notes = Notes((Note(60, 80, 0.0, 0.5), Note(62, 80, 0.5, 1.0, legato=True, glide_from=60, glide_s=0.12),
                   Note(64, 80, 1.0, 1.5, legato=False)))
    table = NoteTable(notes, {name: np.full(3, 0.5) for name in CONTROLS}, np.full(3, 5.0))
    write_table(table, tmp_path / "notes.csv")
    assert (tmp_path / "notes.csv").read_text().splitlines()[0] == HEADER + ",legato,glide_from,glide_s"
    assert read_table(tmp_path / "notes.csv").notes == notes


def test_what_a_spreadsheet_makes_of_it_is_read(tmp_path):
    path = tmp_path / "notes.csv"
    path.write_text("\ufeffpitch;onset_s;offset_s;velocity;volume;vibrato\r\n"
                    "62;0,5;1,0;80;;0,25\r\n60;0;0,5;90;0,75\r\n;;;;;\r\n", encoding="utf-8")
    table = read_table(path)
    assert table.notes.notes == (Note(60, 90, 0.0, 0.5), Note(62, 80, 0.5, 1.0))
    np.testing.assert_array_equal(table.scaled["volume"], [0.75, np.nan])
    np.testing.assert_array_equal(table.scaled["vibrato"], [np.nan, 0.25])
    assert np.isnan(table.scaled["brightness"]).all() and np.isnan(table.vibrato_hz).all()


@pytest.mark.parametrize(("text", "sentence"), [
    ("onset_s,offset_s,pitch,velocity,volume\n0,1,60,80,1.3\n", "row 2, column volume must lie between 0 and 1, got 1.3"),
    ("onset_s,offset_s,pitch,velocity\n0,1,60,80\n1,2,x,80\n", "row 3, column pitch must be a number, got 'x'"),
    ("onset_s,offset_s,pitch,velocity\n0,1,,80\n", "row 2, column pitch must be a number, got ''"),
    ("onset_s,offset_s,pitch,velocity\n0,nan,60,80\n", "row 2, column offset_s must lie between 0 and"),
    ("onset_s,offset_s,pitch,velocity\n1,1,60,80\n", "row 2, column offset_s must come after onset_s = 1, got 1"),
    ("onset_s,offset_s,pitch,velocity\n0,1,60,80.5\n", "row 2, column velocity must be a whole number, got 80.5"),
    ("onset_s,offset_s,pitch,velocity\n0,1,60,80,9\n", "row 2 must hold 4 cells, got 5"),
    ("onset_s,offset_s,pitch\n0,1,60\n", "row 1 must name onset_s, offset_s, pitch, velocity; velocity is missing"),
    ("onset_s,offset_s,pitch,velocity,loud\n", "row 1, column 'loud' must be one of onset_s"),
    ("onset_s,offset_s,pitch,velocity,pitch\n", "row 1, column 'pitch' must stand once"),
    ("onset_s,offset_s,pitch,velocity\n", "holds no notes; expected rows of onset_s,offset_s,pitch,velocity and controls"),
    ("", "row 1 must name onset_s"),
])
def test_a_table_at_fault_is_refused_with_row_and_column(tmp_path, text, sentence):
    path = tmp_path / "notes.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=sentence) as caught:
        read_table(path)
    assert str(caught.value).startswith(f"read_table: {path} ")


def test_files_that_cannot_be_read_or_written_are_named(tmp_path):
    with pytest.raises(InputError, match="read_table: cannot read .*missing.csv"):
        read_table(tmp_path / "missing.csv")
    with pytest.raises(InputError, match="write_table: cannot write .*nowhere.*; does the folder exist"):
        write_table(drawn(), tmp_path / "nowhere" / "notes.csv")
    with pytest.raises(InputError, match="NoteTable: vibrato_hz must have shape"):
        replace(drawn(), vibrato_hz=np.zeros(3))


def options(source, out, **changes):
    parser = ArgumentParser()
    parser.add_argument("--json", action="store_true")
    perform.add_options(parser)
    args = parser.parse_args([str(source), "--preset", "violin", "--out", str(out)])
    return Namespace(**{**vars(args), "verb": "perform", **changes})


@pytest.fixture
def song(tmp_path):
    notes = Notes(tuple(Note(60 + 2 * at, 60 + 8 * at, 0.5 * at, 0.5 * at + 0.48) for at in range(6)))
    write_midi(notes, tmp_path / "song.mid")
    return tmp_path / "song.mid"


def test_a_score_becomes_a_table_that_is_played_alike_and_then_as_edited(song, tmp_path, violin, capsys):
    perform.run(options(song, tmp_path / "notes.csv", performer="rules"))
    assert "notes.csv: 6 notes, 3.0 s" in capsys.readouterr().out
    table, (part,) = read_table(tmp_path / "notes.csv"), read_midi(song)
    assert [(n.pitch, n.velocity) for n in table.notes.notes] == [(n.pitch, n.velocity) for n in part.notes]
    rules = violin.perform(part, performer="rules")
    sounding = rules.periodicity == 1
    assert np.abs(play_table(tmp_path / "notes.csv", violin).loudness_db - rules.loudness_db)[sounding].mean() < 0.5
    edited = {**table.scaled, "volume": np.full(6, 0.8), "brightness": np.linspace(0, 1, 6)}
    write_table(NoteTable(table.notes, edited, table.vibrato_hz), tmp_path / "notes.csv")
    ranges = violin.control_ranges
    played = play_table(tmp_path / "notes.csv", violin)
    np.testing.assert_allclose(measure_controls(played, table.notes).scaled(ranges)["volume"], 0.8, atol=1e-3)
    heard = measure_controls(replace(played, z=heard_z(violin, played)), table.notes).scaled(ranges)
    np.testing.assert_allclose(heard["brightness"], np.linspace(0, 1, 6), atol=0.1)  # of the sound, whatever z that takes


def test_a_take_becomes_a_table_and_a_midi_file(tmp_path, violin):
    tune = Notes(tuple(Note(60.1 + 2 * at, 80, 0.2 + 0.5 * at, 0.6 + 0.5 * at) for at in range(4)))
    take = violin.perform(tune, performer="rules")
    take.save(tmp_path / "take.npz")
    perform.run(options(tmp_path / "take.npz", tmp_path / "notes.csv"))
    found = read_table(tmp_path / "notes.csv").notes.notes
    assert [note.pitch for note in found] == pytest.approx([60.1, 62.1, 64.1, 66.1], abs=0.02)
    assert [note.onset_s for note in found] == pytest.approx([0.2, 0.7, 1.2, 1.7], abs=0.03)
    report = write_take_notes(take, violin, tmp_path / "take.mid")
    assert report == {"notes": 4, "tuning_cents": pytest.approx(10, abs=2)}
    assert [note.pitch for note in read_midi(tmp_path / "take.mid")[0].notes] == [60, 62, 64, 66]


@pytest.fixture
def chords(tmp_path):
    """Two parts, the first of which holds chords over a moving bass."""
    bass = [Note(48 + at, 70, 0.5 * at, 0.5 * at + 0.48) for at in range(4)]
    chord = [Note(pitch, 90, 0.0, 1.9) for pitch in (60, 64, 67)]
    first = Notes(tuple(sorted([*chord, *bass], key=lambda note: (note.onset_s, note.pitch))), "piano")
    write_midi([first, Notes((Note(72, 80, 0.0, 1.0), Note(74, 80, 1.0, 1.9)), "voice", 1)], tmp_path / "chords.mid")
    return tmp_path / "chords.mid"


@pytest.mark.parametrize("name", ["notes.csv", "notes.tsv"])
def test_no_note_of_several_voices_and_parts_is_lost(chords, tmp_path, name, capsys):
    perform.run(options(chords, tmp_path / name, performer="rules", json=True))
    said = json.loads(capsys.readouterr().out)
    parts, lines = read_midi(chords), read_lines(tmp_path / name)
    assert said["notes"] == 9 and said["lines"] == len(lines) == 5 and [line.part for line in lines] == [1, 1, 1, 1, 2]
    for number, part in enumerate(parts, start=1):
        found = [note for line in lines if line.part == number for note in line.table.notes.notes]
        np.testing.assert_allclose(sorted((note.pitch, note.onset_s) for note in found),
                                   sorted((note.pitch, note.onset_s) for note in part.notes))
    header = (tmp_path / name).read_text().splitlines()[0]
    assert header.split("\t" if name.endswith("tsv") else ",")[:4] == ["part", "voice", "onset_s", "offset_s"]
    with pytest.raises(InputError, match="holds 5 lines, of several voices or parts; read_lines reads them"):
        read_table(tmp_path / name)
    perform.run(options(chords, tmp_path / "one.csv", performer="rules", part=2))
    assert len(read_table(tmp_path / "one.csv").notes.notes) == 2


@pytest.mark.slow
def test_a_table_of_several_lines_is_played_and_its_parts_can_be_cast(chords, tmp_path, capsys):
    perform.run(options(chords, tmp_path / "notes.tsv", performer="rules"))
    capsys.readouterr()
    assert main(["render", str(tmp_path / "notes.tsv"), "--preset", "violin", "--track", "2=flute", "--json", "--stems",
                 str(tmp_path / "stems"), "--out", str(tmp_path / "new.wav")]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["parts"], said["lines"]) == (2, 5)
    assert sorted(path.name for path in (tmp_path / "stems").iterdir()) == ["1-violin.wav", "2-flute.wav"]
    for argv, told in (["--save-performance", "p.npz"], "is for one line"), (["--track", "3=flute"], "must lie between"):
        assert main(["render", str(tmp_path / "notes.tsv"), "--preset", "violin", "--out", str(tmp_path / "no.wav"),
                     *argv]) == 2
        assert told in capsys.readouterr().err


@pytest.mark.slow
def test_no_note_of_a_piano_rag_is_lost(shared_dir, tmp_path, capsys):
    """One line a part would keep 1392 of 2616 notes."""
    rag = shared_dir / "midi" / "joplin_entertainer.mid"
    perform.run(options(rag, tmp_path / "rag.csv", performer="rules", json=True))
    assert json.loads(capsys.readouterr().out)["notes"] == sum(len(part.notes) for part in read_midi(rag))


def test_options_that_do_not_belong_are_refused(song, tmp_path, violin):
    with pytest.raises(InputError, match=r"notes.mid must end in .csv"):
        perform.run(options(song, tmp_path / "notes.mid"))
    with pytest.raises(InputError, match="perform: --part, --voices, --expression and --performer are for scores"):
        perform.run(options(tmp_path / "take.npz", tmp_path / "notes.csv", part=1))
    with pytest.raises(InputError, match="perform: --tracker is for recordings"):
        perform.run(options(song, tmp_path / "notes.csv", tracker="swift"))
    with pytest.raises(InputError, match="perform: expression must lie between 0 and 2, got 3"):
        perform.run(options(song, tmp_path / "notes.csv", expression=3.0))
    with pytest.raises(InputError, match="perform: --part must lie between 1 and 1, got 2"):
        perform.run(options(song, tmp_path / "notes.csv", part=2))
    with pytest.raises(InputError, match="perform: --part must lie between 1 and 1, got 0"):
        perform.run(options(song, tmp_path / "notes.csv", part=0))
    silence = violin.perform(Notes((Note(60, 80, 0.0, 0.5),)), performer="rules").change_loudness(-100).slice(1.2)
    with pytest.raises(InputError, match="analyze: the take holds no notes to write; leave out --notes"):
        write_take_notes(silence, violin, tmp_path / "take.mid")
