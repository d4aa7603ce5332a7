"""Parts from outside: registered by a call, found by the command line, asked for by the file that needs them."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
import soundfile

import ddspvae
from ddspvae.features.trackers import TRACKERS, Tracker
from ddspvae.instrument.presets import read_card
from ddspvae.model.parts import ENCODERS
from ddspvae.signals import registry

from ..conftest import ROOT, melody_take

EXAMPLE = ROOT / "examples" / "08_parts_of_your_own.py"


@pytest.fixture(autouse=True)
def nothing_left_behind(monkeypatch):
    monkeypatch.setattr(registry, "_outside", {kind: {} for kind in registry.KINDS})
    monkeypatch.setattr(registry, "_loaded", set())


def call(folder, *words, plugins=EXAMPLE):
    environment = {**os.environ, registry.VARIABLE: str(plugins), "OMP_NUM_THREADS": "1"}
    return subprocess.run([sys.executable, "-m", "ddspvae", *map(str, words)], cwd=folder, env=environment, check=False,
                          capture_output=True, text=True)


@pytest.mark.slow
def test_an_encoder_and_a_tracker_from_a_file_outside_train_and_listen(tmp_path):
    soundfile.write(tmp_path / "take.wav", melody_take(6.0, 48_000), 48_000)
    trained = call(tmp_path, "train", "take.wav", "--out", "mine.safetensors", "--steps", 4, "--encoder", "bands",
                   "--tracker", "cepstrum", "--axes", 12)
    assert trained.returncode == 0, trained.stderr
    card = read_card(tmp_path / "mine.safetensors")
    assert card["config"]["encoder"] == "bands" and card["plugins"] == {"encoder bands": EXAMPLE.stem}
    heard = call(tmp_path, "analyze", "take.wav", "--preset", "mine.safetensors", "--out", "take.npz")
    assert heard.returncode == 0, heard.stderr
    f0_hz = ddspvae.Performance.load(tmp_path / "take.npz").f0_hz
    assert 200 < np.median(f0_hz) < 700
    alone = call(tmp_path, "analyze", "take.wav", "--preset", "mine.safetensors", "--out", "take.npz", plugins="")
    assert alone.returncode == 2
    assert "needs the encoder 'bands', which 08_parts_of_your_own registered" in alone.stderr
    assert len(alone.stderr.splitlines()) == 1


def test_what_is_registered_is_one_of_the_choices():
    mine = ddspvae.register("tracker", "mine", Tracker(lambda audio: None, (50.0, 500.0)))
    assert TRACKERS["mine"] is mine and "mine" in list(TRACKERS) and TRACKERS.plugin_of("mine")
    assert TRACKERS.plugin_of("swift") == ""


def test_a_name_is_taken_once():
    @ddspvae.register("encoder", "mine")
    class One:
        pass

    class Other:
        __module__ = "elsewhere"

    assert ENCODERS["mine"] is One
    with pytest.raises(ddspvae.InputError, match="has registered the encoder 'mine' already; take another name"):
        ddspvae.register("encoder", "mine", Other)


def test_the_package_keeps_its_own_names():
    with pytest.raises(ddspvae.InputError, match="is the package's own"):
        ddspvae.register("encoder", "mel", object)


def test_an_unknown_kind_or_part_is_told():
    with pytest.raises(ddspvae.InputError, match="kind must be one of .*did you mean 'encoder'"):
        ddspvae.register("encoders", "mine", object)
    with pytest.raises(ddspvae.InputError, match="did you mean 'mel'"):
        ENCODERS.check("train", "mell")
    with pytest.raises(ddspvae.InputError, match="one of a plugin is found where DDSPVAE_PLUGINS names it"):
        ENCODERS.check("train", "whisper")


@pytest.mark.slow
def test_a_plugin_that_fails_is_named(tmp_path):
    bad = tmp_path / "bad.py"
    bad.write_text("import nothing_of_that_name\n")
    told = call(tmp_path, "train", "take.wav", "--out", "mine.safetensors", "--encoder", "mine", plugins=bad)
    assert told.returncode == 2 and f"cannot import {bad} (ModuleNotFoundError" in told.stderr
    told = call(tmp_path, "train", "take.wav", "--out", "mine.safetensors", "--encoder", "mine", plugins=tmp_path / "no.py")
    assert told.returncode == 2 and "FileNotFoundError: no such file" in told.stderr
