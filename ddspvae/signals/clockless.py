"""What libsndfile writes from the clock, taken out of sound files: the same sound must give the same bytes."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

MIRRORED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def forget_time(part: Path) -> None:
    """Libsndfile writes the time of day into the PEAK chunk of float files; the same sound must give the same bytes."""
    with part.open("r+b") as file:
        at = file.read(256).find(b"PEAK")
        if at >= 0:
            file.seek(at + 12)  # name, length and version of the chunk come first, 4 bytes each
            file.write(bytes(4))


def forget_serial_number(part: Path) -> None:
    """Libsndfile draws the serial number of an Ogg stream from the clock; make it 0 in every page.

    Source: RFC 3533, section 6: serial number in bytes 14 to 17, checksum in 22 to 25, segment count in 26.
    """
    with part.open("r+b") as file:
        while head := file.read(27):
            segments = file.read(head[26])
            page = bytearray(head + segments + file.read(sum(segments)))
            page[14:18] = page[22:26] = bytes(4)
            page[22:26] = struct.pack("<I", _ogg_checksum(page))
            file.seek(-len(page), 1)
            file.write(page)


def _ogg_checksum(page: bytes | bytearray) -> int:
    """CRC-32 with the usual polynomial, high bit first, from 0: zlib's with all bits the other way round."""
    register = zlib.crc32(page.translate(MIRRORED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int(f"{register:032b}"[::-1], 2)
