"""MIDI files to `Notes`: every event placed in seconds, one part per track and channel."""

from __future__ import annotations

import gc
import warnings
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ddspvae.midi.clock import Clock
from ddspvae.midi.held_keys import Keys
from ddspvae.midi.mpe import Port
from ddspvae.midi.smf import (
    CONTROL,
    META,
    NOTE_OFF,
    NOTE_ON,
    POLY_PRESSURE,
    PORT,
    PRESSURE,
    PROGRAM,
    SYSEX,
    TEMPO,
    TRACK_NAME,
    WHEEL,
    Event,
    MidiFile,
    read_file,
)
from ddspvae.midi.tuning import Pitches
from ddspvae.signals import Note, Notes
from ddspvae.signals.checks import InputError, check_duration

OF_KEYS = (64, 66, 68, 84, 120, *range(123, 128))  # controllers: pedals, the source of a portamento, ends of notes
DRUM_CHANNEL = 9  # counted from 0; "channel 10" on the front of a keyboard
PITCH_NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")


def pitch_to_name(pitch: float) -> str:
    """Name of the nearest note of the keyboard; middle C, 60, is C4.

    >>> pitch_to_name(55), pitch_to_name(61.4)
    ('G3', 'C#4')
    """
    number = round(pitch)
    return f"{PITCH_NAMES[number % 12]}{number // 12 - 1}"


def read_midi(path: str | Path, tuning: Pitches | None = None) -> list[Notes]:
    """Read a standard MIDI file, one `Notes` per (track, channel) that has notes, in file order.

    - Tempo changes count wherever they stand. The tracks of a type 2 file are independent: each has its own tempo and
      starts at 0.
    - Program, controllers, pedals, pitch wheel, its range and the tuning belong to the channel, whichever track sends them.
      `midi.channels` lists them; the pedals and the modes that end notes are resolved into offsets.
    - A note ends where its pitch is struck again, as players have it. A note off ends the note of its own track, else that
      of another track of the channel. A note whose end was lost ends with a note off of its pitch on a wrong channel of its
      track, with a note that began together with it, or where the next one of its part begins; the last with its track.
      One of no length lasts 10 ms.
    - Tracks that share a channel and send programs of their own are parts of their own; so is what a track plays after it
      has changed its program.
    - The channels of an MPE zone are one part, with bends, pressure and brightness of each note.

    Args:
        path: a type 0, 1 or 2 file, in ticks per quarter note or SMPTE frames.
        tuning: the pitches of all keys, see `read_tuning`; None is equal temperament. Tuning messages in the file change it.
    Returns:
        the parts. One warning counts what is left out: drums (channel 10), system exclusive messages, controllers
        without a meaning here; another tells what is wrong with the file itself.
    Raises:
        InputError: the file is missing, empty, not MIDI, damaged beyond what players read, lasts longer than 6 hours, or
            holds no notes to play.
    Source: Standard MIDI Files 1.0 (RP-001); MIDI 1.0; RP-015; MIDI Polyphonic Expression (RP-053).
    """
    path = Path(path)
    file = read_file(path)
    tracks = list(range(len(file.tracks)))
    pieces = [[track] for track in tracks] if file.type == 2 else [tracks]
    ignored = _Ignored()
    with _uncollected():
        parts = [part for piece in pieces for part in _read_piece(file, piece, ignored, tuning)]
    playable = [part for part in parts if part.channel != DRUM_CHANNEL]
    ignored.n_drums = sum(len(part.notes) for part in parts if part.channel == DRUM_CHANNEL)
    if not playable:
        what = "only drums" if ignored.n_drums else "no notes"
        raise InputError(f"read_midi: {path} holds {what}; choose a file with a melody.")
    last_s = max(part.duration_s for part in playable)
    check_duration("read_midi", path, last_s)
    if file.faults:
        told = "; ".join(what if count == 1 else f"{count} times {what}" for what, count in file.faults.items())
        warnings.warn(f"read_midi: {path} is not as it should be and was read as players read it: {told}.", stacklevel=2)
    if ignored.sentence:
        warnings.warn(f"read_midi: {path} has {ignored.sentence}, which are left out.", stacklevel=2)
    return playable


