"""Whole commands beside a sampler: `ddspvae render` and FluidSynth, in turns, on the same two files.

    python benchmarks/sampler.py [--rounds 5] [--soundfont FluidR3_GM.sf2] [--keep FOLDER]

One part: 600 notes of a violin in 301 s. Eight parts: 360 notes each in 181 s, by the nearest eight instruments. Each
run is a process of its own: starting, loading, playing, writing 16 bits at 48 kHz. Medians and ratios; absolute times mean
little on a shared machine. FluidSynth comes from `apt install fluidsynth fluid-soundfont-gm` or its like.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import mido

# program, name, lowest and highest note
PARTS = ((40, "violin", 60, 90), (42, "cello", 40, 64), (43, "double bass", 31, 50), (73, "flute", 64, 90),
         (71, "clarinet", 55, 84), (70, "bassoon", 36, 60), (56, "trumpet", 58, 80), (58, "tuba", 32, 52))
TICKS_PER_S = 960
FONTS = ("/usr/share/sounds/sf2/FluidR3_GM.sf2", "/usr/share/soundfonts/FluidR3_GM.sf2")


def write_song(path: Path, parts: tuple[tuple[int, str, int, int], ...], n_notes: int, seconds: float) -> None:
    """Walks of n_notes each, detached by an eighth of a note."""
    chance, file = random.Random(1), mido.MidiFile(type=1, ticks_per_beat=480)
    for channel, (program, name, low, high) in enumerate(parts):
        track = mido.MidiTrack([mido.MetaMessage("track_name", name=name),
                                mido.Message("program_change", channel=channel, program=program)])
        pitch, length = (low + high) // 2, round(seconds * TICKS_PER_S / n_notes)
        for index in range(n_notes):
            pitch = min(max(pitch + chance.choice((-4, -2, -1, 1, 2, 3, 5)), low), high)
            track.append(mido.Message("note_on", channel=channel, note=pitch, velocity=chance.randrange(50, 110),
                                      time=length // 8 if index else 0))
            track.append(mido.Message("note_off", channel=channel, note=pitch, time=length - length // 8))
        file.tracks.append(track)
    file.save(path)


def timed(command: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--soundfont", default=next((font for font in FONTS if Path(font).exists()), ""))
    parser.add_argument("--keep", type=Path)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        songs = {"one part, 301 s": folder / "one.mid", "eight parts, 181 s": folder / "eight.mid"}
        write_song(songs["one part, 301 s"], PARTS[:1], 600, 300)
        write_song(songs["eight parts, 181 s"], PARTS, 360, 180)
        ours = [sys.executable, "-m", "ddspvae", "render"]
        contestants = {}
        for name, song in songs.items():
            for jobs in ("1", str(os.cpu_count() or 1)):
                contestants[name, f"ddspvae, {jobs} core{'s' * (jobs != '1')}"] = [
                    *ours, str(song), "--out", str(folder / "ours.wav"), "--jobs", jobs]
            if shutil.which("fluidsynth") and args.soundfont:
                contestants[name, "FluidSynth"] = ["fluidsynth", "-ni", "-r", "48000", "-F", str(folder / "theirs.wav"),
                                                   args.soundfont, str(song)]
        contestants["start-up", "import torch"] = [sys.executable, "-c", "import torch"]
        short = folder / "short.mid"
        write_song(short, PARTS[:1], 1, 0.5)
        contestants["start-up", "ddspvae, a note of 0.5 s"] = [*ours, str(short), "--out", str(folder / "short.wav")]
        took: dict[tuple[str, str], list[float]] = {key: [] for key in contestants}
        for _ in range(args.rounds + 1):
            for key, command in contestants.items():
                took[key].append(timed(command))
        print("| | | s, median | beside FluidSynth, or a bare torch |\n|---|---|---:|---:|")
        for (what, who), seconds in took.items():
            base = took.get((what, "FluidSynth")) or took.get((what, "import torch"))
            ratio = statistics.median(a / b for a, b in zip(seconds[1:], base[1:])) if base else float("nan")
            print(f"| {what} | {who} | {statistics.median(seconds[1:]):.2f} | {ratio:.2f} |")
    if not shutil.which("fluidsynth") or not args.soundfont:
        print("FluidSynth or its sound font is not installed here: apt install fluidsynth fluid-soundfont-gm.")


if __name__ == "__main__":
    main()
