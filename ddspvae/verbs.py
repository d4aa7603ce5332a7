"""What each verb of the command line does. Imports inside, so that `--help` stays quick."""

from __future__ import annotations

import json
import sys
import time
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path

from ddspvae.checks import InputError, check_range
from ddspvae.latents.commands import run_latents
from ddspvae.outputs import check_output, check_sound_options, read_ir, say, sound_of, write_sounds
from ddspvae.performer.commands import run_perform
from ddspvae.rendering import apply_edits, render


def presets(args: Namespace) -> None:
    """List instruments."""
    from ddspvae.midi.notes import pitch_to_name
    from ddspvae.presets import find_preset, list_presets, read_card

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
            "licence": card["licence"],
            "instruments": sorted(card.get("timbres", ())),
        })
    if args.json:
        print(json.dumps(rows))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None)
    for column in ("name", "range", "sample rate", "minutes heard", "bit/s of z", "licence of the sources"):
        table.add_column(column)
    for row in rows:
        table.add_row(row["name"], row["range"], str(row["sample_rate"]), str(row["minutes"]),
                      str(row["bits_per_second"]), ", ".join(row["licence"]))
    console = Console()
    console.print(table)
    for row in rows:
        if row["instruments"]:
            console.print(f"\n{row['name']} is one model of {', '.join(row['instruments'])}. Play {row['name']}:"
                          f"{row['instruments'][0]}, one between two (A+B), one that turns into another (A..B), or the one "
                          "in a recording (take.wav).", highlight=False)


def analyze(args: Namespace) -> None:
    """A recording to a performance."""
    from ddspvae.audio import read_audio
    from ddspvae.features.f0 import write_f0_csv
    from ddspvae.features.lost import find_lost
    from ddspvae.instrument import load
    from ddspvae.midi.notes import pitch_to_name
    from ddspvae.performer.commands import write_take_notes
    from ddspvae.units import hz_to_pitch

    for path, ending in ((args.out, ".npz"), (args.plot, ".png"), (args.csv, ".csv"), (args.notes, ".mid")):
        if path:
            check_output(path, [ending], args.take)
    instrument = load(args.preset)
    audio, rate = read_audio(args.take)
    performance = instrument.analyze(audio, rate, args.tracker)
    sure = performance.periodicity >= 0.5
    lost = find_lost(performance, instrument.statistics.range_hz)
    if args.plot:
        from ddspvae.evaluation.plots import plot_performance

        plot_performance(audio, rate, performance, args.plot, lost_s=lost.spans_s)
    if args.csv:
        write_f0_csv(args.csv, performance.f0_hz, performance.periodicity, performance.frame_rate_hz)
    performance.save(args.out)
    f0_hz = performance.f0_hz[sure]
    result = {"out": args.out, "seconds": round(performance.duration_s, 3), "pitched_share": round(float(sure.mean()), 3),
              "lowest": pitch_to_name(float(hz_to_pitch(f0_hz.min()))) if len(f0_hz) else None,
              "highest": pitch_to_name(float(hz_to_pitch(f0_hz.max()))) if len(f0_hz) else None,
              "loudest_db": round(float(performance.loudness_db.max()), 1),
              "lost_s": round(lost.seconds, 3), "lost_outside_s": round(lost.outside_s, 3), "lost_first_s": lost.first_s}
    if args.notes:
        result |= write_take_notes(performance, instrument, args.notes)
    say(args, result, f"{args.out}: {result['seconds']:.1f} s, pitched {result['pitched_share']:.0%}, "
         f"{result['lowest']} to {result['highest']}, loudest {result['loudest_db']:.1f} dB.")
    if lost.spans_s:
        print(f"analyze: {lost.sentence}", file=sys.stderr)


def edit(args: Namespace) -> None:
    """A recording or a performance to a changed sound."""
    from ddspvae.audio import read_audio
    from ddspvae.instrument import load
    from ddspvae.performer.transfer import check_transfer_options, report_outside, transfer
    from ddspvae.signals import Performance

    began = time.perf_counter()
    check_sound_options(args, args.take)
    for name, low, high in (("transpose", -60, 60), ("loudness", -120, 120), ("vibrato", 0, 10), ("stretch", 0.05, 20)):
        check_range("edit", name, getattr(args, name), low, high)
    check_transfer_options(args)
    instrument = load(args.preset, args.room)
    if Path(args.take).suffix.lower() == ".npz":
        if args.tracker is not None:
            raise InputError(f"edit: {args.take} holds its pitch already; give --tracker to analyze, or edit the WAV.")
        performance = instrument.adapt(Performance.load(args.take))
    else:
        audio, rate = read_audio(args.take)
        performance = instrument.analyze(audio, rate, args.tracker, foreign=args.fit)
    performance, moved = transfer(performance, instrument.statistics, args)
    performance = apply_edits(performance, instrument, args)
    moved |= report_outside(performance, instrument.statistics, args)
    sound = sound_of(instrument, performance, args, read_ir(args, instrument.config.sample_rate))
    with write_sounds(args, [sound], began, moved):
        pass


