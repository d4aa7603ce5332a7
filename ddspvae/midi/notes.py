"""MIDI files to `Notes`: every event placed in seconds, one part per track and channel."""

from __future__ import annotations

import warnings
from collections import Counter, defaultdict
from collections.abc import Hashable
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

import mido

from ddspvae.midi.clock import Clock
from ddspvae.midi.mpe import Port
from ddspvae.signals import Note, Notes
from ddspvae.signals.checks import InputError

SOSTENUTO, PORTAMENTO_SOURCE = 66, 84
DRUM_CHANNEL = 9  # counted from 0; "channel 10" on the front of a keyboard
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

    - Tempo changes count wherever they stand. The tracks of a type 2 file are independent: each has its own tempo and
      starts at 0.
    - Program, controllers, pedals, pitch wheel, its range and the tuning belong to the channel, whichever track sends them.
      `midi.channels` lists them; the pedals and the modes that end notes are resolved into offsets.
    - Notes of the same pitch that overlap end first in, first out; a note that never ends lasts until its track does; one of
      no length lasts 10 ms.
    - The channels of an MPE zone are one part, with bends, pressure and brightness of each note.

    Args:
        path: a type 0, 1 or 2 file, in ticks per quarter note or SMPTE frames.
    Returns:
        the parts. One warning counts what is left out: drums (channel 10), system exclusive messages, controllers
        without a meaning here.
    Raises:
        InputError: the file is missing, empty, not MIDI, damaged, or holds no notes to play.
    Source: Standard MIDI Files 1.0 (RP-001); MIDI 1.0; RP-015; MIDI Polyphonic Expression (RP-053).
    """
    path = Path(path)
    file = _open(path)
    tracks = list(enumerate(file.tracks))
    pieces = [[track] for track in tracks] if file.type == 2 else [tracks]
    ignored = _Ignored()
    parts = [part for piece in pieces for part in _read_piece(piece, file.ticks_per_beat, ignored)]
    playable = [part for part in parts if part.channel != DRUM_CHANNEL]
    ignored.n_drums = sum(len(part.notes) for part in parts if part.channel == DRUM_CHANNEL)
    if not playable:
        what = "only drums" if ignored.n_drums else "no notes"
        raise InputError(f"read_midi: {path} holds {what}; choose a file with a melody.")
    if ignored.sentence:
        warnings.warn(f"read_midi: {path} has {ignored.sentence}, which are left out.", stacklevel=2)
    return playable


@dataclass
class _Ignored:
    """What a file holds that nothing here can play."""

    n_drums: int = 0
    n_sysex: int = 0
    controllers: Counter[int] = field(default_factory=Counter)

    @property
    def sentence(self) -> str | None:
        """What is left out and how much of it; None if nothing is."""
        listed = ", ".join(str(number) for number in sorted(self.controllers))
        counts = [(self.n_drums, "drum note{} (channel 10)"), (self.n_sysex, "system exclusive message{}"),
                  (self.controllers.total(), f"message{{}} of other controllers ({listed})")]
        said = [f"{n} {what.format('s' * (n != 1))}" for n, what in counts if n]
        if not said:
            return None
        return f"{', '.join(said[:-1])} and {said[-1]}" if said[1:] else said[0]


@dataclass(frozen=True)
class _Part:
    """A (track, channel), or an MPE zone, that has notes; track and program as its first note found them."""

    track: int
    channel: int
    program: int


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


def _is_of_keys(message: Any) -> bool:
    """Whether a message is about single keys, so that its place among the notes of its tick counts."""
    return message.type in ("note_on", "note_off", "polytouch") or (
        message.type == "control_change" and message.control in (SOSTENUTO, PORTAMENTO_SOURCE))


def _read_piece(tracks: list[tuple[int, mido.MidiTrack]], division: int, ignored: _Ignored) -> list[Notes]:
    """Play tracks that share one time line, event by event."""
    events, ends, names, port_of = [], {}, {}, {}
    for index, track in tracks:
        tick = 0
        for message in track:
            tick += message.time
            events.append((tick, index, message))
            if message.type == "midi_port":
                port_of[index] = message.port
        ends[index], names[index] = tick, track.name.strip("\0 ")
    events.sort(key=lambda event: event[0])  # stable: within a tick, track by track, as written
    clock = Clock([(tick, message.tempo) for tick, _, message in events if message.type == "set_tempo"], division)
    ports: defaultdict[int, Port] = defaultdict(Port)
    parts: dict[tuple[int, int, int | None], _Part] = {}
    for tick, simultaneous in groupby(events, key=lambda event: event[0]):
        now = clock(tick)
        # a program or bend written beside a note, in whichever track, is meant for that note
        for _, index, message in sorted(simultaneous, key=lambda event: _is_of_keys(event[2])):
            wire = port_of.get(index, 0)
            port = ports[wire]
            if message.type == "sysex":
                ignored.n_sysex += 1
            if not hasattr(message, "channel"):
                continue
            number = message.channel
            manager = port.manager(number)
            # the channels of a zone are one part, whichever tracks they are written in
            key = (wire, manager, None if port.is_zone(number) else index)
            if message.type == "note_on" and message.velocity > 0:
                parts.setdefault(key, _Part(index, manager, port.channels[manager].program))
                port.press(key, number, message.note, message.velocity, now, clock(ends[index]))
            elif message.type in ("note_on", "note_off"):
                port.home(number).keys.release(key, number, message.note, now)
            elif message.type == "pitchwheel":
                port.turn_wheel(number, message.pitch, now)
            elif message.type == "aftertouch":
                port.press_all(number, message.value, now)
            elif message.type == "polytouch":
                port.press_key(number, message.note, message.value, now)
            elif message.type == "program_change":
                port.home(number).program = message.program
            elif not port.control(number, message.control, message.value, now) and manager != DRUM_CHANNEL:
                ignored.controllers[message.control] += 1
    notes: defaultdict[Hashable, list[Note]] = defaultdict(list)
    for channel in (channel for port in ports.values() for channel in port.channels):
        channel.keys.finish()
        for whose, note in channel.keys.finished:
            notes[whose].append(note)
    found = []
    for (wire, number, track), part in sorted(parts.items(), key=lambda item: item[1].track):
        channel = ports[wire].channels[number]
        in_order = tuple(sorted(notes[wire, number, track], key=lambda note: (note.onset_s, note.pitch)))
        found.append(Notes(in_order, names[part.track], number, part.program, tuple(channel.bend_semitones),
                           channel.controllers))
    return found
