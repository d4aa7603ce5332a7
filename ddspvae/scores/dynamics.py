"""Dynamics and hairpins to one curve of velocity over the score."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from ddspvae.scores.written import Dynamic, Hairpin

# 16 apart, as notation programs play them; MusicXML's forte of velocity 90 is the unit of <sound dynamics> alone
VELOCITIES: Mapping[str, float] = {
    "n": 1, "pppppp": 3, "ppppp": 5, "pppp": 8, "ppp": 17, "pp": 33, "p": 49, "mp": 64, "mf": 80, "f": 96, "ff": 112,
    "fff": 122, "ffff": 125, "fffff": 126, "ffffff": 127}
# loud at first, then as soft as the second
TWOFOLD: Mapping[str, tuple[str, str]] = {
    "fp": ("f", "p"), "ffp": ("ff", "p"), "pf": ("p", "f"), "sfp": ("ff", "p"), "sfpp": ("ff", "pp"), "sfzp": ("ff", "p")}
SFORZATI = ("sf", "sfz", "sffz", "fz", "rf", "rfz", "sfffz")
USUAL = VELOCITIES["mf"]
STEP = 16.0  # of a hairpin that leads nowhere: from one dynamic to the next
NEAR = 1.0  # quarters after its end, within which a dynamic is what a hairpin leads to


class DynamicCurve:
    """Velocity at each place of a part.

    Traps of others that are avoided: a dynamic never changes what stands before it; a hairpin without an end lasts to the
    next dynamic or hairpin; a dynamic inside of a hairpin is met on the way; a crescendo that is written to end in
    something softer grows first, and is soft then.

    Args:
        dynamics, hairpins: of the part, in any order.
        end: of the score, quarters.
    """

    def __init__(self, dynamics: Iterable[Dynamic], hairpins: Iterable[Hairpin], end: float) -> None:
        self._first = {dynamic.at: dynamic.first for dynamic in dynamics if dynamic.first is not None}
        marks = sorted(dynamics, key=lambda dynamic: dynamic.at)
        pins = sorted(hairpins, key=lambda pin: pin.start)
        self._knots: list[tuple[float, float]] = [(0.0, USUAL)]
        done = 0
        for index, pin in enumerate(pins):
            while done < len(marks) and marks[done].at <= pin.start + 1e-9:
                self._jump(marks[done].at, marks[done].velocity)
                done += 1
            following = pins[index + 1].start if index + 1 < len(pins) else end
            stop = pin.end if pin.end is not None else min([*(mark.at for mark in marks[done:]), following, end])
            stop = min(stop, following) if following > pin.start else stop
            done = self._grow(pin, max(stop, pin.start), marks, done, following)
        for mark in marks[done:]:
            self._jump(mark.at, mark.velocity)
        self._at, self._velocity = np.array(self._knots).T

    def _jump(self, at: float, velocity: float) -> None:
        self._knots += [(max(at, self._knots[-1][0]), self._knots[-1][1]), (max(at, self._knots[-1][0]), velocity)]

    def _grow(self, pin: Hairpin, stop: float, marks: list[Dynamic], done: int, following: float) -> int:
        """Follow a hairpin to its end, through the dynamics on its way; how many dynamics are done then."""
        self._jump(pin.start, self._knots[-1][1])
        while done < len(marks) and marks[done].at <= min(stop + NEAR, max(following, stop)) + 1e-9:
            mark, (at, level) = marks[done], self._knots[-1]
            is_meant = pin.sign * (mark.velocity - level) > 0
            until = min(mark.at, stop)
            share = (until - at) / max(stop - pin.start, 1e-9)
            reached = mark.velocity if is_meant else float(np.clip(level + pin.sign * STEP * share, 1, 127))
            if until > at:
                self._knots.append((until, reached))
            self._jump(mark.at, mark.velocity)
            done += 1
            if mark.at >= stop - 1e-9:
                return done
        at, level = self._knots[-1]
        if stop > at:
            self._knots.append((stop, float(np.clip(level + pin.sign * STEP, 1, 127))))
        return done

    def first(self, at: float) -> float | None:
        """The velocity of the notes that start at a place, where it is not what holds after it."""
        return next((value for place, value in self._first.items() if abs(place - at) < 1e-6), None)

    def __call__(self, at: float) -> float:
        """The velocity from a place on."""
        index = int(np.searchsorted(self._at, at + 1e-9, side="right")) - 1
        if index + 1 == len(self._at):
            return float(self._velocity[-1])
        width = self._at[index + 1] - self._at[index]
        share = (at - self._at[index]) / width if width > 0 else 0.0
        return float(self._velocity[index] + np.clip(share, 0, 1) * (self._velocity[index + 1] - self._velocity[index]))

    def within(self, start: float, end: float) -> list[tuple[float, float]]:
        """Points (place, velocity) from start to end, the ends included; [] where nothing changes."""
        inner = (self._at > start + 1e-9) & (self._at < end - 1e-9)
        points = [(start, self(start)), *zip(self._at[inner].tolist(), self._velocity[inner].tolist())]
        points.append((end, self._before(end)))
        return points if len({round(velocity, 6) for _, velocity in points}) > 1 else []

    def _before(self, at: float) -> float:
        """The velocity just before a place."""
        index = int(np.searchsorted(self._at, at - 1e-9, side="left"))
        if index == len(self._at):
            return float(self._velocity[-1])
        if not index:
            return float(self._velocity[0])
        width = self._at[index] - self._at[index - 1]
        share = (at - self._at[index - 1]) / width if width > 0 else 1.0
        return float(self._velocity[index - 1] + np.clip(share, 0, 1) * (self._velocity[index] - self._velocity[index - 1]))
