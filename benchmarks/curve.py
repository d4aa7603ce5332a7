"""Models trained at several bitrates, to the judges of hearing, beside the stand-in without a network and the ceiling.

    python benchmarks/curve.py HELD_OUT --point 500=a.safetensors --point 2000=b.safetensors --stand-in stand_in.json

z is drawn from its posterior, which is what its bits pay for. The stand-in's file is what benchmarks/stand_in.py wrote, of
the same recording, whose length is taken from there; the last column is how much better the model is on the same stretches.
An instrument plays in the room that is named as the recording's folder, where it has that one.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import torch
from takes import hear, load_for, play
from verdicts import Verdict, spell

from ddspvae.evaluation.ceiling import play_ceiling
from ddspvae.signals.checks import InputError

HEADINGS = ("bit/s asked", "on this take", "Zimtohrli (95 % interval)", "ViSQOL", "the stand-in", "ViSQOL",
            "better than it by")


def read_point(text: str) -> tuple[str, Path]:
    """A bitrate and a file.

    >>> read_point("2000=violin.safetensors")
    ('2000', PosixPath('violin.safetensors'))
    """
    bitrate, sign, path = text.partition("=")
    if not sign or not path:
        raise InputError(f"curve: --point must look like 2000=violin.safetensors, got '{text}'.")
    return bitrate, Path(path)


def table(points: dict[str, tuple[float | None, Verdict]], stand_in: dict[str, Verdict]) -> str:
    """As Markdown: a row a bitrate, in the order of the models and then of what only the stand-in has.

    Args:
        points: bitrate as asked to the bit/s on this take and what was said.
        stand_in: likewise.
    """
    rows = []
    for name in dict.fromkeys([*points, *stand_in]):
        bits, said = points.get(name, (None, None))
        other = stand_in.get(name)
        rows.append([name, "" if bits is None else f"{bits:.0f}", " | " if said is None else said.cells(),
                     " | " if other is None else other.cells(),
                     spell(said.above(other), "+") if said is not None and other is not None else ""])
    lines = [f"| {' | '.join(cells)} |" for cells in rows]
    return "\n".join([f"| {' | '.join(HEADINGS)} |", f"|{'---|' * len(HEADINGS)}", *lines])


def main() -> None:
    """Print the table, and keep what it is made of."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("held_out", type=Path)
    parser.add_argument("--point", type=read_point, action="append", required=True, metavar="BITRATE=FILE")
    parser.add_argument("--stand-in", type=Path, help="JSON by benchmarks/stand_in.py")
    parser.add_argument("--seconds", type=float, default=60.0, help="of the take, from its start, without a stand-in")
    parser.add_argument("--no-visqol", action="store_true")
    parser.add_argument("--out", type=Path, help="JSON")
    args = parser.parse_args()
    torch.set_num_threads(1)
    kept: dict[str, Any] = json.loads(args.stand_in.read_text(encoding="utf-8")) if args.stand_in else {
        "recording": args.held_out.name, "seconds": args.seconds, "points": {}}
    if kept["recording"] != args.held_out.name:
        raise InputError(f"curve: {args.stand_in} is of {kept['recording']}, and not of {args.held_out.name}.")
    stand_in = {name: Verdict.from_dict(said) for name, said in kept["points"].items()}
    points: dict[str, tuple[float | None, Verdict]] = {}
    for bitrate, path in args.point:
        instrument = load_for(path, args.held_out)
        rate = instrument.config.sample_rate
        heard = hear(instrument, args.held_out, kept["seconds"])
        bits = instrument.rate(heard.audio, rate)["bits_per_second"] if instrument.config.n_running else 0.0
        points[bitrate] = bits, Verdict.of(heard.audio, play(instrument, heard, "z drawn"), rate, not args.no_visqol)
        print(f"{bitrate}: {points[bitrate][1].cells()}", flush=True)
    played = play_ceiling(heard.audio, rate, instrument.config.hop_size, heard.features.f0_hz)
    points["ceiling"] = None, Verdict.of(heard.audio, played, rate, not args.no_visqol)
    print(f"\n{args.held_out.name}, its first {kept['seconds']:g} s\n\n{table(points, stand_in)}")
    if args.out:
        args.out.write_text(json.dumps({
            "recording": args.held_out.name, "seconds": kept["seconds"],
            "points": {name: {"bits_per_second": bits, **said.to_dict()} for name, (bits, said) in points.items()}}) + "\n",
            encoding="utf-8")


if __name__ == "__main__":
    main()