@contextmanager
def _uncollected() -> Iterator[None]:
    """Nothing made here refers to itself, and a collector that looks at every note again takes a third of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


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


def _is_of_keys(event: Event) -> bool:
    """Whether a message is about single keys, so that its place among the notes of its tick counts."""
    return event.kind <= POLY_PRESSURE or (event.kind == CONTROL and event.first in OF_KEYS)


def _tempos(file: MidiFile, events: list[tuple[int, Event]]) -> list[tuple[int, int]]:
    """(tick, microseconds per quarter note) of all that mean something."""
    tempos = []
    for _, event in events:
        if event.kind == META and event.channel == TEMPO:
            tempo = int.from_bytes(event.data[:3], "big")
            if len(event.data) < 3 or not tempo:
                file.faults["tempos of 0 or without a value, left out"] += 1
            else:
                tempos.append((event.tick, tempo))
    return tempos


def _read_piece(file: MidiFile, tracks: list[int], ignored: _Ignored, tuning: Pitches | None) -> list[Notes]:
    """Play tracks that share one time line, event by event."""
    events = [(index, event) for index in tracks for event in file.tracks[index]]
    names: dict[int, str] = {}
    port_of: dict[int, int] = {}
    for index, event in events:
        if event.kind == META and event.channel == TRACK_NAME:
            names.setdefault(index, event.data.decode("latin-1").strip("\0 "))
        elif event.kind == META and event.channel == PORT and event.data:
            port_of[index] = event.data[0]
    events.sort(key=lambda pair: pair[1].tick)  # stable: within a tick, track by track, as written
    clock = Clock(_tempos(file, events), file.division)
    ends_s = [clock(length) for length in file.lengths]
    # a program or bend written beside a note, in whichever track, is meant for that note
    events.sort(key=lambda pair: 2 * pair[1].tick + _is_of_keys(pair[1]))
    ports: defaultdict[int, Port] = defaultdict(lambda: Port(tuning))
    parts: dict[tuple[int, int, int | None, int], _Part] = {}
    programs: dict[tuple[int, int, int], int] = {}  # that a track has sent itself
    tick, now = 0, 0.0
    for index, event in events:
        kind, number, first, second = event.kind, event.channel, event.first, event.second
        if event.tick != tick:
            tick, now = event.tick, clock(event.tick)
        wire = port_of.get(index, 0)
        port = ports[wire]
        if kind in (META, SYSEX):
            ignored.n_sysex += kind == SYSEX and not port.retune(event.data.removesuffix(b"\xf7"), now)
            continue
        manager = port.manager(number)
        program = 0 if manager == DRUM_CHANNEL else programs.get((wire, manager, index), port.channels[manager].program)
        # the channels of a zone are one part, whichever tracks they are written in; another program is another player
        key = (wire, manager, None if port.is_zone(number) else index, program)
        if kind == NOTE_ON and second:
            if key not in parts:
                parts[key] = _Part(index, manager, program)
            port.press(key, number, first, second, now, ends_s[index])
        elif kind in (NOTE_ON, NOTE_OFF):
            port.release(key, number, first, now)
        elif kind == WHEEL:
            port.turn_wheel(number, first + 128 * second - 8192, now)
        elif kind == PRESSURE:
            port.press_all(number, first, now)
        elif kind == POLY_PRESSURE:
            port.press_key(number, first, second, now)
        elif kind == PROGRAM:
            port.home(number).program = programs[wire, manager, index] = first
        elif not port.control(number, first, second, now) and manager != DRUM_CHANNEL:
            ignored.controllers[first] += 1
    notes = _finish([channel.keys for port in ports.values() for channel in port.channels], file)
    found = []
    for key, part in sorted(parts.items(), key=lambda item: item[1].track):
        wire, number, *_ = key
        channel = ports[wire].channels[number]
        in_order = tuple(sorted(notes[key], key=lambda note: (note.onset_s, note.pitch)))
        found.append(Notes(in_order, names.get(part.track, ""), number, part.program, tuple(channel.bend_semitones),
                           channel.controllers))
    return found


def _finish(channels: list[Keys], file: MidiFile) -> defaultdict[Hashable, list[Note]]:
    """The notes of each part, also of those whose end was lost."""
    strays: defaultdict[tuple[Hashable, int], list[float]] = defaultdict(list)
    for keys in channels:
        for part, pitch, time_s in keys.strays:
            strays[_track_of(part), pitch].append(time_s)
    for times in strays.values():
        times.sort()
    notes: defaultdict[Hashable, list[Note]] = defaultdict(list)
    for keys in channels:
        keys.finish(lambda note: strays[_track_of(note.part), note.pitch])
        for whose, note in keys.finished:
            notes[whose].append(note)
        if keys.n_lost:
            file.faults["notes that are never ended"] += keys.n_lost
    return notes


def _track_of(part: Hashable) -> Hashable:
    assert isinstance(part, tuple)
    return part[0], part[2]
