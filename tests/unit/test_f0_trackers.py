"""torchcrepe must really run with the pinned versions: nothing here may skip."""

import subprocess
import sys

import numpy as np
import pytest
import torch

from ddspvae.features import trackers
from ddspvae.features.crepe import load_network
from ddspvae.features.f0 import track_f0
from ddspvae.features.trackers import TRACKERS, load_torchcrepe
from ddspvae.signals.checks import InputError
from tests.conftest import tone


@pytest.mark.parametrize("name", ["crepe", pytest.param("crepe-full", marks=pytest.mark.slow)])
def test_torchcrepe_runs_here(name: str) -> None:
    audio = tone(261.63, 0.3, 16_000)
    track = TRACKERS[name].track(audio)
    assert len(track.f0_hz) == 31  # every 10 ms, both ends
    np.testing.assert_allclose(track.f0_hz[3:-3], 261.63, rtol=0.01)
    assert (track.periodicity[3:-3] > 0.5).all()
    torchcrepe = load_torchcrepe()
    assert torchcrepe.__name__ == "torchcrepe" and "ddspvae" not in torchcrepe.__file__


BROKEN_TORCHAUDIO = """
import sys
class Broken:
    def find_spec(self, name, path=None, target=None):
        if name == "torchaudio":
            raise {error}("no such library")
sys.meta_path.insert(0, Broken())
from ddspvae.features.trackers import load_torchcrepe
print(load_torchcrepe().infer.__name__, "torchaudio" in sys.modules)
"""


@pytest.mark.slow
@pytest.mark.parametrize("error", ["OSError", "RuntimeError", "ImportError"])
def test_torchcrepe_imports_beside_a_broken_torchaudio(error: str) -> None:
    code = BROKEN_TORCHAUDIO.format(error=error)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["infer", "False"], done.stderr


@pytest.mark.slow
def test_a_working_torchaudio_is_left_alone(tmp_path) -> None:
    (tmp_path / "torchaudio.py").write_text("load = 'the real one'\n")
    code = (f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
            "from ddspvae.features.trackers import load_torchcrepe\n"
            "load_torchcrepe(); print(sys.modules['torchaudio'].load)")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "the real one", done.stderr


def test_without_torchcrepe_the_error_says_what_to_install(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("DDSPVAE_CACHE", str(tmp_path))
    monkeypatch.setitem(sys.modules, "torchcrepe", None)
    with pytest.raises(InputError, match=r"pip install 'ddspvae\[crepe\]'"):
        track_f0(tone(200.0, 0.1), 48_000, 240, "crepe")


def test_the_neural_trackers_never_hear_each_other(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("DDSPVAE_CACHE", str(tmp_path))

    def forbidden(*_: object) -> None:
        raise AssertionError("asked the other tracker")

    monkeypatch.setattr(trackers, "crepe", forbidden)
    monkeypatch.setattr(trackers, "load_torchcrepe", forbidden)
    track_f0(tone(200.0, 0.2), 48_000, 240, "swift")
    monkeypatch.undo()
    monkeypatch.setenv("DDSPVAE_CACHE", str(tmp_path))
    monkeypatch.setattr(trackers, "_swift_detector", forbidden)
    track_f0(tone(200.0, 0.2), 48_000, 240, "crepe")
    with pytest.raises(AssertionError, match="asked the other"):  # the trap works
        track_f0(tone(201.0, 0.2), 48_000, 240, "swift")


def test_the_program_starts_without_the_heavy_libraries() -> None:
    code = ("import sys, ddspvae.features.f0\n"
            "print([m for m in ('torchcrepe', 'librosa', 'numba', 'torchaudio', 'onnxruntime') if m in sys.modules])")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("capacity", ["tiny", pytest.param("full", marks=pytest.mark.slow)])
def test_crepe_by_transforms_is_crepe(capacity):
    torchcrepe = load_torchcrepe()
    t = np.arange(16_000) / 16_000
    sound = np.sin(2 * np.pi * (200 * t + 100 * t**2)) + 0.1 * np.random.default_rng(0).standard_normal(16_000)
    batches = torchcrepe.preprocess(torch.from_numpy(sound.astype(np.float32))[None], 16_000, 800, 512, "cpu", pad=True)
    frames = torch.cat(list(batches))
    with torch.no_grad():
        theirs = torchcrepe.infer(frames, capacity)
    assert float(theirs.max()) > 0.5
    torch.testing.assert_close(load_network(torchcrepe, capacity)(frames), theirs, atol=1e-5, rtol=0)
