"""`ddspvae export`: an instrument for a sampler or a host."""

from __future__ import annotations

import argparse
import time
from argparse import Namespace
from pathlib import Path
from typing import Any

from ddspvae.commands.options import add_preset
from ddspvae.commands.progress import progress_bar
from ddspvae.commands.sounds import say
from ddspvae.signals.checks import InputError

SUMMARY = "write an instrument for samplers (SFZ, SoundFont, DecentSampler), nn~ or ONNX"
EXAMPLES = (
    "ddspvae export --preset violin --format sfz --out violin-sfz/",
    "ddspvae export --preset flute --format sf2 --out flute-sf2/ --layers 5",
    "ddspvae export --preset cello --format onnx --out cello-onnx/",
)
SAMPLED, NETWORKS = ("sfz", "sf2", "decent"), ("nn", "onnx")


def add_options(sub: argparse.ArgumentParser) -> None:
    """Give the verb its options."""
    add_preset(sub)
    sub.add_argument("--room", metavar="NAME", help="of the rooms that the preset learned: what is typical there")
    sub.add_argument("--format", required=True, choices=[*SAMPLED, *NETWORKS],
                     help="sfz, sf2, decent: samples; nn: TorchScript for nn~ (Max, Pd, SuperCollider); onnx: the network")
    sub.add_argument("--out", required=True, metavar="FOLDER", help="a new folder")
    notes = sub.add_argument_group("which notes are sampled")
    notes.add_argument("--step", type=int, metavar="KEYS", help="from one sampled key to the next (default: 3)")
    notes.add_argument("--layers", type=int, metavar="N", help="dynamics (default: 4)")
    notes.add_argument("--seeds", type=int, metavar="N", help="performances of each note, played in turn (default: 2)")
    notes.add_argument("--seed", type=int, metavar="N", help="of the first of them (default: 0)")
    notes.add_argument("--keys", metavar="LOW-HIGH", help="MIDI numbers, such as 60-72 (default: the instrument's range)")
    notes.add_argument("--brightness", action="store_true", help="three layers that controller 74 fades between (sfz)")


def run(args: Namespace) -> None:
    """An instrument to a folder."""
    began = time.perf_counter()
    for name in ("step", "layers", "seeds", "seed", "keys"):
        if args.format in NETWORKS and getattr(args, name) is not None:
            raise InputError(f"export: --{name} is for samples; with --format {args.format} leave it out.")
    if args.brightness and args.format != "sfz":
        raise InputError("export: --brightness is for --format sfz, whose players fade between layers by a controller.")
    from ddspvae.export.folder import check_new_folder
    from ddspvae.instrument.loading import load

    check_new_folder(Path(args.out))
    instrument = load(args.preset, args.room)
    result: dict[str, Any] = {"out": args.out, "format": args.format}
    if args.format in SAMPLED:
        from ddspvae.export.plan import Plan
        from ddspvae.export.sampled import export_sampled

        low, high = _keys(args.keys)
        plan = Plan.of(instrument.statistics, step_keys=_or(args.step, 3), n_layers=_or(args.layers, 4),
                       n_seeds=_or(args.seeds, 1 if args.format == "sf2" else 2), seed=_or(args.seed, 0),
                       with_brightness=args.brightness, low=low, high=high)
        with progress_bar() as bar:
            task = bar.add_task("playing", total=plan.n_samples)
            exported = export_sampled(instrument, args.format, args.out, plan, lambda: bar.advance(task))
        result["samples"] = exported.n_samples
    else:
        from ddspvae.export.networks import export_network

        exported = export_network(instrument, args.format, args.out)
    took_s = time.perf_counter() - began
    result |= {"file": exported.main, "bytes": exported.n_bytes, "seconds": round(took_s, 2)}
    say(args, result, f"wrote {Path(args.out) / exported.main}: {exported.n_bytes / 1e6:.1f} MB in {took_s:.1f} s.")


def _or(value: int | None, usual: int) -> int:
    return usual if value is None else value


def _keys(text: str | None) -> tuple[int | None, int | None]:
    """LOW-HIGH to two numbers; None for both where nothing was said."""
    if text is None:
        return None, None
    low, dash, high = text.partition("-")
    if not (dash and low.isdecimal() and high.isdecimal()):
        raise InputError(f"export: --keys must be two MIDI numbers such as 60-72, got '{text}'.")
    return int(low), int(high)
