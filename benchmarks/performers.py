"""Does the learned performer play as people do? Each recording is played by both performers, taught by the others alone.

    python benchmarks/performers.py RECORDINGS ... [--plot notes.png]

The notes of a recording, with their levels as velocities, are the score. Real and played curves go through the same
measures, those of `features.statistics`; the distance is Wasserstein's between their distributions over all notes.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import matplotlib
import numpy as np
from scipy.stats import wasserstein_distance

from ddspvae.audio import read_audio
from ddspvae.features.extract import extract
from ddspvae.features.segments import segment_notes
from ddspvae.features.statistics import Statistics, measure, measure_attack_s, measure_glide_s, measure_vibrato
from ddspvae.midi import rules
from ddspvae.performer import learned
from ddspvae.performer.gestures import find_notes, learn_gestures, score_of
from ddspvae.performer.transcribe import level_to_velocity
from ddspvae.signals import Features, Notes
from ddspvae.signals.units import CENTS_PER_SEMITONE, hz_to_pitch
from ddspvae.training.recordings import find_recordings

SAMPLE_RATE, HOP, FRAMES_PER_Z = 48_000, 240, 8
HELD_S, OVERSHOOT_S = 0.3, 0.12
UNITS = {"vibrato extent": "cents", "vibrato rate": "Hz", "attack": "ms", "overshoot": "cents", "glide": "ms"}
Found = dict[str, list[float]]


def describe(f0_hz: np.ndarray, periodicity: np.ndarray, loudness_db: np.ndarray, rate_hz: float) -> Found:
    """What the notes of a take do, by quantity."""
    notes = segment_notes(f0_hz, periodicity, loudness_db, rate_hz)
    pitch, level = hz_to_pitch(f0_hz.astype(float)), loudness_db.astype(float)
    swings = [measure_vibrato(pitch[start:stop], rate_hz) for start, stop, _ in notes if stop - start > HELD_S * rate_hz]
    beyond = []
    for (_, stop, before), (start, end, after) in pairwise(notes):
        if start == stop and 0.8 <= abs(after - before) <= 12 and end - start > 1.25 * OVERSHOOT_S * rate_hz:
            early = pitch[start : start + round(OVERSHOOT_S * rate_hz)]
            beyond.append(float(((early - after) * np.sign(after - before)).max() * CENTS_PER_SEMITONE))
    attacks = [measure_attack_s(level, note, rate_hz) for note in notes]
    glides = [measure_glide_s(pitch, *pair, rate_hz) for pair in pairwise(notes)]
    found = [swing for swing in swings if swing]
    return {"vibrato extent": [extent for extent, _, _ in found], "vibrato rate": [rate for _, rate, _ in found],
            "attack": [1000 * value for value in attacks if value is not None], "overshoot": beyond,
            "glide": [1000 * value for value in glides if value is not None]}


def score(take: Features, statistics: Statistics) -> Notes:
    """The notes of a take as a score would have them: on the keyboard's pitches, with velocities."""
    notes, habits, _ = score_of(take, find_notes(take), statistics)
    velocities = level_to_velocity(habits.level_db, statistics)
    return replace(notes, notes=tuple(replace(note, pitch=float(round(note.pitch)), velocity=int(velocity))
                                      for note, velocity in zip(notes.notes, velocities)))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recordings", nargs="+")
    parser.add_argument("--plot", type=Path, help="draw ten real and ten played notes")
    args = parser.parse_args()
    takes = []
    for path in find_recordings(args.recordings):
        audio, _ = read_audio(path, SAMPLE_RATE)
        takes.append(extract(audio, SAMPLE_RATE, HOP, "swift"))
    pooled: dict[str, Found] = {name: {key: [] for key in UNITS} for name in ("real", "rules", "learned")}
    drawn: dict[str, list[np.ndarray]] = {"real": [], "learned": []}
    for number, take in enumerate(takes):
        others = [other for at, other in enumerate(takes) if at != number]
        statistics = measure(others)
        no_z = [np.zeros((-(-len(other.f0_hz) // FRAMES_PER_Z), 0), np.float32) for other in others]
        gestures = learn_gestures(others, no_z, statistics, FRAMES_PER_Z)
        notes = score(take, statistics)
        played = {"rules": rules.perform(notes, statistics, take.frame_rate_hz),
                  "learned": learned.play(notes, statistics, gestures, take.frame_rate_hz, FRAMES_PER_Z)[0]}
        for name, curves in (("real", take), *played.items()):
            found = describe(curves.f0_hz, curves.periodicity, curves.loudness_db, take.frame_rate_hz)
            for key in UNITS:
                pooled[name][key] += found[key]
        for start, stop, pitch in find_notes(take):
            if stop - start > HELD_S * take.frame_rate_hz:
                for name, curves in (("real", take), ("learned", played["learned"])):
                    drawn[name].append(CENTS_PER_SEMITONE * (hz_to_pitch(curves.f0_hz[start:stop]) - round(pitch)))
    print("| | real, median | rules | learned | distance of the rules | of the learned | notes |")
    print("|---|---|---|---|---|---|---|")
    for key, unit in UNITS.items():
        real, by_rules, by_learned = (pooled[name][key] for name in ("real", "rules", "learned"))
        medians = " | ".join(f"{np.median(one):.1f}" if one else "none" for one in (real, by_rules, by_learned))
        far = " | ".join(f"{wasserstein_distance(real, one):.1f}" if real and one else "-" for one in (by_rules, by_learned))
        print(f"| {key}, {unit} | {medians} | {far} | {len(real)}, {len(by_rules)}, {len(by_learned)} |")
    if args.plot:
        draw(drawn, args.plot)


def draw(drawn: dict[str, list[np.ndarray]], path: Path) -> None:
    """Ten notes spread over all, real above played."""
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, rows = plt.subplots(2, 10, figsize=(15, 4), sharey=True, layout="constrained")
    chosen = np.linspace(0, len(drawn["real"]) - 1, 10).round().astype(int)
    for axes, (name, curves) in zip(rows, drawn.items()):
        for at, (plot, number) in enumerate(zip(axes, chosen)):
            plot.plot(np.arange(len(curves[number])) * HOP / SAMPLE_RATE, curves[number], linewidth=1)
            plot.set_ylim(-100, 100)
            plot.set_ylabel(f"{name}, cents" if at == 0 else "")
    for plot in rows[1]:
        plot.set_xlabel("s")
    figure.savefig(path, dpi=80)


if __name__ == "__main__":
    main()
