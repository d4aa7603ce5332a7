"""`ddspvae edit`. Imports inside, so that `--help` stays quick."""

from __future__ import annotations

import argparse
import time
from argparse import Namespace
from pathlib import Path

from ddspvae.commands.edits import apply_edits
from ddspvae.commands.options import add_axes, add_output, add_preset, add_tracker
from ddspvae.commands.sounds import check_sound_options, learned_room, read_ir, sound_of, write_sounds
from ddspvae.signals.checks import InputError, check_range

SUMMARY = "change pitch, loudness or timbre of a recording, each alone"
EXAMPLES = (
    "ddspvae edit take.wav --preset violin --out higher.wav --transpose 7",
    "ddspvae edit take.wav --preset violin --out softer.wav --loudness -12 --vibrato 0 --set brightness=-1",
    "ddspvae edit voice.wav --preset trumpet --out trumpet.wav --fit --autotune 1 --scale major:D",
)


def add_options(sub: argparse.ArgumentParser) -> None:
    """Give the verb its options."""
    sub.add_argument("take", metavar="TAKE.wav|take.npz")
    add_preset(sub)
    add_output(sub, "new.wav")
    change = sub.add_argument_group("what changes")
    change.add_argument("--transpose", type=float, default=0.0, metavar="N", help="semitones")
    change.add_argument("--loudness", type=float, default=0.0, metavar="DB", help="louder (+) or softer (-)")
    change.add_argument("--vibrato", type=float, default=1.0, metavar="X", help="0 none, 1 as played, 2 twice as wide")
    change.add_argument("--stretch", type=float, default=1.0, metavar="X", help="2 plays twice as long")
    change.add_argument("--fit", action="store_true", help="move a foreign take into the learned range and levels")
    change.add_argument("--threshold", type=float, metavar="DB",
                        help="-40: silence what is 40 dB below the loudest, or softer")
    change.add_argument("--autotune", type=float, default=0.0, metavar="X", help="1 moves notes onto the scale, 0.5 halfway")
    change.add_argument("--scale", default="chromatic", metavar="NAME:TONIC", help="of --autotune: major:D, minor:F#, ...")
    add_axes(change)
    add_tracker(sub.add_argument_group("how it is heard"))


def run(args: Namespace) -> None:
    """A recording or a performance to a changed sound."""
    from ddspvae.audio import read_audio
    from ddspvae.editing.transfer import check_transfer_options, report_outside, transfer
    from ddspvae.instrument.loading import load
    from ddspvae.instrument.nearest import NEAREST, moved_to, nearest_room
    from ddspvae.signals import Performance

    began = time.perf_counter()
    check_sound_options(args)
    for name, low, high in (("transpose", -60, 60), ("loudness", -120, 120), ("vibrato", 0, 10), ("stretch", 0.05, 20)):
        check_range("edit", name, getattr(args, name), low, high)
    check_transfer_options(args)
    instrument = load(args.preset, None if args.room == NEAREST else learned_room(args))
    if Path(args.take).suffix.lower() == ".npz":
        if args.tracker is not None:
            raise InputError(f"edit: {args.take} holds its pitch already; give --tracker to analyze, or edit the WAV.")
        if args.room == NEAREST:
            raise InputError(f"edit: {args.take} was heard in a room already; give --room {NEAREST} to analyze, and here "
                             "its name.")
        performance = instrument.adapt(Performance.load(args.take))
    else:
        audio, rate = read_audio(args.take)
        if args.room == NEAREST:
            instrument = moved_to(instrument, nearest_room(instrument, audio, rate, args.tracker, foreign=args.fit))
        performance = instrument.analyze(audio, rate, args.tracker, foreign=args.fit)
    performance, moved = transfer(performance, instrument.statistics, args)
    performance = apply_edits(performance, instrument, args)
    moved |= {"room": instrument.room, **report_outside(performance, instrument.statistics, args)}
    sound = sound_of(instrument, performance, args, read_ir(args, instrument.config.sample_rate))
    with write_sounds(args, [sound], began, moved):
        pass
