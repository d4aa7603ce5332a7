"""MIDI files written out byte by byte."""

from pathlib import Path

from ddspvae.midi.notes import read_midi
from ddspvae.signals import Notes

MS = "00 00  00 01  01 F4"  # type 0, one track, 500 ticks per quarter: at 120 bpm a tick is a millisecond
END = "00 FF 2F 00"


def chunk(name: str, body: bytes) -> bytes:
    return name.encode() + len(body).to_bytes(4, "big") + body


def write(path: Path, header: str, *tracks: str) -> Path:
    """Write hexadecimal text; everything after # in a line is a comment."""
    def plain(text: str) -> bytes:
        return bytes.fromhex(" ".join(line.split("#")[0] for line in text.splitlines()))

    body = chunk("MThd", plain(header)) + b"".join(chunk("MTrk", plain(track)) for track in tracks)
    path.write_bytes(body)
    return path


def part_of(folder: Path, track: str) -> Notes:
    """The only part of a track in milliseconds."""
    (part,) = read_midi(write(folder / "a.mid", MS, track + END))
    return part


def spans(part: Notes) -> list[tuple[float, float, float]]:
    """Pitch, onset and offset of every note, to the microsecond."""
    return [(note.pitch, round(note.onset_s, 6), round(note.offset_s, 6)) for note in part.notes]
