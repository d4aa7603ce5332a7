"""Do the tests notice when a line of the core is wrong? Each mutant is one line changed in a copy of the tree.

    python benchmarks/mutants.py            all of them; minutes
    python benchmarks/mutants.py refine     those whose file has this in its name

Run are the test files about the line, as `make test` runs them, without what is marked slow. A mutant that no test notices
is a hole: write the test that it asks for.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# file below ddspvae/, what stands there once, what stands there instead, test files below tests/ (-k: some of them)
MUTANTS = (
    ("synth/harmonic.py", "return torch.lerp(now, after, crossfade(cycles.shape[-1], flat)).mul_(sign)",
     "return now.mul_(sign)", "truths/test_harmonic.py"),
    ("synth/noise.py", "start_sample - margin, n_fft", "start_sample, n_fft", "truths/test_noise_room_level.py"),
    ("synth/reverb.py", "math.log(1000) / room", "math.log(100) / room", "truths/test_noise_room_level.py"),
    ("synth/tails.py", "energy * half * (1 - keep)", "energy * (1 - keep)", "truths/test_noise_room_level.py"),
    ("features/refine.py", "ratio + np.log2(", "ratio + 0.9 * np.log2(", "truths/test_refine.py"),
    ("features/listening_tables.py", "even_steps(sample_rate / 2, n_fft", "even_steps(sample_rate / 2.1, n_fft",
     "references/test_features_references.py"),
    ("features/torch_spectrum.py", "own = 1 - smooth(of_noise)", "own = 1 - 0 * smooth(of_noise)", "unit/test_spectrum.py"),
    ("midi/clock.py", "30_000 / 1001 if", "30 if", "unit/test_midi_clock.py"),
    ("midi/held_keys.py", "note.kept or self._sustain)]", "note.kept)]", "unit/test_midi_notes.py unit/test_midi_keys.py"),
    ("midi/notes.py", "key=lambda pair: _is_of_keys(pair[1])):", "key=lambda pair: 0):", "unit/test_midi_notes.py"),
    ("model/bottleneck.py", "distance / left - 1 + left.log() -", "distance / left - 1 -", "unit/test_bottleneck.py"),
    ("model/axes.py", "torch.maximum(now - lowest, highest - now)", "(now - lowest)", "unit/test_axes.py"),
    ("performer/loudness_shape.py", "np.sqrt(target**2 - now**2)", "(target - now)", "unit/test_note_controls.py"),
    ("midi/causal.py", "state[DIP_DB] * 4 * left", "state[DIP_DB] * 2 * left", "unit/test_causal_performer.py"),
    ("kernels/oscillators.py", "sums[t] + sums[t + TILE] *", "sums[t] + 0 *", "unit/test_engine.py"),
    ("kernels/noise.py", "row[lane] += (other[lane] - row[lane]) * share", "row[lane] += 0 * share", "unit/test_engine.py"),
    ("kernels/spectrum.py", "level.keep[j] * ring[j] +", "ring[j] +", "unit/test_engine.py"),
    ("kernels/partials.py", "all_real * level_share - rise_real + last_real", "all_real * level_share",
     "unit/test_spectrum.py"),
    ("engine/live_room.py", "(self._oldest + 1) % n_parts", "self._oldest", "unit/test_engine.py"),
    ("live/voices.py", "begun.between(last[row : row + 1], done / length)", "begun.between(last[row : row + 1], 0.0)",
     "truths/test_stream.py -klegato"),
)


def copy_tree(folder: Path) -> None:
    """What tests need; the instruments are large, and nobody changes them."""
    for name in ("ddspvae", "tests", "examples", "benchmarks", "docs"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "Makefile", "CHANGELOG.md"):
        shutil.copy(ROOT / name, folder / name)
    (folder / "presets").symlink_to(ROOT / "presets")


def is_caught(folder: Path, tests: str) -> bool:
    """Whether a test fails in this copy."""
    paths = [name if name.startswith("-") else str(Path("tests") / name) for name in tests.split()]
    ran = subprocess.run([sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *paths], cwd=folder,
                         env={**os.environ, "PYTHONPATH": str(folder)}, capture_output=True, text=True, check=False)
    if ran.returncode not in (0, 1):
        sys.exit(f"pytest could not run {tests}:\n{ran.stdout[-2000:]}{ran.stderr[-2000:]}")
    return ran.returncode == 1


def main(wanted: str) -> None:
    """Plant the mutants one by one, and print who was caught."""
    caught = []
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        copy_tree(folder)
        for name, right, wrong, tests in MUTANTS:
            if wanted not in name:
                continue
            path, began_s = folder / "ddspvae" / name, time.monotonic()
            text = path.read_text(encoding="utf-8")
            if text.count(right) != 1:
                sys.exit(f"{name} has '{right}' {text.count(right)} times; say what stands there now.")
            path.write_text(text.replace(right, wrong), encoding="utf-8")
            caught.append(is_caught(folder, tests))
            path.write_text(text, encoding="utf-8")
            print(f"{'caught  ' if caught[-1] else 'SURVIVED'} {name:28} {wrong:50.50} {time.monotonic() - began_s:5.0f} s",
                  flush=True)
    print(f"{sum(caught)} of {len(caught)} caught")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "")
