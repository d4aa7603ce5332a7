"""Does an embedding hear what ears hear? How the Fréchet distance orders known degradations of real takes.

    python benchmarks/variants_degraded.py violin=a.flac flute=folder/ trombone=folder/ --seconds 40

Every kind of degradation comes in three strengths. Printed are the distances to the sound as it was, whether they rise with
the strength, and beside them the distance between two halves of the same recordings, below which nothing is told.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from ddspvae.audio import Audio, read_audio
from ddspvae.evaluation.frechet import EMBEDDINGS, embed, frechet_distance
from ddspvae.training.recordings import find_recordings

RATE = 48_000
STRENGTHS = {"noise, dB": (-40, -25, -10), "low-pass, kHz": (8, 4, 2), "jitter, cents": (5, 20, 80),
             "an octave up in, %": (5, 20, 60), "tilt, dB an octave": (0.5, 1.5, 4.0), "buzz, %": (3, 10, 30)}


def degrade(kind: str, strength: float, audio: Audio) -> Audio:
    """The take [T] at 48 kHz with one flaw."""
    random = np.random.default_rng(0)
    if kind == "noise, dB":
        sound = audio + random.standard_normal(len(audio)) * audio.std() * 10 ** (strength / 20)
    elif kind == "low-pass, kHz":
        sound = signal.sosfiltfilt(signal.butter(6, strength * 1000, fs=RATE, output="sos"), audio)
    elif kind == "jitter, cents":  # the speed trembles, faster than any vibrato: harmonics are smeared, the upper ones more
        sound = _jitter(audio, strength, random)
    elif kind == "an octave up in, %":
        sound = _octave_slips(audio, strength / 100, random)
    elif kind == "tilt, dB an octave":
        spectrum = np.fft.rfft(audio)
        octaves = np.log2(np.maximum(np.fft.rfftfreq(len(audio), 1 / RATE), 50) / 1000)
        sound = np.fft.irfft(spectrum * 10 ** (strength * octaves / 20), n=len(audio))
    else:  # a ripple of the amplitude at the rate of frames
        time_s = np.arange(len(audio)) / RATE
        sound = audio * (1 + strength / 100 * np.sign(np.sin(2 * np.pi * 200 * time_s)))
    return np.asarray(sound, dtype=np.float32)


def _jitter(audio: Audio, cents: float, random: np.random.Generator) -> NDArray:
    slow = signal.sosfilt(signal.butter(2, (20, 60), "bandpass", fs=RATE, output="sos"), random.standard_normal(len(audio)))
    speed = 2 ** (slow / slow.std() * cents / 1200)
    return np.interp(np.cumsum(speed) * len(audio) / speed.sum(), np.arange(len(audio)), audio)


def _octave_slips(audio: Audio, share: float, random: np.random.Generator) -> NDArray:
    """Pieces of 80 ms of which a share is played at twice the speed, twice."""
    piece, sound = round(0.08 * RATE) // 2 * 2, np.array(audio)
    for start in range(0, len(audio) - piece, piece):
        if random.random() < share:
            half = audio[start : start + piece : 2]
            sound[start : start + piece] = np.concatenate([half, half])
    return sound


def main() -> None:
    """Print a table for each embedding."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("instruments", nargs="+", metavar="NAME=RECORDINGS")
    parser.add_argument("--seconds", type=float, default=40.0, help="of each instrument")
    parser.add_argument("--embeddings", nargs="+", default=list(EMBEDDINGS), choices=list(EMBEDDINGS))
    args = parser.parse_args()
    sounds = {}
    for pair in args.instruments:
        name, _, folder = pair.partition("=")
        takes = [read_audio(path, RATE)[0][: 8 * RATE * (1 + Path(folder).is_file() * 10)]
                 for path in find_recordings([Path(folder)])]
        sounds[name] = np.concatenate(takes)[: round(args.seconds * RATE)]
    for embedding in args.embeddings:
        print(f"\n{embedding}\n\n| | {' | '.join(sounds)} |\n|{'---|' * (len(sounds) + 1)}")
        clean = {name: embed([sound], RATE, embedding) for name, sound in sounds.items()}
        halves = [frechet_distance(*np.array_split(rows, 2)) for rows in clean.values()]
        print(f"| two halves | {' | '.join(f'{d:.4g}' for d in halves)} |")
        for other, rows in clean.items():
            print(f"| as {other} | {' | '.join(f'{frechet_distance(mine, rows):.4g}' for mine in clean.values())} |")
        risen = 0
        for kind, strengths in STRENGTHS.items():
            cells = []
            for name, sound in sounds.items():
                distances = [frechet_distance(clean[name], embed([degrade(kind, s, sound)], RATE, embedding))
                             for s in strengths]
                risen += int(np.sum(np.diff(distances) > 0))
                cells.append(" < ".join(f"{d:.4g}" for d in distances))
            print(f"| {kind}: {', '.join(f'{s:g}' for s in strengths)} | {' | '.join(cells)} |", flush=True)
        print(f"\nrises with the strength in {risen} of {2 * len(STRENGTHS) * len(sounds)} steps")


if __name__ == "__main__":
    main()
