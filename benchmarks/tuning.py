"""Cents asked and cents heard, for three scales by three doors: Scala files, tuning messages in a file, and a live stream.

The pitches that are asked for are reckoned here, from ratios. Those that are heard are found in three ways that took no part
in training or in playing: by CREPE in full size, whose bins are 20 cents wide; by the period, in time (YIN's difference
at 64 periods); and by the peaks of the spectrum. CREPE is shown twice: as it is, and beside what it says of an exact tone of
the asked frequency with the note's own harmonics, which takes its own error out. The last row is how far each is off such
exact tones, whose pitch is known.

    python benchmarks/tuning.py [--preset flute]
"""

from __future__ import annotations

import argparse
import math
import subprocess
import sys
import tempfile
from pathlib import Path

import mido
import numpy as np

from ddspvae import load, read_audio
from ddspvae.features.trackers import TRACKERS
from ddspvae.midi.scala import read_tuning

NOTE_S, REST_S, RATE = 1.5, 0.5, 48_000
CREPE_S = 0.25  # of each note
TICKS = 480  # a quarter note, half a second
FIFTH, COMMA, SYNTONIC = 1200 * math.log2(3 / 2), 1200 * math.log2(531441 / 524288), 1200 * math.log2(81 / 80)


def by_fifths(tempered: dict[int, float]) -> list[float]:
    """Cents of the twelve notes from C on, by fifths from E flat up to G sharp; each fifth tempered by so much."""
    cents = {0: 0.0}
    at, total = 0, 0.0
    for step in range(8):  # C G D A E B F# C# G#
        total += FIFTH - tempered.get(step, 0.0)
        at = (at + 7) % 12
        cents[at] = total % 1200
    at, total = 0, 0.0
    for step in range(1, 4):  # F Bb Eb
        total -= FIFTH - tempered.get(-step, 0.0)
        at = (at - 7) % 12
        cents[at] = total % 1200
    return [cents[note] for note in range(12)]


WERCKMEISTER = by_fifths({0: COMMA / 4, 1: COMMA / 4, 2: COMMA / 4, 5: COMMA / 4})  # C-G, G-D, D-A and B-F sharp
MEANTONE = by_fifths({step: SYNTONIC / 4 for step in range(-3, 8)})
BOHLEN_PIERCE = [1200 * math.log2(ratio) for ratio in (
    27 / 25, 25 / 21, 9 / 7, 7 / 5, 75 / 49, 5 / 3, 9 / 5, 49 / 25, 15 / 7, 7 / 3, 63 / 25, 25 / 9, 3)]
KEYS = range(67, 80)


def hz(cents_over_a440: float) -> float:
    """Of a distance from 440 Hz."""
    return 440 * 2 ** (cents_over_a440 / 1200)


def song(path: Path, first: list[mido.Message]) -> Path:
    """The keys, one after another."""
    track = mido.MidiTrack(first)
    for key in KEYS:
        track.append(mido.Message("note_on", note=key, velocity=90, time=round(2 * TICKS * REST_S)))
        track.append(mido.Message("note_off", note=key, time=round(2 * TICKS * NOTE_S)))
    mido.MidiFile(ticks_per_beat=TICKS, tracks=[track]).save(path)
    return path


def octave_message(cents: list[float]) -> mido.Message:
    """All channels, the twelve notes from C on, in 14 bits."""
    steps = [round(8192 + 8192 * value / 100) for value in cents]
    data = [byte for step in steps for byte in divmod(step, 128)]
    return mido.Message("sysex", data=(0x7F, 0x7F, 8, 9, 3, 127, 127, *data))


def render(folder: Path, preset: str, score: Path, *options: str) -> np.ndarray:
    out = folder / "out.wav"
    subprocess.run([sys.executable, "-m", "ddspvae", "render", str(score), "--preset", preset, "--out", str(out), "--dry",
                    "--voices", "1", "--performer", "rules", "--expression", "0", *options], check=True, capture_output=True)
    return read_audio(out, RATE)[0]


def play_live(preset: str, tuning: object, first: list[mido.Message]) -> np.ndarray:
    """The same keys through a stream."""
    stream, sound = load(preset).stream(2, dry=True, expression=0.0, tuning=tuning), []
    for message in first:
        stream.send(message)
    for key in KEYS:
        sound.append(stream.read(round(REST_S * RATE)))
        stream.send(mido.Message("note_on", note=key, velocity=90))
        sound.append(stream.read(round(NOTE_S * RATE)))
        stream.send(mido.Message("note_off", note=key))
    return np.concatenate([*sound, stream.read(RATE)])


def by_crepe(note: np.ndarray, wanted: float) -> float:
    """Cents from what is wanted."""
    from ddspvae.audio import resample

    track = TRACKERS["crepe-full"].track(resample(note[: round(CREPE_S * RATE)], RATE, 16_000))
    return float(1200 * np.log2(np.median(track.f0_hz[5:-5]) / wanted))


def by_period(note: np.ndarray, wanted: float) -> float:
    """Cents from what is wanted, by the lag at which the note differs least from itself, one period later, then 2, 4 ... 64.

    The lag lies between samples; where, a parabola says, and its error counts less the more periods fit in.
    """
    period = RATE / wanted
    for times in (1, 2, 4, 8, 16, 32, 64):
        reach = max(2, round(0.03 * period)) if times == 1 else 2
        lags = round(times * period) + np.arange(-reach - 1, reach + 2)
        n = len(note) - lags[-1]
        differences = np.array([np.square(note[:n] - note[lag : lag + n]).sum() for lag in lags])
        at = 1 + int(differences[1:-1].argmin())
        before, here, after = differences[at - 1 : at + 2]
        period = (lags[at] + 0.5 * (before - after) / (before - 2 * here + after)) / times
    return float(1200 * np.log2(RATE / period / wanted))


