"""README and the tutorials are true: their Python blocks run, their commands parse and run, README's files are there."""

from __future__ import annotations

import os
import pkgutil
import re
import shlex
import subprocess
import sys

import numpy as np
import pytest
import soundfile

from ddspvae.commands.main import build_parser

from ..conftest import ROOT, melody_take

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs" / "tutorials").glob("*.md"))]
README = PAGES[0].read_text(encoding="utf-8")


def blocks(language: str, text: str = README) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def commands(text: str = README) -> list[str]:
    lines = "\n".join(blocks("sh", text)).replace("\\\n", " ").splitlines()
    return [line.split("#")[0].strip() for line in lines if line.startswith("ddspvae ")]


def test_readme_has_the_two_commands_and_working_links():
    assert "make demo" in README and "make test" in README
    for target in re.findall(r"\]\(([^)#]+?)\)", README):
        assert target.startswith("http") or (ROOT / target).exists(), target
    assert commands() and blocks("python")


@pytest.mark.parametrize("command", [command for page in PAGES for command in commands(page.read_text(encoding="utf-8"))])
def test_every_command_parses(command):
    build_parser().parse_args(shlex.split(command)[1:])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_commands_and_blocks_run_in_order(page, tmp_path, run_examples):
    """In a folder with a song, a take and some recordings, as the page's reader has them."""
    text = page.read_text(encoding="utf-8")
    (tmp_path / "song.mid").write_bytes((ROOT / "examples" / "melody.mid").read_bytes())
    (tmp_path / "score.musicxml").write_bytes((ROOT / "tests" / "excerpts" / "slurs.musicxml").read_bytes())
    soundfile.write(tmp_path / "take.wav", melody_take(4.0, 48_000), 48_000)
    (tmp_path / "recordings").mkdir()
    for index in range(2):
        soundfile.write(tmp_path / "recordings" / f"{index}.wav", melody_take(8.0, 48_000, index), 48_000)
    (tmp_path / "manifest.csv").write_text("path,instrument\nrecordings/0.wav,voice\nrecordings/1.wav,voice\n",
                                           encoding="utf-8")
    soundfile.write(tmp_path / "another.wav", melody_take(4.0, 48_000, 9), 48_000)
    ringing = np.random.default_rng(0).normal(0, 0.05, (24_000, 2)) * np.exp(-np.arange(24_000) / 4000)[:, None]
    ringing[0] = 1
    soundfile.write(tmp_path / "hall_ir.wav", ringing, 48_000)
    env = {**os.environ, "DDSPVAE_CACHE": str(tmp_path / "cache")}
    for command in commands(text):
        words = shlex.split(command)
        if words[1] == "play" and "--list" not in words:
            continue  # wants a keyboard and a card; `test_play` has both
        if "--minutes" in words:  # the reader's ten minutes are four steps here
            at = words.index("--minutes")
            words[at : at + 2] = ["--steps", "4"]
        subprocess.run([sys.executable, "-m", "ddspvae", *words[1:]], cwd=tmp_path, env=env, check=True, timeout=900)
    for block in blocks("python", text):
        subprocess.run([sys.executable, "-c", block], cwd=tmp_path, env=env, check=True, timeout=600)
    sounds = list(tmp_path.glob("*.wav"))
    assert all(np.isfinite(soundfile.read(path)[0]).all() for path in sounds)


def test_every_name_in_a_table_of_the_readme_is_there():
    """`synth.harmonic.harmonic` and the like, below ddspvae."""
    folders = {path.parent.name for path in (ROOT / "ddspvae").glob("*/__init__.py")}
    rows = [line for line in README.splitlines() if line.startswith("|")]
    names = {name for line in rows for name in re.findall(r"`((?:[a-z_]+\.)+\w+)`", line) if name.split(".")[0] in folders}
    assert len(names) > 20
    for name in names:
        assert pkgutil.resolve_name(f"ddspvae.{name}"), name
