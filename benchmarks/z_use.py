"""Is z used? Held-out takes with z as heard, with the z of another take, with none of it, and by a model without z.

    python benchmarks/z_use.py violin --held-out a.wav b.wav --other c.wav [--without no_z.safetensors]

The other take's z is taken row by row where its pitch and loudness are nearest to those of the held-out take. Beside what
Zimtohrli says stands the spectral distance, which hardly hears z.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
from takes import load_for

from ddspvae import load, read_audio
from ddspvae.evaluation.metrics import spectral_distance
from ddspvae.evaluation.perceptual import judge_take
from ddspvae.instrument.instrument import Instrument
from ddspvae.signals import Performance
from ddspvae.signals.units import hz_to_pitch
from ddspvae.training.recordings import find_recordings

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
    """Every recording at the instrument's rate, and how it was played, in the instrument's room."""
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
    instrument = load_for(args.preset, Path(args.held_out[0]))
    takes = hear(instrument, args.held_out, args.seconds)
    others = [take for _, take in hear(instrument, args.other, args.seconds, args.held_out)]
    rate = instrument.config.sample_rate

    def measure(player: Instrument, performances: list[Performance]) -> tuple[float, float]:
        sounds = [player.resynthesize(performance)[: len(sound)] for (sound, _), performance in zip(takes, performances)]
        said = [judge_take(sound, played, rate, with_visqol=False) for (sound, _), played in zip(takes, sounds)]
        scores = [one.zimtohrli for one in said if one is not None]
        return (float(np.mean(scores)) if scores else float("nan"),
                float(np.mean([spectral_distance(sound, played, rate) for (sound, _), played in zip(takes, sounds)])))

    def typical(take: Performance) -> Performance:
        return replace(take, z=instrument.likely_z(take.f0_hz, take.periodicity, take.loudness_db))

    rows = {"z as heard": measure(instrument, [take for _, take in takes]),
            "z of another take, pitch and loudness matched":
                measure(instrument, [borrow(take, others) for _, take in takes]),
            "z at what is typical (0)": measure(instrument, [typical(take) for _, take in takes])}
    if args.without:
        player = load(args.without)
        rows["a model trained without z"] = measure(player, [take for _, take in hear(player, args.held_out, args.seconds)])
    plain = rows["z as heard"]
    print("| | Zimtohrli | above z as heard | spectral distance | worse by |\n|---|---:|---:|---:|---:|")
    for name, (score, distance) in rows.items():
        worse = 100 * (distance / plain[1] - 1)
        print(f"| {name} | {score:.2f} | {score - plain[0]:+.2f} | {distance:.3f} | {worse:.1f} % |")


if __name__ == "__main__":
    main()
