"""MIDI files to `Notes`: every event placed in seconds, one part per track and channel."""

from __future__ import annotations

import warnings
from bisect import bisect_right
from collections import defaultdict, deque
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

import mido

from ddspvae.checks import InputError
from ddspvae.signals import Note, Notes

DEFAULT_TEMPO = 500_000  # microseconds per quarter note: 120 bpm until the file says otherwise
DEFAULT_BEND_RANGE = 2.0  # semitones, General MIDI
DRUM_CHANNEL = 9  # counted from 0; "channel 10" on the front of a keyboard
SHORTEST_NOTE_S = 0.010
PITCH_NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")


def pitch_to_name(pitch: float) -> str:
    """Name of the nearest note of the keyboard; middle C, 60, is C4.

    >>> pitch_to_name(55), pitch_to_name(61.4)
    ('G3', 'C#4')
    """
    number = round(pitch)
    return f"{PITCH_NAMES[number % 12]}{number // 12 - 1}"


def read_midi(path: str | Path) -> list[Notes]:
    """Read a standard MIDI file, one `Notes` per (track, channel) that has notes, in file order.

    Tempo changes count wherever they stand; program, pitch wheel, its range (RPN 0) and the sustain
    pedal belong to the channel, whichever track sends them. Notes of the same pitch that overlap end
    first in, first out; a note that never ends lasts until its track does; one of no length lasts 10 ms.
    The tracks of a type 2 file are independent: each has its own tempo and starts at 0.

    Args:
        path: a type 0, 1 or 2 file, in ticks per quarter note or SMPTE frames.
    Returns:
        the parts; drums (channel 10) are left out, with one warning.
    Raises:
        InputError: the file is missing, empty, not MIDI, damaged, or holds no notes to play.
    Source: Standard MIDI Files 1.0 (RP-001); MIDI 1.0, registered parameter 0.
    """
    path = Path(path)
    file = _open(path)
    tracks = list(enumerate(file.tracks))
    pieces = [[track] for track in tracks] if file.type == 2 else [tracks]
    parts = [part for piece in pieces for part in _read_piece(piece, file.ticks_per_beat)]
    playable = [part for part in parts if part.channel != DRUM_CHANNEL]
    n_drums = sum(len(part.notes) for part in parts if part.channel == DRUM_CHANNEL)
    if not playable:
        what = "only drums" if n_drums else "no notes"
        raise InputError(f"read_midi: {path} holds {what}; choose a file with a melody.")
    if n_drums:
        warnings.warn(f"read_midi: {path} has {n_drums} drum notes (channel 10), which are left out.", stacklevel=2)
    return playable


def _open(path: Path) -> mido.MidiFile:
    if not path.exists():
        raise InputError(f"read_midi: no file {path}.")
    if not path.is_file():
        raise InputError(f"read_midi: {path} is a folder, not a MIDI file.")
    try:
        with path.open("rb") as opened:
            head = opened.read(4)
        if not head:
            raise InputError(f"read_midi: {path} is empty (0 bytes); copy or export it again.")
        if head != b"MThd":
            raise InputError(f"read_midi: {path} is not a MIDI file (it does not begin with MThd).")
        file = mido.MidiFile(path)
    except EOFError as error:
        raise InputError(f"read_midi: {path} ends too early, it is truncated; copy or export it again.") from error
    except InputError:
        raise
    except Exception as error:  # mido, struct and the system each have their own words for a broken file
        raise InputError(f"read_midi: {path} is not a readable MIDI file ({error}).") from error
    if file.ticks_per_beat == 0 or (file.ticks_per_beat < 0 and file.ticks_per_beat & 0xFF == 0):
        raise InputError(f"read_midi: {path} is damaged, its header says 0 ticks per beat.")
    return file


class _Clock:
    """Ticks to seconds through the tempo map of all tracks together."""

    def __init__(self, events: list[tuple[int, int, Any]], division: int) -> None:
        self.ticks, self.seconds, self.s_per_tick = [0], [0.0], [DEFAULT_TEMPO * 1e-6 / division]
        if division < 0:  # SMPTE: high byte -frames per second, low byte ticks per frame; tempo does not matter
            frames_per_s = -(division >> 8)
            exact = 30_000 / 1001 if frames_per_s == 29 else frames_per_s  # 29 stands for 29.97 drop-frame
            self.s_per_tick = [1 / (exact * (division & 0xFF))]
            return
        for tick, _, message in events:
            if message.type == "set_tempo":
                seconds = self(tick)
                self.ticks.append(tick)
                self.seconds.append(seconds)
                self.s_per_tick.append(message.tempo * 1e-6 / division)

    def __call__(self, tick: int) -> float:
        index = bisect_right(self.ticks, tick) - 1
        return self.seconds[index] + (tick - self.ticks[index]) * self.s_per_tick[index]


