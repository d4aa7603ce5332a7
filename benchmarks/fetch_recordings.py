"""Get the recordings that a shipped instrument was trained on and measured on, from where they are public.

    python benchmarks/fetch_recordings.py violin flute [--out recordings] [--list]

What was trained on stands in the instrument's card with repository, commit and path; what was held out in held_out.csv. Each
file is fetched from that commit, mixed to mono, and written as FLAC under the name that the card's commands use, with a
manifest.csv that `ddspvae train` takes pitches and credits from. Ours were also cut and brought to one level for each source
(long silences trimmed, 16 bits, one gain), so figures come out close to the published ones, not equal.
"""

from __future__ import annotations

import argparse
import csv
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterable, Mapping
from pathlib import Path
from urllib.parse import quote

import numpy as np
import soundfile

from ddspvae.instrument.presets import find_preset, read_card

HELD_OUT = Path(__file__).with_name("held_out.csv")
COLUMNS = ("file", "source", "source_repo", "commit", "original_path", "licence", "attribution")


def origins(instrument: str) -> list[Mapping[str, str]]:
    """Where the recordings of an instrument come from: those trained on, then those held out."""
    trained = read_card(find_preset(instrument))["credits"]
    with HELD_OUT.open(encoding="utf-8", newline="") as file:
        held_out = [row for row in csv.DictReader(file) if row["instrument"] == instrument]
    return [*trained, *held_out]


def address(origin: Mapping[str, str]) -> str:
    """Of the file as it was at that commit."""
    repository = origin["source_repo"].replace("https://github.com/", "https://raw.githubusercontent.com/")
    return f"{repository}/{origin['commit']}/{quote(origin['original_path'])}"


def fetch(origin: Mapping[str, str], folder: Path) -> Path:
    """One recording as mono FLAC; kept where it is there already."""
    path = (folder / origin["file"]).with_suffix(".flac")
    if path.exists():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(suffix=Path(origin["original_path"]).suffix) as raw:
        with urllib.request.urlopen(address(origin)) as answer:
            raw.write(answer.read())
        raw.flush()
        audio, rate = soundfile.read(raw.name, always_2d=True)
    part = path.with_name(f".{path.name}")
    soundfile.write(part, audio.mean(axis=1).astype(np.float32), rate, format="FLAC", subtype="PCM_16")
    part.replace(path)
    return path


def write_manifest(rows: Iterable[Mapping[str, str]], folder: Path) -> None:
    """What `ddspvae train` credits."""
    with (folder / "manifest.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, COLUMNS, extrasaction="ignore", lineterminator="\n")
        table.writeheader()
        table.writerows({**row, "file": str(Path(row["file"]).with_suffix(".flac"))} for row in rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("instruments", nargs="+")
    parser.add_argument("--out", type=Path, default=Path("recordings"))
    parser.add_argument("--list", action="store_true", help="print the addresses and stop")
    args = parser.parse_args()
    missing = []
    for instrument in args.instruments:
        rows = origins(instrument)
        if args.list:
            print(*map(address, rows), sep="\n")
            continue
        got = []
        for row in rows:
            try:
                fetch(row, args.out / instrument)
                got.append(row)
            except (urllib.error.URLError, soundfile.LibsndfileError) as error:
                missing.append(f"{address(row)} ({error})")
        write_manifest(got, args.out / instrument)
        print(f"{instrument}: {len(got)} of {len(rows)} recordings in {args.out / instrument}")
    if missing:
        sys.exit("not to be had any more:\n" + "\n".join(missing))


if __name__ == "__main__":
    main()
