"""Versions that are kept come back from the project's folder, equally loud; a pan that moves is followed."""

from __future__ import annotations

import json

import mido
import numpy as np
import pytest
import soundfile

from ddspvae.commands.main import main
from ddspvae.midi.notes import read_midi
from ddspvae.signals.checks import InputError
from ddspvae.studio.folders import Home
from ddspvae.studio.listen import Canvases, mixed
from ddspvae.studio.project import Project
from ddspvae.studio.session import Session
from ddspvae.studio.versions import MOST_VERSIONS, Sounds, forget, keep, kept, matching_gains_db

RATE = 48_000


def tone(level: float) -> np.ndarray:
    wave = level * np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE)
    return np.stack([wave, 0.5 * wave]).astype(np.float32)


def test_versions_come_back_from_the_folder_and_match_in_loudness(tmp_path):
    assert kept(tmp_path) == []
    keep(tmp_path, "loud", tone(0.8))
    keep(tmp_path, "loud", tone(0.2))
    first, second = kept(tmp_path)
    assert (first.label, first.path.name, second.path.name) == ("loud", "loud.flac", "loud 2.flac")
    assert first.loudness_db - second.loudness_db == pytest.approx(20 * np.log10(4), abs=0.05)
    assert matching_gains_db([first.loudness_db, second.loudness_db]) == [pytest.approx(-12.04, abs=0.05), 0]
    assert np.abs(Sounds().read(first.path, mono=False) - tone(0.8)).max() < 1e-6
    assert [one.path.name for one in forget(tmp_path, 0)] == ["loud 2.flac"] and not first.path.exists()


def test_the_oldest_version_goes_and_what_was_broken_by_hand_is_left_out(tmp_path):
    for number in range(MOST_VERSIONS + 1):
        keep(tmp_path, f"take {number}", tone(1.4))  # beyond full scale: brought below it
    assert [one.label for one in kept(tmp_path)] == [f"take {number}" for number in range(1, MOST_VERSIONS + 1)]
    assert not (tmp_path / "versions" / "take 0.flac").exists()
    assert np.abs(soundfile.read(tmp_path / "versions" / "take 1.flac")[0]).max() <= 1
    (tmp_path / "versions" / "take 1.flac").unlink()
    assert len(kept(tmp_path)) == MOST_VERSIONS - 1
    listed = tmp_path / "versions" / "versions.json"
    for broken in ("nonsense", json.dumps([{"label": "x", "file": "../../x.flac", "loudness_db": 0}]), "{}", "[1]"):
        listed.write_text(broken, encoding="utf-8")
        assert kept(tmp_path) == []
    with pytest.raises(InputError, match="the name of a version"):
        keep(tmp_path, "../x", tone(0.5))


@pytest.fixture(scope="module")
def panned(tmp_path_factory):
    """A note of 3 s that is moved from the left to the right after 1.5 s."""
    folder = tmp_path_factory.mktemp("panned")
    file, track = mido.MidiFile(ticks_per_beat=480), mido.MidiTrack()
    track.append(mido.Message("program_change", program=40))
    track.append(mido.Message("control_change", control=10, value=1))
    track.append(mido.Message("note_on", note=69, velocity=90))
    track.append(mido.Message("control_change", control=10, value=127, time=1440))
    track.append(mido.Message("note_off", note=69, time=1440))
    file.tracks.append(track)
    file.save(folder / "panned.mid")
    session = Session(Project.create(Home(folder / "home").projects / "song").folder)
    session.add_score(str(folder / "panned.mid"), "panned.mid")
    return session


def sides(sound: np.ndarray) -> np.ndarray:
    """Level of left beside right, in dB, in the middles of both halves of the note."""
    pieces = [sound[:, round(a * RATE) : round(b * RATE)] for a, b in ((0.5, 1.2), (1.8, 2.7))]
    return np.array([20 * np.log10((np.std(piece[0]) + 1e-9) / (np.std(piece[1]) + 1e-9)) for piece in pieces])


def test_a_pan_that_moves_is_heard_shown_and_kept_by_edits(panned, tmp_path):
    while panned.work():
        pass
    view, folder = panned.view(), panned.project.folder
    assert view["parts"][0]["pans"] == [[0.0, 0.0], [1.5, 1.0]]
    sound, whole = mixed(folder, view, 0, 3 * RATE, Canvases())
    assert whole and sides(sound)[0] > 60 and sides(sound)[1] < -60
    shown = panned.curves(part=0, line=0, from_s=0, to_s=3, points=300)
    at_s, pan = np.array(shown["time_s"]), np.array(shown["pan"])
    assert (pan[at_s < 1.45] == 0).all() and (pan[at_s > 1.55] == 1).all()
    panned.edit({"do": "note", "note": view["parts"][0]["notes"][0]["id"], "pitch": 70})
    assert panned.view()["parts"][0]["pans"] == [[0.0, 0.0], [1.5, 1.0]]
    assert main(["render", str(folder), "--out", str(tmp_path / "song.wav"), "--bit-depth", "float"]) == 0
    written = soundfile.read(tmp_path / "song.wav")[0].T
    assert sides(written)[0] > 60 and sides(written)[1] < -60
    panned.export("midi", str(tmp_path))
    assert read_midi(tmp_path / "score.mid")[0].controllers["pan"] == ((0.0, 0.0), (1.5, 1.0))


def test_the_desk_shifts_a_pan_that_moves(panned):
    panned.edit({"do": "part", "part": 0, "values": {"pan": 0.25}})
    assert panned.view()["parts"][0]["pans"] == [[0.0, 0.25], [1.5, 1.0]]
    panned.undo()


def test_blocks_of_a_mix_are_the_mix(panned):
    while panned.work():
        pass
    view, folder, canvases = panned.view(), panned.project.folder, Canvases()
    whole, _ = mixed(folder, view, 0, 3 * RATE, canvases)
    blocks = [mixed(folder, view, first, min(first + 1024, 3 * RATE), canvases)[0] for first in range(0, 3 * RATE, 1024)]
    assert np.abs(np.concatenate(blocks, axis=1) - whole).max() < 1e-6


def test_an_edit_answers_when_its_beginning_is_there_and_gives_way_to_who_asks(panned):
    while panned.work():
        pass
    note = panned.view()["parts"][0]["notes"][0]["id"]
    view = panned.edit({"do": "note", "note": note, "pitch": 71}, 0.2)
    canvas = panned.canvases["part-0"]
    ready = np.array(canvas.ready)
    assert view["partial"] and len(view["parts"]) == 1
    assert (ready[:7] == 1).all() and (ready[10:20] == 2).any()
    panned.is_asked = lambda: True
    n_given_up = 0
    while np.array_equal(canvas.ready, ready):
        panned.work()
        n_given_up += 1
    assert 2 <= n_given_up <= 6  # who is asked all the time gets on nevertheless
    panned.is_asked = lambda: False
    while panned.work():
        pass
    by_parts = np.array(canvas.audio)
    canvas.forget()
    while panned.work():
        pass
    assert np.abs(by_parts - canvas.audio).max() < 2e-3 * np.abs(by_parts).max()
