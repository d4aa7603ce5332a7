"""Pitch curves as CSV files that a person can edit: time, Hz, periodicity."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ddspvae.features.autocorrelation import Track
from ddspvae.signals.checks import InputError
from ddspvae.signals.files import new_file
from ddspvae.signals.tables import read_cells

HEADER = ("time_s", "f0_hz", "periodicity")


def write_f0_csv(path: str | Path, f0_hz: NDArray, periodicity: NDArray, frame_rate_hz: float) -> None:
    """Write a pitch curve, one line per frame; `track_f0(..., tracker="curve.csv")` reads it back.

    Args:
        path: ends in .csv.
        f0_hz, periodicity: [F] each.
        frame_rate_hz: frames per second.
    Raises:
        InputError: the file cannot be written.
    """
    path = Path(path)
    try:
        with new_file(path) as part, part.open("w", newline="", encoding="utf-8") as file:
            rows = csv.writer(file, lineterminator="\n")
            rows.writerow(HEADER)
            for frame, (hz, sure) in enumerate(zip(f0_hz.tolist(), periodicity.tolist())):
                rows.writerow([f"{frame / frame_rate_hz:.6f}", f"{hz:.4f}", f"{sure:.4f}"])
    except OSError as error:
        raise InputError(f"write_f0_csv: cannot write {path} ({error.strerror}); does the folder exist?") from error


def read_f0_csv(path: str | Path) -> Track:
    """Read a header line and then lines of time in seconds, Hz and periodicity.

    Raises:
        InputError: missing, empty, or a line that cannot be right; the sentence names the line.
    """
    rows = read_cells("read_f0_csv", path)
    numbers: list[tuple[float, ...]] = []
    for line, row in enumerate(rows, start=1):
        if line == 1:
            if row and _is_number(row[0]):
                raise InputError(f"read_f0_csv: {path} line 1 must be a header; put '{','.join(HEADER)}' above it.")
            continue
        if row:
            numbers.append(_read_row(path, line, row, numbers[-1][0] if numbers else -math.inf))
    if not numbers:
        raise InputError(f"read_f0_csv: {path} holds no pitch; expected lines of {','.join(HEADER)}.")
    columns = np.array(numbers, dtype=np.float64).T
    return Track(*columns)


def _read_row(path: str | Path, line: int, row: list[str], after_s: float) -> tuple[float, ...]:
    where = f"read_f0_csv: {path} line {line}"
    if len(row) != 3 or not all(_is_number(cell) for cell in row):
        raise InputError(f"{where} must hold three numbers ({', '.join(HEADER)}), got '{','.join(row)}'.")
    time_s, hz, periodicity = (float(cell) for cell in row)
    if not time_s > after_s:
        raise InputError(f"{where}: time_s must increase, got {time_s:g} after {after_s:g}.")
    if not 10 <= hz <= 10_000:
        raise InputError(f"{where}: f0_hz must lie between 10 and 10000, got {hz:g}; "
                         "mark unpitched frames with periodicity 0, not with 0 Hz.")
    if not 0 <= periodicity <= 1:
        raise InputError(f"{where}: periodicity must lie between 0 and 1, got {periodicity:g}.")
    return time_s, hz, periodicity


def _is_number(cell: str) -> bool:
    try:
        return math.isfinite(float(cell))
    except ValueError:
        return False
