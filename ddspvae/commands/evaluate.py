"""`ddspvae evaluate`. Imports inside, so that `--help` stays quick."""

from __future__ import annotations

import argparse
import sys
from argparse import Namespace
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
    sub.add_argument("--room", metavar="NAME", help="which of the preset's learned rooms to play in")
    sub.add_argument("--max-seconds", type=float, default=30.0, metavar="S", help="of each recording (default 30)")


def run(args: Namespace) -> None:
    """An instrument and recordings to a report."""
    from ddspvae.evaluation import report
    from ddspvae.instrument.loading import load
    from ddspvae.training.recordings import find_recordings

    paths = find_recordings([Path(path) for path in args.recordings])
    metrics = report.evaluate(
        load(args.preset, args.room), paths, Path(args.out), tracker=args.tracker, max_seconds=args.max_seconds,
        progress=lambda sentence: print(sentence, file=sys.stderr) if sys.stderr.isatty() else None)
    if metrics["judges_left_out"]:
        print(f"evaluate: {metrics['judges_left_out']}", file=sys.stderr)
    say(args, metrics, f"{args.out}/index.html and {args.out}/metrics.json written.")
