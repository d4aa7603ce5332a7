"""Which pitch each key has: equal temperament, a scale of one's own, and what tuning messages change in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ddspvae.signals.checks import check_range
from ddspvae.signals.units import A4_HZ, CENTS_PER_SEMITONE, hz_to_cents

N_KEYS = 128
Pitches = Sequence[float | None]  # of all keys, as MIDI numbers with fractions; None is a key without a note
NON_REAL_TIME, REAL_TIME, TUNING = 0x7E, 0x7F, 8
BULK, SINGLE, BULK_OF_BANK, OCTAVE_OF_BANK, FINE_OCTAVE_OF_BANK, SINGLE_OF_BANK, OCTAVE, FINE_OCTAVE = 1, 2, 4, 5, 6, 7, 8, 9
NAME_BYTES = 16
LOWEST, HIGHEST = 0.0, 127.0  # that a note may have


def equal_temperament(a4_hz: float = A4_HZ) -> Pitches:
    """Twelve equal steps an octave, with the A above middle C at a4_hz.

    >>> round(equal_temperament(415)[69], 4)
    67.9873
    """
    check_range("equal_temperament", "a4_hz", a4_hz, 220, 880)
    shift = float(hz_to_cents(a4_hz, A4_HZ)) / CENTS_PER_SEMITONE
    return tuple(key + shift if shift else key for key in range(N_KEYS))


@dataclass
class Tunings:
    """The tunings of one port: programs that messages change, and which of them each channel plays.

    Args:
        start: what every program begins with.
    Source: MIDI Tuning, MMA CA-020, CA-021 and RP-020; which program a channel plays is registered parameters 3 and 4.
    """

    start: Pitches = field(default_factory=equal_temperament)
    _programs: dict[tuple[int, int], list[float | None]] = field(default_factory=dict)
    _octave_cents: dict[int, tuple[float, ...]] = field(default_factory=dict)  # by channel

    def pitch(self, channel: int, program: tuple[int, int], key: int) -> float | None:
        """What a key sounds on a channel that plays a program (bank, number); None is no note."""
        pitch = self._programs.get(program, self.start)[key]
        cents = self._octave_cents.get(channel)
        if pitch is None:
            return None
        if cents is not None:
            pitch += cents[key % 12] / CENTS_PER_SEMITONE
        return min(max(pitch, LOWEST), HIGHEST)

    def receive(self, data: Sequence[int]) -> bool | None:
        """A system exclusive message, without F0 and F7.

        Returns:
            whether notes that sound follow at once; None if it is no tuning message, or damaged.
        """
        if len(data) < 4 or data[0] not in (NON_REAL_TIME, REAL_TIME) or data[2] != TUNING:
            return None
        kind, body = data[3], data[4:]
        try:
            is_read = self._read(kind, list(body))
        except IndexError:
            return None
        return data[0] == REAL_TIME if is_read else None

    def _read(self, kind: int, body: list[int]) -> bool:
        if kind in (SINGLE, SINGLE_OF_BANK):
            bank, (program, n_changes), at = 0, body[:2], 2
            if kind == SINGLE_OF_BANK:
                bank, program, n_changes, at = body[0], body[1], body[2], 3
            changes = [body[begin : begin + 4] for begin in range(at, at + 4 * n_changes, 4)]
            if any(len(change) < 4 for change in changes):
                raise IndexError
            for key, *pitch in changes:
                self._set((bank, program), key, pitch)
        elif kind in (BULK, BULK_OF_BANK):
            bank, at = (body[0], 1) if kind == BULK_OF_BANK else (0, 0)
            begin = at + 1 + NAME_BYTES
            if len(body) < begin + 3 * N_KEYS:
                raise IndexError
            for key in range(N_KEYS):
                self._set((bank, body[at]), key, body[begin + 3 * key : begin + 3 * key + 3])
        elif kind in (OCTAVE_OF_BANK, FINE_OCTAVE_OF_BANK):
            cents = _octave(body[2 + NAME_BYTES :], kind == FINE_OCTAVE_OF_BANK)
            self._programs[body[0], body[1]] = [None if pitch is None else pitch + cents[key % 12] / CENTS_PER_SEMITONE
                                                for key, pitch in enumerate(self.start)]
        elif kind in (OCTAVE, FINE_OCTAVE):
            cents = _octave(body[3:], kind == FINE_OCTAVE)
            mask = body[0] << 14 | body[1] << 7 | body[2]
            self._octave_cents.update({channel: cents for channel in range(16) if mask >> channel & 1})
        else:
            return False
        return True

    def _set(self, program: tuple[int, int], key: int, pitch: Sequence[int]) -> None:
        semitones, coarse, fine = pitch
        if (semitones, coarse, fine) != (127, 127, 127):  # which changes nothing
            self._programs.setdefault(program, list(self.start))[key] = semitones + (coarse << 7 | fine) / 16384


def _octave(body: Sequence[int], is_fine: bool) -> tuple[float, ...]:
    """Cents of the twelve keys from C on."""
    if len(body) < 12 * (1 + is_fine):
        raise IndexError
    if is_fine:
        return tuple(((body[2 * key] << 7 | body[2 * key + 1]) - 8192) / 8192 * 100 for key in range(12))
    return tuple(float(body[key] - 64) for key in range(12))
