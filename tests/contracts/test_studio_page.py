"""The studio in a real browser: played, drawn on, undone, trained, killed and opened again."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import mido
import numpy as np
import pytest
import soundfile

from ddspvae.evaluation.perceptual import can_judge

from ..conftest import ROOT, melody_take
from ..studio_server import FLAGS, Server, find_browser, wait_for

VIEWS = ("play", "score", "take", "train", "away")
HTML_NAME = "<img src=x onerror='document.title=1'>"
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    find_browser()
    one = Server(tmp_path_factory.mktemp("studio"))
    yield one
    one.stop()


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    found = find_browser()
    with sync_playwright() as playwright:
        one = playwright.chromium.launch(executable_path=found, args=list(FLAGS))
        yield one
        one.close()


@pytest.fixture
def page(server, browser):
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    axe = find_axe()
    if axe is not None:
        context.add_init_script(path=axe)
    one = context.new_page()
    faults: list[str] = []
    one.on("pageerror", lambda error: faults.append(str(error)))
    one.goto(server.address)
    one.wait_for_selector("html[data-ready]")
    one.root = server.address.split("?")[0]
    yield one
    context.close()
    assert not faults


def find_axe() -> Path | None:
    """axe-core of npm, where it is installed: AXE_CORE names its folder, or npm knows it."""
    folders = [os.environ["AXE_CORE"]] if "AXE_CORE" in os.environ else ["node_modules/axe-core"]
    if shutil.which("npm"):
        told = subprocess.run(["npm", "root", "--global"], capture_output=True, text=True, check=False).stdout.strip()
        folders.append(f"{told}/axe-core")
    return next((path for folder in folders if (path := Path(folder) / "axe.min.js").is_file()), None)


def show(page, view: str) -> None:
    page.goto(f"{page.root}#{view}")
    page.wait_for_selector(f"#view-{view}:not([hidden])")


def new_project(page, name: str) -> None:
    page.click("#new-project")
    page.fill("[aria-label='Name of the new project']", name)
    page.click("text=Make")
    wait_for(page, f"studio.project === '{name}' && studio.view.name === '{name}'")


def drop_score(page, path: Path) -> None:
    n = page.evaluate("() => studio.view?.parts.length ?? 0")
    page.set_input_files("#view-score input[type=file] >> nth=0", path)
    wait_for(page, f"studio.view?.parts.length > {n}")
    wait_for(page, "document.querySelector('#view-score progress').hidden")


def sound_of(server, page, key: str = "part-0") -> np.ndarray:
    """What the page is sent of it, when all is rendered."""
    wait_for(page, "fetch(`/api/projects/${studio.project}/progress`).then((a) => a.json()).then((a) => a.rendered >= 1)")
    project = page.evaluate("() => studio.project")
    path, = (server.folder / "projects" / project / ".sounds").glob(f"{key}-*.f32")
    return np.fromfile(path, np.float32)


def test_a_key_sounds_in_the_worklet_and_what_is_played_becomes_notes(page):
    page.keyboard.down("g")
    wait_for(page, "studio.figures.loudest > 0.003")
    page.keyboard.up("g")
    page.keyboard.down("h")  # the first key opened the instrument, and says nothing of the delay
    wait_for(page, "document.querySelector('#view-play dl.figures').innerText.includes('ms')")
    page.keyboard.up("h")
    new_project(page, "played")
    page.click("text=Record as notes")
    for letter in "asd":
        page.keyboard.press(letter, delay=150)
    page.evaluate("""async () => {
        const { midi } = await import("/page/play.js");
        midi({ data: [0x90, 72, 101], timeStamp: performance.now() });
        await new Promise((done) => setTimeout(done, 120));
        midi({ data: [0x80, 72, 0], timeStamp: performance.now() });
    }""")
    page.click("#view-play button.recording")
    notes = wait_for(page, "studio.view?.parts[0]?.notes")
    assert [note["pitch"] % 12 for note in notes] == [0, 2, 4, 0]
    assert notes[-1]["pitch"] == 72 and notes[-1]["velocity"] == 101
    assert all(note["offset_s"] - note["onset_s"] > 0.08 for note in notes)


def test_a_score_is_dropped_rendered_played_drawn_on_and_undone(server, page):
    new_project(page, "drawn")
    show(page, "score")
    drop_score(page, ROOT / "examples" / "melody.mid")
    page.click("#view-score button.main >> text=Play")
    wait_for(page, "studio.figures.deckLoudest > 0.01")
    page.click("#view-score button.main >> text=Stop")
    before = sound_of(server, page)
    lane = page.locator("#view-score .lane canvas").nth(1)
    lane.scroll_into_view_if_needed()
    box = lane.bounding_box()
    seconds = page.evaluate("() => [scoreParts.viewport.from, scoreParts.viewport.to]")
    page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 10)
    page.mouse.down()
    for step in range(20):
        page.mouse.move(box["x"] + (0.5 + 0.005 * step) * box["width"], box["y"] + 0.8 * box["height"])
    page.mouse.up()
    wait_for(page, "studio.view.edits === 1")
    wait_for(page, "studio.figures.editToSound > 0")
    after = sound_of(server, page)
    at = np.flatnonzero(before != after) / 48_000
    begin_s = seconds[0] + 0.5 * (seconds[1] - seconds[0])
    assert begin_s - 0.3 < at[0] < begin_s + 0.05 and at[-1] < begin_s + 0.1 * (seconds[1] - seconds[0]) + 2.2
    page.keyboard.press("Control+z")
    wait_for(page, "studio.view.edits === 0")
    assert np.abs(sound_of(server, page) - before).max() < 1e-3
    page.keyboard.press("Control+Shift+z")
    wait_for(page, "studio.view.edits === 1")


def test_the_roll_and_the_curves_are_played_by_the_keyboard_alone(page):
    new_project(page, "by keyboard")
    show(page, "score")
    drop_score(page, ROOT / "examples" / "melody.mid")
    page.focus("canvas.roll")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    pitch = page.evaluate("() => scoreParts.roll.find(score.note).pitch")
    page.keyboard.press("ArrowUp")
    wait_for(page, f"scoreParts.roll.find(score.note).pitch === {pitch + 1}")
    assert "seconds long" in wait_for(page, "document.getElementById('told').textContent")
    page.focus("canvas.roll")
    page.keyboard.press("n")
    wait_for(page, "studio.view.parts[0].notes.length === 41")
    page.focus("canvas.roll")
    page.keyboard.press("Delete")
    wait_for(page, "studio.view.parts[0].notes.length === 40")
    page.locator("#view-score summary:has-text('Draw by numbers')").press("Enter")
    for name, value in (("from", "1"), ("to", "1.5"), ("first", "60"), ("last", "61")):
        page.fill(f"#view-score input[name={name}]", value)
    page.locator("#view-score input[name=last]").press("Enter")
    wait_for(page, "studio.view.edits === 4")
    page.locator("#view-score summary:has-text('Notes as a table')").press("Enter")
    wait_for(page, "document.querySelectorAll('#view-score tbody tr').length === 40")
    page.locator("#view-score tbody tr input").nth(3).fill("70")
    page.locator("#view-score tbody tr input").nth(3).press("Enter")
    wait_for(page, "studio.view.parts[0].notes.some((note) => note.pitch === 70)")


def test_names_are_text_and_bad_files_get_a_sentence(page, tmp_path):
    new_project(page, "bad files")
    show(page, "score")
    (tmp_path / "broken.mid").write_bytes(b"MThd nonsense")
    page.set_input_files("#view-score input[type=file] >> nth=0", tmp_path / "broken.mid")
    assert "broken.mid" in wait_for(page, "document.querySelector('#view-score .drop .fault').textContent")
    file = mido.MidiFile()
    track = mido.MidiTrack([mido.MetaMessage("track_name", name=HTML_NAME), mido.Message("note_on", note=70, velocity=90),
                            mido.Message("note_off", note=70, time=480)])
    file.tracks.append(track)
    file.save(tmp_path / "html.mid")
    drop_score(page, tmp_path / "html.mid")
    assert page.inner_text("#view-score .part .name") == HTML_NAME
    assert page.locator("img").count() == 0 and page.title() != "1"


def test_a_take_is_heard_changed_and_compared(server, page, tmp_path):
    new_project(page, "take")
    show(page, "take")
    soundfile.write(tmp_path / "take.wav", melody_take(3.0, 48_000), 48_000)
    page.set_input_files("#view-take input[type=file] >> nth=0", tmp_path / "take.wav")
    wait_for(page, "studio.view?.takes.length === 1", 180)
    pitch = page.evaluate("async () => (await (await fetch('/api/projects/take/curves?take=0&points=300')).json()).pitch")
    page.locator("#view-take input[type=range]").first.focus()
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    wait_for(page, "studio.view.takes[0].settings.transpose === 5")
    moved = page.evaluate("async () => (await (await fetch('/api/projects/take/curves?take=0&points=300')).json()).pitch")
    steps = [b - a for a, b in zip(pitch, moved) if a is not None and b is not None]
    assert np.median(steps) == pytest.approx(5, abs=0.01)
    page.click("text=A recording")
    wait_for(page, "studio.figures.deckLoudest > 0.01")


def test_a_training_is_seen_stopped_and_goes_on(page, tmp_path):
    for index in range(2):
        soundfile.write(tmp_path / f"{index}.wav", melody_take(11.0, 48_000, index), 48_000)
    show(page, "train")
    page.fill("[aria-label='Name of a new instrument']", "thing")
    page.click("text=New instrument")
    page.set_input_files("#view-train input[type=file]", [tmp_path / "0.wav", tmp_path / "1.wav"])
    wait_for(page, "document.querySelectorAll('#view-train tbody tr').length === 2")
    page.evaluate("""() => fetch("/api/trainings/thing/start", { method: "POST", body: JSON.stringify({ steps: 20 }) })""")
    wait_for(page, "training.lines.some((line) => line.row)", 240)
    assert "Step" in page.inner_text("#view-train")
    page.click("#view-train button:has-text('Stop')")
    wait_for(page, "training.lines.some((line) => line.stopped || line.finished)", 120)
    page.reload()
    page.wait_for_selector("html[data-ready]")
    page.click("#view-train button:has-text('Go on')")
    wait_for(page, "training.lines.some((line) => line.finished)", 300)
    wait_for(page, "studio.home.instruments.some((one) => one.name === 'thing')")
    assert "library" in page.inner_text("#view-train")
    wait_for(page, "training.lines.some((line) => line.heard)")
    for label in ("A the recording", "B as it is played now"):  # each heard, in the studio's own player
        page.evaluate("() => { studio.figures.deckLoudest = 0; }")
        page.click(f"#view-train button:has-text('{label}')")
        wait_for(page, "studio.figures.deckLoudest > 0.001")
    if can_judge():
        judged = [line for line in page.evaluate("() => training.lines") if "judged" in line]
        assert judged and all(1 <= line["zimtohrli"] <= 5 for line in judged)
        assert "Zimtohrli" in page.inner_text("#view-train")
    else:
        assert "zimtohrli" in page.inner_text("#view-train") and "not installed" in page.inner_text("#view-train")


def test_a_killed_server_comes_back_with_the_same_project(server, page):
    new_project(page, "killed")
    show(page, "score")
    drop_score(page, ROOT / "examples" / "melody.mid")
    sound_of(server, page)
    page.fill("[aria-label='Name of this version']", "as learned")
    page.click("#view-score button:text-is('Keep')")
    wait_for(page, "studio.compare().length === 1")
    page.focus("canvas.roll")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowUp")
    wait_for(page, "studio.view.edits === 1")
    pitch = page.evaluate("() => studio.view.parts[0].notes[0].pitch")
    server.kill()
    wait_for(page, "!document.getElementById('banner').hidden")
    assert "nothing that was saved is lost" in page.inner_text("#banner")
    server.start()
    wait_for(page, "document.getElementById('banner').hidden")
    wait_for(page, "studio.view.edits === 1")
    assert page.evaluate("() => studio.view.parts[0].notes[0].pitch") == pitch
    wait_for(page, "studio.compare()[0]?.label === 'as learned'")
    page.evaluate("() => { studio.figures.deckLoudest = 0; }")
    page.click("[aria-label='Hear as learned']")
    wait_for(page, "studio.figures.deckLoudest > 0.001")
    page.keyboard.press("Control+z")
    wait_for(page, "studio.view.edits === 0")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious(page, theme):
    if find_axe() is None:
        pytest.skip("axe-core is not installed; npm install --global axe-core, or name its folder in AXE_CORE")
    new_project(page, f"axe {theme}")
    show(page, "score")
    drop_score(page, ROOT / "examples" / "melody.mid")
    if page.evaluate("() => document.documentElement.dataset.theme") != theme:
        page.click("#theme")
    for view in VIEWS:
        show(page, view)
        found = page.evaluate("async () => (await axe.run()).violations")
        grave = [(one["id"], [node["target"] for node in one["nodes"]][:3]) for one in found
                 if one["impact"] in ("serious", "critical")]
        assert not grave, (view, grave)


@pytest.mark.parametrize("width", [390, 720, 1440])  # 720 is 1440 at 200 %
def test_no_view_is_wider_than_the_window(page, width):
    page.set_viewport_size({"width": width, "height": 800})
    for view in VIEWS:
        show(page, view)
        assert page.evaluate("() => document.documentElement.scrollWidth") <= width, view
