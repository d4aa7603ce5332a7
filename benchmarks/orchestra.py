"""What an orchestra costs: time and peak memory of `ddspvae render` for many tracks at once.

    python benchmarks/orchestra.py [--minutes 2] [--tracks 1 4 16] [--chord 1] [--keep FOLDER]

Every track plays chords, scales and repeated notes of its own, drawn with a fixed seed, on its own channel and program, with
its own volume and place in stereo. Each render is a process of its own; the system says at its end how much memory it had at
most. Beyond what one part takes, memory should not grow with the number of tracks.
Nothing heavy may be imported here: a child's peak begins with that of the process that starts it.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from pathlib import Path

import mido
from memory import measure

TICKS_PER_BEAT = 480  # at 120 bpm: 960 ticks a second
DRUM_CHANNEL = 9
# program and lowest note of an orchestra's parts; those after the sixteenth begin again
PARTS = ((73, 67), (68, 62), (71, 57), (70, 41), (60, 48), (56, 58), (57, 45), (58, 34),
         (40, 67), (40, 60), (41, 55), (42, 43), (43, 34), (65, 55), (52, 60), (48, 60))


def write_song(path: Path, minutes: float, n_tracks: int, n_together: int) -> None:
    """Phrases of four seconds: a scale, repeated notes, held chords of n_together notes, a rest."""
    song = mido.MidiFile(ticks_per_beat=TICKS_PER_BEAT)
    for index in range(n_tracks):
        draw = random.Random(index)
        program, lowest = PARTS[index % len(PARTS)]
        channel = index % 15 + (index % 15 >= DRUM_CHANNEL)
        track = mido.MidiTrack([
            mido.MetaMessage("track_name", name=f"part {index + 1}"),
            mido.MetaMessage("midi_port", port=index // 15),
            mido.Message("program_change", channel=channel, program=program),
            mido.Message("control_change", channel=channel, control=7, value=draw.randrange(70, 110)),
            mido.Message("control_change", channel=channel, control=10, value=draw.randrange(20, 108))])
        events = []  # tick, on or off, pitch, velocity
        for phrase in range(round(60 * minutes / 4)):
            start, root = phrase * 3840, lowest + draw.randrange(12)
            pitches = [[root + step] for step in (0, 2, 4, 5, 7, 7, 7)] + [[root + 4 * k for k in range(n_together)]]
            for number, chord in enumerate(pitches):
                for pitch in chord:
                    velocity, length = draw.randrange(50, 110), 960 if number == 7 else 380
                    events += [(start + 384 * number, 1, pitch, velocity), (start + 384 * number + length, 0, pitch, 0)]
        now = 0
        for tick, is_on, pitch, velocity in sorted(events):
            track.append(mido.Message("note_on" if is_on else "note_off", channel=channel, note=pitch, velocity=velocity,
                                      time=tick - now))
            now = tick
        song.tracks.append(track)
    song.save(path)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, nargs="+", default=[2.0])
    parser.add_argument("--tracks", type=int, nargs="+", default=[1, 4, 16])
    parser.add_argument("--chord", type=int, default=1, help="notes at once in the last chord of every phrase (default 1)")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="where the songs and sounds stay")
    args = parser.parse_args()
    start_s, start_mb = measure([sys.executable, "-c", "import ddspvae; ddspvae.load('violin')"])
    print("| song | took | times real time | peak memory |\n|---|---|---|---|")
    print(f"| none, one instrument loaded | {start_s:.1f} s | | {start_mb:.0f} MB |", flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        folder = args.keep or Path(scratch)
        folder.mkdir(exist_ok=True)
        for minutes in args.minutes:
            for n_tracks in args.tracks:
                name = f"{minutes:g}-minutes-{n_tracks}-tracks"
                write_song(folder / f"{name}.mid", minutes, n_tracks, args.chord)
                seconds, peak_mb = measure([sys.executable, "-m", "ddspvae", "render", str(folder / f"{name}.mid"),
                                            "--out", str(folder / f"{name}.wav")])
                print(f"| {minutes:g} min, {n_tracks} tracks | {seconds:.1f} s | {60 * minutes / seconds:.1f} | "
                      f"{peak_mb:.0f} MB |", flush=True)


if __name__ == "__main__":
    main()
