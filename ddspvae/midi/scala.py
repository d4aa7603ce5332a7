"""Scala's files: scales (.scl) and the keys that they lie on (.kbm)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from ddspvae.midi.tuning import N_KEYS, Pitches, equal_temperament
from ddspvae.signals.checks import InputError, check_range
from ddspvae.signals.files import read_whole
from ddspvae.signals.units import A4_HZ, A4_PITCH, CENTS_PER_SEMITONE, hz_to_pitch

MOST_BYTES = 1_000_000
MOST_DEGREES = 10_000
MIDDLE_C = 60


@dataclass(frozen=True)
class KeyMap:
    """Where a scale lies on the keyboard.

    Args:
        low, high: keys that have notes.
        middle: the key of the scale's first degree.
        reference, reference_hz: a key and its frequency.
        period: the degree by which the pattern moves on when it repeats; 0 is the scale's own length.
        degrees: of the keys of one pattern, from `middle` on; None has no note. Empty: key after key, degree after degree.
    """

    low: int = 0
    high: int = 127
    middle: int = MIDDLE_C
    reference: int = MIDDLE_C
    reference_hz: float = A4_HZ * 2 ** ((MIDDLE_C - A4_PITCH) / 12)
    period: int = 0
    degrees: tuple[int | None, ...] = ()

    def degree(self, key: int, length: int, within: bool = True) -> int | None:
        """Of a key; the scale repeats after `length` degrees; `within` the keys that have notes."""
        if within and not self.low <= key <= self.high:
            return None
        if not self.degrees:
            return key - self.middle
        octave, place = divmod(key - self.middle, len(self.degrees))
        degree = self.degrees[place]
        return None if degree is None else degree + octave * (self.period or length)


def read_tuning(paths: Sequence[str | Path], a4_hz: float | None = None) -> Pitches:
    """The pitches of all keys, from a scale and where it lies.

    Args:
        paths: a .scl file, a .kbm file, or both. A scale alone begins at middle C, which keeps its usual 261.63 Hz; a map
            alone lays out equal temperament.
        a4_hz: of the key of A above middle C, whatever else the scale makes of it; None leaves it to the files, without
            which it is 440.
    Raises:
        InputError: a file is missing, damaged or of another kind, or a map and a4_hz both say how high all is.
    Source: Scala scale file format, and its keyboard mappings (huygens-fokker.org/scala).
    """
    scale, keys = None, None
    for path in map(Path, paths):
        kind = path.suffix.lower()
        if kind == ".scl" and scale is None:
            scale = read_scale(path)
        elif kind == ".kbm" and keys is None:
            keys = read_map(path)
        else:
            raise InputError(f"read_tuning: {path} must be one .scl file or one .kbm file; give at most one of each.")
    if a4_hz is not None:
        check_range("read_tuning", "a4_hz", a4_hz, 220, 880)
    if keys is not None and a4_hz is not None:
        raise InputError("read_tuning: the .kbm file says how high all is already; leave out --a4, or the map.")
    if scale is None and keys is None:
        return equal_temperament(a4_hz or A4_HZ)
    return lay_out(scale or tuple(100.0 * step for step in range(1, 13)), keys or KeyMap(), a4_hz)


def lay_out(scale: Sequence[float], keys: KeyMap, a4_hz: float | None = None) -> Pitches:
    """The pitches of all keys.

    Args:
        scale: cents of its degrees from the second on; the last is the period.
        keys: where it lies.
        a4_hz: of the key of A; None leaves it to `keys`.
    """
    def cents(key: int, within: bool = True) -> float | None:
        degree = keys.degree(key, len(scale), within)
        if degree is None:
            return None
        period, step = divmod(degree, len(scale))
        return period * scale[-1] + (scale[step - 1] if step else 0.0)

    reference, reference_hz = (keys.reference, keys.reference_hz) if a4_hz is None else (A4_PITCH, a4_hz)
    at_reference = cents(reference, within=False)
    if at_reference is None:
        raise InputError(f"read_tuning: key {reference}, whose frequency is said, has no note in the map.")
    zero = float(hz_to_pitch(reference_hz)) - at_reference / CENTS_PER_SEMITONE
    pitches = (cents(key) for key in range(N_KEYS))
    return tuple(None if at is None else zero + at / CENTS_PER_SEMITONE for at in pitches)


def read_scale(path: str | Path) -> tuple[float, ...]:
    """A .scl file: cents of its degrees from the second on; the last is the period.

    Raises:
        InputError: missing, damaged, or without degrees.
    """
    lines = _lines(Path(path))
    if len(lines) < 2:
        raise InputError(f"read_scale: {path} is no Scala scale: it wants a description, a count and that many pitches.")
    count = _whole(path, lines[1], "how many pitches there are")
    if not 1 <= count <= MOST_DEGREES:
        raise InputError(f"read_scale: {path} says that it has {count} pitches; at least one is needed, its period.")
    pitches = [line for line in lines[2:] if line.strip()]
    if len(pitches) < count:
        raise InputError(f"read_scale: {path} says {count} pitches, and {len(pitches)} are there.")
    scale = tuple(_pitch(path, line) for line in pitches[:count])
    if scale[-1] == 0:
        raise InputError(f"read_scale: the last pitch of {path} is its period and must not be 0 cents.")
    return scale


def read_map(path: str | Path) -> KeyMap:
    """A .kbm file.

    Raises:
        InputError: missing or damaged.
    """
    lines = [line for line in _lines(Path(path)) if line.strip()]
    if len(lines) < 7:
        raise InputError(f"read_map: {path} is no Scala keyboard map: it wants seven numbers, then the degrees.")
    what = ("the size of its map", "its first key", "its last key", "its middle key", "its reference key", "",
            "the degree of its period")
    size, low, high, middle, reference, _, period = (
        _whole(path, line, said) if said else 0 for line, said in zip(lines, what))
    try:
        reference_hz = float(lines[5].split()[0])
    except ValueError as error:
        raise InputError(f"read_map: {path} says '{lines[5].strip()}' where the reference frequency belongs.") from error
    check_range("read_map", "the reference frequency", reference_hz, 1, 20_000)
    for said, key in zip(what[1:5], (low, high, middle, reference)):
        check_range("read_map", said, key, 0, N_KEYS - 1)
    if not 0 <= size <= N_KEYS:
        raise InputError(f"read_map: {path} says that its map has {size} keys; 0 to {N_KEYS} are possible.")
    degrees = [None if line.split()[0].lower() == "x" else _whole(path, line, "a degree") for line in lines[7 : 7 + size]]
    degrees += [None] * (size - len(degrees))  # which a map may leave out
    return KeyMap(low, high, middle, reference, reference_hz, period, tuple(degrees))


def _lines(path: Path) -> list[str]:
    """All but the comments."""
    data = read_whole("read_tuning", path, MOST_BYTES, "a Scala file")
    return [line for line in data.decode("latin-1").splitlines() if not line.startswith("!")]


def _whole(path: str | Path, line: str, what: str) -> int:
    try:
        return int(line.split(maxsplit=1)[0])
    except (ValueError, IndexError) as error:
        raise InputError(f"read_tuning: {path} says '{line.strip()[:40]}' where {what} belongs, a whole number.") from error


def _pitch(path: str | Path, line: str) -> float:
    """Cents where there is a point, else a ratio."""
    text = line.split(maxsplit=1)[0]
    try:
        cents = float(text) if "." in text else 1200 * math.log2(Fraction(text))
    except (ValueError, ZeroDivisionError, OverflowError) as error:
        raise InputError(f"read_scale: {path} says '{line.strip()[:40]}' where a pitch belongs: cents with a point, or a "
                         "ratio such as 3/2.") from error
    if not abs(cents) <= 100_000:
        raise InputError(f"read_scale: {path} has a pitch of {cents:g} cents, which is beyond hearing.")
    return cents
