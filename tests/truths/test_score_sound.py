"""Written scores, heard: the excerpts are rendered, and a tracker that took no part writes their notes down."""

from __future__ import annotations

import warnings
from itertools import pairwise

import numpy as np
import pytest
import torch

from ddspvae.evaluation.transcription import audio_to_notes, note_scores
from ddspvae.features.loudness import a_weighted_loudness
from ddspvae.instrument.loading import load_to_play
from ddspvae.midi import to_voices
from ddspvae.scores import read_score
from ddspvae.signals import Note, Notes

from ..excerpts.answers import ANSWERS
from ..excerpts.write import FOLDER

pytest.importorskip("partitura", reason="partitura reads scores: pip install 'ddspvae[scores]'")
pytestmark = pytest.mark.slow

PLAYERS = {"dynamics.musicxml": ["violin"], "slurs.musicxml": ["flute"], "grace.musicxml": ["violin"],
           "ornaments.musicxml": ["violin"], "tempo.musicxml": ["violin"], "repeats.musicxml": ["flute"],
           "transposing.musicxml": ["clarinet", "double-bass"], "pizzicato.mxl": ["cello"], "brackets.mei": ["violin"],
           "voices.musicxml": ["violin"]}


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


def test_all_notes_of_the_excerpts_are_heard():
    right = asked = heard = 0.0
    for name in ANSWERS:
        asked_here = 0
        for line, audio, rate in sounds(name):
            estimate = audio_to_notes(audio, rate, "swift")
            scores = note_scores(line, estimate)
            print(name, scores, len(line.notes), len(estimate.notes))
            right += scores.recall * len(line.notes)
            asked += len(line.notes)
            asked_here += len(line.notes)
            heard += len(estimate.notes)
        assert asked_here == sum(len(answer) for answer in ANSWERS[name])
    assert 2 * right / (asked + heard) >= 0.99