def train(args: Namespace) -> None:
    """Recordings to an instrument."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    from ddspvae.model.autoencoder import ModelConfig, sizes_for
    from ddspvae.model.axes import NAMED_AXES
    from ddspvae.training.loop import train as run
    from ddspvae.training.many import prepare_folders
    from ddspvae.training.prepare import prepare

    # a pipe has no width of its own; tables need some
    console = Console(stderr=True, width=None if sys.stderr.isatty() else 140)
    hop_size = args.hop if args.hop is not None else round(args.sample_rate / 200)
    n_z, frames_per_z = sizes_for(args.bitrate)
    if args.bottleneck != "gaussian":
        n_z = len(NAMED_AXES)
    config = ModelConfig(sample_rate=args.sample_rate, hop_size=hop_size, frames_per_z=frames_per_z,
                         n_z=n_z if args.axes is None else args.axes, encoder=args.encoder,
                         bottleneck=args.bottleneck, with_noise=not args.no_noise,
                         with_reverb=not args.no_reverb)
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
    with Progress(*columns, console=console, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("training", total=1.0, step=0, loss=float("nan"), cents="-", bits=0.0, left="?")

        def progress(row: dict[str, float]) -> None:
            left_s = row["seconds"] * (1 - row["progress"]) / max(row["progress"], 1e-6)
            cents = row.get("pitch_median_cents")
            bar.update(task, completed=row["progress"], step=int(row["step"]), loss=row["loss"],
                       cents="-" if cents is None else f"{cents:.1f}", bits=row["bits_per_second"],
                       left=f"{left_s / 60:.1f} min")

        path = run(args.recordings, args.out, minutes=args.minutes, steps=args.steps, bitrate=args.bitrate,
                   controller=args.controller, holdout=args.holdout, tracker=args.tracker, start_from=args.start_from,
                   many=args.many, device=args.device, seed=args.seed, model=config, progress=progress,
                   report=lambda report: report.print(console))
    from ddspvae.presets import read_card

    card = read_card(path)
    measured = card["metrics"]["validation"]
    again = "finished before; " if finished and _finished_run(args) == finished else ""
    say(args, {"out": str(path), "finished_before": bool(again), **measured},
         f"{path}: {again}{card['training']['steps_done']} steps in {card['training']['minutes_done']:.1f} min; on takes "
         f"left out of the training: loss {measured['loss']:.3f}, pitch off by {measured['pitch_median_cents']:.1f} cents "
         f"(median), heard in {measured['pitch_heard']:.1%}, z {measured['bits_per_second']:.0f} bit/s.")


def _finished_run(args: Namespace) -> float | None:
    """When the result was last written; None if there is none yet."""
    path = Path(args.out)
    return path.stat().st_mtime if path.is_file() else None


def evaluate(args: Namespace) -> None:
    """An instrument and recordings to a report."""
    from ddspvae.evaluation.report import evaluate as run
    from ddspvae.instrument import load
    from ddspvae.training.recordings import find_recordings

    paths = find_recordings([Path(path) for path in args.recordings])
    metrics = run(load(args.preset, args.room), paths, Path(args.out), tracker=args.tracker, max_seconds=args.max_seconds,
                  progress=lambda sentence: print(sentence, file=sys.stderr) if sys.stderr.isatty() else None)
    if metrics["judges_left_out"]:
        print(f"evaluate: {metrics['judges_left_out']}", file=sys.stderr)
    say(args, metrics, f"{args.out}/index.html and {args.out}/metrics.json written.")


VERBS: dict[str, Callable[[Namespace], None]] = {
    "presets": presets, "render": render, "analyze": analyze, "edit": edit, "train": train, "evaluate": evaluate,
    "perform": run_perform, "latents": run_latents,
}
