"""Standard MIDI files as bytes: read as players read them, with a word about every fault.

Written here because a reader that stops at the first byte against the specification cannot open files that every player
plays, and because one that makes an object of every message takes a minute for 200,000 of them.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from ddspvae.signals.checks import InputError
from ddspvae.signals.files import read_whole

META, SYSEX, ESCAPE = 0xFF, 0xF0, 0xF7  # of `Event.kind`; channel messages have their status without the channel
NOTE_OFF, NOTE_ON, POLY_PRESSURE, CONTROL, PROGRAM, PRESSURE, WHEEL = 0x80, 0x90, 0xA0, 0xB0, 0xC0, 0xD0, 0xE0
TRACK_NAME, PORT, END_OF_TRACK, TEMPO = 0x03, 0x21, 0x2F, 0x51
SYSTEM_DATA_BYTES = {0xF1: 1, 0xF2: 2, 0xF3: 1}  # of messages that do not belong in files
FRAME_RATES = (24, 25, 29, 30)
MOST_BYTES = 100_000_000  # a file of a million notes has 8 MB


class Event(NamedTuple):
    """One message of a track.

    Args:
        tick: from the start of the track.
        kind: META, SYSEX, or the status of a channel message without its channel.
        channel: 0 to 15; of META the type.
        first, second: data bytes, 0 to 127; 0 where there is none.
        data: of META and SYSEX.
    """

    tick: int
    kind: int
    channel: int
    first: int = 0
    second: int = 0
    data: bytes = b""


@dataclass
class MidiFile:
    """What a file holds.

    Args:
        type: 0, 1 or 2.
        division: ticks per quarter note; negative for SMPTE, minus the frames per second in the high byte.
        tracks: events of each, in order.
        lengths: ticks of each, to its end.
        faults: what is wrong with the file and was read all the same, with how often.
    """

    type: int
    division: int
    tracks: list[list[Event]] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)
    faults: Counter[str] = field(default_factory=Counter)


def read_file(path: Path) -> MidiFile:
    """Read a file of type 0, 1 or 2, also inside RIFF (.rmi).

    Chunks of unknown kind are skipped; tracks count as far as they are there; the running status outlives system exclusive
    and meta messages; data bytes above 127 are 127.

    Raises:
        InputError: missing, empty, not MIDI, cut short, or damaged beyond what players read.
    Source: Standard MIDI Files 1.0 (RP-001); RMID (RP-029).
    """
    data = read_whole("read_midi", path, MOST_BYTES, "a MIDI file")
    if data.startswith(b"SMF2CLIP"):
        raise InputError(f"read_midi: {path} is a MIDI 2.0 clip file (SMF2CLIP), which cannot be read yet; export it as a "
                         "standard MIDI file.")
    if data[8:12] == b"RMID" and data[:4] == b"RIFF":
        at = data.find(b"MThd")
        if at < 0:
            raise InputError(f"read_midi: {path} is a RIFF file without MIDI in it; export it again as .mid.")
        data = data[at:]
    if data[:8] == b"SMF2CLIP":
        raise InputError(f"read_midi: {path} is a MIDI 2.0 clip, which is not read here; export it as a standard MIDI file.")
    if not b"MThd".startswith(data[:4]):
        raise InputError(f"read_midi: {path} is not a MIDI file (it does not begin with MThd).")
    size = int.from_bytes(data[4:8], "big")
    if len(data) < 14 or len(data) < 8 + size:
        raise _truncated(path)
    if size < 6:
        raise InputError(f"read_midi: {path} is damaged, its header has {size} bytes instead of 6.")
    file_type, n_tracks = int.from_bytes(data[8:10], "big"), int.from_bytes(data[10:12], "big")
    file = MidiFile(file_type, int.from_bytes(data[12:14], "big"))
    if file_type > 2:
        file.type = 1
        file.faults[f"its header says type {file_type}, read as type 1"] += 1
    _settle_division(path, file)
    _read_chunks(path, data, 8 + size, file)
    if not file.tracks:
        raise _truncated(path) if n_tracks and len(data) < 8 + size + 8 else InputError(
            f"read_midi: {path} is not a readable MIDI file (no MTrk chunk).")
    if len(file.tracks) != n_tracks:
        file.faults[f"its header says {n_tracks} track{'s' * (n_tracks != 1)}, and {len(file.tracks)} are there"] += 1
    return file


def _truncated(path: Path) -> InputError:
    return InputError(f"read_midi: {path} ends too early, it is truncated; copy or export it again.")


def _settle_division(path: Path, file: MidiFile) -> None:
    """Ticks per quarter, or SMPTE where the frames per second are ones that there are."""
    if file.division & 0x8000:
        frames_per_s = 256 - (file.division >> 8)
        if frames_per_s in FRAME_RATES:
            file.division -= 0x10000
        else:
            file.faults[f"its header says {frames_per_s} frames per second, which nobody has; read as "
                        f"{file.division} ticks per quarter note"] += 1
    if file.division == 0 or (file.division < 0 and file.division & 0xFF == 0):
        raise InputError(f"read_midi: {path} is damaged, its header says 0 ticks per beat.")


def _read_chunks(path: Path, data: bytes, at: int, file: MidiFile) -> None:
    while at < len(data):
        if at + 8 > len(data):
            if b"MTrk".startswith(data[at : at + 4]):
                raise _truncated(path)
            file.faults["bytes after its last track"] += 1
            return
        name, size = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "big")
        at += 8
        if name != b"MTrk":
            if at + size > len(data) and not file.tracks:
                raise _truncated(path)
            file.faults["chunks that are no tracks"] += 1
            at += size
            continue
        at = _read_track(path, data, at, at + size, file)


def _read_track(path: Path, data: bytes, at: int, end: int, file: MidiFile) -> int:
    """Read a track that is said to end at `end`; where the next chunk begins."""
    events: list[Event] = []
    tick = status = 0
    number = len(file.tracks) + 1
    faults: Counter[str] = file.faults
    said = end
    end = min(end, len(data))
    try:
        while True:
            following_is_a_chunk = data[at : at + 4] == b"MTrk" or (at == said and data[at : at + 4].isalpha())
            if at >= end and (at >= len(data) or following_is_a_chunk):
                if said > len(data):
                    raise _truncated(path)
                faults["tracks without an end of track"] += 1
                break
            delta, at = _number(data, at)
            tick += delta
            byte = data[at]
            if byte >= 0x80:
                at += 1
            else:
                byte = status
            if byte < 0x80:
                raise InputError(f"read_midi: {path} is damaged in track {number}, byte {at}: data without a message.")
            if byte < 0xF0:
                status = byte
                kind = byte & 0xF0
                first = data[at]
                second = 0 if kind in (PROGRAM, PRESSURE) else data[at + 1]
                at += 1 if kind in (PROGRAM, PRESSURE) else 2
                if first > 127 or second > 127:
                    faults["data bytes above 127, taken for 127"] += 1
                    first, second = min(first, 127), min(second, 127)
                events.append(Event(tick, kind, byte & 0x0F, first, second))
            elif byte in (META, SYSEX, ESCAPE):
                kind, meta = (META, data[at]) if byte == META else (SYSEX, 0)
                size, at = _number(data, at + (byte == META))
                if at + size > len(data):
                    raise _truncated(path)
                content, at = data[at : at + size], at + size
                if byte == META and meta == END_OF_TRACK:
                    break
                events.append(Event(tick, kind, meta, data=content))
            else:
                faults["messages that do not belong in a file"] += 1
                at += SYSTEM_DATA_BYTES.get(byte, 0)
    except IndexError:
        raise _truncated(path) from None
    too_long = at < said and data[at : at + 4] == b"MTrk" and data[said : said + 4] != b"MTrk"
    if said > len(data) or at > said or too_long:
        faults["tracks whose length is said wrong"] += 1
        following = at
    else:
        following = said  # what lies between the end of the track and that of its chunk is nobody's
    file.tracks.append(events)
    file.lengths.append(tick)
    return following


def _number(data: bytes, at: int) -> tuple[int, int]:
    """A number of variable length, and where it ends.

    Raises:
        IndexError: the data end within it.
    """
    value = 0
    for used in range(at, at + 4):
        byte = data[used]
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, used + 1
    return value, at + 4
