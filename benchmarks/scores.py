"""Written scores, played and heard: notes, dynamics and slurs of tests/excerpts, found again in the sound.

    python benchmarks/scores.py [--curve pYIN]

Notes are found twice: by the package's transcriber, which takes a trill for a vibrato, and by `benchmarks/note_steps.py`,
which knows the tuning, from the curve of a tracker that took no part in anything.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.note_steps import CURVES, stepped_notes
from ddspvae.evaluation.transcription import audio_to_notes, note_scores
from ddspvae.features.f0 import track_f0
from ddspvae.features.loudness import a_weighted_loudness
from ddspvae.instrument.loading import load_to_play
from ddspvae.midi import to_voices
from ddspvae.scores import read_score
from ddspvae.signals import Notes
from ddspvae.signals.units import pitch_to_hz
from tests.excerpts.answers import ANSWERS
from tests.excerpts.write import FOLDER

PLAYERS = {"slurs.musicxml": ["flute"], "repeats.musicxml": ["flute"], "transposing.musicxml": ["clarinet", "double-bass"],
           "pizzicato.mxl": ["cello"]}  # all others the violin
RATE = 200  # frames a second


def middle_cents(line: Notes, audio: np.ndarray, rate: int, tracker: str) -> np.ndarray:
    """How far from its pitch each note is tracked in its middle third."""
    f0_hz, _ = track_f0(audio, rate, rate // RATE, tracker)
    cents = []
    for note in line.notes:
        third_s = (note.offset_s - note.onset_s) / 3
        inner = f0_hz[round(RATE * (note.onset_s + third_s)) : round(RATE * (note.onset_s + 2 * third_s)) + 1]
        cents.append(1200 * np.log2(np.median(inner) / pitch_to_hz(note.pitch)))
    return np.abs(cents)


def levels(line: Notes, audio: np.ndarray, rate: int) -> tuple[np.ndarray, np.ndarray]:
    """A-weighted dB in each note, and how far it falls before each note but the first."""
    db = a_weighted_loudness(torch.from_numpy(audio)[None], rate, rate // RATE)[0].numpy()
    inside = np.array([np.median(db[round(RATE * (note.onset_s + 0.3 * (note.offset_s - note.onset_s))) : round(
        RATE * (note.onset_s + 0.8 * (note.offset_s - note.onset_s)))]) for note in line.notes])
    starts = [round(RATE * note.onset_s) for note in line.notes[1:]]
    lowest = np.array([db[start - 14 : start + 4].min() for start in starts])
    return inside, np.minimum(inside[1:], inside[:-1]) - lowest


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--curve", choices=CURVES, default="pYIN")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    print(f"| excerpt | notes asked | read as printed | transcribed from swift, F | cut at the steps of {args.curve}, F | "
          "its onsets, most ms off | off their pitch, worst cents |\n|---|---|---|---|---|---|---|")
    said = {}
    for name, answers in ANSWERS.items():
        right, heard = np.zeros(2), np.zeros(2)
        asked = same = worst = late_s = 0.0
        for part, answer, preset in zip(read_score(FOLDER / name), answers, PLAYERS.get(name, ["violin"])):
            same += sum(abs(note.onset_s - onset) < 2e-3 and note.pitch == pitch
                        for note, (onset, pitch) in zip(part.notes, answer))
            player = load_to_play(preset)
            for line in to_voices(part).lines:
                audio, rate = player.resynthesize(player.perform(line), dry=True), player.config.sample_rate
                stepped = stepped_notes(audio, rate, min(note.pitch for note in line.notes), CURVES[args.curve])
                found = audio_to_notes(audio, rate, "swift"), stepped
                right += [note_scores(line, notes).recall * len(line.notes) for notes in found]
                heard += [len(notes.notes) for notes in found]
                asked += len(line.notes)
                onsets_s = np.array([note.onset_s for note in stepped.notes])
                late_s = max(late_s, *(np.abs(onsets_s - note.onset_s).min() for note in line.notes))
                worst = max(worst, middle_cents(line, audio, rate, "swift").max())
                said[name] = levels(line, audio, rate)
        transcribed, cut = 2 * right / (asked + heard)
        print(f"| {name} | {asked:.0f} | {same:.0f} | {transcribed:.3f} | {cut:.3f} | {1000 * late_s:.0f} | {worst:.0f} |",
              flush=True)
    inside, _ = said["dynamics.musicxml"]
    print("\ncrescendo p to f, dB of notes 3 to 7:", " ".join(f"{level:.1f}" for level in inside[2:7]))
    print("diminuendo ff to pp, dB of notes 11 to 15:", " ".join(f"{level:.1f}" for level in inside[10:15]))
    _, falls = said["slurs.musicxml"]
    print("falls between slurred notes, dB:", " ".join(f"{fall:.1f}" for fall in falls[:3]))
    print("falls between notes without a slur, dB:", " ".join(f"{fall:.1f}" for fall in falls[3:7]))


if __name__ == "__main__":
    main()
