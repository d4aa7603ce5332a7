"""The gallery: its notation, its scores, its casting and its page."""

from __future__ import annotations

import subprocess
import sys
from itertools import pairwise

import mido
import numpy as np
import pytest
import torch

from ddspvae.evaluation.ensemble_plot import plot_ensemble
from ddspvae.features.loudness import a_weighted_loudness
from ddspvae.midi.notes import read_midi
from ddspvae.midi.programs import INSTRUMENTS, PROGRAMS
from ddspvae.signals import Performance
from ddspvae.signals.checks import InputError
from examples.gallery.notation import read_score, write_midi
from examples.gallery.page import Piece, first_paragraph, write_page
from examples.gallery.playing import best_score, mix, play

from ..conftest import ROOT, tone
from ..midi_bytes import spans

SCORES = sorted((ROOT / "examples" / "gallery" / "scores").glob("*.txt"))
HEAD = "title: T\nby: B\ntempo: 120\nmeter: 4\n\n"  # a beat is half a second


def parts_of(folder, text):
    """The parts of a score, through MIDI."""
    (folder / "score.txt").write_text(HEAD + text, encoding="utf-8")
    write_midi(read_score(folder / "score.txt"), folder / "score.mid")
    return read_midi(folder / "score.mid")


def test_notes_last_as_long_as_they_are_written(tmp_path):
    [part] = parts_of(tmp_path, "[violin] program 40\nc4/1 bb3 r/2 | f#5/2. g5/2' |")
    assert (part.name, part.program) == ("violin", 40)
    # a beat of 480 ticks gives a tenth to the gap, a short note half, a breath a quarter
    assert spans(part) == [(60, 0, 0.45), (58, 0.5, 0.95), (78, 2, 2.5), (79, 3, 3.75)]


def test_slurred_notes_overlap_by_ten_ticks(tmp_path):
    [part] = parts_of(tmp_path, "[flute] program 73\nc5/1~ d5 e5/2 |")
    assert spans(part)[:2] == [(72, 0, round(0.5 + 10 / 960, 6)), (74, 0.5, 0.95)]


def test_dynamics_hold_hairpins_lead_and_beats_weigh(tmp_path):
    [part] = parts_of(tmp_path, "[a] program 40\nr/4 | mp c4/0.5 c4 c4/1 < c4 c4 | f c4/4 |")
    # mp is 68: the first beat 5 more, between beats 3 less; the hairpin goes to f, 98, in two steps of three
    assert [note.velocity for note in part.notes] == [73, 65, 68, 78, 88, 103]


def test_a_swell_rises_to_the_middle_of_its_note_and_is_over_with_it(tmp_path):
    [part] = parts_of(tmp_path, "[a] program 40\nc4/4<> | c4/4 |")
    expression = part.controllers["expression"]
    loudest_s, value = max(expression, key=lambda step: step[1])
    assert expression[0] == (0.0, pytest.approx(84 / 127)) and value == 1 and expression[-1] == (2.0, 1.0)
    assert loudest_s == pytest.approx(0.9, abs=0.03), "the middle of 1.8 s"


def test_a_tempo_holds_for_all_parts_from_where_it_stands(tmp_path):
    first, second = parts_of(tmp_path, "[a] program 40\nc4/4 | @60 c4/4 |\n[b] program 42 pan 20\nc3/4 | c3/4 |")
    assert first.notes[1].offset_s == pytest.approx(2 + 3.6) and second.notes[1].offset_s == pytest.approx(2 + 3.6)
    assert (first.channel, second.channel) == (0, 1) and second.controllers["pan"] == ((0.0, 19 / 126),)


def test_the_drum_channel_is_left_out(tmp_path):
    parts = parts_of(tmp_path, "".join(f"[p{n}] program 40\nc4/4\n" for n in range(11)))
    assert [part.channel for part in parts] == [0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 11]


@pytest.mark.parametrize("text, sentence", [
    ("[a] program 40\nc4/4 | h4/4", "score.txt, a, bar 2: 'h4/4' is no note"),
    ("[a] program 40\nc4/4 | c4/3 | c4/4", "score.txt, a, bar 2 must last 4 beats, got 3"),
    ("", r"a score must hold at least one \[part\]")])
def test_what_is_no_score_is_one_sentence(tmp_path, text, sentence):
    with pytest.raises(InputError, match=sentence):
        parts_of(tmp_path, text)


def test_a_score_says_what_it_is(tmp_path):
    (tmp_path / "score.txt").write_text("title: T\ntempo: 90\nmeter: 4\n[a] program 1\nc4/1", encoding="utf-8")
    with pytest.raises(InputError, match="must say title, by, tempo and meter, got no by"):
        read_score(tmp_path / "score.txt")


