"""Write the demonstration melody, examples/melody.mid: our own, for solo violin, 20 seconds.

Slurred notes overlap the next by a hair; detached ones leave a gap; one note is struck twice.
"""

from pathlib import Path

import mido

BEATS_PER_MINUTE = 96
TICKS_PER_BEAT = 480
VIOLIN = 40  # General MIDI

# pitch (0 is a rest), beats, velocity, "slurred" to the next or "detached"
MELODY = """
55 1.5 60 s   62 0.5 64 s   67 1   72 s   70 0.5 76 s   69 0.5 70 s   67 1   66 s   66 0.5 62 s   69 1.5 68 d
0  0.5 1  d
74 0.5 80 d   74 0.5 84 d   75 0.5 88 s   74 0.25 80 s  72 0.25 76 s  70 0.5 78 d   69 0.5 74 d   67 1   70 s
70 0.5 82 s   74 0.5 90 s   79 1.5 100 s  81 0.25 96 s  82 0.25 98 s  84 0.5 104 d  86 0.5 110 d  88 1.5 115 s
86 0.5 100 s  82 0.5 92 s   79 0.5 86 s   75 1   84 d   0  0.5 1  d
74 0.5 70 s   70 0.5 64 s   67 0.5 60 s   63 1   66 s   62 1   58 d   62 1   54 d   60 0.5 52 s   62 0.5 56 s
63 1   58 s   60 0.5 50 s   57 0.5 46 s   55 4   40 d
"""


def write_melody(path: Path) -> None:
    """Write MELODY as a type 0 file."""
    words = MELODY.split()
    events, tick = [], 0
    for pitch, beats, velocity, touch in zip(*(iter(words),) * 4):
        length = round(float(beats) * TICKS_PER_BEAT)
        if pitch != "0":
            sounding = length + 10 if touch == "s" else round(length * 0.7)
            events.append((tick, mido.Message("note_on", note=int(pitch), velocity=int(velocity))))
            events.append((tick + sounding, mido.Message("note_off", note=int(pitch))))
        tick += length
    track = mido.MidiTrack()
    track.append(mido.MetaMessage("track_name", name="Melody"))
    track.append(mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(BEATS_PER_MINUTE)))
    track.append(mido.Message("program_change", program=VIOLIN))
    now = 0
    for at, message in sorted(events, key=lambda event: event[0]):
        track.append(message.copy(time=at - now))
        now = at
    file = mido.MidiFile(type=0, ticks_per_beat=TICKS_PER_BEAT)
    file.tracks.append(track)
    file.save(path)


if __name__ == "__main__":
    write_melody(Path(__file__).with_name("melody.mid"))
