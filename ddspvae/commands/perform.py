"""`ddspvae perform`. Imports inside, so that `--help` stays quick."""

from __future__ import annotations

import argparse
import warnings
from argparse import Namespace
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ddspvae.commands.options import add_preset, add_tracker
from ddspvae.commands.sounds import check_output, say
from ddspvae.signals.checks import InputError, check_range

if TYPE_CHECKING:
    from ddspvae.instrument.instrument import Instrument
    from ddspvae.performer.controls import ControlRanges, NoteControls
    from ddspvae.signals import Notes


SCORES = (".mid", ".midi", ".kar", ".rmi", ".smf", ".midi2", ".musicxml", ".mxl", ".xml", ".mei")
SUMMARY = "the notes of a score or a take, and how each is played, as a table to edit"
EXAMPLES = (
    "ddspvae perform song.mid --preset violin --out notes.csv",
    "ddspvae render notes.csv --preset violin --out edited.wav",
)


def add_options(sub: argparse.ArgumentParser) -> None:
    """Give the verb its options."""
    sub.add_argument("source", metavar="SONG.mid|SCORE.musicxml|TAKE.wav|take.npz")
    add_preset(sub)
    sub.add_argument("--out", required=True, metavar="notes.csv", help="a row a note, to be edited and rendered")
    sub.add_argument("--part", type=int, metavar="N", help="of the score, where it has several; 1 is the first")
    sub.add_argument("--expression", type=float, metavar="X", help="of a score: 0 deadpan, 1 as recorded, 2 exaggerated")
    sub.add_argument("--performer", choices=["learned", "rules"], help="of a score; default: learned where there is one")
    add_tracker(sub)


def run(args: Namespace) -> None:
    """The notes of a score or of a recording, with the controls they are played with, to a table."""
    from ddspvae.audio import read_audio
    from ddspvae.editing.note_table import NoteTable, write_table
    from ddspvae.instrument.loading import load
    from ddspvae.performer.measure import measure_controls
    from ddspvae.performer.transcribe import transcribe
    from ddspvae.signals import Performance

    ending = Path(args.source).suffix.lower()
    is_score = ending in SCORES
    check_output(args.out, [".csv"])
    if not is_score and (args.part, args.expression, args.performer) != (None, None, None):
        raise InputError(f"perform: --part, --expression and --performer are for scores; {args.source} is a take.")
    if args.tracker is not None and (is_score or ending == ".npz"):
        raise InputError(f"perform: --tracker is for recordings; {args.source} holds its pitch already.")
    expression = 1.0 if args.expression is None else args.expression
    check_range("perform", "expression", expression, 0, 2)
    instrument = load(args.preset)
    if is_score:
        notes = _one_part(args, instrument)
        take = instrument.perform(notes, expression=expression, performer=args.performer)
    else:
        take = Performance.load(args.source) if ending == ".npz" else instrument.analyze(*read_audio(args.source),
                                                                                         args.tracker)
        notes = transcribe(take, instrument.statistics)
        if not notes.notes:
            raise InputError(f"perform: {args.source} holds no notes; is it a recording of one voice?")
        notes = replace(notes, notes=tuple(replace(note, pitch=round(note.pitch, 2)) for note in notes.notes))
    controls, ranges = measure_controls(take, notes), instrument.control_ranges
    write_table(NoteTable.of(notes, controls, ranges), args.out)
    result = {"out": args.out, "notes": len(notes.notes), "seconds": round(notes.duration_s, 3),
              "ranges": ranges.to_dict(), **_clipped(controls, ranges)}
    say(args, result, f"{args.out}: {len(notes.notes)} notes, {notes.duration_s:.1f} s; edit it, and play it with "
        f"ddspvae render {args.out} --preset {args.preset} --out new.wav.")


def _one_part(args: Namespace, instrument: Instrument) -> Notes:
    """The part of a score that is asked for, as one voice, with warnings for what the table cannot hold."""
    from ddspvae.midi.trained_range import outside_range
    from ddspvae.midi.voices import to_one_voice
    from ddspvae.scores import read_score

    parts = read_score(args.source)
    if args.part is None and len(parts) > 1:
        raise InputError(f"perform: {args.source} has {len(parts)} parts; choose one with --part N.")
    part = 1 if args.part is None else args.part
    check_range("perform", "--part", part, 1, len(parts), f"parts with notes in this file: {len(parts)}")
    one = to_one_voice(parts[part - 1])
    notes = one.notes
    bent = bool(notes.bend_semitones) or any(note.bend_semitones for note in notes.notes)
    lost = "the table has no column for the pitch wheel; play the bends from the MIDI file itself." if bent else None
    for sentence in (one.warning, outside_range(notes, instrument.statistics), lost):
        if sentence:
            warnings.warn(f"perform: {sentence}", stacklevel=2)
    return notes


def _clipped(controls: NoteControls, ranges: ControlRanges) -> dict[str, dict[str, int]]:
    """How many notes reach beyond 0 to 1 in each control."""
    from ddspvae.performer.controls import CONTROLS

    return {"clipped": {name: int(((getattr(controls, name) < getattr(ranges, name)[0])
                                   | (getattr(controls, name) > getattr(ranges, name)[1])).sum()) for name in CONTROLS}}
