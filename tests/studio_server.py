"""A studio to ask: in this process for what is refused, in one of its own for a browser."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = ("--no-sandbox", "--autoplay-policy=no-user-gesture-required", "--use-fake-device-for-media-stream",
         "--use-fake-ui-for-media-stream")


def ask(port: int, token: str, path: str, method: str = "GET", body: bytes | None = None, **headers: str
        ) -> tuple[int, bytes]:
    """One request with the token, from the page's own origin; headers replace those, and None leaves one out."""
    own: dict[str, Any] = {"Cookie": f"ddspvae-{port}={token}", "Origin": f"http://127.0.0.1:{port}"}
    own |= {name.replace("_", "-"): value for name, value in headers.items()}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
    try:
        kept = {name: value for name, value in own.items() if value is not None}
        connection.request(method, path, body=body, headers=kept)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


@contextlib.contextmanager
def served_here(folder: Path, *, warm: bool = False):
    """A server in a thread: its port and its token."""
    import uvicorn

    from ddspvae.studio.folders import Home
    from ddspvae.studio.server import make_app, open_socket
    from ddspvae.studio.worker import Worker

    home, sock, worker = Home(folder), open_socket(0), Worker()
    port, token = sock.getsockname()[1], home.token()
    server = uvicorn.Server(uvicorn.Config(make_app(home, port, token, worker, warm=warm), log_level="error"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield port, token
    finally:
        server.should_exit = True
        thread.join(10)
        worker.stop()


class Server:
    """`ddspvae studio` in a process of its own, killed and begun again at the same address."""

    def __init__(self, folder: Path, port: int = 0) -> None:
        self.folder, self.port = folder, port
        self.start()

    def start(self) -> None:
        """Begin, on the same port as before."""
        env = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
        self.process = subprocess.Popen([sys.executable, "-m", "ddspvae", "studio", "--folder", str(self.folder), "--port",
                                         str(self.port), "--no-browser"], stdout=subprocess.PIPE, text=True, env=env)
        self.address = re.search(r"http://\S+", self.process.stdout.readline()).group()
        self.port = int(re.search(r":(\d+)/", self.address).group(1))
        self.token = self.address.split("token=")[1]

    def kill(self) -> None:
        """As a power cut would."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)

    def stop(self) -> None:
        """Control-C."""
        self.process.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(10)
        self.process.kill()

    def post(self, path: str, content: Any) -> Any:
        """What the page would get."""
        status, body = ask(self.port, self.token, path, "POST", json.dumps(content).encode())
        assert status == 200, body
        return json.loads(body)


def find_browser() -> str:
    """Chromium of the system, or a skip with the reason."""
    pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip("no Chromium here; apt-get install chromium")
    return found


def wait_for(page: Any, expression: str, seconds: float = 90.0) -> Any:
    """What an expression of the page comes to, as soon as that is something."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if value := page.evaluate(f"() => {expression}"):
            return value
        time.sleep(0.03)
    raise AssertionError(f"{expression} is still {page.evaluate(f'() => {expression}')} after {seconds:.0f} s")
