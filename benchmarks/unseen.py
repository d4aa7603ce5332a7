"""An instrument that no training has heard, from a few seconds of it.

    python benchmarks/unseen.py RECORDINGS --holdout FILE ... --ensemble ensemble [--seconds 5] [--minutes 2]

How held-out recordings come back when they are played by: the model of many instruments with the timbre code heard in those
seconds; the same trained further on those seconds; each shipped preset, of which the nearest to the ear counts; and the
instrument trained on everything, from the model of many and from nothing. z is at its posterior's mean, and pitch by swift,
which also trained.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile
import torch
from played_back import HEADINGS, play_back

from ddspvae import read_audio, train
from ddspvae.instrument.presets import read_cards
from ddspvae.training.few import FEW_STEPS
from ddspvae.training.recordings import find_recordings

RATE, TRACKER = 48_000, "swift"
PART_S = 1.25  # of each recording that the few seconds are made of
QUIET = 0.01


def few_seconds(recordings: Path, holdout: Sequence[Path], seconds: float, choice: int = 0) -> np.ndarray:
    """The first loud part of recordings spread over the folder, which is in the order of their names: [T].

    Args:
        choice: another number takes other recordings, a third of the way to the next ones each.
    """
    left = {path.resolve() for path in holdout}
    paths = [path for path in find_recordings(recordings) if path.resolve() not in left]
    n_parts = min(max(1, round(seconds / PART_S)), len(paths))
    spread = np.linspace(0, len(paths) - 1, n_parts + 2)[1:-1] if n_parts < len(paths) - 1 else np.arange(n_parts)
    parts = []
    for at in (spread.round().astype(int) + choice * max(1, len(paths) // (3 * n_parts))) % len(paths):
        path = paths[at]
        audio = read_audio(path, RATE)[0]
        start = int(np.argmax(np.abs(audio) > QUIET))
        parts.append(audio[start : start + round(seconds / n_parts * RATE)])
    return np.concatenate(parts)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recordings", type=Path)
    parser.add_argument("--holdout", type=Path, nargs="+", required=True)
    parser.add_argument("--ensemble", default="ensemble", help="the model of many: one that has not heard this instrument")
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--minutes", type=float, default=2.0, help="of the trainings on everything")
    parser.add_argument("--few-steps", type=int, default=FEW_STEPS,
                        help="of the training on those seconds; below 30 s never more than these")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(1)
    print(f"| played by | {HEADINGS} |\n|---|---|---|---|---|", flush=True)

    many = Path(args.ensemble).stem

    def row(name: str, instrument: str | Path) -> None:
        print(f"| {name} | {play_back(instrument, args.holdout, TRACKER).cells()} |", flush=True)

    with tempfile.TemporaryDirectory() as folder:
        few = Path(folder) / "few.wav"
        soundfile.write(few, few_seconds(args.recordings, args.holdout, args.seconds), RATE, subtype="FLOAT")
        row(f"{many}, code of {args.seconds:g} s", f"{args.ensemble}:{few}")
        adapted = train(few, Path(folder) / "adapted.safetensors", steps=args.few_steps, seed=args.seed, device="cpu",
                        start_from=args.ensemble)
        row(f"{many}, trained on {args.seconds:g} s for {args.few_steps} steps", adapted)
        shipped = {name: play_back(name, args.holdout, TRACKER) for name in read_cards()
                   if name != args.recordings.name}
        nearest = max(shipped, key=lambda name: shipped[name].zimtohrli)
        print(f"| the nearest preset, {nearest} | {shipped[nearest].cells()} |", flush=True)
        for name, source in (("from nothing", None), (f"from {many}", args.ensemble)):
            path = train(args.recordings, Path(folder) / f"{'own' if source else 'new'}.safetensors", minutes=args.minutes,
                         holdout=args.holdout, seed=args.seed, device="cpu", start_from=source)
            row(f"trained on everything {name}, {args.minutes:g} min", path)


if __name__ == "__main__":
    main()
