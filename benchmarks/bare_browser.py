"""A browser that is driven without being watched: nobody keeps what its pages have loaded.

A test driver listens to the network of a page, and for that the browser keeps the answers that came; what a page itself
holds is hard to see beside them. Here the page is only told what to do (Chrome DevTools protocol,
`Runtime.evaluate` and `Input.dispatchKeyEvent`).
"""

from __future__ import annotations

import itertools
import json
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from websockets.sync.client import ClientConnection, connect

MODIFIERS = {"Control": 2}
START_S = 60.0
MOST_BYTES = 1 << 28  # of an answer


class Keyboard:
    """Keys of a page, pressed and let go of."""

    def __init__(self, page: BarePage) -> None:
        self._page = page

    def down(self, key: str, modifiers: int = 0) -> None:
        """Press."""
        self._page.send("Input.dispatchKeyEvent", type="rawKeyDown", modifiers=modifiers, **named(key))

    def up(self, key: str, modifiers: int = 0) -> None:
        """Let go."""
        self._page.send("Input.dispatchKeyEvent", type="keyUp", modifiers=modifiers, **named(key))

    def press(self, chord: str) -> None:
        """Both, with what stands before: Control+z."""
        *held, key = chord.split("+")
        modifiers = sum(MODIFIERS[one] for one in held)
        self.down(key, modifiers)
        self.up(key, modifiers)


def named(key: str) -> dict[str, str]:
    """As the protocol names a key."""
    return {"key": key, "code": f"Key{key.upper()}" if len(key) == 1 else key}


class BarePage:
    """A page, to the extent that the measures of memory need one.

    Args:
        pid: of the browser.
        socket: of the page.
    """

    def __init__(self, pid: int, socket: ClientConnection) -> None:
        self.pid, self._socket, self._numbers = pid, socket, itertools.count(1)
        self.keyboard, self.root = Keyboard(self), ""

    def send(self, method: str, **params: Any) -> Any:
        """A command of the protocol, and its result."""
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": params}))
        while (answer := json.loads(self._socket.recv())).get("id") != number:
            pass
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']['message']}")
        return answer["result"]

    def evaluate(self, function: str, *values: Any) -> Any:
        """What a function of the page returns."""
        said = self.send("Runtime.evaluate", expression=f"({function})({', '.join(map(json.dumps, values))})",
                         awaitPromise=True, returnByValue=True, userGesture=True)
        if "exceptionDetails" in said:
            raise RuntimeError(said["exceptionDetails"].get("exception", {}).get("description", "the page failed"))
        return said["result"].get("value")

    def goto(self, address: str) -> None:
        """Open an address, or go to another part of the page."""
        self.send("Page.navigate", url=address)

    def focus(self, selector: str) -> None:
        """Give an element the keys."""
        self.evaluate("(selector) => document.querySelector(selector).focus()", selector)

    def renderers(self) -> list[int]:
        """The processes that run pages."""
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if b"--type=renderer" in (folder / "cmdline").read_bytes() and is_below(int(folder.name), self.pid):
                    found.append(int(folder.name))
        return found


def is_below(pid: int, other: int) -> bool:
    """Whether a process was started by another one, or by one that it started."""
    while pid > 1:
        if pid == other:
            return True
        pid = int(Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[1])
    return False


@contextmanager
def bare_browser(program: str, flags: tuple[str, ...]) -> Iterator[BarePage]:
    """A browser with one empty page."""
    with tempfile.TemporaryDirectory() as profile:
        command = [program, "--headless=new", "--remote-debugging-port=0", f"--user-data-dir={profile}", "--no-first-run",
                   "--window-size=1440,900", *flags, "about:blank"]
        browser = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            told, until = Path(profile) / "DevToolsActivePort", time.monotonic() + START_S
            while not told.exists() or not told.read_text(encoding="utf-8").strip():
                if time.monotonic() > until:
                    raise RuntimeError(f"{program} did not start")
                time.sleep(0.05)
            port = told.read_text(encoding="utf-8").split()[0]
            with urlopen(f"http://127.0.0.1:{port}/json/list") as answer:
                address = next(one for one in json.load(answer) if one["type"] == "page")["webSocketDebuggerUrl"]
            with connect(address, max_size=MOST_BYTES) as socket:
                yield BarePage(browser.pid, socket)
        finally:
            browser.terminate()
            with suppress(subprocess.TimeoutExpired):
                browser.wait(10)
            browser.kill()
            browser.wait()
