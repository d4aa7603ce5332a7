"""`ddspvae analyze`. Imports inside, so that `--help` stays quick."""

from __future__ import annotations

import argparse
import sys
from argparse import Namespace

from ddspvae.commands.options import add_preset, add_tracker
from ddspvae.commands.sounds import check_output, say

SUMMARY = "write down how a recording was played"
EXAMPLES = (
    "ddspvae analyze take.wav --preset violin --out take.npz --plot take.png",
    "ddspvae analyze take.wav --preset violin --out take.npz --notes take.mid",
)


def add_options(sub: argparse.ArgumentParser) -> None:
    """Give the verb its options."""
    sub.add_argument("take", metavar="TAKE.wav")
    add_preset(sub)
    sub.add_argument("--out", required=True, metavar="take.npz")
    add_tracker(sub)
    sub.add_argument("--room", metavar="NAME", help="which of the preset's learned rooms it was played in (default: the "
                     "first), or nearest: the one it is most like; play the performance in the same")
    sub.add_argument("--plot", metavar="take.png", help="draw waveform, spectrogram with f0, loudness and z")
    sub.add_argument("--csv", metavar="take.csv", help="write time, Hz, periodicity, to be corrected by hand "
                     "and given back with --tracker take.csv")
    sub.add_argument("--notes", metavar="take.mid", help="write the notes that were played as a MIDI file")


def run(args: Namespace) -> None:
    """A recording to a performance."""
    from ddspvae.audio import read_audio
    from ddspvae.features.f0 import write_f0_csv
    from ddspvae.features.lost import find_lost
    from ddspvae.instrument.loading import load_to_play
    from ddspvae.instrument.nearest import NEAREST, moved_to_nearest
    from ddspvae.instrument.take_files import analyze_file
    from ddspvae.midi.notes import pitch_to_name
    from ddspvae.signals.units import hz_to_pitch

    for path, ending in ((args.out, ".npz"), (args.plot, ".png"), (args.csv, ".csv"), (args.notes, ".mid")):
        if path:
            check_output(path, [ending])
    if args.plot:
        from ddspvae.evaluation.plots import check_drawing

        check_drawing()
    instrument = load_to_play(args.preset, None if args.room == NEAREST else args.room)
    if args.room == NEAREST:
        instrument = moved_to_nearest(instrument, args.take, args.tracker)
    performance = analyze_file(instrument, args.take, args.tracker)
    sure = performance.periodicity >= 0.5
    lost = find_lost(performance, instrument.statistics.range_hz)
    if args.plot:
        from ddspvae.evaluation.plots import plot_performance

        plot_performance(*read_audio(args.take), performance, args.plot, lost_s=lost.spans_s)
    if args.csv:
        write_f0_csv(args.csv, performance.f0_hz, performance.periodicity, performance.frame_rate_hz)
    performance.save(args.out)
    f0_hz = performance.f0_hz[sure]
    result = {"out": args.out, "room": instrument.room, "seconds": round(performance.duration_s, 3),
              "pitched_share": round(float(sure.mean()), 3),
              "lowest": pitch_to_name(float(hz_to_pitch(f0_hz.min()))) if len(f0_hz) else None,
              "highest": pitch_to_name(float(hz_to_pitch(f0_hz.max()))) if len(f0_hz) else None,
              "loudest_db": round(float(performance.loudness_db.max()), 1),
              "lost_s": round(lost.seconds, 3), "lost_outside_s": round(lost.outside_s, 3), "lost_first_s": lost.first_s}
    if args.notes:
        from ddspvae.editing.write_notes import write_take_notes

        result |= write_take_notes(performance, instrument, args.notes)
    say(args, result, f"{args.out}: {result['seconds']:.1f} s, pitched {result['pitched_share']:.0%}, "
         f"{result['lowest']} to {result['highest']}, loudest {result['loudest_db']:.1f} dB"
         f"{f', heard in {instrument.room}: play it with --room {instrument.room}' if args.room else ''}.")
    if lost.spans_s:
        print(f"analyze: {lost.sentence}", file=sys.stderr)
