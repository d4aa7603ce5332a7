"""What the studio holds in memory over a long time of work: `benchmarks/studio.py --only memory --minutes 60`."""

from __future__ import annotations

import random
import sys
import time
from pathlib import Path

import numpy as np

from benchmarks.bare_browser import BarePage
from tests.studio_server import Server, wait_for

LETTERS = "adgjsfhk"
TURN_S = 10.0
MOST_SAMPLES = 24
HELD = ("page's heap", "browser's renderer", "server", "worker")


def resident_mb(pid: int, what: str = "VmRSS") -> float:
    """What a process holds; "RssAnon" leaves out the files that it maps."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    return int(next(line for line in lines if line.startswith(what)).split()[1]) / 1000


def worker_of(pid: int) -> int:
    """The process that renders for a server: the child that multiprocessing has spawned; a training is another."""
    children = [int(one) for task in Path(f"/proc/{pid}/task").iterdir()
                for one in (task / "children").read_text(encoding="utf-8").split()]
    return next(one for one in children if b"spawn_main" in Path(f"/proc/{one}/cmdline").read_bytes())


def measure_memory(page: BarePage, server: Server, minutes: float) -> list[tuple[str, str]]:
    """Play, edit, listen and scroll in turns; what is held is measured now and then, after garbage was collected."""
    began, samples, counts = time.monotonic(), [], {"keys": 0, "edits": 0}
    every_s = max(2 * TURN_S, 60 * minutes / MOST_SAMPLES)
    turns = [play, edit, scroll, look_around]
    number = 0
    while True:
        elapsed_s = time.monotonic() - began
        if not samples or elapsed_s >= len(samples) * every_s or elapsed_s >= 60 * minutes:
            samples.append((elapsed_s / 60, *sample(page, server)))
            print("min, MB of {}, nodes, listeners: ".format(", ".join(HELD))
                  + ", ".join(f"{value:.1f}" for value in samples[-1]) + f"; {counts}", file=sys.stderr, flush=True)
        if elapsed_s >= 60 * minutes:
            break
        turns[number % len(turns)](page, counts)
        number += 1
    table = np.array(samples)
    half = table[len(table) // 2 :]
    rows = []
    for column, name in enumerate(HELD, 1):
        slope = np.polyfit(half[:, 0], half[:, column], 1)[0] * 60 if len(half) > 2 else float("nan")
        rows.append((f"memory of the {name} after {minutes:g} min of playing, editing, listening and scrolling, MB: at the "
                     "begin, in the middle, at the end; MB an hour over the second half",
                     f"{table[0, column]:.0f}, {table[len(table) // 2, column]:.0f}, {table[-1, column]:.0f}; {slope:+.0f}"))
    rows.append(("elements and listeners of the page, at the begin and at the end; keys and edits meanwhile",
                 f"{table[0, 5]:.0f}, {table[0, 6]:.0f}; {table[-1, 5]:.0f}, {table[-1, 6]:.0f}; {counts['keys']}, "
                 f"{counts['edits']}"))
    return rows


def sample(page: BarePage, server: Server) -> tuple[float, ...]:
    """MB of the four, and how many elements and listeners the page has."""
    for _ in range(2):
        page.send("HeapProfiler.collectGarbage")
    heap = page.send("Runtime.getHeapUsage")["usedSize"] / 1e6
    dom = page.send("Memory.getDOMCounters")
    pid = server.process.pid
    return (heap, max(resident_mb(one, "RssAnon") for one in page.renderers()), resident_mb(pid, "RssAnon"),
            resident_mb(worker_of(pid), "RssAnon"), dom["nodes"], dom["jsEventListeners"])


def show(page: BarePage, view: str) -> None:
    """Go to a view."""
    page.goto(f"{page.root}#{view}")
    wait_for(page, f"document.querySelector('#view-{view}:not([hidden])') !== null")


def play(page: BarePage, counts: dict[str, int]) -> None:
    """Keys, four at once, and sliders."""
    show(page, "play")
    until, held = time.monotonic() + TURN_S, []
    while time.monotonic() < until:
        held.append(random.choice(LETTERS))
        page.keyboard.down(held[-1])
        counts["keys"] += 1
        if len(held) > 3:
            page.keyboard.up(held.pop(0))
        time.sleep(0.1 + 0.1 * random.random())
    for letter in held:
        page.keyboard.up(letter)


def edit(page: BarePage, counts: dict[str, int]) -> None:
    """Notes moved, and moved back or undone, each heard."""
    show(page, "score")
    until = time.monotonic() + TURN_S
    while time.monotonic() < until:
        before = page.evaluate("() => studio.figures.editsToSound?.length ?? 0")
        page.focus("canvas.roll")
        for _ in range(random.randint(1, 6)):
            page.keyboard.press("ArrowRight")
        page.keyboard.press(random.choice(["ArrowUp", "ArrowDown"]))
        wait_for(page, f"(studio.figures.editsToSound?.length ?? 0) > {before}")
        page.evaluate("() => scoreParts.transport.stop()")
        counts["edits"] += 1
        if random.random() < 0.5:
            page.keyboard.press("Control+z")
            time.sleep(0.2)
    page.evaluate("() => scoreParts.roll.select(scoreParts.roll.notes[5].id)")  # so that the notes do not run out


def scroll(page: BarePage, counts: dict[str, int]) -> None:
    """The roll and the curves go by while it plays."""
    show(page, "score")
    page.evaluate("() => scoreParts.transport.play(20)")
    page.evaluate("""async (seconds) => {
        const { viewport } = scoreParts; const began = performance.now();
        await new Promise((done) => { const step = () => {
            const now = performance.now();
            viewport.show(((now - began) / 1000 * 8) % 160, 12);
            if (now - began < 1000 * seconds) requestAnimationFrame(step); else done(); };
            step(); }); }""", TURN_S)
    page.evaluate("() => scoreParts.transport.stop()")


def look_around(page: BarePage, counts: dict[str, int]) -> None:
    """All views, curves shown and hidden, the theme there and back."""
    for view in ("take", "train", "away", "score"):
        show(page, view)
        time.sleep(TURN_S / 8)
    for chip in ("Brightness", "Pan"):
        for _ in range(2):
            page.evaluate("""(chip) => [...document.querySelectorAll('#view-score .chips button')]
                .find((button) => button.textContent.includes(chip)).click()""", chip)
            time.sleep(TURN_S / 20)
    for _ in range(2):
        page.evaluate("() => document.querySelector('#theme').click()")
