"""The table of the shipped presets, from the reports that their cards were made from.

    python benchmarks/presets_table.py REPORTS

REPORTS is a folder with a report of `ddspvae evaluate` for each, by its name, and in it what `pitch_trackers.py` wrote.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from ddspvae.evaluation.judges_page import PLAYED
from ddspvae.instrument.presets import find_preset, list_presets, read_card
from ddspvae.midi.notes import pitch_to_name

HEADINGS = ("", "range", "minutes heard", "pitch, median cents, CREPE full", "95th percentile", "autocorrelation",
            "CREPE tiny", "its floor", "heard", "loudness error, dB", "spectral distance", "harmonics, dB", "bit/s", "MB",
            "training, min")
JUDGES = {"zimtohrli": "Zimtohrli", "visqol": "ViSQOL"}


def judge_columns(totals: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """What was played and by which judge it was judged, in any of the reports: as they name them."""
    found = [(played, judge) for total in totals for played, scores in total.get("judges", {}).items()
             for judge in JUDGES if scores.get(judge) is not None]
    played = list(dict.fromkeys(name for name, _ in found))
    return sorted(set(found), key=lambda column: (list(JUDGES).index(column[1]), played.index(column[0])))


def score(total: dict[str, Any], played: str, judge: str) -> str:
    """A cell; empty where nothing was judged."""
    value = total.get("judges", {}).get(played, {}).get(judge)
    return "" if value is None else f"{value:.2f}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("reports", type=Path)
    args = parser.parse_args()
    reports = {}
    for name in list_presets():
        folder = args.reports / name
        if (folder / "metrics.json").is_file() and (folder / "trackers.json").is_file():
            reports[name] = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))["total"]
    columns = judge_columns(list(reports.values()))
    headings = [*HEADINGS, *(f"{JUDGES[judge]}, {PLAYED.get(played, played)}" for played, judge in columns)]
    print(f"| {' | '.join(headings)} |\n|{'---|' * len(headings)}")
    for name, total in reports.items():
        path = find_preset(name)
        card, trackers = read_card(path), args.reports / name / "trackers.json"
        heard = json.loads(trackers.read_text(encoding="utf-8"))
        statistics = card["statistics"]
        pitch, floor = total["resynthesis"]["pitch"], total["resynthesis"]["floor"]
        cells = (f"[{name}](../presets/{name}.md)",
                 f"{pitch_to_name(statistics['pitch_low'])} to {pitch_to_name(statistics['pitch_high'])}",
                 f"{statistics['minutes']:.1f}", f"{heard['crepe-full']['median_cents']:.1f}",
                 f"{heard['crepe-full']['p95_cents']:.1f}", f"{heard['autocorrelation']['median_cents']:.1f}",
                 f"{pitch['median_cents']:.1f}", f"{floor['median_cents']:.1f}", f"{pitch['heard']:.1%}",
                 f"{total['resynthesis']['loudness']['mean_abs_db']:.2f}",
                 f"{total['resynthesis']['spectral_distance']:.2f}", f"{total['resynthesis']['harmonics_db']:.1f}",
                 f"{total['rate']['bits_per_second']:.0f}",
                 f"{path.stat().st_size / 1e6:.1f}", f"{card['training']['minutes_done']:.1f}",
                 *(score(total, *column) for column in columns))
        print(f"| {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
