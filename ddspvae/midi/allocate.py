"""Which voice plays which note, while the notes come in."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field

from ddspvae.signals.checks import check_range


@dataclass(frozen=True)
class Assignment:
    """What an event means for the voices: some are released, and one may start a note.

    Args:
        voice: that starts a note; None if none does.
        pitch, velocity: of that note, which need not be that of the event: see `Allocator.note_off`.
        legato: the voice is playing a note and goes on from it.
        released: other voices, whose notes end.
        key: of the note that starts.
    """

    voice: int | None = None
    pitch: float = 0
    velocity: int = 0
    legato: bool = False
    released: tuple[int, ...] = ()
    key: Hashable = field(default=None, compare=False)


@dataclass(frozen=True)
class _Held:
    """A note that has begun and not ended."""

    voice: int
    pitch: float
    velocity: int


class Allocator:
    """Which voice plays which note: chords on free voices, a line on one; what holds a note is known elsewhere.

    Polyphonic, a note takes a free voice; or the one that has been fading longest; or that of the oldest held note, the
    lowest excepted, since basses matter. A note that takes the place of one that is held starts on another free or fading
    voice while the old one is released, or on its own voice if all others are held.

    Several held notes share a voice where one is bound to another, and always in mono, on voice 0: the newest plays, and
    when it ends first the voice goes back to the one before. The same pitch again is struck again.

    A voice is free, held or fading (released, until `free`).

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
        self._held: dict[Hashable, _Held] = {}  # the oldest first
        self._fading: list[int] = []  # the longest released first
        self._last: dict[int, Hashable] = {}  # note that each voice plays, or played last
        self._begun: dict[int, Hashable] = {}  # note that began last on each voice, which it may have gone back from

    def note_on(self, pitch: float, velocity: int, key: Hashable = None, *, again: Hashable = None,
                bound_to: Hashable = None) -> Assignment:
        """A note begins; a voice always starts.

        Args:
            pitch, velocity: of the note.
            key: what `note_off` will call it; None is its pitch.
            again: the note whose place it takes, if that is held; None is its own key. Told to end afterwards, too, in case
                this one is bound to another.
            bound_to: the note that it goes on from, if that is held or fading; None is none.
        """
        key = pitch if key is None else key
        newest = next(reversed(self._held.values()), None)
        again = key if again is None else again
        released: tuple[int, ...] = ()
        bound = None if self._mono else self._voice_of(bound_to)
        # bound to another, it leaves the voice of the one whose place it takes, which `note_off` then ends
        before = self._held.pop(again, None) if bound is None or again == key else None
        legato = bound is not None
        if self._mono:
            voice, legato = 0, newest is not None and newest.pitch != pitch
        elif bound is not None:
            voice = bound
        else:
            voice, released = self._take(None if before is None else before.voice)
        self._free.discard(voice)
        if voice in self._fading:
            self._fading.remove(voice)
        self._held[key] = _Held(voice, pitch, velocity)
        self._last[voice] = self._begun[voice] = key
        return Assignment(voice, pitch, velocity, legato, released, key)

    def note_off(self, key: Hashable) -> Assignment:
        """A note ends: its voice is released, or goes back to the newest of the others that it holds, bound.

        Nothing happens where there is no such note.
        """
        held = self._held.pop(key, None)
        if held is None:
            return Assignment()
        others = [other for other, note in self._held.items() if note.voice == held.voice]
        if not others:
            self._fading.append(held.voice)
            return Assignment(released=(held.voice,))
        if self._last[held.voice] != key:
            return Assignment()
        newest = others[-1]
        self._last[held.voice] = newest
        return Assignment(held.voice, self._held[newest].pitch, self._held[newest].velocity, True, key=newest)

    def free(self, voice: int) -> None:
        """A released voice has faded out; any other stays as it is."""
        if voice in self._fading:
            self._fading.remove(voice)
            self._free.add(voice)

    def _voice_of(self, key: Hashable) -> int | None:
        """The voice that plays a note, or lets it fade."""
        if key is None:
            return None
        if key in self._held:
            return self._held[key].voice
        return next((voice for voice in self._fading if key in (self._begun[voice], self._last[voice])), None)

    def _take(self, again: int | None) -> tuple[int, tuple[int, ...]]:
        """A voice for a note that takes the place of what the voice `again` is playing, and which are released."""
        if again is not None and any(note.voice == again for note in self._held.values()):
            return again, ()  # where others are bound, too
        if not self._free and not self._fading:
            return self._steal() if again is None else again, ()
        voice = min(self._free) if self._free else self._fading[0]
        if again is None:
            return voice, ()
        self._fading.append(again)
        return voice, (again,)

    def _steal(self) -> int:
        sounding = [note for key, note in self._held.items() if self._last[note.voice] == key]
        lowest = min(sounding, key=lambda note: note.pitch)
        voice = next((note for note in sounding if note.voice != lowest.voice), lowest).voice
        self._held = {key: note for key, note in self._held.items() if note.voice != voice}
        return voice
