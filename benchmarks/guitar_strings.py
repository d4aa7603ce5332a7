"""Say on which string each note of the shared electric guitar is plucked: a folder to train on, with that in its manifest.

    python benchmarks/guitar_strings.py RECORDINGS/guitar-electric --out guitar-electric

The repository that the notes come from names its files by string: -2a is the open F sharp of an eight-string guitar, 1b the
low E stopped at the twelfth fret.
"""

from __future__ import annotations

import argparse
import csv
import re
import shutil
from pathlib import Path

OPEN = {"-2": "F#1", "-1": "B1", "1": "E2", "2": "A2", "3": "D3", "4": "G3", "5": "B3", "6": "E4"}


def string_of(original_path: str) -> str:
    """The open string that a file of the repository is played on; empty for phrases.

    >>> string_of("test/audio_files/-1c-Low-B-24th.wav"), string_of("test/audio_files/GLines1.wav")
    ('B1', '')
    """
    match = re.match(r"(-?\d)[abc]-", original_path.rsplit("/", 1)[-1])
    return OPEN[match.group(1)] if match else ""


def main() -> None:
    """Write the folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recordings", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    with (args.recordings / "manifest.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        row["string"] = string_of(row["original_path"])
        source, target = args.recordings / row["file"], args.out / row["file"]
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists():
            shutil.copyfile(source, target)
    with (args.out / "manifest.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    print(f"{args.out}: {len(rows)} recordings, {sum(bool(row['string']) for row in rows)} with a string")


if __name__ == "__main__":
    main()
