"""Exported instruments, played: the same MIDI through sfizz, FluidSynth and our own dry render.

    python benchmarks/exported.py [--presets violin flute] [--keep FOLDER]

Every key of the instrument at velocity 80, then 14 velocities on three keys; each note 1.6 s. Per note: the pitch (slope of
the phase of a strong harmonic, over the middle of the note) against equal temperament; the A-weighted level against our
render of the same note, without what is constant over all notes (samplers have gains of their own), once played deadpan
(`--expression 0`) and once as usual, where every note swells as some note of the recordings did; and notes held for 9 s, of
which the second difference at the loop's seam is divided by the largest in the rest of the held sound: below 1 there is
nothing to hear. Processor time of the whole command says what an export costs. DecentSampler gets the files that SFZ gets;
its player is closed. Zimtohrli compares the first half minute with our usual render, and, for scale, our render by another
seed with it. `pip install pysfizz`, `apt install fluidsynth`.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import mido
import numpy as np
import soundfile
from numpy.typing import NDArray
from scipy.signal import fftconvolve

import ddspvae
from ddspvae.export.plan import Plan
from ddspvae.export.sampling import play_samples
from ddspvae.features.weighting import a_weighting
from ddspvae.instrument.presets import read_cards
from ddspvae.signals import Note, Notes
from ddspvae.signals.units import hz_to_cents, pitch_to_hz, power_to_db

RATE = 48_000
LENGTH_S, GAP_S, HELD_S = 1.6, 0.9, 9.0
FROM_S, TO_S = 0.4, 1.5  # of a note, where it is measured
VELOCITIES = (4, 12, 20, 28, 37, 46, 56, 66, 76, 86, 96, 106, 116, 127)
BLOCK = 256
FLUIDSYNTH_GAIN = "1"
JUDGED_S = 30.0
N_STRONG = 10  # harmonics of which the strongest tells the pitch


def keys_of(plan: Plan, statistics: object) -> range:
    """The keys within the range."""
    low, high = (getattr(statistics, name) for name in ("pitch_low", "pitch_high"))
    return range(max(plan.keys[0].low, round(low)), min(plan.keys[-1].high, round(high)) + 1)


def make_song(keys: range) -> Notes:
    """Every key, then velocities on three keys, softest first."""
    plays = [(key, 80) for key in keys]
    plays += [(key, velocity) for key in np.linspace(keys[1], keys[-2], 3).round().astype(int).tolist()
              for velocity in VELOCITIES]
    step_s = LENGTH_S + GAP_S
    return Notes(tuple(Note(float(key), velocity, at * step_s, at * step_s + LENGTH_S)
                       for at, (key, velocity) in enumerate(plays)))


def write_midi(path: Path, notes: Notes) -> None:
    """At 960 ticks a second."""
    events = sorted([(round(note.onset_s * 960), "note_on", note) for note in notes.notes]
                    + [(round(note.offset_s * 960), "note_off", note) for note in notes.notes], key=lambda event: event[:2])
    track, before = mido.MidiTrack(), 0
    for tick, kind, note in events:
        track.append(mido.Message(kind, note=int(note.pitch), velocity=note.velocity, time=tick - before))
        before = tick
    mido.MidiFile(type=0, ticks_per_beat=480, tracks=[track]).save(path)


def play_sfz(sfz: Path, song: Path, duration_s: float) -> NDArray[np.float32]:
    """By sfizz, one channel, at RATE."""
    from pysfizz import Synth

    synth = Synth(RATE, BLOCK)
    if not synth.load_sfz_file(sfz):
        raise RuntimeError(f"sfizz does not load {sfz}")
    core = synth._synth  # the wheel's own class plays single notes only
    events, now_s = [], 0.0
    for message in mido.MidiFile(song):
        now_s += message.time
        if message.type in ("note_on", "note_off"):
            events.append((round(now_s * RATE), message))
    blocks, at = [], 0
    for begin in range(0, round(duration_s * RATE), BLOCK):
        while at < len(events) and events[at][0] < begin + BLOCK:
            sample, message = events[at]
            play = core.note_on if message.type == "note_on" else core.note_off
            play(sample - begin, message.note, message.velocity)
            at += 1
        blocks.append(np.array(core.render_block()[0]))
    return np.concatenate(blocks)


def play_soundfont(font: Path, song: Path, duration_s: float) -> NDArray[np.float32]:
    """By FluidSynth, without its reverb and chorus, one channel, at RATE."""
    with tempfile.TemporaryDirectory() as folder:
        wav = Path(folder) / "out.wav"
        subprocess.run(["fluidsynth", "-ni", "-q", "-r", str(RATE), "-g", FLUIDSYNTH_GAIN, "-R", "0", "-C", "0", "-O",
                        "float", "-T", "wav", "-F", str(wav), str(font), str(song)], check=True, capture_output=True)
        audio = soundfile.read(wav, dtype="float32")[0][:, 0]
    return np.pad(audio, (0, max(0, round(duration_s * RATE) - len(audio))))[: round(duration_s * RATE)]


def pitch_cents(audio: NDArray, f0_hz: float) -> float:
    """How far the mean pitch lies from f0: the slope of the phase of the strongest low harmonic."""
    spectrum = np.square(np.abs(np.fft.rfft(audio * np.hanning(len(audio)))))
    numbers = np.arange(1, max(2, min(N_STRONG + 1, int(0.4 * RATE / f0_hz))))
    per_hz, reach = len(audio) / RATE, f0_hz / 4
    power = [spectrum[round((k * f0_hz - reach) * per_hz) : round((k * f0_hz + reach) * per_hz) + 1].sum() for k in numbers]
    number = int(numbers[np.argmax(power)])
    half = round((1.5 if f0_hz < 150 else 2.5) * RATE / f0_hz)
    window = np.hanning(2 * half + 1)
    turned = audio * np.exp(-2j * np.pi * number * f0_hz * np.arange(len(audio)) / RATE)
    best = fftconvolve(turned, window / window.sum(), mode="valid")
    phase = np.unwrap(np.angle(best)) / (2 * np.pi)
    weight = np.sin(np.linspace(0, np.pi, len(phase)))
    slope = np.polyfit(np.arange(len(phase)) / RATE, phase, 1, w=weight)[0]
    return float(hz_to_cents(f0_hz + slope / number, f0_hz))


def level_db(audio: NDArray) -> float:
    """A-weighted."""
    spectrum = np.square(np.abs(np.fft.rfft(audio * np.hanning(len(audio)))))
    return float(power_to_db((spectrum * a_weighting(np.fft.rfftfreq(len(audio), 1 / RATE))).sum() / len(audio) ** 2))


def parts_of(audio: NDArray, notes: Notes) -> list[NDArray]:
    """The middle of each note."""
    return [audio[round((note.onset_s + FROM_S) * RATE) : round((note.onset_s + TO_S) * RATE)].astype(np.float64)
            for note in notes.notes]


def cents_of(audio: NDArray, notes: Notes) -> NDArray:
    """How far each note lies from its key."""
    return np.array([pitch_cents(part, float(pitch_to_hz(note.pitch)))
                     for part, note in zip(parts_of(audio, notes), notes.notes)])


def levels_of(audio: NDArray, notes: Notes) -> NDArray:
    """A-weighted dB of each note."""
    return np.array([level_db(part) for part in parts_of(audio, notes)])


def seam_ratio(audio: NDArray, onset: int, begin: float, end: float, last: int) -> float:
    """The largest second difference at the seams of a loop, over the largest elsewhere in what is held.

    Args:
        audio: one held note.
        onset: its first sample; begin, end: of the loop, samples after it, as they are played.
        last: the sample up to which it is held.
    """
    second = np.abs(np.diff(audio.astype(np.float64), 2))
    seams = np.arange(onset + end, last, end - begin).round().astype(int)
    near = np.zeros(len(second), dtype=bool)
    for seam in seams:
        near[max(seam - 40, 0) : seam + 40] = True  # a player begins a note within a block, and reads some points around
    held = np.zeros(len(second), dtype=bool)
    held[onset + round(begin) : last] = True
    return float(second[near & held].max() / second[held & ~near].max())


@dataclass(frozen=True)
class Row:
    """What one player makes of an instrument."""

    most_cents: float
    most_db: float
    usual_db: float
    worst_seam: float
    zimtohrli: float


def score(own: NDArray, audio: NDArray) -> float:
    """Zimtohrli of the first half minute."""
    from ddspvae.evaluation.perceptual import judge_stretches

    n_samples = min(round(JUDGED_S * RATE), len(own), len(audio))
    scores, seconds = judge_stretches(own[:n_samples], audio[:n_samples], RATE)
    return float(np.average(scores, weights=seconds))


def furthest(db: NDArray, own_db: NDArray) -> float:
    """The most that a note's level is off, without what is constant."""
    return float(np.abs(db - own_db - np.median(db - own_db)).max())


