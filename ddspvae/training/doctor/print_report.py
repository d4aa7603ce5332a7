"""The doctor's report on a terminal: tables, and histograms in text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table

from ddspvae.signals.units import hz_to_pitch
from ddspvae.training.doctor.advice import PITCH_NAMES, pitch_name

if TYPE_CHECKING:
    from rich.console import Console

    from ddspvae.training.doctor.findings import Findings

BLOCKS = " ▁▂▃▄▅▆▇█"
BAR_WIDTH = 40
FILES_SHOWN = 30


def print_report(report: Findings, advice: Sequence[str], console: Console) -> None:
    """Write everything to the console."""
    total = report.total()
    console.print(_files(report, total))
    if total["pitch_s"]:
        console.print(_pitches(total["pitch_s"]))
    if total["loudness_s"]:
        console.print(_loudness(total["loudness_s"]))
    for file in report.left_out:
        console.print(f"left out: {escape(str(file.path))}: {escape(file.reason)}", highlight=False, soft_wrap=True)
    for line in advice:
        console.print(f"! {escape(line)}", highlight=False, soft_wrap=True)


def _files(report: Findings, total: dict) -> Table:
    table = Table(title=f"{total['n_files']} recordings, {total['minutes']:.1f} minutes, tracker {report.tracker}")
    table.add_column("file", overflow="fold")
    for name in ("s", "Hz", "clipped", "DC", "floor dB", "silent", "pitched", "two pitches", "range"):
        table.add_column(name, justify="right")
    for file in report.files[:FILES_SHOWN]:
        table.add_row(escape(file.path.name), f"{file.duration_s:.1f}", str(file.sample_rate),
                      *_shares(vars(file)))
    hidden = len(report.files) - FILES_SHOWN
    if hidden > 0:
        table.add_row(f"and {hidden} more", *[""] * 9)
    table.add_section()
    table.add_row("all", f"{60 * total['minutes']:.1f}", "", *_shares(total))
    return table


def _shares(numbers: Mapping) -> list[str]:
    low, high = numbers["lowest_hz"], numbers["highest_hz"]
    return [
        f"{100 * numbers['clipped_share']:.2f} %", f"{numbers['dc_offset']:+.3f}", f"{numbers['noise_floor_db']:.0f}",
        *(f"{100 * numbers[name]:.0f} %" for name in ("silence_share", "sure_share", "second_pitch_share")),
        "none" if low is None else f"{pitch_name(hz_to_pitch(low))} to {pitch_name(hz_to_pitch(high))}",
    ]


def _pitches(pitch_s: Mapping[int, float]) -> Table:
    table = Table(title="seconds of each pitch, octaves down, semitones across")
    table.add_column("octave", justify="right")
    for name in PITCH_NAMES:
        table.add_column(name, justify="center")
    table.add_column("s", justify="right")
    most = max(pitch_s.values())
    for octave in range(min(pitch_s) // 12, max(pitch_s) // 12 + 1):
        seconds = [pitch_s.get(12 * octave + semitone, 0.0) for semitone in range(12)]
        # anything heard at all shows
        blocks = [BLOCKS[min(8, int(8 * value / most + 0.999))] * 2 for value in seconds]
        table.add_row(str(octave - 1), *blocks, f"{sum(seconds):.1f}")
    return table


def _loudness(loudness_s: Mapping[int, float]) -> Table:
    table = Table(title="seconds of each loudness, A-weighted")
    table.add_column("dB", justify="right")
    table.add_column("", min_width=BAR_WIDTH)
    table.add_column("s", justify="right")
    most = max(loudness_s.values())
    for low_db in range(max(loudness_s), min(loudness_s) - 1, -6):
        seconds = loudness_s.get(low_db, 0.0)
        table.add_row(f"{low_db} to {low_db + 6}", "█" * round(BAR_WIDTH * seconds / most), f"{seconds:.1f}")
    return table
