"""`ddspvae presets`. Imports inside, so that `--help` stays quick."""

from __future__ import annotations

import argparse
import json
from argparse import Namespace
from typing import Any

SUMMARY = "list the instruments there are"
EXAMPLES = ("ddspvae presets", "ddspvae presets --json")


def add_options(sub: argparse.ArgumentParser) -> None:
    """It has none."""


def run(args: Namespace) -> None:
    """List instruments."""
    from ddspvae.instrument.presets import find_preset, list_presets, read_card
    from ddspvae.midi.notes import pitch_to_name

    rows = []
    for name in list_presets():
        card = read_card(find_preset(name))
        statistics, metrics = card["statistics"], card["metrics"]
        rows.append({
            "name": name,
            "range": f"{pitch_to_name(statistics['pitch_low'])} to {pitch_to_name(statistics['pitch_high'])}",
            "sample_rate": card["config"]["sample_rate"],
            "minutes": round(statistics["minutes"], 1),
            "bits_per_second": round(metrics["validation"]["bits_per_second"]),
            "rooms": card["config"]["rooms"],
            "licence": card["licence"],
            "instruments": sorted(card.get("timbres", ())),
        })
    if args.json:
        print(json.dumps(rows))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None)
    for column in ("name", "range", "minutes heard", "bit/s of z", "rooms", "licence of the sources"):
        table.add_column(column, no_wrap=column == "name", overflow="fold")
    for row in rows:
        table.add_row(row["name"], row["range"], str(row["minutes"]), str(row["bits_per_second"]),
                      "" if row["instruments"] else ", ".join(row["rooms"]),
                      ", ".join(licence.split(" (")[0] for licence in row["licence"]))
    console = Console()
    with console.capture() as shown:
        _show(console, table, rows)
    print(shown.get(), end="")


def _show(console: Any, table: Any, rows: list[dict[str, Any]]) -> None:
    console.print(table)
    for row in rows:
        if row["instruments"]:
            console.print(f"\n{row['name']} is one model of {', '.join(row['instruments'])}. Play {row['name']}:"
                          f"{row['instruments'][0]}, one between two (A+B), one that turns into another (A..B), or the one "
                          "in a recording (take.wav).", highlight=False)
