"""Which voice plays which note, while the notes come in."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ddspvae.signals.checks import check_range


@dataclass(frozen=True)
class Assignment:
    """What an event means for the voices: some are released, and one may start a note.

    Args:
        voice: that starts a note; None if none does.
        pitch, velocity: of that note, which need not be that of the event: see `Allocator.note_off`.
        legato: the voice is playing a held note and goes on from it.
        released: other voices, whose notes end.
    """

    voice: int | None = None
    pitch: float = 0
    velocity: int = 0
    legato: bool = False
    released: tuple[int, ...] = ()


@dataclass
class _Held:
    """A note whose key, or else the pedal, is down."""

    voice: int
    velocity: int
    key_down: bool = True


class Allocator:
    """Which voice plays which note: chords on free voices, a line on one.

    Polyphonic, a note takes a free voice; or the one that has been fading longest; or that of the oldest held note, the
    lowest excepted, since basses matter. A pitch that is held is struck again on another free or fading voice while the old
    one is released, or on its own voice if all others are held.

    Mono, voice 0 plays the newest note that is held: bound to the one before while that is held, and back to it when the
    newest ends first. The same pitch again is struck again.

    A voice is free, held (its key or the pedal is down) or fading (released, until `free`).

    Args:
        n_voices: at least 1; mono plays only voice 0.
        mono: one note at a time.
    Raises:
        InputError: n_voices is out of range.
    """

    def __init__(self, n_voices: int, *, mono: bool = False) -> None:
        check_range("Allocator", "n_voices", n_voices, 1, 10_000)
        self._mono = mono
        self._free = set(range(n_voices))
        self._held: dict[float, _Held] = {}  # by pitch, the oldest first
        self._fading: list[int] = []  # the longest released first
        self._pedal = False

    def note_on(self, pitch: float, velocity: int) -> Assignment:
        """A key goes down; a voice always starts."""
        newest = self._newest()
        again = self._held.pop(pitch, None)
        if self._mono:
            assignment = self._take_only(legato=newest not in (None, pitch))
        else:
            assignment = self._take(None if again is None else again.voice)
        assert assignment.voice is not None
        self._held[pitch] = _Held(assignment.voice, velocity)
        return replace(assignment, pitch=pitch, velocity=velocity)

    def note_off(self, pitch: float) -> Assignment:
        """A key goes up: its voice is released, or in mono, goes back to the newest older note, bound.

        Nothing happens where the pitch is not held, or the pedal holds it.
        """
        held = self._held.get(pitch)
        if held is None:
            return Assignment()
        if self._pedal:
            held.key_down = False
            return Assignment()
        return self._end([pitch])

    def sustain(self, down: bool) -> Assignment:
        """The pedal moves (controller 64, down from 64 on); going up, it ends the notes whose keys are up."""
        self._pedal = down
        return Assignment() if down else self._end([pitch for pitch, held in self._held.items() if not held.key_down])

    def all_keys_up(self) -> Assignment:
        """All notes off: every key goes up; what the pedal holds stays until it lifts."""
        for held in self._held.values():
            held.key_down = False
        return Assignment() if self._pedal else self._end(list(self._held))

    def all_notes_off(self) -> list[int]:
        """End every note, held by a key or by the pedal; the pedal stays where it is.

        Returns:
            the voices to release.
        """
        return list(self._end(list(self._held)).released)

    def free(self, voice: int) -> None:
        """A released voice has faded out; any other stays as it is."""
        if voice in self._fading:
            self._fading.remove(voice)
            self._free.add(voice)

    def _newest(self) -> float | None:
        return next(reversed(self._held), None)

    def _take_only(self, legato: bool) -> Assignment:
        self._free.clear()
        self._fading.clear()
        return Assignment(0, legato=legato)

    def _take(self, again: int | None) -> Assignment:
        """A voice for a note whose pitch the voice `again` is playing."""
        if not self._free and not self._fading:
            return Assignment(self._steal() if again is None else again)
        voice = min(self._free) if self._free else self._fading.pop(0)
        self._free.discard(voice)
        released = () if again is None else (again,)
        self._fading.extend(released)
        return Assignment(voice, released=released)

    def _steal(self) -> int:
        lowest = min(self._held)
        oldest = next((pitch for pitch in self._held if pitch != lowest), lowest)
        return self._held.pop(oldest).voice

    def _end(self, pitches: list[float]) -> Assignment:
        """Take held pitches away."""
        sounding = self._newest()
        voices = [self._held.pop(pitch).voice for pitch in pitches]
        newest = self._newest()
        if not self._mono or newest is None:
            released = tuple(dict.fromkeys(voices))  # in mono, many notes share one
            self._fading.extend(released)
            return Assignment(released=released)
        if newest == sounding:
            return Assignment()
        return Assignment(0, newest, self._held[newest].velocity, legato=True)
