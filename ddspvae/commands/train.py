"""`ddspvae train`. Imports inside, so that `--help` stays quick."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import warnings
from argparse import Namespace
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ddspvae.commands.sounds import check_output, say
from ddspvae.signals.checks import InputError

SUMMARY = "learn an instrument from recordings; the same command again resumes"
EXAMPLES = (
    "ddspvae train recordings/ --examine",
    "ddspvae train recordings/ --out mine.safetensors --minutes 10",
    "ddspvae train recordings/ --out quick.safetensors --minutes 2 --from ensemble",
)
ROOMS = {"auto": None, "apart": True, "together": False}


def add_options(sub: argparse.ArgumentParser) -> None:
    """Give the verb its options."""
    sub.add_argument("recordings", nargs="+", metavar="RECORDINGS", help="a folder or files")
    sub.add_argument("--out", metavar="my.safetensors")
    how_long = sub.add_argument_group("how long")
    budget = how_long.add_mutually_exclusive_group()
    budget.add_argument("--minutes", type=float, metavar="M", help="time to train, over all resumes (default 10)")
    budget.add_argument("--steps", type=int, metavar="N", help="steps to train instead")
    heard = sub.add_argument_group("what is heard")
    heard.add_argument("--examine", action="store_true", help="print the doctor's report and stop; needs no --out")
    heard.add_argument("--holdout", action="append", default=[], metavar="FILE", help="leave this recording out entirely")
    heard.add_argument("--tracker", default="swift", metavar="NAME", help="swift, crepe or crepe-full")
    heard.add_argument("--many", action="store_true", help="RECORDINGS holds a folder for each of several instruments; "
                       "learn them all in one model, played as my.safetensors:NAME")
    heard.add_argument("--features", metavar="PLACE", help="of a manifest: a folder or URL to keep features in (default: "
                       "beside it); RECORDINGS is then one .csv or .parquet, or such a place itself")
    heard.add_argument("--from", dest="start_from", metavar="PRESET", help="start from another instrument")
    model = sub.add_argument_group("the model")
    model.add_argument("--bitrate", type=float, metavar="BPS",
                       help="bit/s of timbre (default 2000, or of less than 30 s what the model has that --from names)")
    model.add_argument("--axes", type=int, metavar="N",
                       help="axes of z: four with names, the others details (default: as many as the bitrate pays for, or "
                            "of less than 30 s as many as the model of many has that --from names); "
                            "0 trains without z")
    model.add_argument("--rooms", choices=list(ROOMS), default="auto", help="learn what is typical of each folder of "
                       "recordings, a room or a player, apart, to play as any of them (--room), or of all together; auto "
                       "(default): apart where they hold the same notes")
    model.add_argument("--sample-rate", type=int, default=48_000, metavar="HZ")
    model.add_argument("--hop", type=int, metavar="N", help="samples per frame (default: 200 frames a second)")
    model.add_argument("--no-noise", action="store_true", help="harmonics only")
    model.add_argument("--no-reverb", action="store_true", help="no room")
    model.add_argument("--encoder", default="harmonics", metavar="NAME",
                       help="what hears axes without names: harmonics (default), mel, waveform or transformer")
    model.add_argument("--decoder", default="stack", metavar="NAME", help="stack (default), or one of a plugin")
    model.add_argument("--synthesizer", default="spectral", metavar="NAME", help="spectral (default), or one of a plugin")
    model.add_argument("--bottleneck", default="gaussian", metavar="NAME",
                       help="gaussian, or whole numbers: vq, rvq, fsq (default gaussian)")
    model.add_argument("--controller", default="log-dual", metavar="NAME", help="what holds the bitrate (default log-dual)")
    model.add_argument("--loss", default="ear", metavar="NAME", help="ear (default), or one of a plugin")
    machine = sub.add_argument_group("the machine")
    machine.add_argument("--device", metavar="D", help="cuda, mps or cpu; default: the best there is")
    machine.add_argument("--precision", default="auto", metavar="P", help="float32, bfloat16, or auto: what a GPU is "
                         "quicker with, float32 on a CPU")
    machine.add_argument("--compile", action="store_true", help="compile the networks; the first steps then take minutes")
    machine.add_argument("--batch", type=int, metavar="N", help="crops a step, over all processes together (default: 4 for "
                         "each process that begins the run; any number of processes that divides it may go on)")
    machine.add_argument("--seed", type=int, default=0, metavar="N")


def run(args: Namespace) -> None:
    """Recordings to an instrument."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    from ddspvae.model.config import ModelConfig, sizes_for
    from ddspvae.model.form import NAMED_AXES
    from ddspvae.training.corpus import is_corpus
    from ddspvae.training.loop import BITRATE, train
    from ddspvae.training.many import prepare_folders
    from ddspvae.training.prepare import prepare
    from ddspvae.training.processes import rank_here

    leads = rank_here() == 0  # of those that torchrun starts, one speaks
    # a pipe has no width of its own; tables need some
    console = Console(stderr=True, width=None if sys.stderr.isatty() else 140)
    hop_size = args.hop if args.hop is not None else round(args.sample_rate / 200)
    n_z, frames_per_z = sizes_for(BITRATE if args.bitrate is None else args.bitrate)
    if args.bottleneck != "gaussian":
        n_z = len(NAMED_AXES)
    config = ModelConfig(sample_rate=args.sample_rate, hop_size=hop_size, frames_per_z=frames_per_z,
                         n_z=n_z if args.axes is None else args.axes, encoder=args.encoder, decoder=args.decoder,
                         bottleneck=args.bottleneck, synthesizer=args.synthesizer, by_room=ROOMS[args.rooms],
                         with_noise=not args.no_noise, with_reverb=not args.no_reverb)
    if args.examine and is_corpus(args.recordings):
        _examine_corpus(args, config)
        return
    if args.features is not None and not is_corpus(args.recordings):
        raise InputError("train: --features is for a manifest, .csv or .parquet.")
    if args.examine:
        wide = Console(width=None if sys.stdout.isatty() else 140)
        find = prepare_folders if args.many else prepare
        find(args.recordings, args.holdout, args.tracker, config,
                lambda report: print(json.dumps(report.to_dict())) if args.json else report.print(wide))
        return
    if args.out is None:
        raise InputError("train: name the file to write with --out my.safetensors (or ask for --examine alone).")
    check_output(args.out, [".safetensors"])
    finished = _finished_run(args)
    columns = (TextColumn("step {task.fields[step]}"), BarColumn(), TextColumn(
        "loss {task.fields[loss]:.3f}  {task.fields[cents]} cents  {task.fields[bits]:.0f} bit/s  {task.fields[left]} left"))
    with Progress(*columns, console=console, disable=not (leads and sys.stderr.isatty())) as bar, _quiet_unless(leads):
        task = bar.add_task("training", total=1.0, step=0, loss=float("nan"), cents="-", bits=0.0, left="?")

        def progress(row: dict[str, float]) -> None:
            left_s = row["seconds"] * (1 - row["progress"]) / max(row["progress"], 1e-6)
            cents = row.get("pitch_median_cents")
            bar.update(task, completed=row["progress"], step=int(row["step"]), loss=row["loss"],
                       cents="-" if cents is None else f"{cents:.1f}", bits=row["bits_per_second"],
                       left=f"{left_s / 60:.1f} min")

        path = train(args.recordings, args.out, minutes=args.minutes, steps=args.steps, bitrate=args.bitrate,
                     axes=args.axes, controller=args.controller, loss=args.loss, holdout=args.holdout, tracker=args.tracker,
                     start_from=args.start_from, many=args.many, device=args.device, seed=args.seed, batch=args.batch,
                     features=args.features, precision=args.precision, compiled=args.compile, model=config,
                     progress=progress,
                     report=(lambda report: report.print(console)) if leads else None,
                     tell=lambda sentence: console.print(sentence, markup=False, highlight=False))
    if not leads:
        return
    from ddspvae.instrument.presets import read_card

    card = read_card(path)
    measured = card["metrics"]["validation"]
    again = "finished before; " if finished and _finished_run(args) == finished else ""
    say(args, {"out": str(path), "finished_before": bool(again), **measured},
         f"{path}: {again}{card['training']['steps_done']} steps in {card['training']['minutes_done']:.1f} min; on takes "
         f"left out of the training: loss {measured['loss']:.3f}, {_pitch(measured)}, "
         f"z {measured['bits_per_second']:.0f} bit/s.")


