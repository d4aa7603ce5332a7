"""What the studio holds: key to sound, edit to sound, frames while scrolling, memory, kills, axe-core.

    .venv/bin/python benchmarks/studio.py --seconds 300 --kills 20
    .venv/bin/python benchmarks/studio.py --only memory --minutes 60

Wants Chromium, playwright, and for the last row axe-core (npm install axe-core; AXE_CORE names its folder). The numbers are
those of this machine and of whatever else it does meanwhile; the load is printed with them.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path

import mido
import numpy as np
import soundfile

sys.path.insert(0, str(Path(__file__).parent.parent))  # its tests' tools serve here as well

from benchmarks.bare_browser import bare_browser
from benchmarks.studio_memory import LETTERS, measure_memory, resident_mb, worker_of
from tests.conftest import ROOT, melody_take
from tests.contracts.test_studio_page import VIEWS, find_axe
from tests.studio_server import FLAGS, Server, ask, find_browser, wait_for

SONG_S, N_PARTS = 180.0, 8
MEASURES = ("keys", "edits", "memory", "axe", "kills")


def write_song(path: Path, n_parts: int = N_PARTS) -> None:
    """Three minutes of melodies."""
    file = mido.MidiFile(ticks_per_beat=480)
    for part in range(n_parts):
        rng, track, time_s = np.random.default_rng(part), mido.MidiTrack(), 0.0
        track.append(mido.MetaMessage("track_name", name=f"Part {part + 1}"))
        track.append(mido.Message("program_change", channel=part, program=(40, 42, 73, 71, 56, 57, 70, 65)[part % 8]))
        pitch = (76, 52, 79, 70, 70, 55, 50, 65)[part % 8]
        while time_s < SONG_S:
            length_s = float(rng.choice([0.25, 0.5, 1.0]))
            note = int(pitch + rng.integers(-5, 6))
            rest = 480 if rng.random() < 0.06 else 0
            track.append(mido.Message("note_on", channel=part, note=note, velocity=80, time=rest))
            track.append(mido.Message("note_off", channel=part, note=note, time=round(length_s * 960) - 24))
            track.append(mido.MetaMessage("marker", text="", time=24))
            time_s += length_s + rest / 960
        file.tracks.append(track)
    file.save(path)


def percentiles(values: list[float]) -> str:
    """Half of them, 99 % of them, all of them."""
    return " / ".join(f"{np.percentile(values, share):.0f}" for share in (50, 99, 100)) if values else "none"


def measure_keys(page, seconds: float) -> list[tuple[str, str]]:
    """Four voices at once, struck again and again."""
    page.keyboard.press("a")
    wait_for(page, "studio.figures.loudest > 0.001", 300)
    time.sleep(2)
    first, gaps = page.evaluate("() => studio.figures.delays?.length ?? 0"), page.evaluate("() => studio.figures.live.gaps")
    until, held = time.monotonic() + seconds, []
    while time.monotonic() < until:
        held.append(LETTERS[random.randrange(len(LETTERS))])
        page.keyboard.down(held[-1])
        if len(held) > 3:
            page.keyboard.up(held.pop(0))
        time.sleep(0.15 + 0.1 * random.random())
    for letter in held:
        page.keyboard.up(letter)
    delays = page.evaluate("() => studio.figures.delays").copy()[first:]
    gaps = page.evaluate("() => studio.figures.live.gaps") - gaps
    return [(f"key to sound in the worklet, {len(delays)} keys, 50 % / 99 % / all, ms", percentiles(delays)),
            (f"gaps in {seconds:.0f} s of playing four voices", str(gaps))]


def measure_edits(page, n: int) -> list[tuple[str, str]]:
    """Notes of the first part, moved by a semitone, heard at once."""
    road = []
    page.focus("canvas.roll")
    for _ in range(10):
        page.keyboard.press("ArrowRight")
    for number in range(n):
        before = page.evaluate("() => studio.figures.editsToSound?.length ?? 0")
        page.focus("canvas.roll")
        for _ in range(5):
            page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowUp" if number % 2 else "ArrowDown")
        wait_for(page, f"(studio.figures.editsToSound?.length ?? 0) > {before}")
        page.evaluate("() => scoreParts.transport.stop()")
        time.sleep(0.2)
        road.append(page.evaluate("""() => { const { began, answered, took_s } = studio.lastEdit;
            return [1000 * took_s, answered - began, studio.figures.firstSound - began]; }"""))
    heard = page.evaluate("() => studio.figures.editsToSound")
    served, answered, sounded = np.median(road, axis=0)
    return [("of these, ms at the median: in the server and its worker, to the answer in the page, to the sound",
             f"{served:.0f}, {answered:.0f}, {sounded:.0f}"),
            (f"an edit of one note in a song of 3 minutes to its sound, {len(heard)} edits, 50 % / 99 % / all, ms",
             percentiles(heard))]


def measure_scrolling(page, server: Server, seconds: float) -> list[tuple[str, str]]:
    """Frames while the roll and the curves go by, and what memory does."""
    memory = "() => performance.memory.usedJSHeapSize / 1e6"
    resident = [(page.evaluate(memory), resident_mb(server.process.pid))]
    frames = page.evaluate("""async (seconds) => {
        const { viewport } = scoreParts; const began = performance.now(); const at = [];
        await new Promise((done) => { const step = () => {
            const now = performance.now(); at.push(now);
            viewport.show(((now - began) / 1000 * 8) % 160, 12);
            if (now - began < 1000 * seconds) requestAnimationFrame(step); else done(); };
            step(); });
        return at; }""", seconds)
    resident.append((page.evaluate(memory), resident_mb(server.process.pid)))
    lengths = np.diff(frames)
    return [(f"scrolling {N_PARTS} parts of 3 minutes, frames/s: mean, slowest of 99 %",
             f"{1000 / lengths.mean():.0f}, {1000 / np.percentile(lengths, 99):.0f}"),
            (f"memory before and after {seconds:.0f} s of it, MB: page, server",
             " to ".join(f"{page_mb:.0f}, {own_mb:.0f}" for page_mb, own_mb in resident))]


def measure_kills(folder: Path, n: int) -> list[tuple[str, str]]:
    """Edits one after the other while it trains; kill -9 at random; is every edit that was answered there again?"""
    server = Server(folder)
    server.post("/api/projects", {"name": "killed"})
    score = (ROOT / "examples" / "melody.mid").read_bytes()
    assert ask(server.port, server.token, "/api/projects/killed/files?name=melody.mid", "POST", score)[0] == 200
    (folder / "recordings" / "thing").mkdir(exist_ok=True)
    for index in range(2):
        soundfile.write(folder / "recordings" / "thing" / f"{index}.wav", melody_take(6.0, 48_000, index), 48_000)
    server.post("/api/trainings/thing/start", {"minutes": 600})
    told = folder / "instruments" / "thing.job" / "job.jsonl"
    steps = [steps_told(told)]
    while not steps[-1]:  # it listens to the recordings first
        time.sleep(0.5)
        steps.append(steps_told(told))
    lost = opened = n_answered = n_orphans = 0
    for _ in range(n):
        answered: list[tuple[int, str, int]] = []
        faults: list[BaseException] = []
        thread = threading.Thread(target=keep_editing, args=(server, answered, faults), daemon=True)
        thread.start()
        time.sleep(random.uniform(0.5, 4))
        worker = worker_of(server.process.pid)
        server.kill()
        thread.join(30)
        server.start()
        status, body = ask(server.port, server.token, "/api/projects/killed")
        assert status == 200 and not faults, (status, body[:300], faults)
        view = json.loads(body)
        if answered:
            n_edits, note, velocity = answered[-1]
            there = next(one["velocity"] for one in view["parts"][0]["notes"] if one["id"] == note)
            is_next = view["edits"] == n_edits + 1  # one more was saved than was answered
            lost += max(0, n_edits - view["edits"]) + (there != velocity and not is_next)
        opened, n_answered = opened + 1, n_answered + len(answered)
        n_orphans += not ended(worker)
        steps.append(steps_told(told))
        print(f"killed {opened} times, {n_answered} edits answered, {lost} lost, training at step {steps[-1]}",
              file=sys.stderr, flush=True)
    server.post("/api/trainings/thing/stop", {})
    time.sleep(1)
    server.stop()
    failed = "failed" in told.read_text(encoding="utf-8")
    return [(f"kill -9 at {n} random moments while editing and training: opened again, edits answered, of these lost, "
             "workers left behind; steps of the training before and after",
             f"{opened}, {n_answered}, {lost}, {n_orphans}; {steps[0] or next(filter(None, steps))} to {steps[-1]}"
             + (", and it failed" if failed else ""))]


def keep_editing(server: Server, answered: list[tuple[int, str, int]], faults: list[BaseException]) -> None:
    """Edit after edit until the server is killed; each that was answered, and what else than the kill went wrong."""
    number = 0
    while True:
        number += 1
        note, velocity = f"0.0.{number % 30}", random.randint(40, 120)
        try:
            view = server.post("/api/projects/killed/edits", {"do": "note", "note": note, "velocity": velocity})
        except (OSError, HTTPException):  # it was killed
            return
        except BaseException as error:
            faults.append(error)
            return
        answered.append((view["edits"], note, velocity))


def steps_told(path: Path) -> int:
    """How far a training is."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return max((json.loads(line)["row"]["step"] for line in lines if line.startswith('{"row"')), default=0)


