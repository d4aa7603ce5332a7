"""Rows of a rate-distortion curve: one a point and seed, kept as CSV, averaged over seeds, printed as a table."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from ddspvae.signals.checks import InputError, fail
from ddspvae.signals.files import new_file
from ddspvae.signals.tables import read_cells

if TYPE_CHECKING:
    from rich.console import Console

NONE, FREE = "none", "free"
DISTORTIONS = ("spectral_distance", "log_mel_db", "pitch_median_cents", "loudness_db", "zimtohrli")
SIDE = ("f0_bits_per_second", "loudness_bits_per_second", "periodicity_bits_per_second")
NAN = math.nan


@dataclass(frozen=True)
class Point:
    """What was measured of one training. A number that is not there is NaN: an empty cell in the file.

    Args:
        point: "none" (no z), the bit/s asked for, or "free" (z costs nothing).
        seed: of the training.
        asked_bits_per_second: NaN for none and free.
        bits_per_second, bits_low, bits_high: of z on held-out takes, with its 95 % interval.
        training_bits_per_second: of z on the training takes.
        spectral_distance, log_mel_db, pitch_median_cents, loudness_db: between held-out takes and what comes back of
            them with z drawn from its posterior, which is what the bits pay for; pitch over 30 s of each take.
        zimtohrli, zimtohrli_low, zimtohrli_high: of the same sounds, mean opinion score, 1 to 5, larger is better, with its
            95 % interval over stretches of 5 s; NaN without the package.
        mean_z_spectral_distance, mean_z_log_mel_db: the same with z at its posterior's mean.
        f0_bits_per_second, loudness_bits_per_second, periodicity_bits_per_second: of the curves beside z, the same
            for every point.
        held_out_s: seconds that were measured.
        trained_minutes: of this training and of all that it continues.
        wall_s: what this point took, the training of a base counted with the first.
        note: why there are no numbers, where a training stopped by itself.
    """

    point: str
    seed: int
    asked_bits_per_second: float = NAN
    bits_per_second: float = NAN
    bits_low: float = NAN
    bits_high: float = NAN
    training_bits_per_second: float = NAN
    spectral_distance: float = NAN
    log_mel_db: float = NAN
    pitch_median_cents: float = NAN
    loudness_db: float = NAN
    zimtohrli: float = NAN
    zimtohrli_low: float = NAN
    zimtohrli_high: float = NAN
    mean_z_spectral_distance: float = NAN
    mean_z_log_mel_db: float = NAN
    f0_bits_per_second: float = NAN
    loudness_bits_per_second: float = NAN
    periodicity_bits_per_second: float = NAN
    held_out_s: float = NAN
    trained_minutes: float = NAN
    wall_s: float = NAN
    note: str = ""

    def __post_init__(self) -> None:
        for name in NUMBERS:  # what a file keeps, so that a curve that was read is the one that was measured
            object.__setattr__(self, name, float(f"{getattr(self, name):.6g}"))


NUMBERS = tuple(field.name for field in fields(Point) if field.name not in ("point", "seed", "note"))
LATER = ("zimtohrli", "zimtohrli_low", "zimtohrli_high")  # files of before do not have them


@dataclass(frozen=True)
class Codec:
    """A point of another codec; a distortion that is not known is NaN."""

    name: str
    bits_per_second: float
    spectral_distance: float = NAN
    log_mel_db: float = NAN
    pitch_median_cents: float = NAN
    loudness_db: float = NAN
    zimtohrli: float = NAN


def write_points(path: Path, points: Iterable[Point]) -> None:
    """Write curve.csv under a temporary name, then rename."""
    try:
        with new_file(path) as part, part.open("w", newline="", encoding="utf-8") as file:
            table = csv.DictWriter(file, [field.name for field in fields(Point)])
            table.writeheader()
            for point in points:
                table.writerow({name: "" if is_missing(value) else value for name, value in asdict(point).items()})
    except OSError as error:
        raise InputError(f"curve: cannot write {path} ({error.strerror}).") from error


def read_points(path: Path) -> list[Point]:
    """Read what `write_points` wrote.

    Raises:
        InputError: not readable, or not such a file.
    """
    points, columns = [], ["point", "seed", *(name for name in NUMBERS if name not in LATER)]
    for line, row in _read_table(path, columns, "delete it to measure anew"):
        if not row["seed"].isdigit():
            raise fail("curve", f"seed in {path} line {line}", "be a whole number", f"'{row['seed']}'")
        numbers = {name: _number(path, line, row, name) for name in NUMBERS}
        points.append(Point(point=row["point"], seed=int(row["seed"]), note=row.get("note", ""), **numbers))
    return points


def read_codecs(path: str | Path) -> list[Codec]:
    """Read points of other codecs.

    Args:
        path: a CSV with the columns name and bits_per_second, and as many of spectral_distance, log_mel_db,
            pitch_median_cents, loudness_db and zimtohrli as are known; empty cells and further columns are allowed.
    Raises:
        InputError: not readable, a column or a name is missing, or a cell is no number.
    """
    path = Path(path)
    codecs = []
    for line, row in _read_table(path, ["name", "bits_per_second"], "name a CSV with a line a codec"):
        numbers = {name: _number(path, line, row, name) for name in ("bits_per_second", *DISTORTIONS)}
        codec = Codec(row["name"].strip(), **numbers)
        if not codec.name:
            raise InputError(f"curve: {path} line {line} has no name.")
        if not 0 < codec.bits_per_second < math.inf:
            raise fail("curve", f"bits_per_second in {path} line {line}", "be above 0", f"'{row['bits_per_second']}'")
        codecs.append(codec)
    return codecs


def _read_table(path: Path, columns: Sequence[str], fix: str) -> list[tuple[int, dict[str, str]]]:
    """Line numbers and rows of a CSV that must have these columns."""
    table = read_cells("curve", path)
    header = [name.strip() for name in table[0]] if table else []
    missing = [name for name in columns if name not in header]
    if missing:
        raise InputError(f"curve: {path} must have a column named {missing[0]} in its first line; {fix}.")
    return [(line, {**dict.fromkeys(header, ""), **dict(zip(header, row))})
            for line, row in enumerate(table[1:], start=2) if row]


def _number(path: Path, line: int, row: Mapping[str, str], name: str) -> float:
    cell = row.get(name, "").strip()
    try:
        return float(cell) if cell else NAN
    except ValueError as error:
        raise fail("curve", f"{name} in {path} line {line}", "be a number or empty", f"'{cell}'") from error


def closed_share(points: Sequence[Point], point: Point, measure: str) -> float:
    """How much of the way from no z to a free z a point goes, by one distortion; NaN where there is no way to go."""
    ends = {end.point: getattr(end, measure) for end in points if end.seed == point.seed}
    gap = ends.get(NONE, NAN) - ends.get(FREE, NAN)
    return float((ends[NONE] - getattr(point, measure)) / gap) if gap > 0 else NAN


def average(points: Sequence[Point]) -> list[dict[str, Any]]:
    """The mean over seeds of every number of each point, in order of rate: none first, free last.

    Returns:
        dictionaries with the fields of Point but seed and note, the intervals of rate and zimtohrli over all seeds, n_seeds,
        closed and log_mel_closed (shares of the gap between no z and free), and, of spectral_distance, log_mel_db and
        both shares, the lowest and the highest over seeds: `<name>_low`, `<name>_high`.
    """
    order = {NONE: -1.0, FREE: math.inf}
    names = sorted({point.point for point in points}, key=lambda name: order[name] if name in order else float(name))
    rows = []
    for name in names:
        mine = [point for point in points if point.point == name]
        values = {key: [getattr(point, key) for point in mine] for key in NUMBERS}
        values["closed"] = [closed_share(points, point, "spectral_distance") for point in mine]
        values["log_mel_closed"] = [closed_share(points, point, "log_mel_db") for point in mine]
        row: dict[str, Any] = {"point": name, "n_seeds": sum(not point.note for point in mine),
                               **{key: _over(fmean, numbers) for key, numbers in values.items()}}
        for key in ("bits", "zimtohrli"):
            row[f"{key}_low"], row[f"{key}_high"] = _over(min, values[f"{key}_low"]), _over(max, values[f"{key}_high"])
        for key in ("spectral_distance", "log_mel_db", "closed", "log_mel_closed"):
            row[f"{key}_low"], row[f"{key}_high"] = _over(min, values[key]), _over(max, values[key])
        rows.append(row)
    return rows


def _over(function: Any, numbers: Sequence[float]) -> float:
    there = [number for number in numbers if not math.isnan(number)]
    return float(function(there)) if there else NAN


def print_points(points: Sequence[Point], codecs: Sequence[Codec], console: Console) -> None:
    """Write the table, the rates beside z, and what stopped, to a rich console."""
    from rich.markup import escape
    from rich.table import Table

    rows = average(points)
    n_seeds = len({point.seed for point in points})
    held_out_s = _over(max, [row["held_out_s"] for row in rows])
    table = Table(box=None, title_justify="left", title=f"{n_seeds} {'seed' if n_seeds == 1 else 'seeds'}, "
                  f"{_cell(held_out_s, '.0f')} s held out, z drawn from its posterior")
    for name in ("bit/s asked", "training", "held out", "95 %", "spectral", "log-mel dB", "cents", "dB", "Zimtohrli", "95 %",
                 "gap closed"):
        table.add_column(name, justify="right")
    for row in rows:
        table.add_row("no z" if row["point"] == NONE else row["point"], _cell(row["training_bits_per_second"], ".0f"),
                      _cell(row["bits_per_second"], ".0f"), _interval(row, "bits", ".0f"), *_distortions(row),
                      _interval(row, "zimtohrli", ".2f"), _cell(row["closed"], ".0%"))
    for codec in codecs:
        table.add_row(escape(codec.name), "", _cell(codec.bits_per_second, ".0f"), "", *_distortions(vars(codec)), "", "")
    console.print(table)
    side = [_cell(_over(max, [row[name] for row in rows]), ".0f") for name in SIDE]
    console.print(f"beside z: pitch {side[0]}, loudness {side[1]}, periodicity {side[2]} bit/s.", highlight=False)
    for point in points:
        if point.note:
            console.print(f"! seed {point.seed}, {point.point}: {escape(point.note)}", highlight=False, soft_wrap=True)


def is_missing(value: Any) -> bool:
    """Whether a number is not there."""
    return isinstance(value, float) and math.isnan(value)


def _distortions(row: Mapping[str, Any]) -> list[str]:
    return [_cell(row[name], form) for name, form in zip(DISTORTIONS, (".3f", ".2f", ".1f", ".2f", ".2f"))]


def _interval(row: Mapping[str, Any], name: str, form: str) -> str:
    low, high = row[f"{name}_low"], row[f"{name}_high"]
    return "-" if is_missing(low) else f"{low:{form}} to {high:{form}}"


def _cell(value: float, form: str) -> str:
    return "-" if is_missing(value) else format(value, form)
