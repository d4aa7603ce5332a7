"""What an hour costs: peak memory and time of `ddspvae render`, for 6 minutes and for 60.

    python benchmarks/memory.py [--minutes 6 60] [--preset violin]

The song is examples/melody.mid over and over. Each render is a process of its own, told by the system at its end how much
memory it had at most; python that loads the instrument and plays nothing is measured the same way.
Nothing heavy may be imported here: a child's peak begins with that of the process that starts it.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import mido

MELODY = Path(__file__).parent.parent / "examples" / "melody.mid"
BYTES_PER_UNIT = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss
LIMIT_MB = 1000


def write_song(path: Path, minutes: float) -> None:
    """Repeat the melody until it has lasted that long, in one track."""
    melody = mido.MidiFile(MELODY)
    [track] = melody.tracks
    ending = [message for message in track if message.type != "end_of_track"]
    melody.tracks[0] = mido.MidiTrack(ending * max(1, round(60 * minutes / melody.length)))
    melody.save(path)


def measure(command: list[str]) -> tuple[float, float]:
    """Run a command; seconds and peak memory in MB."""
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds, process.returncode = time.perf_counter() - began, os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{' '.join(command)} ended with exit code {process.returncode}.")
    return seconds, usage.ru_maxrss * BYTES_PER_UNIT / 1e6


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, nargs="+", default=[6.0, 60.0])
    parser.add_argument("--preset", default="violin")
    args = parser.parse_args()
    start_s, start_mb = measure([sys.executable, "-c", f"import ddspvae; ddspvae.load({args.preset!r})"])
    print("| song | took | times real time | peak memory |\n|---|---|---|---|")
    print(f"| none, the instrument loaded | {start_s:.1f} s | | {start_mb:.0f} MB |")
    with tempfile.TemporaryDirectory() as folder:
        song, out = Path(folder) / "song.mid", Path(folder) / "song.wav"
        took, peaks = [], []
        for minutes in args.minutes:
            write_song(song, minutes)
            seconds, peak_mb = measure([sys.executable, "-m", "ddspvae", "render", str(song), "--preset", args.preset,
                                        "--out", str(out)])
            took.append(seconds - start_s)
            peaks.append(peak_mb)
            print(f"| {minutes:g} min | {seconds:.1f} s | {60 * minutes / seconds:.0f} | {peak_mb:.0f} MB |", flush=True)
    for minutes, seconds in zip(args.minutes[1:], took[1:]):
        print(f"\n{minutes / args.minutes[0]:g} times as long took {seconds / took[0]:.1f} times the time, "
              "the time to load the instrument left out.")
    print(f"\nThe most memory was {max(peaks):.0f} MB, {'under' if max(peaks) < LIMIT_MB else 'ABOVE'} {LIMIT_MB} MB.")


if __name__ == "__main__":
    main()
