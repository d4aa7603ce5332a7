"""What an orchestra costs: 8 parts for 3 minutes, cast on the shipped presets, from the command line to the file.

    python benchmarks/orchestra_render.py [--minutes 3] [--times 3] [--keep FOLDER]

The piece is the gallery's canon over and over, the eight of its parts that have the most notes. Each render is a process of
its own and counts everything: starting python, loading the presets, performing, rendering, mixing, writing. Time is printed
as a share of the length of the sound, on the clock and of one processor, which other work on the machine disturbs less;
memory is what the system says the process had at most.
Nothing heavy may be imported here: a child's peak begins with that of the process that starts it.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import mido
from memory import measure

EXAMPLES = Path(__file__).parent.parent / "examples"
N_PARTS = 8
CHILD = ("import sys; sys.path.insert(0, sys.argv[1]); from pathlib import Path; "
         "from notation import read_score, write_midi; "
         "write_midi(read_score(Path(sys.argv[1]) / 'scores' / 'together.txt'), Path(sys.argv[2]))")


def write_piece(path: Path, minutes: float) -> float:
    """Write N_PARTS of the canon, repeated until it has lasted that long; returns its seconds."""
    subprocess.run([sys.executable, "-c", CHILD, str(EXAMPLES / "gallery"), str(path)], check=True)
    file = mido.MidiFile(path)
    tempo, *parts = file.tracks
    n_times = max(1, round(60 * minutes / file.length))
    busiest = sorted(parts, key=lambda track: -sum(message.type == "note_on" for message in track))[:N_PARTS]
    length = max(sum(message.time for message in track) for track in parts)
    song = mido.MidiFile(type=1, ticks_per_beat=file.ticks_per_beat)
    for track in (tempo, *(track for track in parts if track in busiest)):
        body = [message for message in track if message.type != "end_of_track"]
        rest = length - sum(message.time for message in body)
        again = mido.MidiTrack()
        for number in range(n_times):
            first, *others = body
            again += [first.copy(time=first.time + rest * (number > 0)), *others]
        song.tracks.append(again)
    song.save(path)
    return float(mido.MidiFile(path).length)


def _processor_s() -> float:
    """Of all processes that were started and have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--times", type=int, default=3, help="renders; the median counts (default 3)")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="where the song and the sound stay")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = args.keep or Path(scratch)
        folder.mkdir(exist_ok=True)
        song, out = folder / "orchestra.mid", folder / "orchestra.wav"
        length_s = write_piece(song, args.minutes)
        command = [sys.executable, "-m", "ddspvae", "render", str(song), "--out", str(out)]
        told = json.loads(subprocess.run([*command, "--json"], check=True, capture_output=True, text=True).stdout)
        before_s = _processor_s()
        runs = [measure(command) for _ in range(args.times)]
        worked_s = (_processor_s() - before_s) / args.times
    took_s, peak_mb = statistics.median(seconds for seconds, _ in runs), max(megabytes for _, megabytes in runs)
    players = ", ".join(f"{part['name']}: {part['preset']}" for part in told["played"])
    print(f"{told['parts']} parts, {length_s / 60:.1f} minutes ({players})\n")
    print("| | time | share of its length | peak memory |\n|---|---|---|---|")
    print(f"| on the clock, median of {args.times} | {took_s:.1f} s | {took_s / length_s:.1%} | {peak_mb:.0f} MB |")
    print(f"| of a processor, mean | {worked_s:.1f} s | {worked_s / length_s:.1%} | |")


if __name__ == "__main__":
    main()
