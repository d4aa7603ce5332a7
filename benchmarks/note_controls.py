"""Each note control swept from 0 to 1 on held-out notes, rendered, and measured again from the sound: Pearson's r.

    python benchmarks/note_controls.py violin held_out.flac [...] [--notes 10] [--tracker autocorrelation]

The longest notes of the recordings keep their pitch, length and other controls; all get the same value of one control.
The sound is heard as a recording would be: a pitch tracker, A-weighted loudness, the levels of the partials. r is over
all notes and values together. The protocol, and the figures beside ours, are those of Wu et al., "MIDI-DDSP", ICLR 2022,
table 3 (all instruments).
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from takes import load_for

from ddspvae import read_audio
from ddspvae.editing.calibrate import calibrate
from ddspvae.editing.realise import realise
from ddspvae.instrument.instrument import Instrument
from ddspvae.instrument.nearest import moved_to_folder
from ddspvae.performer.controls import CONTROLS, ControlRanges, NoteControls
from ddspvae.performer.measure import measure_controls
from ddspvae.performer.transcribe import transcribe
from ddspvae.signals import Notes

VALUES = np.linspace(0, 1, 11)
PUBLISHED = dict(zip(CONTROLS, (0.97, 0.78, 0.57, 0.70, 0.92, 0.93)))
LEAST_R = 0.95
SHORTEST_S = 0.25
APART_S = 0.3  # notes are played one by one


def held_out_notes(instrument: Instrument, paths: list[str], n_notes: int) -> tuple[Notes, NoteControls]:
    """The longest notes of recordings, laid out one after the other, and how they were played."""
    heard = []
    for path in paths:
        take = moved_to_folder(instrument, path).analyze(*read_audio(path))
        notes = transcribe(take, instrument.statistics)
        controls = measure_controls(take, notes)
        heard += [(note, {name: values[index] for name, values in vars(controls).items()})
                  for index, note in enumerate(notes.notes) if note.offset_s - note.onset_s >= SHORTEST_S]
    heard.sort(key=lambda pair: pair[0].onset_s - pair[0].offset_s)
    chosen, at_s = [], APART_S
    for note, _ in heard[:n_notes]:
        length_s = min(note.offset_s - note.onset_s, 2.0)
        chosen.append(replace(note, onset_s=at_s, offset_s=at_s + length_s))
        at_s += length_s + APART_S
    columns = {name: np.array([row[name] for _, row in heard[:n_notes]]) for name in heard[0][1]}
    return Notes(tuple(chosen)), NoteControls(**columns)


def sweep(instrument: Instrument, notes: Notes, controls: NoteControls, ranges: ControlRanges, name: str,
          tracker: str) -> tuple[NDArray, NDArray]:
    """What was asked for and what is heard of one control, [11, N] each, in its units."""
    asked = ranges.unscale(name, VALUES)
    heard = []
    for value in asked:
        wanted = controls.with_all(**{name: value})
        performance = calibrate(instrument, realise(instrument, notes, wanted), notes, wanted)
        take = instrument.analyze(instrument.resynthesize(performance), instrument.config.sample_rate, tracker)
        heard.append(getattr(measure_controls(take, notes), name))
    return np.broadcast_to(asked[:, None], (len(asked), len(notes.notes))), np.array(heard)


def main() -> None:
    """Print the table; exit with 1 where a control falls short."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("preset")
    parser.add_argument("held_out", nargs="+", help="recordings that the preset was not trained on")
    parser.add_argument("--notes", type=int, default=10)
    parser.add_argument("--tracker", default="swift",
                        help="that hears the sound; refined, all follow a vibrato, and autocorrelation loses noisy attacks "
                             "(default swift)")
    args = parser.parse_args()
    instrument = load_for(args.preset, Path(args.held_out[0]))
    ranges = instrument.control_ranges
    notes, controls = held_out_notes(instrument, args.held_out, args.notes)
    # a note's own value may lie beyond 0 to 1; a table could not hold it
    controls = NoteControls.from_scaled(controls.scaled(ranges), controls.vibrato_hz, ranges)
    lengths_s = [note.offset_s - note.onset_s for note in notes.notes]
    print(f"{args.preset}: {len(notes.notes)} notes of {min(lengths_s):.2f} to {max(lengths_s):.2f} s, "
          f"heard by {args.tracker}\n")
    print("| control | 0 to 1 is | r | within a note, lowest | slope | MIDI-DDSP |\n|---|---|---|---|---|---|")
    short = []
    for name in CONTROLS:
        asked, heard = sweep(instrument, notes, controls, ranges, name, args.tracker)
        r = np.corrcoef(asked.ravel(), heard.ravel())[0, 1]
        each = [np.corrcoef(one, other)[0, 1] for one, other in zip(asked.T, heard.T)]
        slope = np.polyfit(asked.ravel(), heard.ravel(), 1)[0]
        low, high = getattr(ranges, name)
        print(f"| {name} | {low:.2f} to {high:.2f} | {r:.3f} | {min(each):.3f} | {slope:.2f} | {PUBLISHED[name]:.2f} |",
              flush=True)
        short += [name] if not r >= LEAST_R else []
    if short:
        print(f"\nbelow {LEAST_R}: {', '.join(short)}")
        sys.exit(1)


if __name__ == "__main__":
    main()
