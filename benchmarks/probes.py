"""Can pitch and loudness be read from z? Fresh probes on all the recordings that are named, taken together.

    python benchmarks/probes.py violin RECORDINGS ... [--seconds 200]

A minute of music has a dozen phrases, and R^2 over so few says little; some minutes are needed.
"""

from __future__ import annotations

import argparse
from types import SimpleNamespace

from ddspvae import load, read_audio
from ddspvae.evaluation.independence.probes import probe
from ddspvae.evaluation.independence.report import gather_rows
from ddspvae.instrument.nearest import moved_to_folder
from ddspvae.training.recordings import find_recordings


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("preset")
    parser.add_argument("recordings", nargs="+")
    parser.add_argument("--seconds", type=float, default=200.0, help="of each recording")
    args = parser.parse_args()
    instrument = load(args.preset)
    rate = instrument.config.sample_rate
    takes = []
    for path in find_recordings(args.recordings):
        audio = read_audio(path, rate)[0][: round(args.seconds * rate)]
        takes.append(SimpleNamespace(audio=audio, sample_rate=rate,
                                     performance=moved_to_folder(instrument, path).analyze(audio, rate)))
    rows = gather_rows(takes)
    print("| | probe | R^2 | floor | above | ceiling | rows | stretches |\n|---|---|---|---|---|---|---|---|")
    for one in probe(rows.z, rows.heard, {name: rows.curves[name] for name in ("f0", "loudness")}, rows.blocks):
        print(f"| {one.target} | {one.probe} | {one.r2:.3f} | {one.floor:.3f} | {one.r2 - one.floor:+.3f} "
              f"| {one.ceiling:.2f} | {one.n_rows} | {one.n_blocks} |")


if __name__ == "__main__":
    main()
