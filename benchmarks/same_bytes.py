"""Do two checkouts write the same bytes? Ten commands in each, and every file they write compared.

    python benchmarks/same_bytes.py BEFORE AFTER [--keep FOLDER]

BEFORE and AFTER are checkouts (`git worktree add /tmp/before COMMIT`), both run by this python, one thread, each command a
process of its own. Of files that say when or how fast they were made, the rest is compared: the tensors of an instrument,
the report's figures without times. Exit code 1 where something differs.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from safetensors.numpy import load_file

MELODY = "{checkout}/examples/melody.mid"
COMMANDS = (
    "render {melody} --preset violin --out melody.wav",
    "render {melody} --preset ensemble:violin..flute --performer rules --seed 3 --wet 6 --out turning.wav",
    "perform {melody} --preset cello --out melody.csv",
    "render melody.csv --preset cello --out table.wav",
    "analyze melody.wav --preset violin --out take.npz --notes notes.mid",
    "edit melody.wav --preset flute --transpose 7 --loudness -6 --fit --out flute.wav",
    "latents sample {melody} --preset trumpet --seed 7 --out wandering.wav",
    "latents interpolate melody.wav flute.wav --preset violin --morph 0 1 --out morph.wav",
    "train recordings --out small.safetensors --steps 6 --seed 1",
    "evaluate small.safetensors recordings/a.wav --out report",
)
TIMES = re.compile(r'"(seconds|minutes|wall_s|date|platform|versions)[^"]*": *("[^"]*"|[-0-9.e]+)')


def run_all(checkout: Path, folder: Path) -> None:
    """The ten commands, in a folder; what fails is written down and compared, too."""
    environment = {**os.environ, "PYTHONPATH": str(checkout), "OMP_NUM_THREADS": "1", "NO_COLOR": "1", "COLUMNS": "120",
                   "DDSPVAE_CACHE": str(folder / "cache")}
    for number, command in enumerate(COMMANDS):
        if command.startswith("train"):
            recordings = folder / "recordings"
            recordings.mkdir()
            for name, source in (("a", "melody"), ("b", "flute"), ("c", "wandering"), ("d", "table")):
                (recordings / f"{name}.wav").write_bytes((folder / f"{source}.wav").read_bytes())
        words = command.format(melody=MELODY.format(checkout=checkout)).split()
        done = subprocess.run([sys.executable, "-m", "ddspvae", *words], cwd=folder, env=environment, capture_output=True,
                              text=True, check=False)
        (folder / f"exit-{number}.txt").write_text(str(done.returncode))
        if done.returncode:
            print(f"{checkout.name}: {command}: {done.stderr.strip().splitlines()[-1:]}")


def _weights(path: Path) -> dict[str, torch.Tensor]:
    data = path.read_bytes()
    return torch.load(io.BytesIO(data[data.index(b"PK") :]), weights_only=True)["model"]  # behind its checksum, if any


def same(before: Path, after: Path) -> bool:
    """Whether two files say the same."""
    if not after.exists():
        return False
    if before.suffix == ".safetensors":
        one, other = load_file(before), load_file(after)
        return one.keys() == other.keys() and all(one[key].tobytes() == other[key].tobytes() for key in one)
    if before.suffix == ".pt":  # a checkpoint: its settings may have grown, its network may not
        one, other = (_weights(path) for path in (before, after))
        return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)
    if before.suffix == ".json":
        return json.loads(TIMES.sub('"": 0', before.read_text())) == json.loads(TIMES.sub('"": 0', after.read_text()))
    return before.read_bytes() == after.read_bytes()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    parser.add_argument("--keep", type=Path, help="where the files go; else they are thrown away")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folders = [(args.keep or Path(temporary)) / name for name in ("before", "after")]
        for checkout, folder in zip((args.before, args.after), folders):
            folder.mkdir(parents=True)
            run_all(checkout.resolve(), folder)
        wanted = [path.relative_to(folders[0]) for path in sorted(folders[0].rglob("*"))
                  if path.is_file() and path.name != "log.jsonl"
                  and not {"cache", "recordings", "tensorboard"} & set(path.relative_to(folders[0]).parts)]
        rows = [(path, same(folders[0] / path, folders[1] / path)) for path in wanted]
        for path, is_same in rows:
            print(f"| {path} | {'same' if is_same else 'DIFFERENT'} |")
        sys.exit(0 if all(is_same for _, is_same in rows) else 1)


if __name__ == "__main__":
    main()
