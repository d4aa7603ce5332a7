"""`ddspvae perform`. Imports inside, so that `--help` stays quick."""

from __future__ import annotations

import argparse
import warnings
from argparse import Namespace
from collections.abc import Sequence
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
    sub.add_argument("--part", type=int, metavar="N", help="of the score, 1 is the first; default: all of them")
    sub.add_argument("--voices", type=int, metavar="N", help="notes at once in a part; 1 keeps one line")
    sub.add_argument("--expression", type=float, metavar="X", help="of a score: 0 deadpan, 1 as recorded, 2 exaggerated")
    sub.add_argument("--performer", choices=["learned", "rules"], help="of a score; default: learned where there is one")
    sub.add_argument("--room", metavar="NAME", help="which of the preset's learned rooms a take was played in, or is to be")
    add_tracker(sub)


def run(args: Namespace) -> None:
    """The notes of a score or of a recording, with the controls they are played with, to a table."""
    from ddspvae.audio import read_audio
    from ddspvae.editing.note_table import NoteTable, TableLine, write_lines
    from ddspvae.instrument.loading import load
    from ddspvae.midi.voices import seed_of
    from ddspvae.performer.measure import measure_controls
    from ddspvae.performer.transcribe import transcribe
    from ddspvae.signals import Performance

    ending = Path(args.source).suffix.lower()
    is_score = ending in SCORES
    check_output(args.out, [".csv", ".tsv"])
    if not is_score and (args.part, args.voices, args.expression, args.performer) != (None, None, None, None):
        raise InputError("perform: --part, --voices, --expression and --performer are for scores; "
                         f"{args.source} is a take.")
    if args.voices is not None:
        check_range("perform", "voices", args.voices, 1, 128)
    if args.tracker is not None and (is_score or ending == ".npz"):
        raise InputError(f"perform: --tracker is for recordings; {args.source} holds its pitch already.")
    expression = 1.0 if args.expression is None else args.expression
    check_range("perform", "expression", expression, 0, 2)
    instrument = load(args.preset, args.room)
    if is_score:
        lines = _lines(args, instrument)
        takes = [instrument.perform(notes, expression=expression, performer=args.performer, seed=seed_of(None, at))
                 for at, (_, _, notes) in enumerate(lines)]
    else:
        takes = [Performance.load(args.source) if ending == ".npz" else instrument.analyze(*read_audio(args.source),
                                                                                           args.tracker)]
        notes = transcribe(takes[0], instrument.statistics)
        if not notes.notes:
            raise InputError(f"perform: {args.source} holds no notes; is it a recording of one voice?")
        lines = [(1, 1, replace(notes, notes=tuple(replace(note, pitch=round(note.pitch, 2)) for note in notes.notes)))]
    ranges = instrument.control_ranges
    measured = [measure_controls(take, notes) for take, (_, _, notes) in zip(takes, lines)]
    write_lines([TableLine(part, voice, NoteTable.of(notes, controls, ranges))
                 for (part, voice, notes), controls in zip(lines, measured)], args.out)
    n_notes, lasts_s = sum(len(notes.notes) for _, _, notes in lines), max(notes.duration_s for _, _, notes in lines)
    result = {"out": args.out, "notes": n_notes, "lines": len(lines), "seconds": round(lasts_s, 3),
              "ranges": ranges.to_dict(), **_clipped(measured, ranges)}
    said = f"{n_notes} notes" if len(lines) == 1 else f"{n_notes} notes on {len(lines)} lines"
    say(args, result, f"{args.out}: {said}, {lasts_s:.1f} s; edit it, and play it with "
        f"ddspvae render {args.out} --preset {args.preset} --out new.wav.")


def _lines(args: Namespace, instrument: Instrument) -> list[tuple[int, int, Notes]]:
    """(part, voice, notes) of all parts of a score or of one, with warnings for what the table cannot hold."""
    from ddspvae.midi.trained_range import outside_range
    from ddspvae.midi.voices import MOST_VOICES, to_voices
    from ddspvae.scores import read_score

    parts = read_score(args.source)
    if args.part is not None:
        check_range("perform", "--part", args.part, 1, len(parts), f"parts with notes in this file: {len(parts)}")
    lines: list[tuple[int, int, Notes]] = []
    for number, written in enumerate(parts, start=1):
        if args.part not in (None, number):
            continue
        voices = to_voices(written, voices=args.voices or MOST_VOICES)
        bent = bool(written.bend_semitones) or any(note.bend_semitones for note in written.notes)
        lost = "the table has no column for the pitch wheel; play the bends from the MIDI file itself." if bent else None
        for sentence in (voices.warning, outside_range(written, instrument.statistics), lost):
            if sentence:
                warnings.warn(f"perform: {sentence}", stacklevel=2)
        lines += [(number, voice, line) for voice, line in enumerate(voices.lines, start=1)]
    return lines


def _clipped(measured: Sequence[NoteControls], ranges: ControlRanges) -> dict[str, dict[str, int]]:
    """How many notes reach beyond 0 to 1 in each control."""
    from ddspvae.performer.controls import CONTROLS

    return {"clipped": {name: sum(int(((getattr(controls, name) < getattr(ranges, name)[0])
                                       | (getattr(controls, name) > getattr(ranges, name)[1])).sum())
                                  for controls in measured) for name in CONTROLS}}
