"""What each part is worth: distortion on held-out recordings without it, or with another in its place.

    python benchmarks/ablation.py RECORDINGS --held-out FILE ... --steps 600 --folder runs/ [--variants full no-z vq]
    python benchmarks/ablation.py RECORDINGS --held-out FILE ... --table sound --steps 250 --folder runs/

The first table is of z: bottlenecks and encoders, as finished instruments, with z at its posterior's mean. The second is of
sound: losses, latent, synthesizer, training, with z drawn from its posterior; its rows, and what of them the package itself
does not have, are in variants.py. It begins with today's loss, of levels to the ear and line by line.

Trains one model a row, all with the same number of steps (minutes would favour what ran while the machine was
idle) and the same seed; finished runs in the folder are taken as they are. --minutes asks the other question: what is best
in the same time.
"""

from __future__ import annotations

import argparse
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import variants
from takes import load_for
from verdicts import spell

from ddspvae import load, read_audio, train
from ddspvae.evaluation.metrics import loudness_error, pitch_error, spectral_distance
from ddspvae.evaluation.perceptual import judge_take
from ddspvae.model.bottleneck import active_axes
from ddspvae.model.config import ModelConfig, sizes_for
from ddspvae.model.form import NAMED_AXES
from ddspvae.model.parts import ENCODERS
from ddspvae.signals.checks import check_choice
from ddspvae.training.trainer import TrainingConfig

VARIANTS: dict[str, dict[str, Any]] = {
    "full": {}, "no-z": {"n_z": 0}, "no-detail": {"n_z": len(NAMED_AXES)}, "no-noise": {"with_noise": False},
    "no-reverb": {"with_reverb": False}, **{name: {"bottleneck": name} for name in ("vq", "rvq", "fsq")},
    **{f"encoder-{encoder}": {"encoder": encoder} for encoder in ENCODERS if encoder != ModelConfig.encoder},
}
HEADINGS = ("", "spectral distance", "pitch, median cents", "heard", "loudness error, dB", "bit/s", "entropy, bit/s",
            "axes or codes in use", "Zimtohrli", "ViSQOL", "parameters of the encoder", "s a step")
SOUND_HEADINGS = ("", "Zimtohrli", "against plain, 95 %", "ViSQOL", "bit/s", "spectral distance", "on validation takes",
                  "Fréchet, texture", "Fréchet, crepe", "pitch, median cents", "heard", "loudness error, dB",
                  "harmonics, dB", "parameters", "CPU s a step", "steps")


def measure(path: Path, held_out: list[Path], room: str | None, seconds: float) -> list[str]:
    """The cells of a row."""
    instrument = load(path, room)
    rate = instrument.config.sample_rate
    rows, said = [], []
    for take in held_out:
        instrument = instrument if room else load_for(path, take)
        audio = read_audio(take, rate)[0][: round(seconds * rate)]
        sound = instrument.resynthesize(instrument.analyze(audio, rate))
        pitch = pitch_error(audio, sound, rate, "crepe")
        rows.append((spectral_distance(audio, sound, rate), pitch.median_cents, pitch.heard,
                     loudness_error(audio, sound, rate).mean_abs_db))
        said.append(judge_take(audio, sound, rate))
    distance, cents, heard, db = np.mean(rows, axis=0)
    metrics, training = instrument.card["metrics"], instrument.card["training"]
    codes = metrics.get("codes")
    bits = np.array(metrics.get("training_bits_per_axis", []))
    in_use = f"{active_axes(bits, instrument.config.z_rate_hz)} of {len(bits)}" if len(bits) else "none"
    if codes:
        in_use = ", ".join(f"{share:.0%}" for share in np.atleast_1d(codes["used"]))
    entropy = f"{np.sum(codes['entropy_bits']):.0f}" if codes else ""
    encoder = getattr(instrument.model, "encoder", None)
    n_parameters = sum(p.numel() for p in encoder.parameters()) if encoder is not None else 0
    return [f"{distance:.2f}", f"{cents:.1f}", f"{heard:.1%}", f"{db:.2f}", f"{bits.sum():.0f}", entropy, in_use,
            *score_cells(*variants.mean_scores(said)), f"{n_parameters}",
            f"{60 * training['minutes_done'] / training['steps_done']:.2f}"]