def check(instrument: ddspvae.Instrument, plan: Plan, kind: str, main: Path, folder: Path, own: NDArray, deadpan: NDArray,
          notes: Notes, song: Path) -> Row:
    """Play and measure."""
    play = play_sfz if kind == "sfz" else play_soundfont
    audio = play(main, song, notes.duration_s + 1)
    cents, db = cents_of(audio, notes), levels_of(audio, notes)
    held_keys = [key for span in (plan.keys[0], plan.keys[len(plan.keys) // 2], plan.keys[-1])
                 for key in sorted({span.low, span.sampled, span.high})]
    held = Notes(tuple(Note(float(key), 80, at * (HELD_S + GAP_S), at * (HELD_S + GAP_S) + HELD_S)
                       for at, key in enumerate(held_keys)))
    held_song = folder / "held.mid"
    write_midi(held_song, held)
    held_audio = play(main, held_song, held.duration_s + 1)
    loops = loops_at(instrument, plan, held_keys)
    seams = []
    for note, key in zip(held.notes, held_keys):
        onset, last = round(note.onset_s * RATE), round((note.offset_s - 0.05) * RATE)
        for begin, end in loops[key]:  # which of the round robin it is, nobody says
            seams.append(seam_ratio(held_audio, onset, begin, end, last))
    return Row(float(np.abs(cents).max()), furthest(db, levels_of(deadpan, notes)), furthest(db, levels_of(own, notes)),
               max(seams), score(own, audio))


def loops_at(instrument: ddspvae.Instrument, plan: Plan, keys: list[int]) -> dict[int, list[tuple[float, float]]]:
    """Begin and end of the loops that keys are held by at velocity 80, samples as they are played."""
    layer = next(layer for layer in plan.layers if layer.low <= 80 <= layer.high)
    spans = tuple(span for span in plan.keys if any(span.low <= key <= span.high for key in keys))
    found: dict[int, list[tuple[float, float]]] = {key: [] for key in keys}
    for sample in play_samples(instrument, Plan(spans, (layer,), plan.seeds)):
        for key in keys:
            if sample.key.low <= key <= sample.key.high:
                ratio = 2 ** ((key - sample.key.sampled) / 12)
                found[key].append((sample.loop_begin / ratio, sample.loop_end / ratio))
    return found


def processor_s() -> float:
    """Of the processes that this one has started and that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--presets", nargs="+", default=sorted(set(read_cards()) - {"guitar-electric"}))
    parser.add_argument("--keep", type=Path, help="folder for the exports and the sounds")
    args = parser.parse_args()
    print("| | format | samples | MB | processor s | pitch, most cents | level, most dB | beside the usual render | seam | "
          "Zimtohrli | our own other seed |\n|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|")
    with tempfile.TemporaryDirectory() as temporary:
        root = args.keep or Path(temporary)
        root.mkdir(parents=True, exist_ok=True)
        for name in args.presets:
            instrument = ddspvae.load(name)
            plan = Plan.of(instrument.statistics)
            notes = make_song(keys_of(plan, instrument.statistics))
            song = root / f"{name}.mid"
            write_midi(song, notes)
            score_notes = ddspvae.read_midi(song)
            own = instrument.render(score_notes, dry=True)
            deadpan = instrument.render(score_notes, dry=True, expression=0)
            other = score(own, instrument.render(score_notes, dry=True, seed=1))
            for kind in ("sfz", "sf2"):
                out = root / f"{name}-{kind}"
                shutil.rmtree(out, ignore_errors=True)
                before_s = processor_s()
                command = ["export", "--preset", name, "--format", kind, "--out", str(out)]
                subprocess.run([sys.executable, "-m", "ddspvae", *command], check=True, capture_output=True)
                took_s = processor_s() - before_s
                size_mb = sum(file.stat().st_size for file in out.rglob("*") if file.is_file()) / 1e6
                seen = plan if kind == "sfz" else Plan(plan.keys, plan.layers, plan.seeds[:1])
                row = check(instrument, seen, kind, out / f"{name}.{kind}", root, own, deadpan, notes, song)
                print(f"| {name} | {kind} | {seen.n_samples} | {size_mb:.1f} | {took_s:.1f} | {row.most_cents:.1f} | "
                      f"{row.most_db:.2f} | {row.usual_db:.2f} | {row.worst_seam:.2f} | {row.zimtohrli:.2f} | {other:.2f} |",
                      flush=True)


if __name__ == "__main__":
    main()
