"""SwiftF0's network in compiled loops, held to its package's own."""

from __future__ import annotations

import numpy as np
import pytest

from ddspvae.features import swift_network, trackers
from ddspvae.features.swift_network import load_swift
from ddspvae.kernels.compiler import HAS_COMPILER

pytestmark = pytest.mark.skipif(not HAS_COMPILER, reason="numba is not installed")


def glide(n_samples: int) -> np.ndarray:
    """A voice that glides over two octaves, in noise, after silence."""
    t = np.arange(n_samples) / 16_000
    cycles = np.cumsum(120 * 2 ** (2 * t / max(t[-1], 1e-9))) / 16_000
    sound = sum(0.3 / k * np.sin(2 * np.pi * k * cycles) for k in range(1, 10))
    sound = sound + 0.01 * np.random.default_rng(1).standard_normal(n_samples)
    sound[: n_samples // 5] = 0
    return np.asarray(sound, dtype=np.float32)


@pytest.fixture(scope="module")
def package():
    from swift_f0 import SwiftF0

    return SwiftF0(threads=1, spin=False)


# less than a hop; whole hops and not; more than a tile, and more than the package runs at once
@pytest.mark.parametrize("n_samples", [100, 256, 5000, 40_000, 1920 * 256 + 31])
def test_it_hears_what_its_package_hears(package, n_samples):
    network = load_swift()
    assert network is not None, "the pinned swift-f0 holds other weights than those that this was written for"
    audio = glide(n_samples)
    f0_hz, sure = network(audio)
    expected = package.detect(audio, 16_000)
    assert f0_hz.shape == expected.pitch_hz.shape
    sounds = expected.confidence > 0
    assert np.abs(1200 * np.log2(f0_hz / expected.pitch_hz))[sounds].max(initial=0) < 0.05  # cents
    np.testing.assert_allclose(sure, expected.confidence, atol=1e-4)
    if n_samples > 30_000:
        assert (sure > 0.9).mean() > 0.5 and not sure[: n_samples // 5 // 256 - 8].any()


def test_other_weights_are_run_by_their_package(monkeypatch):
    monkeypatch.setattr(swift_network, "KNOWN_SHA256", "of another version")
    assert load_swift() is None
    trackers._swift_detector.cache_clear()
    try:
        track = trackers.swift(glide(20_000))
    finally:
        monkeypatch.undo()
        trackers._swift_detector.cache_clear()
    ours = trackers.swift(glide(20_000))
    np.testing.assert_allclose(track.times_s, ours.times_s)
    np.testing.assert_allclose(track.f0_hz[20:], ours.f0_hz[20:], rtol=1e-4)
