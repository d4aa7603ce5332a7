"""What `render` refuses before it renders, and how it balances what it does."""

from __future__ import annotations

from dataclasses import replace

import mido
import numpy as np
import pytest
import soundfile

from ddspvae.checks import InputError
from ddspvae.cli import build_parser
from ddspvae.instrument import load
from ddspvae.midi.rules import fold_octaves
from ddspvae.performer.given import read_given_csv
from ddspvae.performer.table import read_table
from ddspvae.performer.transcribe import write_midi
from ddspvae.rendering import render
from ddspvae.signals import Note, Notes

TABLE = "onset_s,offset_s,pitch,velocity\n"


def run(*options):
    render(build_parser().parse_args(["render", *map(str, options)]))


def test_a_part_has_a_plain_number(tmp_path):
    write_midi(Notes((Note(69, 80, 0, 1),)), tmp_path / "song.mid")
    for option in ("\u00b2=flute", "x=flute", "1=", "1"):
        with pytest.raises(InputError, match="render: --track must look like 2=flute"):
            run(tmp_path / "song.mid", "--out", tmp_path / "out.wav", "--track", option)


def test_a_table_says_already_how_it_is_played(tmp_path):
    (tmp_path / "notes.csv").write_text(TABLE + "0,1,69,80\n")
    with pytest.raises(InputError, match="--performer and --expression are for scores"):
        run(tmp_path / "notes.csv", "--preset", "violin", "--out", tmp_path / "out.wav", "--performer", "learned")


def test_a_table_in_milliseconds_is_found_out_before_it_is_performed(tmp_path, monkeypatch):
    monkeypatch.setattr("ddspvae.performer.commands.play_table", lambda *_: pytest.fail("performed"))
    (tmp_path / "notes.csv").write_text(TABLE + "400000,401000,69,80\n")
    with pytest.raises(InputError, match="a WAV file ends at 4.3 GB"):
        run(tmp_path / "notes.csv", "--preset", "violin", "--out", tmp_path / "out.wav")
    assert [path.name for path in tmp_path.iterdir()] == ["notes.csv"]


@pytest.mark.parametrize("read", [read_table, lambda path: read_given_csv(path, "f0")])
def test_a_quotation_mark_that_nothing_closes_is_one_sentence(tmp_path, read):
    (tmp_path / "notes.csv").write_text(TABLE + "0,1,69,\"80\n" + 20_000 * "1,2,69,80\n")
    with pytest.raises(InputError, match="cannot read .*field larger"):
        read(tmp_path / "notes.csv")


@pytest.mark.parametrize("low, high", [(119, 157), (140, 160), (-60, -40), (-30, 5)])
def test_folding_stays_on_the_keyboard(low, high):
    statistics = replace(load("flute").statistics, pitch_low=low, pitch_high=high)
    notes = fold_octaves(Notes(tuple(Note(pitch, 80, pitch, pitch + 1) for pitch in range(128))), statistics)
    assert all((folded.pitch - pitch) % 12 == 0 for pitch, folded in enumerate(notes.notes))


def test_instruments_are_brought_to_one_level_unless_they_are_to_sound_as_recorded(tmp_path):
    tracks = [mido.MidiTrack([mido.Message("program_change", program=program, channel=channel),
                              mido.Message("note_on", note=60, velocity=90, channel=channel),
                              mido.Message("note_off", note=60, channel=channel, time=480)])
              for channel, program in enumerate((73, 57))]
    mido.MidiFile(type=1, tracks=tracks).save(tmp_path / "two.mid")

    def difference_db(*options):
        stems = tmp_path / "-".join(["stems", *options])
        run(tmp_path / "two.mid", "--out", tmp_path / "out.wav", "--stems", stems, "--track", "1=flute", "--track",
            "2=trombone", *options)
        powers = [float(np.mean(np.square(soundfile.read(path)[0]))) for path in sorted(stems.iterdir())]
        return abs(10 * np.log10(powers[0] / powers[1]))

    assert difference_db() < 10 < difference_db("--as-recorded")
