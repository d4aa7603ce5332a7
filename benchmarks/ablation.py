"""What each part is worth: distortion on held-out recordings without it, or with another in its place.

    python benchmarks/ablation.py RECORDINGS --held-out FILE ... --steps 600 --folder runs/ [--variants full no-z vq]

Trains one model a row, all with the same number of steps (minutes would favour what ran while the machine was
idle) and the same seed; finished runs in the folder are taken as they are.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ddspvae import load, read_audio, train
from ddspvae.evaluation.metrics import loudness_error, pitch_error, spectral_distance
from ddspvae.model.autoencoder import ModelConfig
from ddspvae.model.bottleneck import active_axes

VARIANTS: dict[str, dict[str, Any]] = {
    "full": {}, "no-z": {"n_z": 0}, "no-noise": {"with_noise": False}, "no-reverb": {"with_reverb": False},
    "vq": {"bottleneck": "vq"}, "rvq": {"bottleneck": "rvq"}, "fsq": {"bottleneck": "fsq"},
    **{f"6-axes-{encoder}": {"n_z": 6, "encoder": encoder} for encoder in ("mel", "harmonics", "waveform", "transformer")},
}
HEADINGS = ("", "spectral distance", "pitch, median cents", "heard", "loudness error, dB", "bit/s", "entropy, bit/s",
            "axes or codes in use", "parameters of the encoder", "s a step")


def measure(path: Path, held_out: list[Path], room: str | None, seconds: float) -> list[str]:
    """The cells of a row."""
    instrument = load(path, room)
    rate = instrument.config.sample_rate
    rows = []
    for take in held_out:
        audio = read_audio(take, rate)[0][: round(seconds * rate)]
        sound = instrument.resynthesize(instrument.analyze(audio, rate))
        pitch = pitch_error(audio, sound, rate, "crepe")
        rows.append((spectral_distance(audio, sound, rate), pitch.median_cents, pitch.heard,
                     loudness_error(audio, sound, rate).mean_abs_db))
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
            f"{n_parameters}", f"{60 * training['minutes_done'] / training['steps_done']:.2f}"]


def main() -> None:
    """Train what is missing, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recordings", type=Path)
    parser.add_argument("--held-out", type=Path, nargs="+", required=True)
    parser.add_argument("--room")
    parser.add_argument("--variants", nargs="+", default=list(VARIANTS), choices=list(VARIANTS))
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--bitrate", type=float, default=500.0)
    parser.add_argument("--seconds", type=float, default=80.0, help="of each held-out recording")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, default=Path("runs"))
    args = parser.parse_args()
    args.folder.mkdir(exist_ok=True)
    most = {"vq": 300.0}  # one codebook sends no more
    print(f"| {' | '.join(HEADINGS)} |\n|{'---|' * len(HEADINGS)}")
    for name in args.variants:
        bitrate = min(args.bitrate, most.get(name, args.bitrate))
        path = train(args.recordings, args.folder / f"{name}.safetensors", steps=args.steps, holdout=args.held_out,
                     bitrate=bitrate, seed=args.seed, model=replace(ModelConfig(), **VARIANTS[name]))
        print(f"| {name} | {' | '.join(measure(path, args.held_out, args.room, args.seconds))} |", flush=True)


if __name__ == "__main__":
    main()
