"""Where does an instrument's analysis lie about the pitch? Judged by trackers that took no part in it.

    python benchmarks/pitch_slips.py FILES... --preset NAME [--seconds 60] [--judge crepe-full] [--foreign]

A row for each file. Sounding is what lies within 40 dB of the loudest frame. "Below" is the share of sounding frames
lower than the lowest pitch of the preset; "glides" are monotone moves over more than 200 cents that take more than 30
ms while it sounds, real ones of the player among them, and the widest of them in cents; "off" is the 95th percentile of
the distance to the judge, in cents, where both are sure, and the share of these frames that is farther than half a
semitone; "floor" is the same between the judge and a second one. The judges' own answers are taken, without a vote on
the octave, which shares its ears with the analysis. "Lost" are the seconds of sound that `ddspvae analyze` says it is
not sure of. With --foreign the analysis does not know the range of the preset.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from ddspvae import load, read_audio
from ddspvae.audio import Audio, resample
from ddspvae.features.autocorrelation import RATE_HZ
from ddspvae.features.lost import SOUNDING_DB, find_lost
from ddspvae.features.segments import VOICED
from ddspvae.features.trackers import TRACKERS
from ddspvae.signals import Performance
from ddspvae.signals.curves import read_pitch_at
from ddspvae.signals.units import hz_to_cents, pitch_to_hz

WIDE_CENTS, SLOW_S, FLAT_CENTS, FAR_CENTS = 200.0, 0.03, 0.5, 50.0


@dataclass(frozen=True)
class Slips:
    """One row; see above."""

    below: float
    glides_cents: list[float]
    off_cents: float
    far: float
    floor_cents: float
    floor_far: float
    lost_s: float


def find_glides(f0_hz: NDArray, sounding: NDArray, frame_rate_hz: float) -> list[float]:
    """The widths, in cents, of monotone moves while it sounds, wide and slow ones only; steps from note to note are quick.

    A move takes as long as it is from a tenth to nine tenths of the way, and a quarter more.
    """
    cents = 1200 * np.log2(f0_hz.astype(np.float64))
    step = np.diff(cents)
    way = np.where((np.abs(step) > FLAT_CENTS) & sounding[1:] & sounding[:-1], np.sign(step), 0)
    borders = [0, *(np.flatnonzero(np.diff(way)) + 1).tolist(), len(way)]
    found = []
    for start, stop in pairwise(borders):
        move = cents[start : stop + 1]
        width = abs(move[-1] - move[0])
        if not way[start] or width <= WIDE_CENTS:
            continue
        done = np.abs(move - move[0]) / width
        long = np.interp(0.9, done, np.arange(len(done))) - np.interp(0.1, done, np.arange(len(done)))
        if long / 0.8 / frame_rate_hz > SLOW_S:
            found.append(float(width))
    return found


def judge(audio: Audio, rate: int, times_s: NDArray, tracker: str) -> tuple[NDArray, NDArray]:
    """f0_hz and periodicity as a tracker says them, with nobody else asked."""
    track = TRACKERS[tracker].track(resample(audio / np.abs(audio).max(), rate, RATE_HZ))
    return (read_pitch_at(times_s, track.times_s, track.f0_hz), np.interp(times_s, track.times_s, track.periodicity))


def off(f0_hz: NDArray, other_hz: NDArray, sure: NDArray) -> tuple[float, float]:
    """The 95th percentile of the cents between two curves, and the share farther than half a semitone."""
    cents = np.abs(hz_to_cents(f0_hz[sure], other_hz[sure]))
    return (float(np.quantile(cents, 0.95)), float((cents > FAR_CENTS).mean())) if len(cents) else (np.nan, np.nan)


def measure(take: Performance, judges: list[tuple[NDArray, NDArray]], lowest_hz: float,
            range_hz: tuple[float, float]) -> Slips:
    """Compare an analysis with the judges."""
    sounding = take.loudness_db > take.loudness_db.max() - SOUNDING_DB
    sure = sounding & (take.periodicity >= VOICED)
    (first_hz, first_sure), (second_hz, second_sure) = judges
    off_cents, far = off(take.f0_hz, first_hz, sure & (first_sure >= VOICED))
    floor_cents, floor_far = off(second_hz, first_hz, sounding & (first_sure >= VOICED) & (second_sure >= VOICED))
    return Slips(float((take.f0_hz[sounding] < lowest_hz).mean()), find_glides(take.f0_hz, sounding, take.frame_rate_hz),
                 off_cents, far, floor_cents, floor_far, find_lost(take, range_hz).seconds)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recordings", type=Path, nargs="+", metavar="FILES")
    parser.add_argument("--preset", required=True)
    parser.add_argument("--seconds", type=float, default=60.0, help="of each recording")
    parser.add_argument("--judge", choices=TRACKERS, default="crepe-full")
    parser.add_argument("--second", choices=TRACKERS, default="crepe", help="the other side of the floor")
    parser.add_argument("--foreign", action="store_true", help="as if another instrument played")
    args = parser.parse_args()
    torch.set_num_threads(1)
    instrument = load(args.preset)
    rate = instrument.config.sample_rate
    print("| recording | below | glides (widest, cents) | off, 95 % (far) | floor (far) | lost |\n|---|---|---|---|---|---|")
    for path in args.recordings:
        audio = read_audio(path, rate)[0][: round(args.seconds * rate)]
        take = instrument.analyze(audio, rate, foreign=args.foreign)
        times_s = np.arange(take.n_frames) / take.frame_rate_hz
        judges = [judge(audio, rate, times_s, tracker) for tracker in (args.judge, args.second)]
        row = measure(take, judges, float(pitch_to_hz(instrument.statistics.pitch_low)), instrument.statistics.range_hz)
        print(f"| {path.stem} | {row.below:.1%} | {len(row.glides_cents)} ({max(row.glides_cents, default=0):.0f}) | "
              f"{row.off_cents:.1f} ({row.far:.1%}) | {row.floor_cents:.1f} ({row.floor_far:.1%}) | {row.lost_s:.2f} s |",
              flush=True)


if __name__ == "__main__":
    main()
