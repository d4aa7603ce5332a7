"""Does an axis of timbre move the pitch, or does a tracker think so? The same sounds heard by every tracker there is.

    python benchmarks/axis_pitch.py trombone RECORDING ... [--axis brightness] [--seconds 6]

Cents between the sound with the axis moved and the sound as it was, both by one tracker; the signed median shows what a
tracker believes, and trackers that believe opposite things about the same sound are not measuring the sound.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch

from ddspvae import load, read_audio
from ddspvae.features.f0 import TRACKERS, track_f0
from ddspvae.instrument.nearest import moved_to_folder
from ddspvae.signals.units import hz_to_cents

SURE = 0.8


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("preset")
    parser.add_argument("recordings", type=Path, nargs="+")
    parser.add_argument("--axis", default="brightness")
    parser.add_argument("--seconds", type=float, default=6.0, help="of each recording")
    args = parser.parse_args()
    torch.set_num_threads(1)
    instrument = load(args.preset)
    rate, hop_size = instrument.config.sample_rate, instrument.config.hop_size
    print(f"| recording | {args.axis} by | {' | '.join(TRACKERS)} |\n|{'---|' * (2 + len(TRACKERS))}")
    for path in args.recordings:
        there = moved_to_folder(instrument, path)
        performance = there.analyze(read_audio(path, rate)[0][: round(args.seconds * rate)], rate)
        plain = there.resynthesize(performance)
        for moved in (-2.0, 2.0):
            sound, cells = there.resynthesize(performance.offset_z({args.axis: moved})), []
            for tracker in TRACKERS:
                (before_hz, sure), (after_hz, too) = (track_f0(audio, rate, hop_size, tracker) for audio in (plain, sound))
                both = (sure >= SURE) & (too >= SURE)
                cents = hz_to_cents(after_hz[both], before_hz[both])
                cells.append(f"{np.median(cents):+.1f}" if both.any() else "")
            print(f"| {path.stem} | {moved:+g} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
