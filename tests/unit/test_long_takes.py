"""A long take, listened to in stretches, is the take."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys

import numpy as np
import pytest
import soundfile

from ddspvae import InputError, load, read_audio
from ddspvae.instrument import long_takes
from ddspvae.instrument.take_files import analyze_file
from ddspvae.signals.units import hz_to_cents

from ..conftest import melody_take

RATE = 48_000


@pytest.fixture(scope="module")
def flute():
    return load("flute")


def test_stretches_are_the_whole(monkeypatch):
    saxophone = load("saxophone-alto")
    silence = np.zeros(3 * RATE, np.float32)
    audio = np.concatenate([silence, melody_take(5.0, RATE), silence, melody_take(2.01, RATE, 1)])
    whole = saxophone.analyze(audio, RATE)
    for name, seconds in (("LONG_S", 5.0), ("STRETCH_S", 2.5), ("AROUND_S", 1.5)):
        monkeypatch.setattr(long_takes, name, seconds)
    cut = saxophone.analyze(audio, RATE)
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


def test_a_file_is_heard_as_what_is_read_from_it(flute, monkeypatch, tmp_path):
    for name, seconds in (("LONG_S", 5.6), ("STRETCH_S", 2.5), ("AROUND_S", 1.5)):
        monkeypatch.setattr(long_takes, name, seconds)
    sound = melody_take(7.0, 44_100)
    for name, channels in (("one.wav", [sound]), ("two.flac", [sound, -0.5 * sound])):
        soundfile.write(tmp_path / name, np.stack(channels, axis=1), 44_100)
        with pytest.warns(UserWarning, match="opposite phase") if len(channels) > 1 else contextlib.nullcontext():
            from_file = analyze_file(flute, tmp_path / name)
        with pytest.warns(UserWarning, match="opposite phase") if len(channels) > 1 else contextlib.nullcontext():
            from_array = flute.analyze(*read_audio(tmp_path / name))
        for curve in ("f0_hz", "periodicity", "loudness_db", "z"):
            np.testing.assert_array_equal(getattr(from_file, curve), getattr(from_array, curve))


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the peak is read from /proc")
def test_half_an_hour_is_analysed_in_1_gb(tmp_path):
    """Three stretches sound, the others are silent and quick; all of it in stereo at 44.1 kHz would be 0.6 GB."""
    sound = np.stack([melody_take(60.0, 44_100)] * 2, axis=1)
    with soundfile.SoundFile(tmp_path / "take.flac", "w", 44_100, 2) as file:
        for minute in range(30):
            file.write(sound if minute in (0, 15) else 0 * sound)
    code = ("import sys; from ddspvae.commands.main import main\n"
            "try:\n    main(sys.argv[1:])\n"
            "finally:\n    print(open('/proc/self/status').read().split('VmHWM:')[1].split()[0], file=sys.stderr)")
    arguments = ["analyze", str(tmp_path / "take.flac"), "--preset", "violin", "--json", "--out", str(tmp_path / "take.npz")]
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True,
                          env={**os.environ, "DDSPVAE_CACHE": str(tmp_path / "cache")})
    assert json.loads(done.stdout)["seconds"] == 1800
    assert int(done.stderr.split()[-1]) * 1024 < 1e9
