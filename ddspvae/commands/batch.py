"""`ddspvae batch OPERATION`: what the verbs do with one file, with thousands, on a cluster. Imports inside."""

from __future__ import annotations

import argparse
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path

from ddspvae.batch.jobs import Job
from ddspvae.commands.batch_files import Source, Work, chain_jobs, find_sources, label_of, source_jobs
from ddspvae.commands.batch_run import run_batch
from ddspvae.commands.options import add_output, add_tracker
from ddspvae.commands.render import add_playing
from ddspvae.signals.checks import InputError

SUMMARY = "render, analyze or evaluate thousands of files on all cores or a cluster; make labelled corpora"
EXAMPLES = (
    "ddspvae batch render songs/ --out rendered/",
    "ddspvae batch analyze takes/ --preset violin --out analysed/ --scheduler tcp://cluster:8786",
    "ddspvae batch corpus bounds.toml --out corpus/",
)
SCORES = (".mid", ".midi", ".csv", ".npz")


def add_options(sub: argparse.ArgumentParser) -> None:
    """Give the verb its operations and their options."""
    sub.set_defaults(verb="batch", json=False)
    operations = sub.add_subparsers(dest="operation", metavar="OPERATION", required=True)

    def operation(name: str, summary: str) -> argparse.ArgumentParser:
        one: argparse.ArgumentParser = operations.add_parser(name, help=summary, description=summary)
        one.add_argument("--json", action="store_true", default=argparse.SUPPRESS,
                         help="print one machine-readable object on stdout")
        where = one.add_argument_group("where it runs")
        where.add_argument("--scheduler", metavar="tcp://HOST:PORT", help="of a Dask cluster; default: this machine's cores")
        where.add_argument("--workers", type=int, metavar="N", help="processes on this machine (default: one a core)")
        return one

    one = operation("render", "play every score below a folder")
    one.add_argument("sources", nargs="+", metavar="SONGS", help="folders or files: .mid, .csv, .npz")
    add_playing(one)
    add_output(one, "rendered/", "a folder; SONGS/a/b.mid becomes a/b.wav in it")
    one.add_argument("--format", choices=["wav", "flac", "ogg"], default="wav", help="of the sound files (default wav)")
    one.add_argument("--stereo", action="store_true", help="two channels, even if no part is panned")
    one.add_argument("--stems", action="store_true", help="write every part to its own file too, to NAME.stems/")

    one = operation("analyze", "write down how every recording below a folder was played")
    one.add_argument("sources", nargs="+", metavar="RECORDINGS", help="folders or files")
    one.add_argument("--preset", required=True, metavar="NAME|FILE", help="see `ddspvae presets`")
    one.add_argument("--out", required=True, metavar="analysed/", help="a folder; RECORDINGS/a/b.wav becomes a/b.npz in it")
    add_tracker(one)
    one.add_argument("--notes", action="store_true", help="write the notes that were played to .mid files, too")

    one = operation("evaluate", "measure an instrument, or several, on every recording below a folder")
    one.add_argument("sources", nargs="+", metavar="RECORDINGS", help="folders or files")
    one.add_argument("--preset", required=True, action="append", metavar="NAME|FILE", help="may be repeated")
    one.add_argument("--out", required=True, metavar="reports/", help="a folder; a report for each preset and recording")
    one.add_argument("--tracker", metavar="NAME", help="default: one that was not used in training")
    one.add_argument("--max-seconds", type=float, default=30.0, metavar="S", help="of each recording (default 30)")

    one = operation("features", "listen to every recording of a manifest, for `train` to stream")
    one.add_argument("manifest", metavar="MANIFEST.csv|.parquet", help="path, instrument, split, licence; a row a recording")
    one.add_argument("--out", required=True, metavar="PLACE", help="a folder or URL, for train MANIFEST --features PLACE")
    one.add_argument("--logs", metavar="DIR", help="where the log of each shard goes (default: logs beside the manifest)")
    one.add_argument("--tracker", default="swift", metavar="NAME", help="swift, crepe or crepe-full")
    one.add_argument("--sample-rate", type=int, default=48_000, metavar="HZ")
    one.add_argument("--hop", type=int, metavar="N", help="samples per frame (default: 200 frames a second)")

    one = operation("corpus", "make labelled performances to train others on: audio, stems, notes, f0, loudness, z")
    one.add_argument("bounds", metavar="BOUNDS.toml", help="how many, and between which bounds they are drawn")
    one.add_argument("--out", required=True, metavar="corpus/", help="a folder of shards and their manifest")


def run(args: Namespace) -> None:
    """Do what args.operation says."""
    OPERATIONS[args.operation](args)


def _render(args: Namespace) -> None:
    sources = find_sources(args.sources, SCORES, args.out)
    work = Work("render", ("sources", "scheduler", "workers", "operation", "format"))

    def one(source: Source, to: Path) -> tuple[Namespace, list[Path]]:
        out, stems = Path(f"{to}.{args.format}"), Path(f"{to}.stems")
        return (Namespace(source=str(source.path), out=str(out), stems=str(stems) if args.stems else None, jobs=1,
                          save_performance=None), [out, *([stems] if args.stems else [])])

    run_batch(args, len(sources), source_jobs(args, work, sources, one))


def _analyze(args: Namespace) -> None:
    from ddspvae.training.recordings import ENDINGS

    sources = find_sources(args.sources, ENDINGS, args.out)
    work = Work("analyze", ("sources", "scheduler", "workers", "operation"))

    def one(source: Source, to: Path) -> tuple[Namespace, list[Path]]:
        out, notes = Path(f"{to}.npz"), Path(f"{to}.mid")
        told = str(notes) if args.notes else None
        return (Namespace(take=str(source.path), out=str(out), notes=told, plot=None, csv=None, room=None),
                [out, *([notes] if args.notes else [])])

    run_batch(args, len(sources), source_jobs(args, work, sources, one))


def _evaluate(args: Namespace) -> None:
    from ddspvae.training.recordings import ENDINGS

    sources = find_sources(args.sources, ENDINGS, args.out)
    labels = [label_of(preset) for preset in args.preset]
    if len(set(labels)) < len(labels):
        raise InputError("batch: two of the presets have the same name, and their reports would, too; rename one file.")
    work = Work("evaluate", ("sources", "scheduler", "workers", "operation"))

    def reports(label: str, preset: str) -> Iterator[Job]:
        def one(source: Source, to: Path) -> tuple[Namespace, list[Path]]:
            return (Namespace(preset=preset, recordings=[str(source.path)], out=str(to), room=None), [to / "metrics.json"])

        return source_jobs(Namespace(**{**vars(args), "preset": preset}), work, sources, one, below=label)

    run_batch(args, len(sources) * len(labels), chain_jobs(reports(*pair) for pair in zip(labels, args.preset)))


def _corpus(args: Namespace) -> None:
    from ddspvae.commands.batch_corpus import run_corpus

    run_corpus(args)


def _features(args: Namespace) -> None:
    from ddspvae.commands.batch_corpus import run_features

    run_features(args)


OPERATIONS = {"render": _render, "analyze": _analyze, "evaluate": _evaluate, "features": _features, "corpus": _corpus}