def _examine_corpus(args: Namespace, config: Any) -> None:
    """The doctor's verdict on every row of a manifest."""
    from ddspvae.corpora.places import join
    from ddspvae.training.prepare_corpus import find_corpus

    corpus = find_corpus(args.recordings, args.features, args.tracker, config)
    hours = {split: round(corpus.hours(split), 3) for split in ("train", "validation", "test")}
    table = join(corpus.place, "verdicts.csv")
    say(args, {"features": corpus.place, "verdicts": table, "hours": hours, "instruments": corpus.instruments},
        f"{table}: {', '.join(f'{value:.2f} h of {split}' for split, value in hours.items())}; {len(corpus.instruments)} "
        "instruments.")


@contextlib.contextmanager
def _quiet_unless(leads: bool) -> Iterator[None]:
    """What is wrong with the input is told by one of the processes; that another is gone, by those that notice."""
    try:
        with warnings.catch_warnings():
            if not leads:
                warnings.simplefilter("ignore")
            yield
    except InputError as error:
        if leads or "another process" in str(error):
            raise
        sys.exit(2)


def _pitch(measured: Mapping[str, Any]) -> str:
    if measured["pitch_median_cents"] is None:
        return "no pitch heard in what it plays"
    return f"pitch off by {measured['pitch_median_cents']:.1f} cents (median), heard in {measured['pitch_heard']:.1%}"


def _finished_run(args: Namespace) -> float | None:
    """When the result was last written; None if there is none yet."""
    path = Path(args.out)
    return path.stat().st_mtime if path.is_file() else None
