"""The table of the shipped presets, from the reports that their cards were made from.

    python benchmarks/presets_table.py REPORTS

REPORTS is a folder with a report of `ddspvae evaluate` for each, by its name, and in it what `pitch_trackers.py` wrote.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from ddspvae.midi.notes import pitch_to_name
from ddspvae.presets import find_preset, list_presets, read_card

HEADINGS = ("", "range", "minutes heard", "pitch, median cents, CREPE full", "95th percentile", "autocorrelation",
            "CREPE tiny", "its floor", "heard", "loudness error, dB", "spectral distance", "harmonics, dB", "bit/s", "MB",
            "training, min")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("reports", type=Path)
    args = parser.parse_args()
    print(f"| {' | '.join(HEADINGS)} |\n|{'---|' * len(HEADINGS)}")
    for name in list_presets():
        path = find_preset(name)
        card, report, trackers = read_card(path), args.reports / name / "metrics.json", args.reports / name / "trackers.json"
        if not report.is_file() or not trackers.is_file():
            continue
        heard = json.loads(trackers.read_text(encoding="utf-8"))
        statistics, total = card["statistics"], json.loads(report.read_text(encoding="utf-8"))["total"]
        pitch, floor = total["resynthesis"]["pitch"], total["resynthesis"]["floor"]
        cells = (f"[{name}](../presets/{name}.md)",
                 f"{pitch_to_name(statistics['pitch_low'])} to {pitch_to_name(statistics['pitch_high'])}",
                 f"{statistics['minutes']:.1f}", f"{heard['crepe-full']['median_cents']:.1f}",
                 f"{heard['crepe-full']['p95_cents']:.1f}", f"{heard['autocorrelation']['median_cents']:.1f}",
                 f"{pitch['median_cents']:.1f}", f"{floor['median_cents']:.1f}", f"{pitch['heard']:.1%}",
                 f"{total['resynthesis']['loudness']['mean_abs_db']:.2f}",
                 f"{total['resynthesis']['spectral_distance']:.2f}", f"{total['resynthesis']['harmonics_db']:.1f}",
                 f"{total['rate']['bits_per_second']:.0f}",
                 f"{path.stat().st_size / 1e6:.1f}", f"{card['training']['minutes_done']:.1f}")
        print(f"| {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
