"""`ddspvae latents curve`. Imports inside, so that `--help` stays quick."""

from __future__ import annotations

import argparse
import json
import sys
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ddspvae.commands.progress import progress_bar
from ddspvae.rate_distortion.plan import RATES, Plan
from ddspvae.signals.checks import InputError

if TYPE_CHECKING:
    from ddspvae.model.config import ModelConfig


def add_curve(operations: argparse._SubParsersAction[Any]) -> None:
    """Give `ddspvae latents` this operation and its options; `operations` is what `add_latents_verb` returns."""
    summary = "measure how much of the sound each bit of z brings back, from no z to a free one"
    sub = operations.add_parser("curve", help=summary, description=summary + "; the same command again resumes")
    sub.add_argument("--json", action="store_true", default=argparse.SUPPRESS,
                     help="print one machine-readable object on stdout")
    sub.add_argument("recordings", nargs="+", metavar="RECORDINGS", help="a folder or files")
    sub.add_argument("--out", required=True, metavar="curve/", help="a folder for curve.csv, curve.json, curve.svg and "
                     "the instruments")
    sub.add_argument("--rates", type=float, nargs="+", default=list(RATES), metavar="BPS", help="bit/s of z to train "
                     "beside none and free (default 100 250 500 1000 2000)")
    budget = sub.add_mutually_exclusive_group()
    budget.add_argument("--minutes", type=float, metavar="M", help="of training a point, over all resumes (default 2)")
    budget.add_argument("--steps", type=int, metavar="N", help="steps to train a point instead")
    sub.add_argument("--base-minutes", type=float, default=6.0, metavar="M", help="of training what all points continue, "
                     "without --from (default 6; with --steps three times those)")
    sub.add_argument("--seeds", type=int, default=2, metavar="N", help="trainings a point (default 2)")
    sub.add_argument("--from", dest="start_from", metavar="PRESET", help="continue this instrument instead of training one")
    sub.add_argument("--holdout", action="extend", nargs="+", default=[], metavar="FILE",
                     help="keep these recordings out of all training and measure on them, beside the validation part")
    sub.add_argument("--points", metavar="other.csv", help="draw other codecs beside: columns name, bits_per_second and any "
                     "of spectral_distance, log_mel_db, pitch_median_cents, loudness_db, zimtohrli")
    sub.add_argument("--tracker", metavar="NAME", help="of f0: swift, crepe or crepe-full; default: the base's, or swift")
    sub.add_argument("--measure-with", metavar="NAME", help="tracker of the pitch error; default: one that did not train")
    sub.add_argument("--max-seconds", type=float, default=120.0, metavar="S", help="of each held-out take (default 120)")
    sub.add_argument("--sample-rate", type=int, metavar="HZ", help="without --from (default 48000)")
    sub.add_argument("--axes", type=int, metavar="N", help="axes of z, without --from (default 4)")
    sub.add_argument("--device", metavar="D", help="cuda, mps or cpu; default: the best there is")


def run_curve(args: Namespace) -> None:
    """Do what the options say, print a table or, with --json, the content of curve.json."""
    from rich.console import Console

    from ddspvae.evaluation.perceptual import can_judge, judges_left_out
    from ddspvae.rate_distortion.draw import rate_distortion
    from ddspvae.rate_distortion.points import print_points, read_codecs, read_points

    given = [option for option, value in (("--sample-rate", args.sample_rate), ("--axes", args.axes)) if value is not None]
    if args.start_from is not None and given:
        raise InputError(f"curve: --from {args.start_from} decides on {given[0]}; leave one of them out.")
    plan = Plan(args.recordings, Path(args.out), args.rates, steps=args.steps, base_minutes=args.base_minutes,
                minutes=args.minutes, seeds=args.seeds, start_from=args.start_from, holdout=args.holdout,
                tracker=args.tracker, measured_with=args.measure_with, max_seconds=args.max_seconds, model=_model(args),
                device=args.device)
    with progress_bar() as bar:
        task = bar.add_task("curve", total=1.0)
        result = rate_distortion(plan, args.points, lambda words, share: bar.update(task, description=words,
                                                                                    completed=share))
    if args.json:
        print(json.dumps(result))
        return
    console = Console(width=None if sys.stdout.isatty() else 140)
    print_points(read_points(plan.out / "curve.csv"), read_codecs(args.points) if args.points else [], console)
    if not can_judge():
        console.print(judges_left_out(), highlight=False, soft_wrap=True, markup=False)
    console.print(f"{plan.out}/curve.csv, curve.json and curve.svg written; {result['wall_s'] / 60:.1f} minutes in all.",
                  highlight=False, soft_wrap=True, markup=False)


def _model(args: Namespace) -> ModelConfig:
    from ddspvae.model.config import ModelConfig

    sample_rate = args.sample_rate or 48_000
    return ModelConfig(sample_rate=sample_rate, hop_size=round(sample_rate / 200), n_z=8 if args.axes is None else args.axes)
