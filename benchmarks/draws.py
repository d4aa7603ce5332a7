"""How alike a preset's resynthesis is to a recording, by both judges, over several draws of z: one draw is chance.

    python benchmarks/draws.py PRESET RECORDING ... [--seconds 15] [--draws 4] [--room NAME]

The room is the one that is named as the recording's folder, where the preset has it, unless one is asked for.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from takes import Heard, choose_z, hear, load_for, perform

from ddspvae import load
from ddspvae.evaluation.perceptual import judge
from ddspvae.instrument.instrument import Instrument
from ddspvae.model.bottleneck import sounding_rows


def scores(instrument: Instrument, heard: Heard, which: str, seed: int = 0) -> tuple[float, float]:
    """Zimtohrli and ViSQOL."""
    performance = perform(instrument, heard.features, choose_z(instrument, heard, which, seed))
    sound = instrument.resynthesize(performance)[: len(heard.audio)]
    said = judge(heard.audio, sound, instrument.config.sample_rate)
    return said.zimtohrli, float("nan") if said.visqol is None else said.visqol


def bits_per_second(instrument: Instrument, heard: Heard) -> float:
    """Of z, on this take."""
    loudness_db = torch.from_numpy(np.array(heard.features.loudness_db))[None]
    rows = sounding_rows(loudness_db, instrument.config.frames_per_z)
    return float(instrument.model.bits_per_axis(heard.latents, rows).sum())


@torch.inference_mode()
def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("preset")
    parser.add_argument("recordings", type=Path, nargs="+")
    parser.add_argument("--seconds", type=float, default=15.0)
    parser.add_argument("--draws", type=int, default=4)
    parser.add_argument("--room", help="of the preset")
    args = parser.parse_args()
    torch.set_num_threads(1)
    print("| | room | bit/s | z drawn: Zimtohrli, least and most, ViSQOL | z as heard | z at 0 |")
    print("|---|---|---:|---|---|---|")
    for path in args.recordings:
        instrument = load(args.preset, args.room) if args.room else load_for(args.preset, path)
        heard = hear(instrument, path, args.seconds)
        drawn = np.array([scores(instrument, heard, "z drawn", seed) for seed in range(args.draws)])
        (zimtohrli, visqol), (least, _), (most, _) = drawn.mean(0), drawn.min(0), drawn.max(0)
        others = " | ".join("{:.2f}, {:.2f}".format(*scores(instrument, heard, which)) for which in ("z as heard", "z at 0"))
        bits = bits_per_second(instrument, heard)
        print(f"| {path.name} | {instrument.room} | {bits:.0f} | {zimtohrli:.2f} ({least:.2f} to {most:.2f}), "
              f"{visqol:.2f} | {others} |", flush=True)


if __name__ == "__main__":
    main()
