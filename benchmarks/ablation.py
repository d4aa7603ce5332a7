"""What each part of the synthesizer and z are worth: spectral distance on a held-out recording without it.

    python benchmarks/ablation.py RECORDINGS HELD_OUT --room NAME --steps 1000 --folder runs/

Trains one model a row, all with the same number of steps (minutes would favour what ran while the machine was
idle) and the same seed; finished runs in the folder are taken as they are.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from ddspvae import load, read_audio, train
from ddspvae.evaluation.metrics import loudness_error, pitch_error, spectral_distance
from ddspvae.model.autoencoder import ModelConfig

VARIANTS = {"full": {}, "no-z": {"n_z": 0}, "no-noise": {"with_noise": False}, "no-reverb": {"with_reverb": False}}


def main() -> None:
    """Train what is missing, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recordings", type=Path)
    parser.add_argument("held_out", type=Path)
    parser.add_argument("--room", required=True)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, default=Path("runs"))
    args = parser.parse_args()
    args.folder.mkdir(exist_ok=True)
    print("| | spectral distance | pitch, median cents | heard | loudness error, dB | steps |\n|---|---|---|---|---|---|")
    for name, change in VARIANTS.items():
        path = train(args.recordings, args.folder / f"{name}.safetensors", steps=args.steps, holdout=[args.held_out],
                     seed=args.seed, model=replace(ModelConfig(), **change))
        instrument = load(path, args.room)
        audio, rate = read_audio(args.held_out, instrument.config.sample_rate)
        sound = instrument.resynthesize(instrument.analyze(audio, rate))
        pitch = pitch_error(audio, sound, rate, "crepe")
        print(f"| {name} | {spectral_distance(audio, sound, rate):.2f} | {pitch.median_cents:.1f} | {pitch.heard:.1%} "
              f"| {loudness_error(audio, sound, rate).mean_abs_db:.2f} | {instrument.card['training']['steps_done']} |",
              flush=True)


if __name__ == "__main__":
    main()
