"""A project of the studio: edits that stay, sound that changes where they are, and files that hold all of it."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import soundfile

from ddspvae.commands.main import main
from ddspvae.midi.notes import read_midi
from ddspvae.performer.controls import CONTROLS
from ddspvae.signals.checks import InputError
from ddspvae.studio.folders import Home
from ddspvae.studio.jobs import Trainings, hold, tell_into
from ddspvae.studio.project import Project
from ddspvae.studio.session import Session

from ..conftest import ROOT

MELODY = ROOT / "examples" / "melody.mid"


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    home = Home(tmp_path_factory.mktemp("home"))
    session = Session(Project.create(home.projects / "song").folder)
    session.add_score(str(MELODY), "melody.mid")
    while session.work():
        pass
    return session


@pytest.fixture
def session(opened):
    yield opened
    while opened.project.n_done:
        opened.undo()
    while opened.work():
        pass


def sound(session) -> np.ndarray:
    while session.work():
        pass
    return np.array(session.canvases["part-0"].audio)


def note_at(session, index: int):
    return session.view()["parts"][0]["notes"][index]


def changed_s(before: np.ndarray, after: np.ndarray) -> tuple[float, float]:
    at = np.flatnonzero(before != after)
    return at[0] / 48_000, at[-1] / 48_000


def test_a_score_is_cast_performed_and_rendered_as_the_command_line_does(session, tmp_path):
    out = tmp_path / "song.wav"
    assert main(["render", str(session.project.folder), "--out", str(out), "--bit-depth", "float"]) == 0
    written, rate = soundfile.read(out)
    ours = sound(session)[: len(written)] * np.sqrt(0.5)
    gain = np.abs(written).max() / np.abs(ours).max()
    assert rate == 48_000 and np.abs(written - (gain * ours)[:, None]).max() < 1e-4


def test_a_loudness_that_is_drawn_changes_the_sound_there_and_nowhere_else(session):
    before = sound(session)
    stroke = {"time_s": [5.0, 6.0], "values": [-18, -48]}
    view = session.edit({"do": "draw", "part": 0, "line": 0, "curve": "loudness", **stroke})
    after = sound(session)
    first_s, last_s = changed_s(before, after)
    assert 4.7 < first_s < 5.01 and 6 < last_s < 8.2 and view["changed"][0]["from_s"] <= first_s
    tail = [np.sqrt(np.mean(wave[int(5.8 * 48_000) : 6 * 48_000] ** 2)) for wave in (before, after)]
    assert tail[1] < tail[0] / 4
    curves = session.curves(part=0, line=0, from_s=5.2, to_s=5.8, points=50)
    assert np.allclose(curves["loudness"], np.interp(curves["time_s"], [5, 6], [-18, -48]), atol=0.2)
    assert curves["drawn"]["loudness"] == [[5.0, pytest.approx(6.0, abs=0.006)]]
    session.undo()
    assert np.abs(sound(session) - before).max() < 1e-4


def test_a_span_that_was_rendered_anew_is_what_the_whole_would_be(session):
    session.edit({"do": "draw", "part": 0, "line": 0, "curve": "brightness", "time_s": [3.0, 4.0], "values": [2, 2]})
    spans = sound(session)
    session.canvases["part-0"].forget()
    while session.work():
        pass
    assert np.abs(sound(session) - spans).max() < 2e-3 * np.abs(spans).max()


def test_a_drawn_pitch_stays_when_the_notes_and_the_player_change(session):
    stroke = {"do": "draw", "part": 0, "line": 0, "curve": "f0", "time_s": [1.0, 1.5], "values": [65.5, 66.5]}
    session.edit(stroke)
    session.edit({"do": "note", "note": note_at(session, 20)["id"], "pitch": 70})
    session.edit({"do": "part", "part": 0, "values": {"preset": "flute"}})
    curves = session.curves(part=0, line=0, from_s=1.1, to_s=1.4, points=20)
    assert np.allclose(curves["pitch"], np.interp(curves["time_s"], [1, 1.5], [65.5, 66.5]), atol=0.02)


def test_a_note_is_moved_and_what_is_far_stays_as_it_was(session):
    note = note_at(session, 12)
    before, curves = sound(session), session.now.parts[0].lines[0].final
    session.edit({"do": "note", "note": note["id"], "pitch": note["pitch"] + 3})
    after = session.now.parts[0].lines[0].final
    middle = round((note["onset_s"] + note["offset_s"]) * 100)
    assert 12 * np.log2(after.f0_hz[middle] / curves.f0_hz[middle]) == pytest.approx(3, abs=0.3)
    first_s, _ = changed_s(before, sound(session))
    assert first_s > note_at(session, 10)["onset_s"]
    far = round((note["offset_s"] + 4) * 200)
    assert np.array_equal(after.f0_hz[far : far + 200], curves.f0_hz[far : far + 200])


def test_notes_come_and_go(session):
    n = len(session.view()["parts"][0]["notes"])
    end_s = session.now.duration_s
    session.edit({"do": "add", "part": 0, "note": "mine", "pitch": 72, "onset_s": end_s + 0.5, "offset_s": end_s + 1.5})
    assert session.now.duration_s == end_s + 1.5 and len(session.view()["parts"][0]["notes"]) == n + 1
    new = sound(session)[round((end_s + 0.7) * 48_000) : round((end_s + 1.3) * 48_000)]
    assert np.sqrt(np.mean(new**2)) > 0.003
    session.edit({"do": "remove", "note": "mine"})
    assert session.now.duration_s == end_s and session.now.parts[0].find("mine") is None


@pytest.mark.parametrize("control", CONTROLS)
def test_every_control_of_a_note_follows(session, control):
    note = note_at(session, 15)["id"]
    found = []
    for asked in (0.25, 0.75):
        session.edit({"do": "controls", "note": note, "values": {control: asked}})
        found.append(session.controls(note)[control])
    assert found[1] - found[0] > 0.2, found


def test_a_project_opens_again_with_every_edit(session, tmp_path):
    session.edit({"do": "part", "part": 0, "values": {"level_db": -3.0, "pan": 0.2, "mute": True}})
    session.edit({"do": "draw", "part": 0, "line": 0, "curve": "f0", "time_s": [1.0, 1.5], "values": [65.5, 66.5]})
    session.edit({"do": "note", "note": note_at(session, 3)["id"], "velocity": 120})
    session.undo()
    shutil.copytree(session.project.folder, tmp_path / "copy")
    again = Session(tmp_path / "copy")
    ours, theirs = (one.now.parts[0] for one in (session, again))
    assert (theirs.level_db, theirs.pan, theirs.mute) == (-3.0, 0.2, True)
    assert np.array_equal(ours.lines[0].final.f0_hz, theirs.lines[0].final.f0_hz)
    assert again.view()["edits"] == 2 and again.view()["undone"] == 1
    content = json.loads((session.project.folder / "project.json").read_text(encoding="utf-8"))
    assert [edit["do"] for edit in content["edits"]] == ["part", "draw", "note"] and content["done"] == 2


@pytest.mark.parametrize(("edit", "sentence"), [
    ({"do": "explode"}, "edit must be one of"), ({}, "edit must be one of"),
    ({"do": "note", "note": "no"}, "note must be one"),
    ({"do": "note", "note": "0.0.1", "pitch": 200}, "pitch must lie between 0 and 127"),
    ({"do": "note", "note": "0.0.1", "onset_s": 9, "offset_s": 8}, "offset_s must come after"),
    ({"do": "draw", "part": 0, "curve": "f0", "time_s": [1, 0], "values": [60, 60]}, "time_s must"),
    ({"do": "draw", "part": 0, "curve": "f0", "time_s": [0, 1], "values": [60, 600]}, "f0 must lie"),
    ({"do": "draw", "part": 0, "curve": "smell", "time_s": [0, 1], "values": [1, 1]}, "curve must be one of"),
    ({"do": "draw", "part": 7, "curve": "f0", "time_s": [0, 1], "values": [60, 60]}, "part must be one"),
    ({"do": "draw", "part": 0}, "lacks something"),
    ({"do": "controls", "note": "0.0.1", "values": {"volume": 3}}, "volume must"),
    ({"do": "part", "part": 0, "values": {"pan": 3}}, "pan must lie"),
    ({"do": "part", "part": 0, "values": {"preset": "kazoo"}}, "preset must be one of"),
    ({"do": "take", "take": 0, "values": {}}, "take must be one")])
def test_an_edit_that_cannot_be_changes_nothing(session, edit, sentence):
    with pytest.raises(InputError, match=sentence):
        session.edit(edit)
    assert not session.project.edits[session.project.n_done :] or session.project.n_done == 0
    assert session.view()["edits"] == 0


def test_what_is_taken_away_is_what_was_made(session, tmp_path):
    note = note_at(session, 4)
    session.edit({"do": "note", "note": note["id"], "pitch": 61})
    assert session.export("midi", str(tmp_path)) == ["score.mid"]
    assert read_midi(tmp_path / "score.mid")[0].notes[4].pitch == 61
    table, = session.export("table", str(tmp_path))
    assert len((tmp_path / table).read_text(encoding="utf-8").splitlines()) == 41
    curves, = session.export("performance", str(tmp_path))
    assert main(["render", str(tmp_path / curves), "--preset", "violin", "--out", str(tmp_path / "curves.wav")]) == 0
    assert np.sqrt(np.mean(soundfile.read(tmp_path / "curves.wav")[0] ** 2)) > 0.003


def test_a_file_at_fault_leaves_the_project_as_it_was(session, tmp_path):
    (tmp_path / "broken.mid").write_bytes(b"MThd nonsense")
    with pytest.raises(InputError, match="broken.mid"):
        session.add_score(str(tmp_path / "broken.mid"), "broken.mid")
    assert session.project.scores == ["melody.mid"] and not (session.project.folder / "broken.mid").exists()


def test_a_project_is_no_score_to_change_by_options(session, capsys, tmp_path):
    assert main(["render", str(session.project.folder), "--out", str(tmp_path / "x.wav"), "--seed", "3"]) == 2
    assert "--seed is for scores" in capsys.readouterr().err
    with pytest.raises(InputError, match="is not a project"):
        Project(tmp_path)


def test_a_take_is_settled_drawn_on_and_rendered(session, tmp_path):
    played = session.now.parts[0].lines[0].final.slice(0, 4)
    played.save(tmp_path / "hum.npz")
    home = Home(tmp_path / "home")
    other = Session(Project.create(home.projects / "takes").folder)
    other.add_take(None, "hum.npz", "violin", str(tmp_path / "hum.npz"))
    view = other.edit({"do": "take", "take": 0, "values": {"transpose": 2, "stretch": 1.5, "brightness": 1.0}})
    assert view["takes"][0]["duration_s"] == pytest.approx(6, abs=0.01) and not view["takes"][0]["has_sound"]
    curves = other.curves(take=0, points=100)
    heard = session.curves(part=0, line=0, from_s=0, to_s=0.5, points=100)
    assert np.median(curves["pitch"][2:12]) - np.median(heard["pitch"][20:80]) == pytest.approx(2, abs=0.1)
    other.edit({"do": "draw", "take": 0, "curve": "f0", "time_s": [1.0, 2.0], "values": [60, 61]})
    assert other.curves(take=0, from_s=1.2, to_s=1.3, points=5)["pitch"][0] == pytest.approx(60.2, abs=0.02)
    while other.work():
        pass
    assert np.abs(other.canvases["take-0"].audio).max() > 0.01
    assert other.export("take-performance", str(tmp_path)) == ["hum edited.npz"]
    assert other.undo()["edits"] == 1 and Session(other.project.folder).view()["takes"][0]["settings"]["transpose"] == 2


def test_a_training_is_held_by_one_process_and_told_line_by_line(tmp_path):
    trainings = Trainings(Home(tmp_path))
    with pytest.raises(InputError, match="no recordings for cello yet"):
        trainings.start("cello", minutes=1)
    with pytest.raises(InputError, match="no training of cello to go on with"):
        trainings.go_on("cello")
    folder = trainings.folder("cello")
    folder.mkdir()
    lock = hold(folder / "job.lock")
    assert lock is not None and hold(folder / "job.lock") is None and trainings.runs("cello")
    with tell_into(folder / "job.jsonl") as tell:
        for step in range(3):
            tell({"row": {"step": step}})
    lock.close()
    told = trainings.progress("cello", after=1)
    assert [line["row"]["step"] for line in told["lines"]] == [1, 2] and told["next"] == 3 and not told["runs"]
    assert [row["name"] for row in trainings.list()] == ["cello"]
