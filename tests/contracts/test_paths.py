"""No output is an input, nor another output; names that no file takes are told before the work."""

from __future__ import annotations

import shutil

import pytest

from ddspvae.commands.main import main

from ..conftest import ROOT


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copy(ROOT / "examples" / "melody.mid", "song.mid")
    for name in ("take.wav", "ir.wav", "other.wav", "f0.csv", "take.npz", "mine.safetensors"):
        (tmp_path / name).write_bytes(b"precious")
    (tmp_path / "link.wav").symlink_to("ir.wav")
    return tmp_path


@pytest.mark.parametrize("command", [
    "render song.mid --preset violin --out ir.wav --ir ir.wav",
    "render song.mid --preset violin --out ./link.wav --ir ir.wav",
    "render song.mid --preset violin --out take.wav --given loudness=take.wav",
    "render song.mid --preset violin --out take.wav --given f0=take.wav@1.5-4",
    "render song.mid --preset ensemble:take.wav --out take.wav",
    "render song.mid --preset ensemble:violin+take.wav --out take.wav",
    "render song.mid --preset ensemble:take.wav..other.wav --out other.wav",
    "render take.npz --preset violin --out new.wav --save-performance take.npz",
    "edit take.wav --preset violin --out take.wav",
    "edit take.wav --preset violin --out new.wav --tracker f0.csv --ir ir.wav --out ir.wav",
    "analyze take.wav --preset violin --out new.npz --csv f0.csv --tracker f0.csv",
    "latents arithmetic take.wav --plus other.wav --minus take.wav --preset violin --out other.wav",
    "latents interpolate take.wav other.wav --preset violin --out other.wav",
    "train take.wav --out mine.safetensors --from mine.safetensors",
])
def test_an_output_that_is_an_input_is_refused(folder, capsys, command):
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert main(command.split()) == 2
    assert "is an input; choose another name for --" in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_two_outputs_are_two_files(folder, capsys):
    assert main(["analyze", "take.wav", "--preset", "violin", "--out", "new.npz", "--plot", "a.png", "--csv", "a.png"]) == 2
    assert "--plot and --csv both name a.png" in capsys.readouterr().err


@pytest.mark.parametrize(("name", "match"), [
    ("x" * 300 + ".wav", "is too long for a file"), ("a\0b.wav", "holds a zero byte"), ("~nouser/a.wav", "no user")])
def test_names_that_no_file_takes(folder, capsys, name, match):
    assert main(["render", "song.mid", "--preset", "violin", "--out", name]) == 2
    assert match in capsys.readouterr().err
