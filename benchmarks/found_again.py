"""Are the notes of real scores found again in the sound? F-measure for each file, preset and performer; and bends in cents.

    python benchmarks/found_again.py violin flute --midi ode_to_joy.mid hornpipe.mid [--bends pitchbend_test.mid]

The first part of each file is played as one voice. Onsets count within 50 ms, pitches within 50 cents.
"""

from __future__ import annotations

import argparse
import warnings

import numpy as np

from ddspvae import load, read_midi
from ddspvae.evaluation.metrics import track_pitch
from ddspvae.evaluation.transcription import audio_to_notes, note_scores
from ddspvae.instrument.instrument import Instrument
from ddspvae.midi.voices import to_one_voice
from ddspvae.signals.units import CENTS_PER_SEMITONE, hz_to_pitch

SURE = 0.9  # periodicity


def bend_error_cents(instrument: Instrument, path: str) -> np.ndarray:
    """How far the pitch that is heard lies from the one that was asked for, in frames that are surely pitched."""
    performance = instrument.perform(read_midi(path)[0], expression=0.0)
    track = track_pitch(instrument.resynthesize(performance), instrument.config.sample_rate, "swift")
    asked_s, heard_s = np.arange(performance.n_frames) / performance.frame_rate_hz, np.arange(len(track.f0_hz)) / 100
    asked = np.interp(heard_s, asked_s, hz_to_pitch(performance.f0_hz))
    sure = (track.periodicity > SURE) & (np.interp(heard_s, asked_s, performance.periodicity) > SURE)
    return np.abs(hz_to_pitch(track.f0_hz) - asked)[sure] * CENTS_PER_SEMITONE


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("presets", nargs="+")
    parser.add_argument("--midi", nargs="+", required=True)
    parser.add_argument("--bends", nargs="+", default=[])
    args = parser.parse_args()
    warnings.simplefilter("ignore")  # of what files hold beside notes
    print("| preset | file | rules, swift | learned, swift | learned, crepe |\n|---|---|---|---|---|")
    for preset in args.presets:
        instrument = load(preset)
        for path in args.midi:
            line = to_one_voice(read_midi(path)[0]).notes
            scores = []
            for performer, tracker in (("rules", "swift"), ("learned", "swift"), ("learned", "crepe")):
                audio = instrument.resynthesize(instrument.perform(line, performer=performer))
                scores.append(note_scores(line, audio_to_notes(audio, instrument.config.sample_rate, tracker)).f_measure)
            print(f"| {preset} | {path} | {' | '.join(f'{score:.3f}' for score in scores)} |", flush=True)
    for preset in args.presets:
        for path in args.bends:
            error = bend_error_cents(load(preset), path)
            print(f"{preset}, {path}: {np.median(error):.1f} cents off (median), {np.quantile(error, 0.95):.1f} at 95 %")


if __name__ == "__main__":
    main()