def ended(pid: int, within_s: float = 30.0) -> bool:
    """Whether a process ends within some seconds; one that nobody asked for its end counts as well."""
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        try:
            if Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] == "Z":
                return True
        except OSError:
            return True
        time.sleep(0.1)
    return False


def measure_axe(page) -> list[tuple[str, str]]:
    """Serious and critical findings over all views."""
    if find_axe() is None:
        return [("axe-core", "not installed")]
    counts = {}
    for view in VIEWS:
        page.goto(page.root + f"#{view}")
        page.wait_for_selector(f"#view-{view}:not([hidden])")
        found = page.evaluate("async () => (await axe.run()).violations")
        counts[view] = sum(one["impact"] in ("serious", "critical") for one in found)
    return [("axe-core, serious or critical, of the five views", ", ".join(map(str, counts.values())))]


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", default=["keys", "edits", "axe", "kills"], choices=MEASURES,
                        metavar="WHAT", help=", ".join(MEASURES))
    parser.add_argument("--seconds", type=float, default=300.0, help="of playing")
    parser.add_argument("--edits", type=int, default=20)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--minutes", type=float, default=60.0, help="of work for memory")
    parser.add_argument("--scroll", type=float, default=20.0, help="seconds of scrolling")
    args = parser.parse_args()
    print("| | | load |\n|---|---|---|")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if set(args.only) - {"kills", "memory"}:
            with served(folder) as server:
                in_the_page(server, args)
        if "memory" in args.only:
            with served(folder / "memory") as server:
                over_long(server, args.minutes)
        if "kills" in args.only:
            print_rows(measure_kills(folder / "killed", args.kills))


