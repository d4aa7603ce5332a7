"""A long take, listened to in stretches, is the take."""

from __future__ import annotations

import numpy as np
import pytest

from ddspvae import InputError, load
from ddspvae.instrument import long_takes
from ddspvae.signals.units import hz_to_cents

from ..conftest import melody_take

RATE = 48_000


@pytest.fixture(scope="module")
def flute():
    return load("flute")


def test_stretches_are_the_whole(flute, monkeypatch):
    silence = np.zeros(3 * RATE, np.float32)
    audio = np.concatenate([silence, melody_take(5.0, RATE), silence, melody_take(2.01, RATE, 1)])
    whole = flute.analyze(audio, RATE)
    for name, seconds in (("LONG_S", 5.0), ("STRETCH_S", 2.5), ("AROUND_S", 1.5)):
        monkeypatch.setattr(long_takes, name, seconds)
    cut = flute.analyze(audio, RATE)
    assert (cut.n_frames, cut.z.shape, cut.axis_names) == (whole.n_frames, whole.z.shape, whole.axis_names)
    sure = (whole.periodicity > 0.9) & (cut.periodicity > 0.9)
    loud = whole.loudness_db > -50
    assert loud.sum() > 1000 and sure[loud].mean() > 0.7
    assert np.quantile(np.abs(hz_to_cents(cut.f0_hz[sure], whole.f0_hz[sure])), 0.95) < 3
    assert np.abs(cut.loudness_db - whole.loudness_db)[loud].max() < 0.01
    rows = sure[:: whole.frames_per_z][: len(whole.z)]
    assert np.quantile(np.abs(cut.z - whole.z)[rows], 0.95) < 0.05


def test_silence_is_refused_however_long(flute, monkeypatch):
    monkeypatch.setattr(long_takes, "LONG_S", 1.0)
    with pytest.raises(InputError, match="silent"):
        flute.analyze(np.zeros(2 * RATE, np.float32), RATE)
