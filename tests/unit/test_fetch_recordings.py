"""Where the recordings come from: addresses from the cards, files from a server, a manifest that training reads."""

from __future__ import annotations

import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
import soundfile

from ddspvae.instrument.presets import list_presets
from ddspvae.training.recordings import find_recordings, read_manifest

from ..conftest import ROOT

sys.path.insert(0, str(ROOT / "benchmarks"))
import fetch_recordings
from fetch_recordings import address, fetch, origins, write_manifest


@pytest.mark.parametrize("instrument", list_presets())
def test_every_recording_has_an_address(instrument):
    rows = origins(instrument)
    assert len(rows) > 10 and len({address(row) for row in rows}) > 10
    assert all(address(row).startswith("https://raw.githubusercontent.com/") for row in rows)


def test_a_recording_is_fetched_once_and_credited(tmp_path, monkeypatch):
    (tmp_path / "public" / "abc").mkdir(parents=True)
    stereo = np.stack([np.full(4800, 0.5), np.zeros(4800)], axis=1)
    soundfile.write(tmp_path / "public" / "abc" / "a tone.wav", stereo, 48_000)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=tmp_path / "public")) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        row = {"file": "someone/tone_01.flac", "source_repo": f"http://127.0.0.1:{server.server_port}", "commit": "abc",
               "original_path": "a tone.wav", "licence": "CC0-1.0", "source": "someone", "attribution": "Someone"}
        assert fetch(row, tmp_path / "mine") == tmp_path / "mine" / "someone" / "tone_01.flac"
        server.shutdown()
    fetch(row, tmp_path / "mine")  # from the disk
    audio, rate = soundfile.read(tmp_path / "mine" / "someone" / "tone_01.flac")
    assert rate == 48_000 and audio.shape == (4800,) and np.allclose(audio, 0.25, atol=1e-4)
    write_manifest([row], tmp_path / "mine")
    path, = find_recordings(tmp_path / "mine")
    assert read_manifest(tmp_path / "mine")[path.resolve()].licence == "CC0-1.0"
    assert fetch_recordings.HELD_OUT.exists()
