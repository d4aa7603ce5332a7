"""What the decay model is worth on notes that it has not seen: decays, stretched partials, damping, chords.

    python benchmarks/guitar_strings.py RECORDINGS/guitar-electric --out guitar-electric
    python benchmarks/plucked.py guitar-electric [--judge | --takes guitar-electric] [--transcriber nmp.onnx] [--chords 12]

Every note is left out once, the model fitted to all others in closed form, and the note played from MIDI (pitch, velocity,
and the string that it was plucked on), with the damping of its offset. What is measured here took no part in the fit:
levels are those of the nearest bins of a spectrogram, frequencies those of the loudest peaks. The transcriber is the network
of basic-pitch (Apache-2.0; `pip download basic-pitch`, its wheel holds saved_models/icassp_2022/nmp.onnx).
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from plucked_measures import RATE, decay_times_s, law_error, peaks_hz, stretch_error, within
from scipy.signal import resample_poly

from ddspvae.audio import read_audio
from ddspvae.features.extract import extract
from ddspvae.instrument.loading import load
from ddspvae.plucked.learn import Heard, fit_plucks, measure_notes, note_level_db
from ddspvae.plucked.model import USUAL_VELOCITY, Plucks
from ddspvae.plucked.partials import Ringing
from ddspvae.plucked.play import Player
from ddspvae.signals.units import hz_to_pitch
from ddspvae.training.recordings import find_recordings, read_manifest

LEAD_S = 0.1  # before an onset
HEARD_S, THRESHOLD = (0.1, 1.0), 0.3  # of a chord, and of the transcriber's certainty (its own default)
TRANSCRIBER_RATE, WINDOW = 22_050, 43_844


@dataclass(frozen=True, eq=False)
class Single:
    """One recorded note, and what was measured in it for the model."""

    name: str
    audio: NDArray
    ringing: Ringing


def read_notes(folder: Path) -> list[Single]:
    """The single notes of which the manifest says the string."""
    rows = read_manifest(folder)
    found = []
    for path in find_recordings(folder):
        row = rows[path.resolve()]
        if not row.string_hz:
            continue
        audio, _ = read_audio(path, RATE)
        features = extract(audio, RATE, 240, "swift", prior_hz=row.prior_hz)
        heard = Heard(audio, features, row.string_hz)
        found += [Single(path.stem, sound, note) for note, sound in measure_notes([heard], RATE)]
    return found


def without(notes: Sequence[Single], left_out: Sequence[Single]) -> Plucks:
    """The model of all other notes."""
    kept = [(note.ringing, note.audio) for note in notes if note not in left_out]
    model = fit_plucks(kept, RATE, 65)
    assert model is not None
    return model


def string_of(model: Plucks, note: Ringing) -> int:
    """Number of the string that a note was plucked on."""
    return int(np.abs(model.strings[:, 0] - float(hz_to_pitch(note.string_hz))).argmin())


def play(model: Plucks, notes: Sequence[Single], seconds: float, damped_s: float | None = None, *,
         falls: bool = True) -> NDArray:
    """The notes from MIDI, all at LEAD_S."""
    player = Player(model, RATE)
    lead = player.read(round(LEAD_S * RATE))
    struck = []
    for note in notes:
        velocity = USUAL_VELOCITY * 10 ** ((note_level_db(note.ringing) - model.usual_db) / 40)
        struck.append(player.strike(float(hz_to_pitch(note.ringing.f0_hz)), float(np.clip(velocity, 1, 127)),
                                    string_of(model, note.ringing)))
    for one in struck if not falls else ():
        one.pluck = replace(one.pluck, fall_db_per_s=np.zeros_like(one.pluck.fall_db_per_s))
    sound = [lead, player.read(round((seconds if damped_s is None else damped_s) * RATE))]
    if damped_s is not None:
        for one in struck:
            player.damp(one)
        sound.append(player.read(round((seconds - damped_s) * RATE)))
    return np.concatenate(sound)


def decays(notes: Sequence[Single]) -> None:
    """Decay times, stretched partials and damping of every note, left out once; and what bounds them."""
    print("| note | f0, Hz | decay times, median error of partials 1 to 8 | partials to the 12th, median cents | in tune |"
          " 0.3 s after its offset, dB |\n|---|---|---|---|---|---|")
    errors, cents, tuned, bounds, reals = [], [], [], [], []
    for note in notes:
        model, own = without(notes, [note]), note.ringing
        seconds = len(note.audio) / RATE - own.onset_s
        sound = play(model, [note], seconds)
        pluck = model.strike(float(hz_to_pitch(own.f0_hz)), USUAL_VELOCITY, string_of(model, own))
        k = np.arange(1, 13)
        stiffness = (pluck.ratios[0] ** 2) - 1
        heard = peaks_hz(note.audio, own.onset_s, own.f0_hz, 12)
        expected = heard[0] * k * np.sqrt((1 + stiffness * k**2) / (1 + stiffness))
        off = 1200 * np.log2(expected / heard)
        real = decay_times_s(note.audio, own.onset_s, heard[:8])
        error = np.abs(decay_times_s(sound, LEAD_S, expected[:8]) / real - 1)
        damped = play(model, [note], 2.0, damped_s=1.0)
        power = [float(np.square(damped[round((LEAD_S + at) * RATE) :][: RATE // 20]).mean()) for at in (0.95, 1.3)]
        errors.append(error)
        cents.append(np.abs(off)[1:])
        tuned.append(np.abs(off - np.nanmedian(off)))
        reals.append(real)
        bounds.append((np.abs(60 / own.fall_db_per_s[:8] / real[: len(own.fall_db_per_s)] - 1), law_error(real),
                       np.abs(stretch_error(heard))))
        print(f"| {note.name.split('-')[2]} on {float(hz_to_pitch(own.string_hz)):.0f} | {own.f0_hz:.1f} |"
              f" {np.nanmedian(error):.0%} | {np.nanmedian(cents[-1]):.1f} | {np.nanmedian(tuned[-1]):.1f} |"
              f" {10 * np.log10(power[1] / power[0] + 1e-12):.0f} |", flush=True)
    # notes between others of their string: what is asked of a fit, not of a guess beyond the measured
    inner = [at for at, note in enumerate(notes) if _is_inner(note, notes)]
    for name, chosen in ((f"All {len(notes)} notes", range(len(notes))), (f"The {len(inner)} between others", inner)):
        every, bent, level = (np.concatenate([kind[at] for at in chosen]) for kind in (errors, cents, tuned))
        print(f"\n{name}: decay times {np.nanmedian(every):.1%} (median of {int((~np.isnan(every)).sum())} partials); "
              f"partials {np.nanmedian(bent):.1f} cents, {within(bent):.0%} of them within 5, where the first is as "
              f"recorded; {np.nanmedian(level):.1f} cents, {within(level):.0%}, where the note is in tune.")
    again, law, stretch = (np.concatenate([bound[kind] for bound in bounds]) for kind in range(3))
    alike = np.nanmedian(np.concatenate(neighbours_error(notes, reals)))
    print(f"\nDecay times of the recordings, measured another way: {np.nanmedian(again):.1%} apart. A straight line "
          f"(logarithm of time over that of number) through a note's own partials: {np.nanmedian(law):.1%}. "
          f"The same fret of the two nearest strings, averaged: {alike:.1%}.")
    print(f"f0 and B fitted to a note's own partials: {np.nanmedian(stretch):.1f} cents, {within(stretch):.0%} within 5.")


def neighbours_error(notes: Sequence[Single], reals: Sequence[NDArray]) -> list[NDArray]:
    """How far a note's decay times are from those of the two nearest strings at its fret: a stand-in without a model."""
    opens = [note.ringing.string_hz for note in notes]
    frets = [round(float(hz_to_pitch(note.ringing.f0_hz) - hz_to_pitch(at))) for note, at in zip(notes, opens)]
    errors = []
    for at, real in enumerate(reals):
        others = sorted((other for other in range(len(notes)) if other != at and frets[other] == frets[at]),
                        key=lambda other: abs(np.log(opens[other] / opens[at])))[:2]
        logs = np.ma.masked_invalid([np.log(reals[other]) for other in others]).mean(axis=0).filled(np.nan)
        errors.append(np.abs(np.exp(logs) / real - 1))
    return errors


