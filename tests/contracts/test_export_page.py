"""The page of an ONNX export plays in a browser what the stream plays."""

from __future__ import annotations

import functools
import http.server
import json
import shutil
import subprocess
import threading
from pathlib import Path

import numpy as np
import pytest

import ddspvae
from benchmarks.exported_networks import moving_curves, streamed
from ddspvae.commands.main import main

WAIT_S = 180
PAGE = """<!DOCTYPE html><script>
fetch("curves.json").then((answer) => answer.json()).then((curves) => {
  const worker = new Worker("worker.js");
  worker.onmessage = ({ data: { audio, error } }) =>
    fetch(error ? "/error" : "/result", { method: "POST", body: error || audio });
  for (const name of ["f0_hz", "periodicity", "loudness_db", "z"]) curves[name] = Float32Array.from(curves[name]);
  worker.postMessage(curves);
});
</script>"""


class Desk(http.server.SimpleHTTPRequestHandler):
    """Serves a folder and keeps what is posted."""

    posted: dict[str, bytes] = {}  # noqa: RUF012
    came = threading.Event()

    def do_POST(self) -> None:
        self.posted[self.path] = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(204)
        self.end_headers()
        self.came.set()

    def log_message(self, *_args: object) -> None:
        """Quiet."""


@pytest.mark.slow
def test_the_worker_plays_what_the_stream_plays(tmp_path: Path):
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None or shutil.which("npm") is None:
        pytest.skip("no chromium or no npm here")
    folder = tmp_path / "page"
    assert main(["export", "--preset", "violin", "--format", "onnx", "--out", str(folder)]) == 0
    install = ["npm", "install", "--no-audit", "--no-fund", "--prefix", str(folder), "onnxruntime-web"]
    try:
        subprocess.run(install, check=True, capture_output=True, timeout=WAIT_S)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        pytest.skip(f"onnxruntime-web cannot be installed here: {error}")
    violin = ddspvae.load("violin")
    take = moving_curves(violin, 120)
    z = np.repeat(take.z, take.frames_per_z, axis=0)
    curves = {name: getattr(take, name).tolist() for name in ("f0_hz", "periodicity", "loudness_db")}
    (folder / "curves.json").write_text(json.dumps({**curves, "z": z.ravel().tolist(), "seed": 0}), encoding="utf-8")
    (folder / "test.html").write_text(PAGE, encoding="utf-8")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Desk, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        command = [browser, "--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}",
                   f"http://127.0.0.1:{server.server_address[1]}/test.html"]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            came = Desk.came.wait(WAIT_S)
            process.terminate()
        server.shutdown()
    assert came and "/error" not in Desk.posted, Desk.posted.get("/error")
    heard, wanted = np.frombuffer(Desk.posted["/result"], "<f4"), streamed(violin, take)
    assert heard.shape == wanted.shape and np.abs(wanted).max() > 0.05
    assert np.abs(heard - wanted).max() < 1e-4
