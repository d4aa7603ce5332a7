"""Written scores, heard: the excerpts are rendered, and a tracker that took no part writes their notes down."""

from __future__ import annotations

import warnings
from itertools import pairwise

import numpy as np
import pytest
import torch

from benchmarks.note_steps import CURVES, known, stepped_notes
from ddspvae.evaluation.transcription import audio_to_notes, note_scores
from ddspvae.features.f0 import track_f0
from ddspvae.features.loudness import a_weighted_loudness
from ddspvae.instrument.loading import load_to_play
from ddspvae.midi import to_voices
from ddspvae.scores import read_score
from ddspvae.signals import Notes
from ddspvae.signals.units import pitch_to_hz

from ..excerpts.answers import ANSWERS
from ..excerpts.write import FOLDER

pytest.importorskip("librosa", reason="pYIN is librosa's: pip install 'ddspvae[crepe]'")
pytest.importorskip("partitura", reason="partitura reads scores: pip install 'ddspvae[scores]'")
pytestmark = pytest.mark.slow

PLAYERS = {"dynamics.musicxml": ["violin"], "slurs.musicxml": ["flute"], "grace.musicxml": ["violin"],
           "ornaments.musicxml": ["violin"], "tempo.musicxml": ["violin"], "repeats.musicxml": ["flute"],
           "transposing.musicxml": ["clarinet", "double-bass"], "pizzicato.mxl": ["cello"], "brackets.mei": ["violin"],
           "voices.musicxml": ["violin"]}


def loudness(audio: np.ndarray, rate: int) -> np.ndarray:
    """A-weighted dB at 200 frames a second."""
    return a_weighted_loudness(torch.from_numpy(audio)[None], rate, rate // 200)[0].numpy()


def sounds(name: str) -> list[tuple[Notes, np.ndarray, int]]:
    """Each line of each part: its notes, and how it sounds dry."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        parts = read_score(FOLDER / name)
    found = []
    for part, preset in zip(parts, PLAYERS[name]):
        player = load_to_play(preset)
        for line in to_voices(part).lines:
            found.append((line, player.resynthesize(player.perform(line), dry=True), player.config.sample_rate))
    return found


@pytest.mark.parametrize(("kind", "wide", "rate_hz", "harmonics"), [
    ("trill", 1.0, 12.5, 1), ("trill", 2.0, 12.0, 8), ("vibrato", 0.4, 5.5, 1), ("vibrato", 0.4, 4.0, 8)])
def test_the_measure_of_steps_hears_trills_and_no_notes_in_vibratos(kind, wide, rate_hz, harmonics):
    sound, answer = known(kind, wide, rate_hz, harmonics)
    found = stepped_notes(sound, 48_000, 69.0, CURVES["pYIN"])
    assert len(found.notes) == len(answer.notes) and note_scores(answer, found).f_measure == 1


def test_all_notes_of_the_excerpts_are_heard():
    """Transcribed, but for the ornaments, whose notes of 80 ms it takes for a vibrato: these are cut at their steps."""
    right = asked = heard = 0.0
    for name in ANSWERS:
        lines = sounds(name)
        assert sum(len(line.notes) for line, _, _ in lines) == sum(len(answer) for answer in ANSWERS[name])
        for line, audio, rate in lines:
            estimate = (stepped_notes(audio, rate, 67.0, CURVES["pYIN"]) if name == "ornaments.musicxml"
                        else audio_to_notes(audio, rate, "swift"))
            if name == "ornaments.musicxml":
                assert note_scores(line, estimate).f_measure >= 0.99
            right += note_scores(line, estimate).recall * len(line.notes)
            asked += len(line.notes)
            heard += len(estimate.notes)
    assert 2 * right / (asked + heard) >= 0.99


def test_every_note_of_trills_turns_and_tremolos_has_its_pitch_in_its_middle():
    """With notes of 80 ms and both pitches right in the middles, the change lies within 28 ms of the onset."""
    (line, audio, rate), = sounds("ornaments.musicxml")
    f0_hz, _ = track_f0(audio, rate, rate // 200, "swift")
    cents = []
    for note in line.notes:
        length_s = note.offset_s - note.onset_s
        inner = f0_hz[round(200 * (note.onset_s + 0.35 * length_s)) : round(200 * (note.onset_s + 0.65 * length_s)) + 1]
        cents.append(1200 * np.log2(np.median(inner) / pitch_to_hz(note.pitch)))
    assert len(cents) == len(ANSWERS["ornaments.musicxml"][0]) and np.abs(cents).max() < 50
    db = loudness(audio, rate)
    repeated = [at for at, note in enumerate(line.notes) if note.pitch == 67 and 8 < note.onset_s < 10]
    falls = [db[round(200 * line.notes[at].onset_s) - 12 : round(200 * line.notes[at].onset_s) + 3].min() for at in repeated]
    tops = [db[round(200 * line.notes[at].onset_s) + 5 : round(200 * line.notes[at].offset_s) - 12].max() for at in repeated]
    assert len(repeated) == 7 and np.all(np.array(tops) - falls > 6)


def test_dynamics_are_heard_in_order():
    (line, audio, rate), = sounds("dynamics.musicxml")
    db = loudness(audio, rate)
    levels = np.array([np.median(db[round(200 * (note.onset_s + 0.3 * (note.offset_s - note.onset_s))) : round(
        200 * (note.onset_s + 0.8 * (note.offset_s - note.onset_s)))]) for note in line.notes])
    assert np.all(np.diff(levels[2:7]) > 0) and np.all(np.diff(levels[10:15]) < 0) and levels[7] < levels[6] - 3


def test_slurs_are_heard_bound_and_other_notes_apart():
    (line, audio, rate), = sounds("slurs.musicxml")
    db = loudness(audio, rate)
    falls = []
    for before, note in pairwise(line.notes):
        around = db[round(200 * note.onset_s) - 14 : round(200 * note.onset_s) + 4].min()
        falls.append(min(np.median(db[round(200 * one.onset_s) + 20 : round(200 * one.offset_s) - 10])
                         for one in (before, note)) - around)
    assert max(falls[:3]) < 6 < min(falls[3:7])
