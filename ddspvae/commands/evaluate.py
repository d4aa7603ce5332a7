"""`ddspvae evaluate`. Imports inside, so that `--help` stays quick."""

from __future__ import annotations

import argparse
import sys
from argparse import Namespace
from functools import partial
from pathlib import Path

from ddspvae.commands.sounds import say

SUMMARY = "measure an instrument on recordings it has not heard"
EXAMPLES = ("ddspvae evaluate mine.safetensors another.wav --out report",)


def add_options(sub: argparse.ArgumentParser) -> None:
    """Give the verb its options."""
    sub.add_argument("preset", metavar="PRESET|my.safetensors")
    sub.add_argument("recordings", nargs="+", metavar="RECORDINGS")
    sub.add_argument("--out", required=True, metavar="report/")
    sub.add_argument("--tracker", metavar="NAME", help="default: one that was not used in training")
    sub.add_argument("--room", metavar="NAME", help="which of the preset's learned rooms to play in, or nearest: the one "
                     "that a recording is most like (default: the one named as its folder, else the first)")
    sub.add_argument("--max-seconds", type=float, default=30.0, metavar="S", help="of each recording (default 30)")


def run(args: Namespace) -> None:
    """An instrument and recordings to a report."""
    from ddspvae.evaluation import report
    from ddspvae.instrument.loading import load
    from ddspvae.instrument.nearest import NEAREST, moved_to_folder, moved_to_nearest
    from ddspvae.training.recordings import find_recordings

    paths = find_recordings([Path(path) for path in args.recordings])
    instrument = load(args.preset, None if args.room == NEAREST else args.room)
    moving = {None: moved_to_folder, NEAREST: moved_to_nearest}.get(args.room)
    metrics = report.evaluate(
        instrument, paths, Path(args.out), tracker=args.tracker, max_seconds=args.max_seconds,
        moved=None if moving is None else partial(moving, instrument),
        progress=lambda sentence: print(sentence, file=sys.stderr) if sys.stderr.isatty() else None)
    if metrics["judges_left_out"]:
        print(f"evaluate: {metrics['judges_left_out']}", file=sys.stderr)
    say(args, metrics, f"{args.out}/index.html and {args.out}/metrics.json written.")