@dataclass
class _Channel:
    """What a channel remembers between events."""

    program: int = 0
    bend: int = 0  # -8192 to 8191
    bend_range: float = DEFAULT_BEND_RANGE
    parameter: tuple[int, int] = (127, 127)  # RPN (MSB, LSB) that data entry sets; 127, 127 is none
    pedal: bool = False
    bend_semitones: list[tuple[float, float]] = field(default_factory=list)

    def write_bend(self, time_s: float) -> None:
        semitones = self.bend / 8192 * self.bend_range
        if semitones != (self.bend_semitones[-1][1] if self.bend_semitones else 0.0):
            self.bend_semitones.append((time_s, semitones))

    def control(self, number: int, value: int, time_s: float) -> None:
        if number == 101:
            self.parameter = (value, self.parameter[1])
        elif number == 100:
            self.parameter = (self.parameter[0], value)
        elif number in (98, 99):  # a non-registered parameter is being set instead
            self.parameter = (127, 127)
        elif number in (6, 38) and self.parameter == (0, 0):
            # data entry: semitones, then hundredths of one
            semitones = value if number == 6 else int(self.bend_range)
            self.bend_range = semitones + (0 if number == 6 else value / 100)
            self.write_bend(time_s)
        elif number == 121:  # reset all controllers; RP-015 keeps the bend range
            self.bend, self.parameter = 0, (127, 127)
            self.write_bend(time_s)


@dataclass
class _Part:
    """The notes of one (track, channel) while they are being collected."""

    program: int
    end_s: float  # of its track
    notes: list[Note] = field(default_factory=list)
    # per pitch, (onset_s, velocity) of notes whose key is down, and of those that only the pedal holds
    down: defaultdict[int, deque[tuple[float, int]]] = field(default_factory=lambda: defaultdict(deque))
    held: defaultdict[int, deque[tuple[float, int]]] = field(default_factory=lambda: defaultdict(deque))

    def end(self, pitch: int, onset_s: float, velocity: int, time_s: float) -> None:
        self.notes.append(Note(pitch, velocity, onset_s, max(time_s, onset_s + SHORTEST_NOTE_S)))

    def end_all(self, which: defaultdict[int, deque[tuple[float, int]]], time_s: float) -> None:
        for pitch, queue in which.items():
            for onset_s, velocity in queue:
                self.end(pitch, onset_s, velocity, time_s)
            queue.clear()

    def start(self, pitch: int, velocity: int, time_s: float) -> None:
        for onset_s, earlier in self.held.pop(pitch, ()):  # struck again: the pedalled sound ends here
            self.end(pitch, onset_s, earlier, time_s)
        self.down[pitch].append((time_s, velocity))

    def release(self, pitch: int, time_s: float, pedal: bool) -> None:
        if self.down[pitch]:
            onset_s, velocity = self.down[pitch].popleft()
            if pedal:
                self.held[pitch].append((onset_s, velocity))
            else:
                self.end(pitch, onset_s, velocity, time_s)


def _read_piece(tracks: list[tuple[int, mido.MidiTrack]], division: int) -> list[Notes]:
    """Play tracks that share one time line, event by event."""
    events, ends, names, ports = [], {}, {}, {}
    for index, track in tracks:
        tick = 0
        for message in track:
            tick += message.time
            events.append((tick, index, message))
            if message.type == "midi_port":
                ports[index] = message.port
        ends[index], names[index] = tick, track.name.strip("\0 ")
    events.sort(key=lambda event: event[0])  # stable: within a tick, track by track, as written
    clock = _Clock(events, division)
    channels: defaultdict[tuple[int, int], _Channel] = defaultdict(_Channel)
    parts: dict[tuple[int, int], _Part] = {}
    for tick, simultaneous in groupby(events, key=lambda event: event[0]):
        now = clock(tick)
        # a program or bend written beside a note, in whichever track, is meant for that note
        for _, index, message in sorted(simultaneous, key=lambda event: event[2].type in ("note_on", "note_off")):
            if not hasattr(message, "channel"):
                continue
            number = message.channel
            wire = ports.get(index, 0), number
            channel = channels[wire]
            if message.type == "note_on" and message.velocity > 0:
                part = parts.setdefault((index, number), _Part(channel.program, clock(ends[index])))
                part.start(message.note, message.velocity, now)
            elif message.type in ("note_on", "note_off"):
                if (index, number) in parts:
                    parts[index, number].release(message.note, now, channel.pedal)
            elif message.type == "pitchwheel":
                channel.bend = message.pitch
                channel.write_bend(now)
            elif message.type == "program_change":
                channel.program = message.program
            elif message.type == "control_change":
                channel.control(message.control, message.value, now)
                if message.control not in (64, 120, 121, 123):
                    continue
                if message.control in (64, 121):
                    channel.pedal = message.control == 64 and message.value >= 64
                for (other, n), part in parts.items():
                    if (ports.get(other, 0), n) == wire and not channel.pedal:
                        part.end_all(part.held, now)
                    if (ports.get(other, 0), n) == wire and message.control in (120, 123):  # sound off, notes off
                        part.end_all(part.down, now)
    found = []
    for (index, number), part in sorted(parts.items(), key=lambda item: item[0][0]):
        part.end_all(part.held, part.end_s)
        part.end_all(part.down, part.end_s)
        notes = tuple(sorted(part.notes, key=lambda note: (note.onset_s, note.pitch)))
        bends = tuple(channels[ports.get(index, 0), number].bend_semitones)
        found.append(Notes(notes, names[index], number, part.program, bends))
    return found
