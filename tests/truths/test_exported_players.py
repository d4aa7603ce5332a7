"""Exported instruments in other people's players: the same pitch, the same dynamics, no click where a loop closes."""

from __future__ import annotations

import shutil
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

import ddspvae
from benchmarks.exported import (
    RATE,
    cents_of,
    furthest,
    levels_of,
    loops_at,
    play_sfz,
    play_soundfont,
    seam_ratio,
    write_midi,
)
from ddspvae.commands.main import main
from ddspvae.export.plan import Plan
from ddspvae.signals import Note, Notes

LOW, HIGH = 67, 69
MOST_CENTS, MOST_DB = 5.0, 1.5
PLAYERS = {"sfz": play_sfz, "sf2": play_soundfont}


@pytest.fixture(params=["sfz", pytest.param("sf2", marks=pytest.mark.slow)])
def kind(request) -> str:
    if request.param == "sfz":
        pytest.importorskip("pysfizz", reason="pysfizz is not installed here")
    elif shutil.which("fluidsynth") is None:
        pytest.skip("FluidSynth is not installed here")
    return str(request.param)


@pytest.fixture(scope="module")
def violin() -> ddspvae.Instrument:
    return ddspvae.load("violin")


def export(kind: str, folder: Path, *words: str) -> Path:
    words = ("--preset", "violin", "--format", kind, "--keys", f"{LOW}-{HIGH}", "--out", str(folder), *words)
    assert main(["export", *words]) == 0
    return folder / f"violin.{kind}"


def play(kind: str, main_file: Path, notes: Notes, song: Path) -> np.ndarray:
    write_midi(song, notes)
    return PLAYERS[kind](main_file, song, notes.duration_s + 1)


def test_pitch_dynamics_and_loops(kind, violin, tmp_path):
    main_file = export(kind, tmp_path / "out")
    plays = [(LOW, 80), (LOW + 1, 80), (HIGH, 80), *((LOW, velocity) for velocity in (3, 25, 50, 75, 100, 127))]
    notes = Notes(tuple(Note(float(key), velocity, 2.2 * at, 2.2 * at + 1.6) for at, (key, velocity) in enumerate(plays)))
    audio = play(kind, main_file, notes, tmp_path / "song.mid")
    own = violin.render(notes, dry=True, expression=0)
    cents, own_cents = cents_of(audio, notes), cents_of(own, notes)
    db, own_db = levels_of(audio, notes), levels_of(own, notes)
    assert np.abs(cents).max() < MOST_CENTS and np.abs(own_cents).max() < MOST_CENTS
    assert np.ptp(own_db) > 10 and furthest(db, own_db) < MOST_DB
    held = Notes((Note(float(LOW), 80, 0.0, 7.0),))
    audio = play(kind, main_file, held, tmp_path / "held.mid")
    plan = Plan.of(violin.statistics, n_seeds=1, low=LOW, high=HIGH)
    for begin, end in loops_at(violin, plan, [LOW])[LOW]:
        assert seam_ratio(audio, 0, begin, end, 6 * RATE) < 1
    assert np.abs(audio[6 * RATE : 7 * RATE]).max() > 0.5 * np.abs(audio[RATE : 2 * RATE]).max()  # it is held
    assert np.abs(audio[round(7.6 * RATE) :]).max() < 0.01 * np.abs(audio).max()  # and released


def test_a_seam_is_found_where_there_is_one():
    time_s = np.arange(4 * RATE) / RATE
    audio = 0.1 * np.sin(2 * np.pi * 440 * time_s)
    assert seam_ratio(audio, 0, RATE, 2 * RATE, 4 * RATE) <= 1.01
    audio[2 * RATE :] = np.roll(audio, 30)[2 * RATE :]  # the loop's end does not meet its beginning
    assert seam_ratio(audio, 0, RATE, 2 * RATE, 4 * RATE) > 10


@pytest.mark.slow
def test_controller_74_makes_it_brighter(violin, tmp_path):
    pysfizz = pytest.importorskip("pysfizz", reason="pysfizz is not installed here")
    main_file = export("sfz", tmp_path / "out", "--brightness", "--layers", "1", "--seeds", "1")
    centroids, levels = [], []
    for value in (0, 32, 64, 96, 127):
        synth = pysfizz.Synth(RATE, 256)
        assert synth.load_sfz_file(main_file)
        synth._synth.cc(0, 74, value)
        audio = synth.render_note(68, 64, 1.5, 1.5)[0][RATE // 2 :]
        power = np.square(np.abs(np.fft.rfft(audio * np.hanning(len(audio)))))
        centroids.append(float((power * np.fft.rfftfreq(len(audio), 1 / RATE)).sum() / power.sum()))
        levels.append(10 * np.log10(np.square(audio).mean()))
    assert all(after > before for before, after in pairwise(centroids)) and centroids[-1] > 1.2 * centroids[0]
    assert np.ptp(levels) < 4  # the layers add in phase
