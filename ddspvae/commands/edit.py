"""`ddspvae edit`. Imports inside, so that `--help` stays quick."""

from __future__ import annotations

import argparse
import time
from argparse import Namespace
from pathlib import Path

from ddspvae.checks import InputError, check_range
from ddspvae.commands.edits import apply_edits
from ddspvae.commands.options import add_axes, add_output, add_preset, add_tracker
from ddspvae.commands.sounds import check_sound_options, read_ir, sound_of, write_sounds

SUMMARY = "change pitch, loudness or timbre of a recording, each alone"


def add_options(sub: argparse.ArgumentParser) -> None:
    """Give the verb its options."""
    sub.add_argument("take", metavar="TAKE.wav|take.npz")
    add_preset(sub)
    add_output(sub, "new.wav")
    sub.add_argument("--transpose", type=float, default=0.0, metavar="N", help="semitones")
    sub.add_argument("--loudness", type=float, default=0.0, metavar="DB", help="louder (+) or softer (-)")
    sub.add_argument("--vibrato", type=float, default=1.0, metavar="X", help="0 none, 1 as played, 2 twice as wide")
    sub.add_argument("--stretch", type=float, default=1.0, metavar="X", help="2 plays twice as long")
    sub.add_argument("--fit", action="store_true", help="move a foreign take into the learned range and levels")
    sub.add_argument("--threshold", type=float, metavar="DB", help="-40: silence what is 40 dB below the loudest, or softer")
    sub.add_argument("--autotune", type=float, default=0.0, metavar="X", help="1 moves notes onto the scale, 0.5 halfway")
    sub.add_argument("--scale", default="chromatic", metavar="NAME:TONIC", help="of --autotune: major:D, minor:F#, ...")
    add_axes(sub)
    add_tracker(sub)


def run(args: Namespace) -> None:
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
