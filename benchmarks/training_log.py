"""The log of `benchmarks/training.py`: its rows, its picture, and what follows from it."""

from __future__ import annotations

import csv
import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

from ddspvae.evaluation.plots import BLUE, GREY, ORANGE
from ddspvae.signals.checks import InputError

TICKS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 40)  # minutes


@dataclass(frozen=True)
class Row:
    """One measurement on what was held out, the mean over its takes.

    Args:
        contestant: "ours" or "reference".
        setting: what tells runs of a contestant apart, "batch 4" or a preset to start from; may be empty.
        minutes, steps: of training until then.
        distance: spectral distance.
        cents, heard: median pitch error, and the share of sure frames that have a pitch, by the tracker of the training.
        crepe_cents: median pitch error by another tracker; NaN but at the end of a run.
        loudness_db: mean absolute loudness error.
        rest_s: of a run of ours, seconds from its last step to its file.
        workload_ms: what a fixed piece of work took just then.
        zimtohrli: mean opinion score; NaN where it was not asked, as in logs of before.
    """

    contestant: str
    setting: str
    minutes: float
    steps: int
    distance: float
    cents: float
    heard: float
    crepe_cents: float
    loudness_db: float
    rest_s: float
    workload_ms: float
    zimtohrli: float = math.nan


def read_rows(path: Path) -> list[Row]:
    """A log as `Log` wrote it.

    Raises:
        InputError: no such file, or another kind of table.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            table = list(csv.DictReader(file))
        return [Row(**{field.name: {"str": str, "int": int}.get(str(field.type), float)(cells[field.name])
                       for field in fields(Row) if field.name in cells or field.name != "zimtohrli"}) for cells in table]
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"training: cannot read {path} ({error}); name a log that this script wrote.") from error


class Log:
    """Rows, each printed and written as it comes."""

    def __init__(self, path: Path) -> None:
        self.path, self.rows = path, list[Row]()
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerow([field.name for field in fields(Row)])

    def add(self, row: Row) -> None:
        """One more."""
        self.rows.append(row)
        with self.path.open("a", encoding="utf-8", newline="") as file:
            csv.writer(file).writerow([f"{x:.5g}" if isinstance(x, float) else x for x in asdict(row).values()])
        print(f"{row.contestant} {row.setting}: {row.minutes:.2f} min, {row.steps} steps, distance {row.distance:.3f}, "
              f"{row.cents:.1f} cents ({row.heard:.1%} heard), {row.loudness_db:.2f} dB, workload {row.workload_ms:.0f} ms",
              flush=True)


def curves_of(rows: Iterable[Row]) -> dict[tuple[str, str], list[Row]]:
    """Rows by contestant and setting, in order of minutes."""
    curves: dict[tuple[str, str], list[Row]] = {}
    for row in sorted(rows, key=lambda row: row.minutes):
        curves.setdefault((row.contestant, row.setting), []).append(row)
    return curves


def best_reference(rows: Iterable[Row]) -> list[Row]:
    """The curve of the reference that ends nearest to what was held out.

    Raises:
        InputError: no row of a reference.
    """
    curves = [curve for (contestant, _), curve in curves_of(rows).items() if contestant == "reference"]
    if not curves:
        raise InputError("training: the log holds no row of the reference; run without --reference once.")
    return min(curves, key=lambda curve: curve[-1].distance)


def minutes_to_reach(distance: float, curve: Sequence[Row]) -> float | None:
    """When a curve first comes down to a distance, linear between its points; None if it does not.

    A curve that begins below it gives its first point: a shorter budget was not tried.
    """
    before: Row | None = None
    for row in curve:
        if row.distance <= distance:
            if before is None:
                return row.minutes
            share = (before.distance - distance) / (before.distance - row.distance)
            return before.minutes + share * (row.minutes - before.minutes)
        before = row
    return None


def on_its_core(ours: Iterable[Row], reference: Sequence[Row]) -> list[Row]:
    """Our rows with minutes as the reference's core would have taken, by the workload that both logs hold."""
    theirs_ms = statistics.median(row.workload_ms for row in reference)
    rows = list(ours)
    ratio = theirs_ms / statistics.median(row.workload_ms for row in rows)
    return [replace(row, minutes=row.minutes * ratio) for row in rows]


def plot(rows: Iterable[Row], target: Path) -> None:
    """Draw held-out spectral distance and pitch error against minutes."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    rows = list(rows)
    best = best_reference(rows)[0].setting
    figure = Figure(figsize=(8, 5), layout="constrained", facecolor="none")
    above, below = figure.subplots(2, 1, sharex=True)
    for (contestant, setting), curve in curves_of(rows).items():
        minutes = [row.minutes for row in curve]
        style = {"color": BLUE if contestant == "ours" else ORANGE, "marker": "o", "markersize": 3, "linewidth": 1.4}
        style["alpha"] = 1.0 if contestant == "ours" or setting == best else 0.4
        above.plot(minutes, [row.distance for row in curve], label=f"{contestant} {setting}".strip(), **style)
        below.plot(minutes, [row.cents for row in curve], **style)
    above.set_ylabel("spectral distance")
    below.set(ylabel="pitch error\nmedian, cents", xlabel="minutes of training on one core", xscale="log")
    below.set_ylim(bottom=0)
    below.set_xticks([tick for tick in TICKS if tick < 2 * max(row.minutes for row in rows)])
    below.set_xticks([], minor=True)
    below.xaxis.set_major_formatter(lambda minutes, _: f"{minutes:g}")
    below.set_xlim(0.9 * min(row.minutes for row in rows), 1.1 * max(row.minutes for row in rows))
    above.legend(frameon=False, labelcolor=GREY, fontsize=9)
    for axes in (above, below):
        axes.set_facecolor("none")
        axes.grid(color=GREY, alpha=0.25, linewidth=0.6)
        axes.tick_params(colors=GREY, labelsize=9)
        axes.xaxis.label.set_color(GREY)
        axes.yaxis.label.set_color(GREY)
        for spine in axes.spines.values():
            spine.set(color=GREY, alpha=0.6)
    with rc_context({"svg.hashsalt": "training"}):
        FigureCanvasSVG(figure)
        figure.savefig(target, metadata={"Date": None} if target.suffix == ".svg" else None)


def conclude(rows: Sequence[Row]) -> str:
    """The sentence that the benchmark is made for."""
    theirs = best_reference(rows)
    goal = theirs[-1].distance
    ours = [row for row in rows if row.contestant == "ours"]
    after = f"The reference ({theirs[-1].setting}) is at {goal:.3f} after {theirs[-1].minutes:.1f} minutes; "
    best = max(ours, key=lambda row: -1.0 if math.isnan(row.zimtohrli) else row.zimtohrli)
    heard = "" if math.isnan(theirs[-1].zimtohrli) or math.isnan(best.zimtohrli) else (
        f" To the ear, by Zimtohrli at 16 kHz, the reference ends at {theirs[-1].zimtohrli:.2f} and ours is at "
        f"{best.zimtohrli:.2f} after {best.minutes:.1f} minutes.")
    minutes = minutes_to_reach(goal, curves_of(ours).popitem()[1])
    if minutes is None:
        nearest = min(ours, key=lambda row: row.distance)
        return f"{after}ours does not come down to it: {nearest.distance:.3f} after {nearest.minutes:.1f} minutes.{heard}"
    return f"{after}ours is there after {minutes:.2f} minutes of the same core.{heard}"