@contextmanager
def served(folder: Path) -> Iterator[Server]:
    """A server, while it is needed."""
    server = Server(folder)
    try:
        yield server
    finally:
        server.stop()


def over_long(server: Server, minutes: float) -> None:
    """What a browser holds that nobody watches."""
    write_song(server.folder / "song.mid")
    server.post("/api/projects", {"name": "song"})
    score = (server.folder / "song.mid").read_bytes()
    assert ask(server.port, server.token, "/api/projects/song/files?name=song.mid", "POST", score)[0] == 200
    with bare_browser(find_browser(), FLAGS) as page:
        page.goto(server.address)
        wait_for(page, "document.documentElement?.dataset.ready")
        page.root = server.address.split("?")[0]
        page.evaluate("() => { localStorage.setItem('project', 'song'); }")
        page.send("Page.reload")
        wait_for(page, "globalThis.studio?.view?.parts.length === 8", 600)
        page.goto(page.root + "#score")
        wait_for(page, "document.querySelector('#view-score progress')?.hidden", 900)
        print_rows(measure_memory(page, server, minutes))


def in_the_page(server: Server, args: argparse.Namespace) -> None:
    """What a browser sees."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_browser(), args=list(FLAGS))
        context = browser.new_context(viewport={"width": 1440, "height": 900})
        if (axe := find_axe()) is not None:
            context.add_init_script(path=axe)
        page = context.new_page()
        page.goto(server.address)
        page.root = server.address.split("?")[0]
        page.wait_for_selector("html[data-ready]")
        if "keys" in args.only:
            print_rows(measure_keys(page, args.seconds))
        page.goto(page.root + "#score")
        write_song(server.folder / "song.mid")
        page.set_input_files("#view-score input[type=file] >> nth=0", server.folder / "song.mid")
        wait_for(page, "studio.view?.parts.length === 8", 600)
        if "edits" in args.only:
            wait_for(page, "document.querySelector('#view-score progress').hidden", 900)
            print_rows(measure_edits(page, args.edits))
            print_rows(measure_scrolling(page, server, args.scroll))
        if "axe" in args.only:
            print_rows(measure_axe(page))
        browser.close()


def print_rows(rows: list[tuple[str, str]]) -> None:
    """With the load of the last minute, for others may work on this machine."""
    for what, value in rows:
        print(f"| {what} | {value} | {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores |", flush=True)


if __name__ == "__main__":
    main()
