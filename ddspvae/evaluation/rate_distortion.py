"""`ddspvae latents curve`: how much of a sound each bit of z brings back, from no z to as many bits as it likes.

One base a seed, whose z costs nothing, is continued at every rate for the same few minutes, each by itself. Without z, where
a layer starts anew, it is twice as many, so that no z is never at a disadvantage.
Imports inside, so that `--help` stays quick.
"""

from __future__ import annotations

import argparse
import json
import sys
from argparse import Namespace
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ddspvae.checks import InputError, check_range

if TYPE_CHECKING:
    from ddspvae.model.autoencoder import ModelConfig

RATES = (100.0, 250.0, 500.0, 1000.0, 2000.0)
MINUTES = 2.0
BASE_STEPS_SHARE = 3  # times the steps of a point

Progress = Callable[[str, float], None]


@dataclass(frozen=True)
class Plan:
    """What to train and how to measure it.

    Args:
        recordings: folders or files.
        out: a folder, made if missing.
        rates: bit/s, 10 to 20000.
        minutes, steps: of each training, one of them (default 2 minutes).
        base_minutes: of the base, where minutes count; with steps it gets three times as many.
        seeds: how many, 1 to 100.
        start_from: a preset or file to take for the base; None trains one a seed.
        holdout: recordings to leave out of all training and to measure on, beside the validation part.
        tracker: of f0; None takes the base's, or swift.
        measured_with: the tracker of the pitch error; None takes one that did not train.
        max_seconds: of each held-out take, from its start, 0.1 to 3600.
        model: of a base that is trained here.
        device: "cuda", "mps", "cpu"; None takes the best there is.
    """

    recordings: Sequence[str | Path]
    out: Path
    rates: Sequence[float] = RATES
    minutes: float | None = None
    steps: int | None = None
    base_minutes: float = 6.0
    seeds: int = 2
    start_from: str | Path | None = None
    holdout: Sequence[str | Path] = ()
    tracker: str | None = None
    measured_with: str | None = None
    max_seconds: float = 120.0
    model: ModelConfig | None = None
    device: str | None = None

    def __post_init__(self) -> None:
        for rate in self.rates:
            check_range("curve", "rates", rate, 10, 20_000)
        check_range("curve", "seeds", self.seeds, 1, 100)
        check_range("curve", "max_seconds", self.max_seconds, 0.1, 3600)
        if self.minutes is not None and self.steps is not None:
            raise InputError("curve: give either minutes or steps, not both.")
        for name, minutes in (("minutes", self.minutes), ("base_minutes", self.base_minutes)):
            if minutes is not None:
                check_range("curve", name, minutes, 0.01, 100_000)
        if self.steps is not None:
            check_range("curve", "steps", self.steps, 1, 10_000_000)

    def budget(self, *, base: bool = False) -> dict[str, Any]:
        """Of a point, or of the base, as `train` wants it."""
        if self.steps is not None:
            return {"steps": self.steps * (BASE_STEPS_SHARE if base else 1)}
        return {"minutes": self.base_minutes if base else MINUTES if self.minutes is None else self.minutes}


def rate_distortion(plan: Plan, codecs: str | Path | None = None, progress: Progress | None = None) -> dict[str, Any]:
    """Train and measure every point, or what is left of it; write curve.csv, curve.json and curve.svg.

    The same plan again goes on where it was killed; more rates or seeds add points to a curve. A training that stops by
    itself is noted in its row.

    Args:
        plan: what to do.
        codecs: a CSV of points of other codecs to draw beside, see `read_codecs`.
        progress: called with what is being done and the share of the whole that is over, 0 to 1.
    Returns:
        the content of curve.json: plain values, None where nothing could be measured.
    Raises:
        InputError: nothing to train on, a folder that holds a curve with other settings, or one that cannot be written.
    """
    from ddspvae.evaluation.curve_chain import Chain
    from ddspvae.evaluation.curve_plot import check_drawing, plot_curve
    from ddspvae.evaluation.curve_points import FREE, NONE, read_codecs

    check_drawing()
    others = read_codecs(codecs) if codecs else []
    chain = Chain(plan)
    names = [FREE, *(f"{rate:g}" for rate in sorted(set(plan.rates), reverse=True)), NONE]
    wanted = [(seed, name) for seed in range(plan.seeds) for name in names]
    for done, (seed, name) in enumerate(wanted):
        def tell(words: str, share: float, done: int = done) -> None:
            if progress is not None:
                progress(words, (done + share) / len(wanted))

        if (seed, name) not in chain.points:
            chain.add(seed, name, tell)
    points = chain.ordered()
    if any(point.bits_per_second >= 1 for point in points):
        plot_curve(points, others, plan.out / "curve.svg", title="How much of the sound each bit of timbre brings back")
    return chain.write(others)


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

    from ddspvae.evaluation.curve_points import print_points, read_codecs, read_points
    from ddspvae.evaluation.perceptual import can_judge, judges_left_out
    from ddspvae.outputs import _progress_bar

    given = [option for option, value in (("--sample-rate", args.sample_rate), ("--axes", args.axes)) if value is not None]
    if args.start_from is not None and given:
        raise InputError(f"curve: --from {args.start_from} decides on {given[0]}; leave one of them out.")
    plan = Plan(args.recordings, Path(args.out), args.rates, steps=args.steps, base_minutes=args.base_minutes,
                minutes=args.minutes, seeds=args.seeds, start_from=args.start_from, holdout=args.holdout,
                tracker=args.tracker, measured_with=args.measure_with, max_seconds=args.max_seconds, model=_model(args),
                device=args.device)
    with _progress_bar() as bar:
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
    from ddspvae.model.autoencoder import ModelConfig

    sample_rate = args.sample_rate or 48_000
    return ModelConfig(sample_rate=sample_rate, hop_size=round(sample_rate / 200), n_z=8 if args.axes is None else args.axes)
