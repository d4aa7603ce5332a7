"""What reading large MIDI files takes of a processor, start-up and all: 100,000 held notes, 200,000 controllers.

    python benchmarks/reading.py [--rounds 5]

Beside them stands what a bare `import numpy` takes, since absolute times mean little on a shared machine.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import mido

READ = "import sys, warnings; warnings.simplefilter('ignore'); from ddspvae import read_midi; read_midi(sys.argv[1])"


def write_held(path: Path, n_notes: int) -> None:
    """Notes that are never ended, on all keys of all channels in turn."""
    track = mido.MidiTrack(mido.Message("note_on", note=k % 128, channel=k // 128 % 16, velocity=64, time=1)
                           for k in range(n_notes))
    mido.MidiFile(tracks=[track]).save(path)


def write_controllers(path: Path, n_messages: int) -> None:
    """One note, and controllers while it sounds."""
    track = mido.MidiTrack([mido.Message("note_on", note=60, velocity=64)])
    track.extend(mido.Message("control_change", control=(1, 7, 11, 74)[k % 4], value=k % 128, time=1)
                 for k in range(n_messages))
    track.append(mido.Message("note_off", note=60))
    mido.MidiFile(tracks=[track]).save(path)


def processor_s(command: list[str]) -> float:
    """What a process took, in itself and in the kernel."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        held, controllers = Path(folder, "held.mid"), Path(folder, "controllers.mid")
        write_held(held, 100_000)
        write_controllers(controllers, 200_000)
        commands = {"a bare import of numpy": [sys.executable, "-c", "import numpy"],
                    "100,000 held notes": [sys.executable, "-c", READ, str(held)],
                    "200,000 controllers": [sys.executable, "-c", READ, str(controllers)]}
        took = {name: [processor_s(command) for _ in range(args.rounds)] for name, command in commands.items()}
    print("| | processor, s, median |\n|---|---:|")
    for name, seconds in took.items():
        print(f"| {name} | {statistics.median(seconds):.2f} |")


if __name__ == "__main__":
    main()