def _is_inner(note: Single, notes: Sequence[Single]) -> bool:
    own = [other.ringing.f0_hz for other in notes if other.ringing.string_hz == note.ringing.string_hz]
    return min(own) < note.ringing.f0_hz < max(own)


def judged(notes: Sequence[Single]) -> None:
    """How alike a note played from MIDI is to its recording; beside it, the same partials held as an organ's."""
    import zimtohrli

    print("\n| note | Zimtohrli, as played from MIDI | held at its first level |\n|---|---|---|")
    scores = []
    for note in [note for note in notes if _is_inner(note, notes)]:
        start = max(round((note.ringing.onset_s - LEAD_S) * RATE), 0)
        real = note.audio[start : start + 5 * RATE]
        played = play(without(notes, [note]), [note], 5.0)[: len(real)]
        played *= np.sqrt(np.square(real).mean() / np.square(played).mean())
        held = play(without(notes, [note]), [note], 5.0, falls=False)[: len(real)]
        held *= np.sqrt(np.square(real).mean() / np.square(held).mean())
        scores.append([float(zimtohrli.mos_from_signals(real.astype(np.float32), other.astype(np.float32)))
                       for other in (played, held)])
        print(f"| {note.name.split('-')[2]} | {scores[-1][0]:.2f} | {scores[-1][1]:.2f} |", flush=True)
    print(f"| mean | {np.mean(scores, axis=0)[0]:.2f} | {np.mean(scores, axis=0)[1]:.2f} |")


