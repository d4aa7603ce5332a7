"""From seconds to an instrument: from the model of many, from nothing, and the nearest preset.

    python benchmarks/few.py RECORDINGS --holdout FILE ... --nearest flute [--seconds 5 15 60 180] [--choices 0 1 2]
        [--rows code ensemble nothing all nearest]

How the held-out recordings come back, z at its posterior's mean, pitch by swift, by both judges. The spectral distance
counts all frames alike, also rests, whose hiss nobody hears; beside it, the same with the rests taken from the recording.

Of each length: the model of many with the code of those seconds, trained on them, and the same recipe from nothing in as
many steps (below 30 s the first takes few of them and the second all). Of everything, both as well. Where there are several
choices of the seconds a row is their mean, with the standard deviation between them.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import soundfile
import torch
from takes import Z, hear, load_for, play
from unseen import RATE, TRACKER, few_seconds

from ddspvae import train
from ddspvae.evaluation.metrics import loudness_error, pitch_error, spectral_distance
from ddspvae.evaluation.perceptual import judge_take

MOST_S = 8.0  # of each held-out recording
REST_DB, REST_SAMPLES = -60.0, 1536  # full scale is 0, over 32 ms; below, a recording is silent
ROWS = ("code", "ensemble", "nothing", "all", "nearest")
LEAST_SHARE = 0.95  # of the seconds that are asked for, or there are not as many


def with_rests_of(audio: np.ndarray, sound: np.ndarray) -> np.ndarray:
    """What is played, with the recording itself where it is silent but for its hiss: what is left is what sounds."""
    n_samples = min(len(audio), len(sound))
    power = np.convolve(np.square(audio[:n_samples], dtype=np.float64), np.ones(REST_SAMPLES) / REST_SAMPLES, mode="same")
    return np.where(10 * np.log10(power + 1e-20) < REST_DB, audio[:n_samples], sound[:n_samples])


def measure(name: str | Path, paths: Sequence[Path], z: str) -> np.ndarray:
    """Zimtohrli, ViSQOL, spectral distance and what of it sounds, pitch in cents, loudness in dB: their means, [6]."""
    rows = []
    for path in paths:
        instrument = load_for(name, path)
        heard = hear(instrument, path, MOST_S)
        audio, sound = heard.audio, play(instrument, heard, z)
        said = judge_take(audio, sound, RATE)
        assert said is not None and said.visqol is not None
        rows.append((said.zimtohrli, said.visqol, spectral_distance(audio, sound, RATE),
                     spectral_distance(audio[: len(sound)], with_rests_of(audio, sound), RATE),
                     pitch_error(audio, sound, RATE, TRACKER).median_cents, loudness_error(audio, sound, RATE).mean_abs_db))
    return np.mean(rows, axis=0)


def show(name: str, made: Iterable[str | Path], holdout: Sequence[Path], z: Sequence[str]) -> None:
    """Print a row for each z: the mean over what is made, how far it scatters, and how long it took to make one."""
    began = time.process_time()
    instruments = list(made)
    minutes = (time.process_time() - began) / 60 / len(instruments)
    for which in z:
        found = np.array([measure(one, holdout, which) for one in instruments])
        cells = [f"{mean:.{digits}f}" + (f" ± {spread:.{digits}f}" if len(instruments) > 1 else "")
                 for mean, spread, digits in zip(found.mean(0), found.std(0), (2, 2, 2, 2, 1, 2))]
        print(f"| {name}, {which} | {' | '.join(cells)} | {minutes:.1f} |", flush=True)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recordings", type=Path)
    parser.add_argument("--holdout", type=Path, nargs="+", required=True)
    parser.add_argument("--ensemble", default="ensemble", help="the model of many: one that has not heard this instrument")
    parser.add_argument("--nearest", required=True, help="the shipped preset that is the nearest by Zimtohrli")
    parser.add_argument("--seconds", type=float, nargs="*", default=[5.0, 15.0, 60.0, 180.0])
    parser.add_argument("--choices", type=int, nargs="+", default=[0], help="of the seconds")
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=ROWS)
    parser.add_argument("--z", nargs="+", choices=Z, default=[Z[0]], help="as heard is the posterior's mean")
    parser.add_argument("--steps", type=int, default=300, help="of every training; fewer are taken where recordings are few")
    parser.add_argument("--bitrate", type=float, help="of every training; see ddspvae.train")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(1)
    sources = {"ensemble": args.ensemble, "nothing": None}
    print("| | Zimtohrli | ViSQOL | spectral distance | where it sounds | pitch, median cents | loudness error, dB "
          "| minutes of a core |\n|---|---:|---:|---:|---:|---:|---:|---:|", flush=True)

    with tempfile.TemporaryDirectory() as folder:

        def learn(recordings: Path, source: str | None, name: str) -> Path:
            holdout = args.holdout if recordings.is_dir() else ()
            out = Path(folder) / f"{name}-{Path(source or 'nothing').stem}.safetensors"
            return train(recordings, out, steps=args.steps, seed=args.seed, bitrate=args.bitrate, device="cpu",
                         start_from=source, holdout=holdout)

        played = partial(show, holdout=args.holdout, z=args.z)
        for seconds in args.seconds:
            few = [Path(folder) / f"{seconds:g}-{choice}.wav" for choice in args.choices]
            for choice, path in zip(args.choices, few):
                soundfile.write(path, few_seconds(args.recordings, args.holdout, seconds, choice), RATE, subtype="FLOAT")
            held_s = min(soundfile.info(path).duration for path in few)
            if held_s < LEAST_SHARE * seconds:
                print(f"| (of {seconds:g} s there are {held_s:.0f}) | | | | | | |", flush=True)
                continue
            if "code" in args.rows:
                played(f"the code of {seconds:g} s alone", [f"{args.ensemble}:{path}" for path in few])
            for row, source in sources.items():
                if row in args.rows:
                    played(f"{seconds:g} s, from {row}", (learn(path, source, path.stem) for path in few))
        for row, source in sources.items() if "all" in args.rows else ():
            played(f"everything, from {row}", (learn(args.recordings, source, "all") for _ in range(1)))
    if "nearest" in args.rows:
        show(f"the nearest preset, {args.nearest}", [args.nearest], args.holdout, args.z)


if __name__ == "__main__":
    main()