@pytest.mark.parametrize("path", SCORES, ids=lambda path: path.stem)
def test_every_score_can_be_played_by_whom_it_is_for(path, tmp_path):
    write_midi(read_score(path), tmp_path / "score.mid")
    parts = read_midi(tmp_path / "score.mid")
    for part in parts:
        program = PROGRAMS[part.program]
        assert all(program.low <= note.pitch <= program.high for note in part.notes)
        assert all(after.onset_s > before.onset_s and before.offset_s <= after.onset_s + 0.03
                   for before, after in pairwise(part.notes)), "one note at a time"
        assert len({note.velocity for note in part.notes}) >= 4, "with dynamics"
    shortest, longest, n_parts = (30, 45, 8) if path.stem == "together" else (10, 26, 1)
    assert shortest <= max(part.duration_s for part in parts) <= longest and len(parts) >= n_parts
    assert path.stem == "together" or path.stem in INSTRUMENTS
    assert any("expression" in part.controllers for part in parts), "with swells"


def test_a_preset_without_a_score_plays_the_one_that_lies_best(tmp_path):
    low, high, own = (parts_of(tmp_path, f"[a] program 40\n{words}")[0] for words in ("c2/4 | d2", "c6/4 | d6", "g1/4"))
    assert best_score("flute", {"low": low, "high": high}) == "high"
    assert best_score("trombone", {"low": low, "high": high}) == "low"
    assert best_score("flute", {"flute": own, "high": high}) == "flute"


def test_instruments_of_any_level_are_mixed_as_equals(tmp_path):
    scale = "mf c{0}/1 d{0} e{0} f{0} | g{0} f{0} e{0} d{0} |"
    parts = parts_of(tmp_path, f"[a] program 73\n{scale.format(5)}\n[b] program 57\n{scale.format(3)}")
    played = play(parts, ["flute", "trombone"])
    heard_db = [a_weighted_loudness(torch.from_numpy(one.audio)[None], 48_000, 240)[0, :750].numpy() for one in played]
    assert abs(np.median(heard_db[0]) - np.median(heard_db[1])) < 6, "recorded 15 dB and more apart"
    for one, level_db in zip(played, heard_db):
        assert np.median(np.abs(one.performance.loudness_db[:750] - level_db)) < 2, "curves are as the sound is in the mix"
    assert mix(played).shape == (max(one.audio.shape[-1] for one in played),)
    assert np.allclose(mix(played)[:48_000], played[0].audio[:48_000] + played[1].audio[:48_000])


def test_the_ensemble_is_drawn_and_an_empty_one_is_refused(tmp_path):
    line = Performance(np.full(200, 440.0), np.ones(200), np.full(200, -20.0), np.zeros((25, 0)), (), 200, 8)
    plot_ensemble(tone(440, 1.0), 48_000, {"a": line, "b": line.transpose(7)}, tmp_path / "two.png")
    assert (tmp_path / "two.png").read_bytes()[:4] == b"\x89PNG"
    with pytest.raises(InputError, match="plot_ensemble: parts must hold at least one performance"):
        plot_ensemble(tone(440, 1.0), 48_000, {}, tmp_path / "none.png")


def test_the_page_names_only_files_beside_it_and_escapes_what_it_says(tmp_path):
    for name in ("a.flac", "a.png", "a.mid"):
        (tmp_path / name).write_bytes(bytes(1000))
    write_page(tmp_path / "index.html", [Piece("<violin>", "A & B", "by", "a.flac", "a.png", "a.mid", 12.3, 45, 0.98, "")])
    text = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert "&lt;violin&gt;" in text and "A &amp; B" in text and '<audio controls preload="metadata" src="a.flac">' in text
    assert "45 notes" in text and "0.98" in text and "<script" not in text and "http" not in text


def test_a_card_begins_with_its_first_paragraph():
    assert first_paragraph("# violin\n\nA violin,\nof Bach.\n\nMore.") == "A violin, of Bach."
    assert first_paragraph("# violin\n\n![p](p.png)\n") == ""


def test_the_gallery_is_made_in_one_command(tmp_path, run_examples):
    command = [sys.executable, str(ROOT / "examples" / "gallery"), "--out", str(tmp_path), "--only", "flute"]
    subprocess.run(command, check=True, timeout=600)
    assert {path.name for path in tmp_path.glob("flute.*")} == {"flute.flac", "flute.png", "flute.mid"}
    assert 'src="flute.flac"' in (tmp_path / "index.html").read_text(encoding="utf-8")
    assert mido.MidiFile(tmp_path / "together.mid").length > 30
