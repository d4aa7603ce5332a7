"""Fixtures: the recordings that are not in the repository, and a tiny instrument trained on the spot."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch

ROOT = Path(__file__).parent.parent
torch.set_num_threads(1)  # small kernels: more threads would spin, and starve whatever else runs


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository's own folder."""
    return ROOT


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """Real recordings and MIDI files beside the repository; skips where they are not."""
    folder = Path(os.environ.get("DDSPVAE_SHARED", ROOT.parent / "shared"))
    if not (folder / "recordings").is_dir():
        pytest.skip(f"no shared recordings in {folder}; set DDSPVAE_SHARED")
    return folder


@pytest.fixture(autouse=True, scope="session")
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Never read or write the user's cache."""
    os.environ["DDSPVAE_CACHE"] = str(tmp_path_factory.mktemp("cache"))


def tone(f0_hz: float | np.ndarray, seconds: float, sample_rate: int = 48_000, n_harmonics: int = 10,
         level: float = 0.3) -> np.ndarray:
    """A steady or gliding tone with 1/k harmonics below Nyquist, float32."""
    n = round(seconds * sample_rate)
    f0 = np.broadcast_to(np.asarray(f0_hz, dtype=float), (n,))
    phase = np.cumsum(f0) / sample_rate
    audio = np.zeros(n)
    for k in range(1, n_harmonics + 1):
        audio += np.where(k * f0 < sample_rate / 2, np.sin(2 * np.pi * k * phase) / k, 0)
    return (level * audio / np.abs(audio).max()).astype(np.float32)


def melody_take(seconds: float, sample_rate: int, seed: int = 0, has_timbres: bool = False) -> np.ndarray:
    """A small 'instrument': detached notes with attacks, decays, vibrato and some breath; each as bright or not."""
    random = np.random.default_rng(seed)
    audio = np.zeros(round(seconds * sample_rate), dtype=np.float32)
    at = 0.1
    while at < seconds - 0.6:
        length = float(random.uniform(0.35, 0.6))
        n = round(length * sample_rate)
        t = np.arange(n) / sample_rate
        pitch = float(random.integers(60, 76)) + 0.2 * np.sin(2 * np.pi * 5.5 * t)
        n_harmonics = int(random.integers(6, 15)) if has_timbres else 10
        note = tone(440 * 2 ** ((pitch - 69) / 12), length, sample_rate, n_harmonics)
        note = note[:n] + 0.01 * random.standard_normal(n)
        envelope = np.minimum(1, t / 0.03) * np.minimum(1, (length - t) / 0.05)
        start = round(at * sample_rate)
        audio[start : start + n] += (note * envelope * random.uniform(0.3, 1.0)).astype(np.float32)
        at += length + float(random.uniform(0.0, 0.15))
    return audio


def pytest_addoption(parser: pytest.Parser) -> None:
    """`make check` runs examples, README, all presets and the hour; `make test` leaves them out to stay short."""
    parser.addoption("--run-examples", action="store_true", help="run examples/ and the README's blocks")
    parser.addoption("--run-presets", action="store_true", help="measure every preset's axes, not those of three")
    parser.addoption("--run-slow", action="store_true", help="run what takes long: whole trainings, many sizes of a model")
    parser.addoption("--run-hour", action="store_true", help="stream an hour and compare it with the offline render")


def pytest_configure(config: pytest.Config) -> None:
    """The marker of what `make check` runs and `make test` leaves out."""
    config.addinivalue_line("markers", "slow: takes long; make check runs it (--run-slow)")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is slow unless asked."""
    if not config.getoption("--run-slow"):
        for item in items:
            if "slow" in item.keywords:
                item.add_marker(pytest.mark.skip(reason="make check runs this (--run-slow)"))


@pytest.fixture
def run_examples(request: pytest.FixtureRequest) -> None:
    """Skip unless asked."""
    if not request.config.getoption("--run-examples"):
        pytest.skip("make check runs this (--run-examples)")


@pytest.fixture
def run_hour(request: pytest.FixtureRequest) -> None:
    """Skip unless asked."""
    if not request.config.getoption("--run-hour"):
        pytest.skip("make check runs this (--run-hour)")
