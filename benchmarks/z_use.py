"""Is z used? Held-out distortion with z as heard, with the z of another take, with none of it, and by a model without z.

    python benchmarks/z_use.py violin --held-out a.wav b.wav --other c.wav [--without no_z.safetensors]

The other take's z is taken row by row where its pitch and loudness are nearest to those of the held-out take.
"""

from __future__ import annotations

import argparse
from dataclasses import replace

import numpy as np

from ddspvae import load, read_audio
from ddspvae.evaluation.metrics import spectral_distance
from ddspvae.instrument import Instrument
from ddspvae.signals import Performance
from ddspvae.training.recordings import find_recordings
from ddspvae.units import hz_to_pitch

DB_PER_SEMITONE = 1.0  # a decibel counts as much as a semitone when rows are matched


def places(take: Performance) -> np.ndarray:
    """Pitch and loudness of every row of z, [M, 2]."""
    step = take.frames_per_z
    return np.stack([hz_to_pitch(take.f0_hz[::step]), take.loudness_db[::step] / DB_PER_SEMITONE], axis=1)


def borrow(take: Performance, others: list[Performance]) -> Performance:
    """A take with the z of others, matched by pitch and loudness."""
    known, z = np.concatenate([places(other) for other in others]), np.concatenate([other.z for other in others])
    nearest = [int(np.square(known - place).sum(1).argmin()) for place in places(take)]
    return replace(take, z=z[nearest])


def hear(instrument: Instrument, paths: list[str], seconds: float, but: list[str] | None = None
         ) -> list[tuple[np.ndarray, Performance]]:
    """Every recording at the instrument's rate, and how it was played."""
    rate, left_out = instrument.config.sample_rate, find_recordings(but) if but else []
    sounds = [read_audio(path, rate)[0][: round(seconds * rate)] for path in find_recordings(paths) if path not in left_out]
    return [(sound, instrument.analyze(sound, rate)) for sound in sounds]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("preset")
    parser.add_argument("--held-out", nargs="+", required=True)
    parser.add_argument("--other", nargs="+", required=True, help="takes to borrow z from")
    parser.add_argument("--without", help="an instrument trained on the same recordings with --axes 0")
    parser.add_argument("--seconds", type=float, default=80.0, help="of each recording")
    args = parser.parse_args()
    instrument = load(args.preset)
    takes = hear(instrument, args.held_out, args.seconds)
    others = [take for _, take in hear(instrument, args.other, args.seconds, args.held_out)]
    rate = instrument.config.sample_rate

    def distance(player: Instrument, performances: list[Performance]) -> float:
        return float(np.mean([spectral_distance(sound, player.resynthesize(performance), rate)
                              for (sound, _), performance in zip(takes, performances)]))

    plain = distance(instrument, [take for _, take in takes])
    rows = {"z as heard": plain,
            "z of another take, pitch and loudness matched":
                distance(instrument, [borrow(take, others) for _, take in takes]),
            "z at what is typical (0)": distance(instrument, [replace(take, z=0 * take.z) for _, take in takes])}
    if args.without:
        player = load(args.without)
        rows["a model trained without z"] = distance(player, [take for _, take in hear(player, args.held_out, args.seconds)])
    print("| | spectral distance | worse by |\n|---|---:|---:|")
    for name, value in rows.items():
        print(f"| {name} | {value:.3f} | {100 * (value / plain - 1):.1f} % |")


if __name__ == "__main__":
    main()