def by_spectrum(note: np.ndarray, wanted: float) -> float:
    """Cents from what is wanted, by the peaks of five harmonics, each with the weight of its power."""
    power = np.abs(np.fft.rfft(note * np.hanning(len(note)), 8 * len(note)))
    found, weights, per_hz = [], [], 8 * len(note) / RATE
    for harmonic in range(1, 6):
        low, high = (round(harmonic * wanted * ratio * per_hz) for ratio in (0.97, 1.03))
        peak = low + int(power[low:high].argmax())
        before, here, after = np.log(power[peak - 1 : peak + 2])
        found.append((peak + 0.5 * (before - after) / (before - 2 * here + after)) / per_hz / harmonic)
        weights.append(power[peak])
    return float(1200 * np.log2(np.average(found, weights=weights) / wanted))


def exact_tone(note: np.ndarray, wanted: float) -> np.ndarray:
    """The asked frequency, with the note's own harmonics, as strong as in the note."""
    at_s = np.arange(len(note)) / RATE
    tone, window = np.zeros(len(note)), np.hanning(len(note))
    for harmonic in range(1, int(8000 / wanted) + 1):
        wave = np.exp(2j * np.pi * harmonic * wanted * at_s)
        tone += 2 * np.real((note * window * wave.conj()).sum() / window.sum() * wave)
    return tone


def heard_cents(sound: np.ndarray, asked_hz: list[float]) -> np.ndarray:
    """How far each note lies from what was asked, [4, notes], and how far its exact tone is read, [3, notes]; [7, notes]."""
    rows = []
    for number, wanted in enumerate(asked_hz):
        begin = round((REST_S + number * (REST_S + NOTE_S) + 0.4) * RATE)
        note = sound[begin : begin + round((NOTE_S - 0.6) * RATE)]
        exact = exact_tone(note, wanted)
        crepe, itself = by_crepe(note, wanted), by_crepe(exact, wanted)
        rows.append([crepe, crepe - itself, by_period(note, wanted), by_spectrum(note, wanted), itself,
                     by_period(exact, wanted), by_spectrum(exact, wanted)])
    return np.array(rows).T


def both(off: np.ndarray) -> str:
    """Median and most."""
    return f"{np.median(np.abs(off)):.2f}, {np.abs(off).max():.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--preset", default="flute")
    args = parser.parse_args()
    print("| scale, and how it is asked for | | cents from equal at 440 Hz, asked | off by CREPE, median and most | "
          "by CREPE beside an exact tone | by the period | by the spectrum |\n|---|---|---|---|---|---|---|")
    exact = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        werckmeister, bohlen, keys = folder / "w.scl", folder / "bp.scl", folder / "bp.kbm"
        for path, scale in ((werckmeister, [*WERCKMEISTER[1:], 1200.0]), (bohlen, BOHLEN_PIERCE)):
            path.write_text("\n".join(["made by benchmarks/tuning.py", f"{len(scale)}", *(f"{c:.6f}" for c in scale)]))
        keys.write_text("0\n0\n127\n69\n69\n440.0\n13\n")
        a_415 = 1200 * math.log2(415 / 440)

        def octave(scale: list[float], key: int) -> float:
            return scale[key % 12] + 1200 * (key // 12 - 5)

        asked = [
            ("Werckmeister III, `--tuning w.scl --a4 415`", [str(werckmeister)], 415.0, [],
             [a_415 + octave(WERCKMEISTER, key) - octave(WERCKMEISTER, 69) for key in KEYS]),
            ("meantone of a quarter comma, a tuning message", [], None,
             [octave_message([cents - 100 * note for note, cents in enumerate(MEANTONE)])],
             [octave(MEANTONE, key) - 900 for key in KEYS]),
            ("Bohlen-Pierce, `--tuning bp.scl --tuning bp.kbm`", [str(bohlen), str(keys)], None, [],
             [0.0 if step == 0 else BOHLEN_PIERCE[step - 1] if step > 0 else BOHLEN_PIERCE[step + 12] - BOHLEN_PIERCE[12]
              for step in (key - 69 for key in KEYS)]),
        ]
        for title, files, a4_hz, first, cents in asked:
            options = [word for path in files for word in ("--tuning", path)] + (["--a4", f"{a4_hz:g}"] if a4_hz else [])
            sounds = (("rendered", render(folder, args.preset, song(folder / "a.mid", first), *options)),
                      ("live", play_live(args.preset, read_tuning(files, a4_hz), first)))
            for how, sound in sounds:
                off = heard_cents(sound, [hz(value) for value in cents])
                exact.append(off[4:])
                deviation = " ".join(f"{value - 100 * (key - 69):+.1f}" for key, value in zip(KEYS, cents))
                print(f"| {title} | {how} | {deviation if how == 'rendered' else 'the same'} | "
                      + " | ".join(both(row) for row in off[:4]) + " |", flush=True)
        crepe, period, spectrum = np.concatenate(exact, axis=1)
        print(f"| exact tones of all these | | | {both(crepe)} | | {both(period)} | {both(spectrum)} |")


if __name__ == "__main__":
    main()
