"""A batch from its jobs to its last line: progress on a terminal, what is left out, what was done before."""

from __future__ import annotations

import csv
import sys
import time
from argparse import Namespace
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from ddspvae.batch.cluster import open_cluster
from ddspvae.batch.jobs import DONE, Job, Outcome
from ddspvae.batch.run import run_jobs
from ddspvae.commands.batch_files import LOGS, check_folder, do_verb
from ddspvae.commands.sounds import say
from ddspvae.signals.checks import InputError, printable
from ddspvae.signals.files import clear_leftovers, new_file

SHOWN = 10  # of what is left out; all of it is in left_out.csv


def run_batch(args: Namespace, n_jobs: int, jobs: Iterable[Job],
              function: Callable[[Any], dict[str, Any]] = do_verb,
              ended: Callable[[Outcome], None] = lambda outcome: None, speaks: bool = True) -> dict[str, Any]:
    """Do all jobs; returns what is said of them with --json.

    Args:
        args: of the batch: out, scheduler, workers.
        n_jobs: for the progress bar.
        jobs: see `run_jobs`.
        function: what a worker does.
        ended: called with each outcome, of earlier runs too.
        speaks: whether the last line is printed here.
    Raises:
        InputError: no job ended well, no cluster, or the scheduler is gone.
    """
    began = time.perf_counter()
    folder = check_folder(args.out)
    counts = {"done": 0, "before": 0}
    left_out: list[Outcome] = []
    seconds = 0.0
    with _bar() as bar, open_cluster(args.scheduler, args.workers) as client:
        task = bar.add_task(args.operation, total=n_jobs)

        def count(outcome: Outcome, was_before: bool) -> None:
            nonlocal seconds
            counts["before" if was_before else "done"] += outcome.state == DONE
            seconds += 0.0 if was_before else outcome.seconds
            if outcome.state != DONE:
                left_out.append(outcome)
            ended(outcome)
            bar.advance(task)

        run_jobs(client, function, jobs, count)
    for below in {folder, *(Path(outcome.name).parent for outcome in left_out)}:
        clear_leftovers(folder / below)
    _list_left_out(folder, left_out)
    for outcome in left_out[:SHOWN]:
        print(printable(f"left out: {outcome.name}: {outcome.reason}"), file=sys.stderr)
    if len(left_out) > SHOWN:
        print(f"and {len(left_out) - SHOWN} more; see {folder / 'left_out.csv'}.", file=sys.stderr)
    n_done = counts["done"] + counts["before"]
    if not n_done:
        raise InputError(f"batch: none of {len(left_out)} ended well; see {folder / LOGS}.")
    result = {"out": args.out, "done": n_done, "done_before": counts["before"],
              "left_out": [{"name": outcome.name, "reason": outcome.reason} for outcome in left_out],
              "took_s": round(time.perf_counter() - began, 2), "core_s": round(seconds, 2)}
    before = f" ({counts['before']} of them before)" if counts["before"] else ""
    if speaks:
        say(args, result, f"{args.out}: {n_done} done{before}, {len(left_out)} left out, in {result['took_s']:.1f} s; "
            f"a log of each in {folder / LOGS}.")
    return result


def _list_left_out(folder: Path, left_out: list[Outcome]) -> None:
    path = folder / "left_out.csv"
    if not left_out:
        path.unlink(missing_ok=True)
        return
    with new_file(path) as part, part.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["name", "reason"])
        table.writerows([outcome.name, outcome.reason] for outcome in left_out)


def _bar() -> Any:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty())
