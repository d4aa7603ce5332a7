"""A score: notes, and the controllers and bends that come with them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise

from ddspvae.signals.checks import check_choice, check_range, fail

Steps = tuple[tuple[float, float], ...]  # (time_s, value) in order of time, each held until the next

LONGEST_S = 1e6  # eleven days; beyond, somebody meant samples or ticks
# every controller of a part, and what holds until it is first sent (General MIDI; breath, which few send, changes nothing)
CONTROLLERS: Mapping[str, float] = {
    "volume": 100 / 127, "expression": 1.0, "breath": 1.0, "modulation": 0.0, "pan": 0.5, "pressure": 0.0, "soft": 0.0,
    "brightness": 0.5,
}


@dataclass(frozen=True, slots=True)
class Note:
    """One note of a score.

    Args:
        pitch: MIDI note number, 0 to 127 (fractions allowed for microtones).
        velocity: 1 to 127.
        onset_s, offset_s: seconds from the start of the piece; offset_s > onset_s.
        legato: True is bound to the note before, whatever the gap; False is tongued; None leaves it to the performer,
            who looks at the gap.
        glide_from: MIDI note number that a portamento comes from; None is no portamento.
        glide_s: how long the portamento takes, from the onset on.
        bend_semitones: steps of the pitch of this note alone, beside the part's; 0 before the first.
        pressure: steps of the pressure on this key, 0 to 1; 0 before the first.
        brightness: steps of this note alone, -1 to 1; 0, what is usual, before the first.
        dynamics: points (time_s, velocity) that the loudness goes through from the onset on, in straight lines, 1 to 127;
            the first holds before it and the last after it. Empty is the velocity throughout.
        attack: how long the attack takes beside what the player would do, 0.1 to 10; an accent is below 1.
    """

    pitch: float
    velocity: int
    onset_s: float
    offset_s: float
    legato: bool | None = None
    glide_from: float | None = None
    glide_s: float = 0.0
    bend_semitones: Steps = ()
    pressure: Steps = ()
    brightness: Steps = ()
    dynamics: Steps = ()
    attack: float = 1.0

    def __post_init__(self) -> None:
        check_range("Note", "pitch", self.pitch, 0, 127)
        check_range("Note", "velocity", self.velocity, 1, 127)
        check_range("Note", "onset_s", self.onset_s, 0, LONGEST_S)
        check_range("Note", "offset_s", self.offset_s, 0, LONGEST_S)
        if not self.offset_s > self.onset_s:
            raise fail("Note", "offset_s", f"come after onset_s = {self.onset_s:g}", f"{self.offset_s:g}")
        check_range("Note", "glide_s", self.glide_s, 0, 60)
        if self.glide_from is not None:
            check_range("Note", "glide_from", self.glide_from, 0, 127)
        if self.bend_semitones or self.pressure or self.brightness or self.dynamics:
            _check_steps("Note", "bend_semitones", self.bend_semitones, -256, 256)
            _check_steps("Note", "pressure", self.pressure, 0, 1)
            _check_steps("Note", "brightness", self.brightness, -1, 1)
            _check_steps("Note", "dynamics", self.dynamics, 1, 127)
        check_range("Note", "attack", self.attack, 0.1, 10)


@dataclass(frozen=True)
class Notes:
    """One part of a score: notes in order of onset, and the bends and controllers that belong to them all.

    Args:
        notes: in order of onset.
        name: the track's name, may be empty.
        channel: MIDI channel 0 to 15.
        program: General MIDI program 0 to 127.
        bend_semitones: steps of the pitch of all notes: the pitch wheel and the channel's tuning; 0 before the first.
        controllers: steps by name, values 0 to 1: "volume", "expression", "breath", "modulation", "pan" and "brightness"
            (0.5 is the middle of both), "pressure" (of the channel), "soft". A name that is absent was never sent;
            before the first step CONTROLLERS says what holds.
        has_dynamics: how loud every note is, and how that changes, is written: the player adds no swell.
    """

    notes: tuple[Note, ...]
    name: str = ""
    channel: int = 0
    program: int = 0
    bend_semitones: Steps = ()
    controllers: Mapping[str, Steps] = field(default_factory=dict, hash=False)
    has_dynamics: bool = False

    def __post_init__(self) -> None:
        onsets = [note.onset_s for note in self.notes]
        for index, (before, after) in enumerate(pairwise(onsets), start=1):
            if after < before:
                raise fail("Notes", "onset_s", "not decrease", f"{after:g} after {before:g} at note {index}",
                           "are these delta times? Convert to seconds from the start")
        _check_steps("Notes", "bend_semitones", self.bend_semitones, -256, 256)
        for name, steps in self.controllers.items():
            check_choice("Notes", "controller", name, CONTROLLERS)
            _check_steps("Notes", name, steps, 0, 1)

    @property
    def duration_s(self) -> float:
        """When the last note ends, in seconds."""
        return max((note.offset_s for note in self.notes), default=0.0)


def _check_steps(where: str, name: str, steps: Steps, low: float, high: float) -> None:
    before_s = 0.0
    for time_s, value in steps:
        check_range(where, name, value, low, high)
        if not time_s >= before_s:
            raise fail(where, f"times of {name}", "be 0 or more and not decrease", f"{time_s:g} after {before_s:g}")
        before_s = time_s
