"""An encoder without torch, held to the one in torch: and to that in double precision, to which it is the nearer one."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch

from ddspvae.engine import listener
from ddspvae.engine.ability import can_listen
from ddspvae.features.extract import extract
from ddspvae.instrument.loading import load, load_to_play
from ddspvae.instrument.stored import hear_z
from ddspvae.kernels.compiler import HAS_COMPILER
from ddspvae.kernels.envelopes import left_over
from ddspvae.kernels.named_axes import read_onsets, read_typical
from ddspvae.model.axes import find_onsets
from ddspvae.model.config import ModelConfig
from ddspvae.model.encoder_inputs import EncoderInputs
from ddspvae.model.envelope import to_nodes
from ddspvae.model.form import LOWEST_HZ, N_NODES, OUTSIDE, PER_OCTAVE
from ddspvae.model.stack import rows_around
from ddspvae.signals.checks import InputError

pytestmark = pytest.mark.skipif(not HAS_COMPILER, reason="numba is not installed")
RATE, HOP = 48_000, 240


def played(low_hz: float) -> np.ndarray:
    """Two notes with vibrato, the second one softer and brighter, and noise."""
    t = np.arange(RATE) / RATE
    f0_hz = low_hz * np.where(t > 0.5, 1.5, 1) * 2 ** (0.3 * np.sin(2 * np.pi * 5.5 * t) / 12)
    cycles, dull = np.cumsum(f0_hz) / RATE, np.where(t > 0.5, 1.0, 1.7)
    sound = sum(0.2 * k**-dull * np.sin(2 * np.pi * k * cycles) for k in range(1, 25))
    sound = sound * np.where(t > 0.5, 0.3, 1) + 0.003 * np.random.default_rng(0).standard_normal(len(t))
    return np.asarray(sound, dtype=np.float32)


@pytest.mark.parametrize("name, low_hz", [("violin", 294.0), ("bassoon", 400.0), ("tuba", 58.0)])
def test_z_is_that_of_double_precision_to_a_thousandth(name, low_hz):
    instrument = load(name)
    assert can_listen(instrument.config)
    features = extract(played(low_hz), RATE, HOP, "autocorrelation")
    ours = hear_z(instrument.model, features)
    single = instrument.model.to_z(instrument.encode(features))[0].numpy()
    double = copy.deepcopy(instrument.model).double()
    heard = EncoderInputs.of(features)
    fields = ("f0_hz", "periodicity", "loudness_db", "timbre", "partials", "audio", "spectrum")
    heard = replace(heard, **{field: getattr(heard, field).double() for field in fields})
    with torch.no_grad():
        exact = double.to_z(double.encode(heard))[0].numpy()
    assert ours.shape == exact.shape and np.abs(exact).max() > 1
    off, off_single = np.abs(ours - exact).max(), np.abs(single - exact).max()
    assert off < 1e-3 and off < max(2 * off_single, 1e-4), (off, off_single)


def test_an_instrument_hears_the_same_with_and_without_torch(monkeypatch):
    audio = played(294.0)
    ours = load_to_play("violin").analyze(audio, RATE, "autocorrelation")
    monkeypatch.setattr("ddspvae.instrument.instrument.can_listen", lambda config: False)
    theirs = load("violin").analyze(audio, RATE, "autocorrelation")
    np.testing.assert_allclose(ours.z, theirs.z, atol=1e-3)
    assert np.array_equal(ours.f0_hz, theirs.f0_hz) and ours.axis_names == theirs.axis_names


def test_only_encoders_that_are_also_done_here_are_done_here():
    assert can_listen(ModelConfig())
    for other in ({"encoder": "mel"}, {"bottleneck": "fsq"}, {"n_timbre": 4}, {"n_z": 4}, {"n_z": 0}):
        assert not can_listen(ModelConfig(**other))


def test_weights_that_do_not_fit_are_found_before_they_are_heard():
    instrument = load_to_play("violin")
    stored = instrument.core
    weights = {name: value for name, value in stored.weights.items() if name != "encoder.head.bias"}
    with pytest.raises(InputError, match="do not fit their own config"):
        replace(stored, weights=weights).check_listener()


@pytest.mark.parametrize("frames_per_z, n_frames", [(4, 41), (8, 64), (2, 7), (1, 5)])
def test_rows(frames_per_z, n_frames):
    from ddspvae.model.form import row_middle

    frames = np.random.default_rng(0).normal(size=(n_frames, 3)).astype(np.float32)
    expected = rows_around(torch.from_numpy(frames)[None], frames_per_z, row_middle(frames_per_z))[0].numpy()
    np.testing.assert_allclose(listener.rows_around(frames, frames_per_z), expected, atol=1e-6)


def test_what_is_left_over_lies_on_the_nodes():
    random = np.random.default_rng(0)
    f0_hz = np.array([31.0, 220.0, 441.3, 5000.0], np.float32)
    levels, noise = (random.normal(size=(4, n)).astype(np.float32) for n in (30, 5))
    n_heard = np.array([30, 17, 1, 2])
    weights = np.array([1.0, 0.5, 1.0, 1.0], np.float32)
    left = np.empty((4, N_NODES + 5), np.float32)
    frequency_hz = (LOWEST_HZ * 2 ** (np.arange(N_NODES) / PER_OCTAVE)).astype(np.float32)
    left_over(levels, noise, f0_hz, n_heard, weights, np.float32(1.2), np.float32(OUTSIDE), frequency_hz,
              np.log2(np.arange(1.0, 31)).astype(np.float32), left)
    nodes = to_nodes(*(torch.from_numpy(value)[None] for value in (levels, f0_hz[:, None], n_heard[:, None])))[0].numpy()
    expected = np.concatenate([nodes, noise], axis=1).clip(-1.2, 1.2) * weights[:, None]
    np.testing.assert_allclose(left, expected, atol=2e-5)
    assert (left[:, :N_NODES] != 0).any(axis=1).all()


def test_typical_attributes_and_onsets():
    model = load("flute").model
    typical = model.decoder.typical
    random = np.random.default_rng(0)
    f0_hz, loudness_db = random.uniform(200, 2500, 60).astype(np.float32), random.uniform(-70, -10, 60).astype(np.float32)
    found = np.empty((60, 4))
    read_typical(f0_hz, loudness_db, typical.middle.numpy(), typical.half_range.numpy(),
                 typical.coefficients.double().numpy(), np.array([21.0, 1.5, 60]), np.zeros(0, np.float32), found)
    expected = typical(*(torch.from_numpy(curve)[None, :, None] for curve in (f0_hz, loudness_db)))[0].numpy()
    np.testing.assert_allclose(found, expected, atol=1e-4)
    curves = random.uniform(-0.2, 0.2, (60, 3)).astype(np.float32).cumsum(axis=0)
    onset = np.empty(42)
    read_onsets(curves, 18, np.array([20.0, 24.0]), np.array([5.0, 14.0]), np.array([1.2, 1.8]), onset)
    np.testing.assert_allclose(onset, find_onsets(torch.from_numpy(curves)[None])[0, :, 0].numpy(), atol=1e-5)
    assert onset.mean() > 0
