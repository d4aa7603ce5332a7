"""SoundFont 2: one RIFF file with samples of 16 bits and tables of who plays them.

Source: E-mu Systems, "SoundFont Technical Specification", version 2.01, chapters 4 to 8.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from ddspvae.audio import Audio
from ddspvae.export.plan import steps_of
from ddspvae.export.sampling import Sample
from ddspvae.features.statistics import Statistics
from ddspvae.signals.units import db_to_amplitude

AFTER_SAMPLES = 46  # zeros behind every sample (6.1)
STEP_DB = 0.7  # between velocities that share a level
FALL_DB = 100.0  # that releaseVolEnv takes (8.1.3, 38)
PEAK_DB = -1.0
TEXT_BYTES, COMMENT_BYTES = 256, 65_536  # of the texts in INFO (chapter 5)
# generators (8.1.2)
INSTRUMENT, KEYS, VELOCITIES, SAMPLE, MODES, ROOT = 41, 43, 44, 53, 54, 58
SUSTAIN, RELEASE = 37, 38
LOOPED = 1
# modulators that every player has unless told otherwise (8.4.1, 8.4.2): velocity to level, and to the filter
VELOCITY_TO_LEVEL, VELOCITY_TO_FILTER = (0x0502, 48), (0x0102, 8)


def write_soundfont(path: Path, name: str, samples: Sequence[Sample], statistics: Statistics, sample_rate: int,
                    programs: Sequence[int], credits: str) -> None:
    """Write an .sf2 file; the format has no round robin and no layers by controller, so the first of each is taken.

    The levels of the layers are in the samples. Velocities within a layer get theirs from the sustain of an envelope that
    is there at once: the attenuation that the format has for it is read in two ways, 0.4 times and once, by its players.

    Args:
        path: of the file.
        name: of the instrument.
        samples: as they are heard.
        statistics: of the instrument.
        sample_rate: Hz.
        programs: that it answers to, 0 to 127, rising.
        credits: of the recordings, for the file's comment.
    """
    chosen = [sample for sample in samples if sample.turn == 0 and not sample.brightness]
    parts = [steps_of(sample.layer, statistics, STEP_DB) for sample in chosen]
    lifts_db = [max(gain_db for _, gain_db in part) for part in parts]
    loud = [sample.audio * np.float32(db_to_amplitude(lift_db)) for sample, lift_db in zip(chosen, lifts_db)]
    scale = float(db_to_amplitude(PEAK_DB)) / max(float(np.abs(audio).max()) for audio in loud)
    pieces = [_to_16_bits(audio * np.float32(scale)) for audio in loud]
    headers, at = [], 0
    for sample, piece in zip(chosen, pieces):
        headers.append(_named(sample.name) + struct.pack("<5IBbHH", at, at + len(piece), at + sample.loop_begin,
                                                         at + sample.loop_end, sample_rate, sample.key.sampled, 0, 0, 1))
        at += len(piece) + AFTER_SAMPLES
    headers.append(_named("EOS") + bytes(26))
    zones = [_generators([(RELEASE, _timecents(FALL_DB / statistics.release_db_per_s))])]  # the first holds for all
    for number, (sample, part, lift_db) in enumerate(zip(chosen, parts, lifts_db)):
        zones += [_generators([(KEYS, sample.key.low | sample.key.high << 8), (VELOCITIES, span.low | span.high << 8),
                               (SUSTAIN, round(10 * (lift_db - gain_db))), (MODES, LOOPED), (ROOT, sample.key.sampled),
                               (SAMPLE, number)]) for span, gain_db in part]
    silenced = b"".join(struct.pack("<HHhHH", source, destination, 0, 0, 0)
                        for source, destination in (VELOCITY_TO_LEVEL, VELOCITY_TO_FILTER))
    info = _list(b"INFO", [(b"ifil", struct.pack("<HH", 2, 1)), (b"isng", _text("EMU8000")), (b"INAM", _text(name)),
                           (b"ICMT", _text(credits, COMMENT_BYTES)), (b"ISFT", _text("ddspvae"))])
    sound = _list(b"sdta", [(b"smpl", b"".join(piece.tobytes() + bytes(2 * AFTER_SAMPLES) for piece in pieces))])
    tables = _list(b"pdta", [
        (b"phdr", b"".join(_named(name) + struct.pack("<HHHIII", program, 0, bag, 0, 0, 0)
                           for bag, program in enumerate(programs))
         + _named("EOP") + struct.pack("<HHHIII", 0, 0, len(programs), 0, 0, 0)),
        (b"pbag", b"".join(struct.pack("<HH", bag, 0) for bag in range(len(programs) + 1))),
        (b"pmod", bytes(10)),
        (b"pgen", _generators([(INSTRUMENT, 0)] * len(programs)) + bytes(4)),
        (b"inst", _named(name) + struct.pack("<H", 0) + _named("EOI") + struct.pack("<H", len(zones))),
        (b"ibag", _bags(zones, n_modulators=2)),
        (b"imod", silenced + bytes(10)),
        (b"igen", b"".join(zones) + bytes(4)),
        (b"shdr", b"".join(headers)),
    ])
    whole = b"sfbk" + info + sound + tables
    path.write_bytes(b"RIFF" + struct.pack("<I", len(whole)) + whole)


def _bags(zones: Sequence[bytes], n_modulators: int) -> bytes:
    """Where the generators and modulators of each zone begin; the modulators are the first zone's."""
    begins = np.cumsum([0, *(len(zone) // 4 for zone in zones)]).tolist()
    return b"".join(struct.pack("<HH", begin, n_modulators if zone else 0) for zone, begin in enumerate(begins))


def _generators(pairs: Iterable[tuple[int, int]]) -> bytes:
    return b"".join(struct.pack("<Hh" if amount < 0 else "<HH", number, amount) for number, amount in pairs)


def _timecents(seconds: float) -> int:
    return round(1200 * float(np.log2(seconds)))


def _to_16_bits(audio: Audio) -> np.ndarray:
    return np.rint(audio.clip(-1, 1) * 32767).astype("<i2")


def _named(name: str) -> bytes:
    """20 bytes, the last of them 0."""
    return name.encode("ascii", "replace")[:19].ljust(20, b"\0")


def _text(text: str, most: int = TEXT_BYTES) -> bytes:
    """Ends with one zero or two, so that its length is even."""
    raw = text.encode("ascii", "replace")[: most - 2]
    return raw + bytes(2 - len(raw) % 2)


def _list(kind: bytes, chunks: Iterable[tuple[bytes, bytes]]) -> bytes:
    inside = kind + b"".join(name + struct.pack("<I", len(data)) + data + bytes(len(data) % 2) for name, data in chunks)
    return b"LIST" + struct.pack("<I", len(inside)) + inside
