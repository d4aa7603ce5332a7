"""Every example runs from a fresh folder and writes a sound or a picture."""

import os
import subprocess
import sys

import pytest

from ..conftest import ROOT

EXAMPLES = sorted((ROOT / "examples").glob("[0-9][0-9]_*.py"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.name)
def test_example_runs(path, tmp_path, run_examples):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 60
    melody = (ROOT / "examples" / "melody.mid").read_bytes()
    subprocess.run([sys.executable, str(path)], cwd=tmp_path, check=True, timeout=600,
                   env={**os.environ, "DDSPVAE_CACHE": str(tmp_path / "cache")})
    made = [p for p in tmp_path.rglob("*") if p.suffix in (".wav", ".png", ".mid")]
    assert made or path.name.startswith("00"), f"{path.name} wrote no sound or picture"
    assert all(p.stat().st_size > 1000 for p in made)
    assert (ROOT / "examples" / "melody.mid").read_bytes() == melody
