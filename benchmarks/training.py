"""How soon is an instrument good? Ours against the published DDSP recipe, on the same recordings and the same core.

    python benchmarks/training.py RECORDINGS --holdout FILE ... --log benchmarks/training-reference.csv
    python benchmarks/training.py RECORDINGS --holdout FILE ... --reference benchmarks/training-reference.csv

The first form trains the reference too, in turns with ours in one process and one thread, so that neither slows the
other. It costs MINUTES for each size of batch, and the sum of the budgets. Minutes are those of the processor, which on a
free core are the clock's: a run that shares its core with others takes longer, and measures the same.
The second form takes the reference's rows from a log that was kept. Minutes of two runs compare only roughly: each row
holds the time of a fixed workload beside it, and ours are scaled by the ratio of the two.

Our recipe has a schedule over its budget, so each point of our curve is a complete run, measured from its reloaded file.
The reference has none and is measured along the way. Features are there before both start, and no clock counts measuring.
Everything is measured at 16 kHz on what was held out. The reference learns the spectral distance itself, and ours does not:
it learns levels that were measured. Zimtohrli, which neither has learned, stands beside it.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from reference import PUBLISHED_BATCH, PUBLISHED_HOP, PublishedRun
from reference import PUBLISHED_RATE as RATE
from torch import Tensor
from training_log import Log, Row, best_reference, conclude, on_its_core, plot, read_rows

from ddspvae import load, read_audio, train
from ddspvae.audio import Audio, resample
from ddspvae.evaluation.metrics import loudness_error, pitch_error, spectral_distance
from ddspvae.evaluation.perceptual import judge_take
from ddspvae.features.extract import extract
from ddspvae.model.config import ModelConfig
from ddspvae.signals import Features
from ddspvae.signals.checks import InputError
from ddspvae.training.prepare import prepare

TURN_S = 60.0
TRACKER = "swift"


def workload_ms() -> float:
    """How long this core takes for a fixed piece of work of the kind that training is made of; the median of five."""
    random = torch.Generator().manual_seed(0)
    matrix, audio = torch.rand(512, 512, generator=random), torch.rand(8, 32_768, generator=random)

    def work() -> Tensor:
        spectrum = torch.stft(audio, 1024, 256, window=torch.hann_window(1024), return_complex=True)
        return torch.tanh(matrix @ matrix @ matrix).sum() + (spectrum.abs() + 1e-5).log().sum()

    work()
    times = []
    for _ in range(5):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return 1000 * statistics.median(times)


class HeldOut:
    """Takes that no contestant has heard.

    Args:
        paths: of recordings.
        seconds: of each, at most.
    """

    def __init__(self, paths: Sequence[Path], seconds: float) -> None:
        self.rooms = [path.resolve().parent.name for path in paths]
        self.originals = [(audio[: round(seconds * rate)], rate) for audio, rate in map(read_audio, paths)]
        self.takes = [resample(audio, rate, RATE) for audio, rate in self.originals]

    def features(self, hop_size: int) -> list[Features]:
        """Of every take, at 16 kHz."""
        return [extract(take, RATE, hop_size, TRACKER) for take in self.takes]

    def measure(self, sounds: Sequence[Audio], is_last: bool) -> dict[str, float]:
        """The measures of a Row, of what was made of each take, at 16 kHz."""
        rows = []
        for take, sound in zip(self.takes, sounds):
            pitch = pitch_error(take, sound, RATE, TRACKER)
            crepe = pitch_error(take, sound, RATE, "crepe").median_cents if is_last else float("nan")
            said = judge_take(take, sound, RATE, with_visqol=False)
            rows.append((spectral_distance(take, sound, RATE), pitch.median_cents, pitch.heard, crepe,
                         loudness_error(take, sound, RATE).mean_abs_db, np.nan if said is None else said.zimtohrli))
        names = ("distance", "cents", "heard", "crepe_cents", "loudness_db", "zimtohrli")
        return dict(zip(names, np.mean(rows, axis=0).tolist()))


class Reference:
    """The published recipe, and when it is measured.

    Args:
        run: what trains.
        minutes: its budget.
        every_minutes: from one measurement to the next.
    """

    def __init__(self, run: PublishedRun, minutes: float, every_minutes: float, held_out: HeldOut, log: Log) -> None:
        self.run, self.minutes, self.every_minutes = run, minutes, every_minutes
        self.held_out, self.log = held_out, log
        self.curves = held_out.features(PUBLISHED_HOP)
        self.next_minutes = min(every_minutes, minutes)

    @property
    def progress(self) -> float:
        """Share of the budget that is spent."""
        return min(1.0, self.run.seconds / (60 * self.minutes))

    def catch_up(self, progress: float) -> None:
        """Train until so much of the budget is spent."""
        while self.progress < min(1.0, progress):
            self.run.advance()
            if self.run.seconds >= 60 * self.next_minutes:
                is_last = self.progress >= 1
                measured = self.held_out.measure([self.run.play(curves) for curves in self.curves], is_last)
                self.log.add(Row("reference", f"batch {self.run.batch_size}", self.run.seconds / 60, self.run.step,
                                 rest_s=0.0, workload_ms=workload_ms(), **measured))
                self.next_minutes = min(self.next_minutes + self.every_minutes, self.minutes)


def train_ours(recordings: Path, holdout: Sequence[Path], budgets: Sequence[float], start_from: str | None,
               held_out: HeldOut, log: Log, turn: Callable[[float], None]) -> None:
    """A complete run for each budget.

    Args:
        budgets: minutes.
        start_from: a preset, or None.
        turn: called about every TURN_S seconds of training with the share of all budgets that is spent.
    """
    prepared = prepare(recordings, holdout, TRACKER, ModelConfig())
    before_s = last_s = others_s = 0.0

    def progress(row: dict[str, float]) -> None:
        nonlocal last_s, others_s
        if before_s + row["seconds"] - last_s >= TURN_S:
            last_s = before_s + row["seconds"]
            began = time.perf_counter()
            turn(last_s / (60 * sum(budgets)))
            others_s += time.perf_counter() - began

    for minutes in budgets:
        others_s = 0.0
        with TemporaryDirectory() as folder:
            began = time.perf_counter()
            path = train(recordings, Path(folder) / "ours.safetensors", minutes=minutes, holdout=holdout, device="cpu",
                         start_from=start_from, prepared=prepared, progress=progress)
            took_s = time.perf_counter() - began - others_s
            sounds, done = play_ours(path, held_out), load(path).card["training"]
        log.add(Row("ours", f"from {Path(start_from).stem}" if start_from else "", done["minutes_done"], done["steps_done"],
                    rest_s=max(0.0, took_s - 60 * done["minutes_done"]), workload_ms=workload_ms(),
                    **held_out.measure(sounds, True)))
        before_s += 60 * minutes


def play_ours(path: Path, held_out: HeldOut) -> list[Audio]:
    """What the instrument in a file makes of every take, at 16 kHz, in the room it was recorded in if that is known."""
    sounds = []
    rooms, rate_made = load(path).config.rooms, load(path).config.sample_rate
    for (audio, rate), room in zip(held_out.originals, held_out.rooms):
        instrument = load(path, room if room in rooms else None)
        sounds.append(resample(instrument.resynthesize(instrument.analyze(audio, rate)), rate_made, RATE))
    return sounds


def main() -> None:
    """Train, measure, conclude."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recordings", type=Path)
    parser.add_argument("--holdout", type=Path, nargs="+", required=True)
    parser.add_argument("--minutes", type=float, default=40.0, help="of the reference")
    parser.add_argument("--every", type=float, default=1.0, help="minutes between measurements of the reference")
    parser.add_argument("--budgets", type=float, nargs="+", default=[1.0, 2.0, 3.0, 5.0, 8.0], help="minutes, of ours")
    parser.add_argument("--batches", type=int, nargs="+", default=[PUBLISHED_BATCH, 4], help="of it; the better counts")
    parser.add_argument("--from", dest="start_from", metavar="PRESET", help="let ours start from an instrument")
    parser.add_argument("--seconds", type=float, default=80.0, help="of each held-out recording")
    parser.add_argument("--log", type=Path, default=Path("training.csv"))
    parser.add_argument("--reference", type=Path, metavar="CSV", help="a log whose reference rows stand; train ours alone")
    parser.add_argument("--plot", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(1)
    time.perf_counter = time.process_time  # for both contestants and the workload: with one thread, minutes of the core
    kept = [row for row in read_rows(args.reference) if row.contestant == "reference"] if args.reference else []
    if args.reference and args.reference.resolve() == args.log.resolve():
        raise InputError("training: --log would write over --reference; name another file.")
    held_out, log = HeldOut(args.holdout, args.seconds), Log(args.log)
    references = []
    if not args.reference:
        rates = ModelConfig(sample_rate=RATE, hop_size=PUBLISHED_HOP)
        takes = prepare(args.recordings, args.holdout, TRACKER, rates).training
        references = [Reference(PublishedRun(takes, size), args.minutes, args.every, held_out, log) for size in args.batches]

    def turn(progress: float) -> None:
        for reference in references:
            reference.catch_up(progress)

    train_ours(args.recordings, args.holdout, args.budgets, args.start_from, held_out, log, turn)
    turn(1.0)
    rows = log.rows
    if kept:
        rows = kept + on_its_core(log.rows, best_reference(kept))
        print("The reference was trained in another run: minutes of ours are scaled by the workload in both logs, roughly.")
    if args.plot:
        plot(rows, args.plot)
    print(conclude(rows))


if __name__ == "__main__":
    main()