def takes(notes: Sequence[Single], preset: str) -> None:
    """Recorded notes analysed and played back by a network, on the partials of the string that it takes them to be on, and
    on whole multiples of the pitch: how far partials 2 to 12 lie from those of the recording, beside the first of each.
    """
    import zimtohrli

    plucked, plain = load(preset), load(preset)
    plain.plucks = None
    cents: dict[str, list[NDArray]] = {"stretched": [], "whole multiples": []}
    first: dict[str, list[float]] = {name: [] for name in cents}
    scores: dict[str, list[float]] = {name: [] for name in cents}
    for note in notes:
        own, real = note.ringing, note.audio[: round((note.ringing.onset_s + 3.0) * RATE)].astype(np.float32)
        heard = peaks_hz(real, own.onset_s, own.f0_hz, 12)
        for name, instrument in (("stretched", plucked), ("whole multiples", plain)):
            audio = instrument.resynthesize(instrument.analyze(real, RATE))[: len(real)]
            played = peaks_hz(audio, own.onset_s, own.f0_hz, 12)
            cents[name].append(np.abs(1200 * np.log2((played / played[0]) / (heard / heard[0])))[1:])
            first[name].append(abs(float(1200 * np.log2(played[0] / heard[0]))))
            audio = audio * np.sqrt(np.square(real).mean() / np.square(audio).mean())
            scores[name].append(float(zimtohrli.mos_from_signals(real, audio.astype(np.float32))))
    print("\n| takes played back on | partials 2 to 12, median cents | within 5 | the first, median cents | Zimtohrli |"
          "\n|---|---|---|---|---|")
    for name, rows in cents.items():
        every = np.concatenate(rows)
        print(f"| {name} | {np.nanmedian(every):.1f} | {within(every):.0%} | {np.nanmedian(first[name]):.1f} |"
              f" {np.mean(scores[name]):.2f} |")


class Transcriber:
    """basic-pitch's network: which of 88 keys sound."""

    def __init__(self, path: str) -> None:
        import onnxruntime

        self._session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])

    def keys(self, audio: NDArray) -> set[int]:
        """MIDI numbers of the notes that are heard, on average from HEARD_S on."""
        sound = resample_poly(audio, TRANSCRIBER_RATE // 150, RATE // 150)
        sound = np.pad(sound[:WINDOW], (0, max(WINDOW - len(sound), 0))).astype(np.float32)
        sound /= max(float(np.abs(sound).max()), 1e-6)
        sure = self._session.run(["StatefulPartitionedCall:1"], {"serving_default_input_2:0": sound[None, :, None]})[0][0]
        per_s = len(sure) / (WINDOW / TRANSCRIBER_RATE)
        heard = sure[round((LEAD_S + HEARD_S[0]) * per_s) : round((LEAD_S + HEARD_S[1]) * per_s)].mean(axis=0)
        return {21 + int(key) for key in np.flatnonzero(heard > THRESHOLD)}


def f_measure(truth: set[int], heard: set[int]) -> float:
    """2 PR / (P + R)."""
    return 2 * len(truth & heard) / max(len(truth) + len(heard), 1)


def chords(notes: Sequence[Single], transcriber: Transcriber, n_chords: int) -> None:
    """Chords of notes that the model has not seen, beside the sum of their recordings."""
    rng = np.random.default_rng(0)
    print("\n| notes | F on the mixture of the recordings | F as played from MIDI | pitches in both |\n|---|---|---|---|")
    for size in range(2, 7):
        scores, alike = [], []
        for _ in range(n_chords):
            strings = rng.choice(sorted({note.ringing.string_hz for note in notes}), size, replace=False)
            chosen = [notes[int(rng.choice([at for at, note in enumerate(notes) if note.ringing.string_hz == string]))]
                      for string in strings]
            truth = {round(float(hz_to_pitch(note.ringing.f0_hz))) for note in chosen}
            mixture = np.zeros(round((LEAD_S + 2.0) * RATE))
            for note in chosen:
                piece = note.audio[max(round((note.ringing.onset_s - LEAD_S) * RATE), 0) :][: len(mixture)]
                late = max(round((LEAD_S - note.ringing.onset_s) * RATE), 0)
                mixture[late : late + len(piece)] += piece[: len(mixture) - late]
            played = play(without(notes, chosen), chosen, 2.0)
            real, ours = transcriber.keys(mixture), transcriber.keys(played)
            scores.append((f_measure(truth, real), f_measure(truth, ours)))
            alike.append(f_measure(real, ours))
        both = np.mean(scores, axis=0)
        print(f"| {size} | {both[0]:.3f} | {both[1]:.3f} | {np.mean(alike):.3f} |", flush=True)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recordings", type=Path)
    parser.add_argument("--transcriber", metavar="nmp.onnx")
    parser.add_argument("--judge", action="store_true", help="ask Zimtohrli instead of measuring decays")
    parser.add_argument("--takes", metavar="PRESET", help="play the notes back by a network instead of measuring decays")
    parser.add_argument("--chords", type=int, default=12, metavar="N", help="of each size")
    args = parser.parse_args()
    notes = read_notes(args.recordings)
    if args.takes:
        takes(notes, args.takes)
    elif args.judge:
        judged(notes)
    else:
        decays(notes)
    if args.transcriber:
        chords(notes, Transcriber(args.transcriber), args.chords)


if __name__ == "__main__":
    main()