def score_cells(*scores: float) -> list[str]:
    """Mean opinion scores, empty where there is none."""
    return ["" if math.isnan(score) else f"{score:.2f}" for score in scores]


def print_table(headings: tuple[str, ...]) -> None:
    """Print the head of a table."""
    print(f"| {' | '.join(headings)} |\n|{'---|' * len(headings)}")


def table_of_z(args: argparse.Namespace) -> None:
    """Train what is missing, print a row each."""
    most = {"vq": 300.0}  # one codebook sends no more
    print_table(HEADINGS)
    for name in args.variants or list(VARIANTS):
        bitrate = min(args.bitrate, most.get(name, args.bitrate))
        n_z, frames_per_z = sizes_for(bitrate)
        model = replace(ModelConfig(n_z=n_z, frames_per_z=frames_per_z), **VARIANTS[name])
        path = train(args.recordings, args.folder / f"{name}.safetensors", steps=args.steps, minutes=args.minutes,
                     holdout=args.held_out, bitrate=bitrate, seed=args.seed, model=model)
        print(f"| {name} | {' | '.join(measure(path, args.held_out, args.room, args.seconds))} |", flush=True)


def table_of_sound(args: argparse.Namespace) -> None:
    """Train what is missing, print a row each; the plain model comes first, for the others are compared with it."""
    material = variants.Material(args.recordings, tuple(args.held_out), args.seconds)
    config = TrainingConfig(steps=args.steps, minutes=args.minutes, bitrate=args.bitrate, seed=args.seed)
    plain = variants.run_row(variants.PLAIN, material, config, args.folder, args.tracker)
    print_table(SOUND_HEADINGS)
    for name in args.variants or list(variants.VARIANTS):
        row = variants.run_row(name, material, config, args.folder, args.tracker)
        gain = variants.gain_interval(plain.scores, row.scores)
        cells = (*score_cells(row.zimtohrli), "" if name == variants.PLAIN else spell(gain, "+"), *score_cells(row.visqol),
                 f"{row.bits_per_second:.0f}", f"{np.mean(row.distances):.3f}", f"{row.validation_distance:.3f}",
                 f"{row.frechet['texture']:.1f}", f"{row.frechet['crepe']:.2f}", f"{row.cents:.1f}", f"{row.heard:.1%}",
                 f"{row.loudness_db:.2f}", f"{row.harmonics_db:.1f}", f"{row.parameters:,}", f"{row.seconds_a_step:.2f}",
                 f"{row.steps}")
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


def main() -> None:
    """Train what is missing, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recordings", type=Path)
    parser.add_argument("--held-out", type=Path, nargs="+", required=True)
    parser.add_argument("--table", choices=("z", "sound"), default="z")
    parser.add_argument("--room", help="of the table of z; default: that of each held-out recording")
    parser.add_argument("--variants", nargs="+", metavar="ROW", help="of the table; otherwise all")
    parser.add_argument("--steps", type=int, help="of each row (default 1000)")
    parser.add_argument("--minutes", type=float, help="of each row, instead of steps")
    parser.add_argument("--bitrate", type=float, default=2000.0)
    parser.add_argument("--seconds", type=float, default=80.0, help="of each held-out recording")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--tracker", default="swift", help="of the pitch error in the table of sound")
    parser.add_argument("--folder", type=Path, default=Path("runs"))
    args = parser.parse_args()
    if args.minutes is None and args.steps is None:
        args.steps = 1000
    rows = VARIANTS if args.table == "z" else variants.VARIANTS
    for name in args.variants or ():
        check_choice("ablation", "row", name, rows)
    args.folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    (table_of_z if args.table == "z" else table_of_sound)(args)


if __name__ == "__main__":
    main()
