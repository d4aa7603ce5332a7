"""Pictures of every view of the studio, at 1440 and at 390 pixels, for docs/studio.md.

    .venv/bin/python benchmarks/studio_pictures.py --out docs/studio

Wants Chromium and playwright. A project is made with a score, a drawn curve, a take and a short training.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import soundfile

from benchmarks.studio import write_song
from tests.conftest import ROOT, melody_take
from tests.contracts.test_studio_page import VIEWS
from tests.studio_server import FLAGS, Server, find_browser, wait_for

WIDTHS = {1440: 900, 390: 844}
TALL = {"score": 1240, "train": 1790}  # so that the curves are in the picture
COLOURS = 128  # of a picture; its background is flat


def fill_studio(page, server: Server, folder: Path, steps: int, views: list[str]) -> None:
    """What there is to see."""
    page.goto(page.root + "#score")
    write_song(folder / "trio.mid", 3)
    page.set_input_files("#view-score input[type=file] >> nth=0", ROOT / "examples" / "melody.mid")
    wait_for(page, "studio.view?.parts.length === 1")
    page.set_input_files("#view-score input[type=file] >> nth=1", folder / "trio.mid")
    wait_for(page, "studio.view?.parts.length === 4")
    page.focus("canvas.roll")
    for _ in range(6):
        page.keyboard.press("ArrowRight")
    lane = page.locator("#view-score .lane canvas").nth(1)
    lane.scroll_into_view_if_needed()
    box = lane.bounding_box()
    page.mouse.move(box["x"] + 300, box["y"] + 15)
    page.mouse.down()
    for step in range(40):
        page.mouse.move(box["x"] + 300 + 4 * step, box["y"] + 15 + 0.03 * step**2)
    page.mouse.up()
    wait_for(page, "studio.view.edits === 1")
    page.evaluate("() => scoreParts.transport.stop()")
    if not set(views) & {"take", "train", "away"}:
        return
    page.goto(page.root + "#take")
    soundfile.write(folder / "take.wav", melody_take(6.0, 48_000), 48_000)
    page.set_input_files("#view-take input[type=file] >> nth=0", folder / "take.wav")
    wait_for(page, "studio.view?.takes.length === 1", 300)
    page.goto(page.root + "#train")
    page.fill("[aria-label='Name of a new instrument']", "my violin")
    page.click("text=New instrument")
    for index in range(2):
        soundfile.write(folder / f"scale {index + 1}.wav", melody_take(24.0, 48_000, index), 48_000)
        page.set_input_files("#view-train input[type=file]", folder / f"scale {index + 1}.wav")
        wait_for(page, f"document.querySelectorAll('#view-train tbody tr').length === {index + 1}")
    if steps:
        server.post("/api/trainings/my%20violin/start", {"steps": steps})
        wait_for(page, "training.lines.some((line) => line.finished || line.failed)", 900)
        wait_for(page, "training.lines.some((line) => line.judged || line.judges || line.failed)")


def main() -> None:
    """Make the project and take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "studio")
    parser.add_argument("--steps", type=int, default=30, help="of the training; 0 leaves it out")
    parser.add_argument("--views", nargs="+", default=list(VIEWS), choices=VIEWS)
    args = parser.parse_args()
    from PIL import Image
    from playwright.sync_api import sync_playwright

    args.out.mkdir(exist_ok=True, parents=True)
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        server = Server(Path(name) / "studio")
        browser = playwright.chromium.launch(executable_path=find_browser(), args=list(FLAGS))
        page = browser.new_context(viewport={"width": 1440, "height": 900}, color_scheme="light").new_page()
        page.set_default_timeout(120_000)
        page.goto(server.address)
        page.root = server.address.split("?")[0]
        page.wait_for_selector("html[data-ready]")
        page.keyboard.press("g", delay=300)
        wait_for(page, "studio.figures.loudest > 0.001", 300)
        fill_studio(page, server, Path(name), args.steps, args.views)
        page.goto(page.root + "#score")
        wait_for(page, "document.querySelector('#view-score progress').hidden", 600)
        page.reload()  # what was told on the way is gone
        page.wait_for_selector("html[data-ready]")
        for theme in ("light", "dark"):
            for width, height in WIDTHS.items():
                for view in args.views if theme == "light" else ("score",):
                    tall = TALL.get(view, height) if width > 1000 else height
                    page.set_viewport_size({"width": width, "height": tall})
                    page.goto(f"{page.root}#{view}")
                    page.wait_for_timeout(1200)
                    if width < 1000:  # the whole of it, with the views at its end
                        tall = page.evaluate("() => document.documentElement.scrollHeight")
                        page.set_viewport_size({"width": width, "height": tall})
                        page.wait_for_timeout(400)
                    path = args.out / f"{view}-{width}{'' if theme == 'light' else '-dark'}.png"
                    page.screenshot(path=path)
                    Image.open(path).convert("RGB").quantize(COLOURS).save(path, optimize=True)
                    print(f"{path}: {path.stat().st_size // 1000} KB", flush=True)
            page.set_viewport_size({"width": 1440, "height": 900})
            page.click("#theme")
        browser.close()
        server.stop()


if __name__ == "__main__":
    main()
