"""From seconds to an instrument: the model of many with the code of a few seconds, trained on them, and the nearest preset.

    python benchmarks/few.py RECORDINGS --holdout FILE ... --nearest flute [--seconds 5 15]

How the held-out recordings come back, z at its posterior's mean, pitch by swift, by both judges.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile
import torch
from unseen import RATE, TRACKER, few_seconds

from ddspvae import load, read_audio, train
from ddspvae.evaluation.metrics import loudness_error, pitch_error, spectral_distance
from ddspvae.evaluation.perceptual import judge_take

MOST_S = 8.0  # of each held-out recording
STEPS = 500  # at most; fewer are taken where recordings are few


def measure(name: str | Path, paths: Sequence[Path]) -> str:
    """Zimtohrli, ViSQOL, spectral distance, pitch in cents, loudness in dB: the cells of a row."""
    rows = []
    for path in paths:
        instrument = load(name)
        audio = read_audio(path, RATE)[0][: round(MOST_S * RATE)]
        sound = instrument.resynthesize(instrument.analyze(audio, RATE))[: len(audio)]
        said = judge_take(audio, sound, RATE)
        assert said is not None and said.visqol is not None
        rows.append((said.zimtohrli, said.visqol, spectral_distance(audio, sound, RATE),
                     pitch_error(audio, sound, RATE, TRACKER).median_cents, loudness_error(audio, sound, RATE).mean_abs_db))
    return "{:.2f} | {:.2f} | {:.2f} | {:.1f} | {:.2f}".format(*np.mean(rows, axis=0))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recordings", type=Path)
    parser.add_argument("--holdout", type=Path, nargs="+", required=True)
    parser.add_argument("--nearest", required=True, help="the shipped preset that is the nearest by Zimtohrli")
    parser.add_argument("--seconds", type=float, nargs="+", default=[5.0, 15.0])
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(1)
    print("| | Zimtohrli | ViSQOL | spectral distance | pitch, median cents | loudness error, dB |\n"
          "|---|---:|---:|---:|---:|---:|")
    with tempfile.TemporaryDirectory() as folder:
        for seconds in args.seconds:
            few = Path(folder) / f"{seconds:g}.wav"
            soundfile.write(few, few_seconds(args.recordings, args.holdout, seconds), RATE, subtype="FLOAT")
            print(f"| the code of {seconds:g} s alone | {measure(f'ensemble:{few}', args.holdout)} |", flush=True)
            path = train(few, few.with_suffix(".safetensors"), steps=STEPS, seed=args.seed, device="cpu",
                         start_from="ensemble")
            print(f"| trained on {seconds:g} s | {measure(path, args.holdout)} |", flush=True)
    print(f"| the nearest preset, {args.nearest} | {measure(args.nearest, args.holdout)} |", flush=True)


if __name__ == "__main__":
    main()
