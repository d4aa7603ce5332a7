"""Does an instrument keep the pitch of what it plays back? The same sounds heard by every tracker there is.

    python benchmarks/pitch_trackers.py PRESET RECORDING ... [--room NAME] [--seconds 5] [--out REPORT/trackers.json]

A row of a table: cents between recordings and what the instrument makes of them, both by one tracker, over all frames
together; the median of the differences without their sign and, in brackets, with it. A tracker may hear another pitch
where the timbre is another; what all trackers hear, with one sign, is the instrument's. What is written to the report of
`ddspvae evaluate` goes into the instrument's card and the table of presets.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch

from ddspvae import load, read_audio
from ddspvae.audio import Audio
from ddspvae.evaluation.metrics import PitchTrack, align, compare_tracks, track_pitch
from ddspvae.features.f0 import TRACKERS
from ddspvae.instrument.nearest import moved_to_folder


def joined(sounds: list[Audio], sample_rate: int, tracker: str) -> PitchTrack:
    """One track of several sounds."""
    tracks = [track_pitch(sound, sample_rate, tracker) for sound in sounds]
    return PitchTrack(np.concatenate([track.f0_hz for track in tracks]),
                      np.concatenate([track.periodicity for track in tracks]), tracker)


def main() -> None:
    """Print the row, with the head of the table if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("preset")
    parser.add_argument("recordings", type=Path, nargs="+")
    parser.add_argument("--room", help="of the preset; default: of each recording the one named as its folder, if it has it")
    parser.add_argument("--seconds", type=float, default=5.0, help="of each recording")
    parser.add_argument("--trackers", nargs="+", choices=TRACKERS, default=list(TRACKERS))
    parser.add_argument("--head", action="store_true", help="print the head of the table first")
    parser.add_argument("--out", type=Path, help="a JSON file for the same")
    args = parser.parse_args()
    torch.set_num_threads(1)
    instrument = load(args.preset, args.room)
    rate = instrument.config.sample_rate
    pairs = []
    for path in args.recordings:
        audio = read_audio(path, rate)[0][: round(args.seconds * rate)]
        there = instrument if args.room else moved_to_folder(instrument, path)
        pairs.append(align("pitch_trackers", audio, there.resynthesize(there.analyze(audio, rate)), rate))
    if args.head:
        print(f"| median cents, and their bias | {' | '.join(args.trackers)} |\n|{'---|' * (1 + len(args.trackers))}")
    errors = {tracker: compare_tracks(*(joined([pair[i] for pair in pairs], rate, tracker) for i in (0, 1)))
              for tracker in args.trackers}
    cells = [f"{error.median_cents:.1f} ({error.bias_cents:+.1f})" for error in errors.values()]
    print(f"| {instrument.name} | {' | '.join(cells)} |", flush=True)
    if args.out:
        args.out.write_text(json.dumps({tracker: asdict(error) for tracker, error in errors.items()}, indent=1) + "\n")


if __name__ == "__main__":
    main()
