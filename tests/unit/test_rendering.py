"""What `render` refuses before it renders, and how it balances what it does."""

from __future__ import annotations

from dataclasses import replace

import mido
import numpy as np
import pytest
import soundfile
import torch

from ddspvae.commands.main import build_parser
from ddspvae.commands.render import run as render
from ddspvae.editing.given_curves import read_given_csv
from ddspvae.editing.note_table import read_table
from ddspvae.instrument.loading import load
from ddspvae.midi.trained_range import fold_octaves
from ddspvae.midi.voices import seed_of
from ddspvae.performer.transcribe import write_midi
from ddspvae.signals import Note, Notes
from ddspvae.signals.checks import InputError
from ddspvae.synth.reverb import Room, ringing_s

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
    with pytest.raises(InputError, match="--tuning and --a4 are for scores"):
        run(tmp_path / "notes.csv", "--preset", "violin", "--out", tmp_path / "out.wav", "--performer", "learned")


def test_a_table_in_milliseconds_is_found_out_before_it_is_performed(tmp_path, monkeypatch):
    monkeypatch.setattr("ddspvae.editing.play_table.play_lines", lambda *_: pytest.fail("performed"))
    (tmp_path / "notes.csv").write_text(TABLE + "400000,401000,69,80\n")
    with pytest.raises(InputError, match="lasts .* hours, and 6 can be played"):
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


def stems(folder, song, *options):
    run(song, "--preset", "flute", "--out", folder / "out.wav", "--stems", folder / "stems", *options)
    return [soundfile.read(path)[0] for path in sorted((folder / "stems").iterdir())]


def test_two_parts_with_the_same_notes_are_two_players(tmp_path):
    line = tuple(Note(72 + at * 5 % 12, 80, 0.5 * at, 0.5 * at + 0.45) for at in range(8))
    write_midi([Notes(line, name="first"), Notes(line, name="second")], tmp_path / "song.mid")
    sounds = {}
    for name, options in (("once", ()), ("again", ()), ("other", ("--seed", 3)), ("others", ("--seed", 3))):
        (tmp_path / name).mkdir()
        sounds[name] = stems(tmp_path / name, tmp_path / "song.mid", *options)
    assert abs(np.corrcoef(*sounds["once"])[0, 1]) < 0.9 and abs(np.corrcoef(*sounds["other"])[0, 1]) < 0.9
    for one, other in (("once", "again"), ("other", "others")):
        assert all(np.array_equal(a, b) for a, b in zip(sounds[one], sounds[other]))
    assert not np.array_equal(sounds["once"][0], sounds["other"][0])


def test_parts_of_two_instruments_are_played_as_each_would_be_alone(tmp_path):
    assert [seed_of(None, player) for player in range(3)] == [None, 1, 2]
    assert [seed_of(5, player) for player in range(3)] == [5, 6, 7]
    flute = load("flute")
    line = Notes(tuple(Note(72 + at, 80, 0.5 * at, 0.5 * at + 0.45) for at in range(4)))
    alone, first, second = (flute.perform(line, seed=seed) for seed in (None, seed_of(None, 0), seed_of(None, 1)))
    assert np.array_equal(alone.f0_hz, first.f0_hz) and not np.array_equal(alone.f0_hz, second.f0_hz)


@pytest.mark.parametrize("ending", ["mid", "csv"])
def test_a_slow_release_in_a_wet_room_rings_out(tmp_path, monkeypatch, ending):
    slow = load("violin")
    slow.statistics = replace(slow.statistics, release_db_per_s=40.0)
    monkeypatch.setattr("ddspvae.instrument.loading.load_to_play", lambda *_: slow)
    (tmp_path / "song.csv").write_text(TABLE + "0,1,69,100\n")
    write_midi(Notes((Note(69, 100, 0, 1),)), tmp_path / "song.mid")
    run(tmp_path / f"song.{ending}", "--preset", "violin", "--out", tmp_path / "out.wav", "--wet", 12, "--decay", 20,
        "--bit-depth", "float")
    sound, rate = soundfile.read(tmp_path / "out.wav")
    power = np.square(sound[: len(sound) // 480 * 480]).reshape(-1, 480).mean(axis=1)
    level_db = 10 * np.log10(power / power[:100].max())
    assert level_db[-1] < -60 < level_db[199]  # a second after the note, where it was cut once
    assert len(sound) == round((1 + slow.tail_s(wet_db=12, decay=20)) * 200) * rate // 200


def test_a_room_rings_as_long_as_its_bands_decay():
    for decay_s in (0.1, 0.4):
        room = Room(torch.full((1, 7), 1.0), torch.full((1, 7), decay_s))
        assert ringing_s(room, 16_000) == pytest.approx(decay_s, rel=0.1)


def test_the_bytes_are_the_same_on_any_number_of_cores(tmp_path):
    tracks = [mido.MidiTrack([mido.Message("program_change", program=program, channel=channel),
                              mido.Message("note_on", note=60 + channel, velocity=90, channel=channel),
                              mido.Message("note_off", note=60 + channel, channel=channel, time=480)])
              for channel, program in enumerate((73, 40, 71))]
    mido.MidiFile(type=1, tracks=tracks).save(tmp_path / "three.mid")
    for jobs in ("1", "2", "3"):
        run(tmp_path / "three.mid", "--out", tmp_path / f"{jobs}.wav", "--stems", tmp_path / f"stems{jobs}", "--jobs", jobs)
    assert (tmp_path / "1.wav").read_bytes() == (tmp_path / "2.wav").read_bytes() == (tmp_path / "3.wav").read_bytes()
    for stem in (tmp_path / "stems1").iterdir():
        assert stem.read_bytes() == (tmp_path / "stems3" / stem.name).read_bytes()
