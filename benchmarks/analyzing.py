"""How many times faster than real time does `analyze` listen, on one core? And is what it hears the same?

    python benchmarks/analyzing.py TAKE [BEFORE] [--rounds 3] [--preset violin]

One thread, nothing kept from before, the seconds of a processor (a shared machine's clock says little), medians of rounds in
turns: whole commands, start to end, and a second take in a process that has heard one. With BEFORE, another checkout
(`git worktree add /tmp/before COMMIT`), the same of it, and how far pitch, loudness and z are from there.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import soundfile

HERE = Path(__file__).resolve().parents[1]
STEADY = """
import sys, time
from ddspvae.features.trackers import TRACKERS
from ddspvae.instrument.loading import load_to_play
from ddspvae.instrument.take_files import analyze_file
from dataclasses import replace
instrument, swift = load_to_play(sys.argv[1]), TRACKERS["swift"]
tracked = []
def timed(audio):
    began = time.process_time()
    track = swift.track(audio)
    tracked.append(time.process_time() - began)
    return track
TRACKERS.own["swift"] = replace(swift, track=timed)
for path in sys.argv[2:]:
    began = time.process_time()
    analyze_file(instrument, path)
    last = time.process_time() - began
print(last, tracked[-1] if tracked else 0.0)
"""


def spent(command: list[str], checkout: Path, cache: Path) -> tuple[float, str]:
    """Seconds of a processor that a command took, and what it said."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    env = {**os.environ, "PYTHONPATH": str(checkout), "OMP_NUM_THREADS": "1", "DDSPVAE_CACHE": str(cache),
           "PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(cache.parents[1] / "bytecode")}  # as a user keeps it
    done = subprocess.run([sys.executable, *command], check=True, capture_output=True, text=True, env=env, cwd=checkout)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, done.stdout


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("take", type=Path)
    parser.add_argument("before", nargs="?", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--preset", default="violin")
    args = parser.parse_args()
    checkouts = {"now": HERE, **({"before": args.before.resolve()} if args.before else {})}
    take = args.take.resolve()
    seconds = soundfile.info(take).duration
    found: dict[str, list[tuple[float, float, float]]] = {name: [] for name in checkouts}
    with tempfile.TemporaryDirectory() as temporary:
        folder, heard = Path(temporary), {}
        audio, rate = soundfile.read(take, dtype="float32")
        soundfile.write(folder / "other.wav", 0.99 * audio, rate, subtype="FLOAT")  # so that nothing is found in the cache
        for number in range(-1, args.rounds):  # the first compiles
            for name, checkout in checkouts.items():
                cache, out = folder / f"{number}{name}", folder / f"{name}.npz"
                command = ["-m", "ddspvae", "analyze", str(take), "--preset", args.preset, "--out", str(out)]
                whole, _ = spent(command, checkout, cache / "one")
                _, said = spent(["-c", STEADY, args.preset, str(folder / "other.wav"), str(take)], checkout, cache / "two")
                heard[name] = dict(np.load(out))
                if number >= 0:
                    found[name].append((whole, *map(float, said.split())))
    print(f"| {seconds:.0f} s, one core | whole command | steady | of it the tracker's network |\n|---|---|---|---|")
    for name, rounds in found.items():
        whole, steady, tracker = (statistics.median(column) for column in zip(*rounds))
        print(f"| {name} | {seconds / whole:.1f} times real time | {seconds / steady:.1f} | {tracker / steady:.0%} |")
    if args.before:
        now, then = heard["now"], heard["before"]
        cents = np.abs(1200 * np.log2(now["f0_hz"] / then["f0_hz"])).max()
        db = np.abs(now["loudness_db"] - then["loudness_db"]).max()
        print(f"Farthest apart: f0 {cents:.4f} cents, loudness {db:.6f} dB, "
              f"periodicity {np.abs(now['periodicity'] - then['periodicity']).max():.6f}, "
              f"z {np.abs(now['z'] - then['z']).max():.5f} standard deviations.")


if __name__ == "__main__":
    main()
