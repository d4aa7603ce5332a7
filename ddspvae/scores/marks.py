"""What articulations, accents and an fp do to a single note: how long it sounds, how it attacks, how its loudness goes."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

# share of its written time that a note sounds
SHORTENED = {"staccatissimo": 0.3, "spiccato": 0.4, "staccato": 0.5, "detached-legato": 0.75, "strong-accent": 0.85,
             "breath-mark": 0.8}
PORTATO = 0.75  # staccato under a slur, or with a tenuto
# velocity that a mark adds, and how long the attack takes beside the usual; 16 is from one dynamic to the next
WEIGHTS = {"accent": (16, 0.6), "strong-accent": (24, 0.5), "sforzato": (28, 0.5), "stress": (10, 0.8),
           "soft-accent": (8, 1.0), "tenuto": (0, 1.0), "unstress": (-8, 1.2)}
ACCENT_S, ACCENT_LEFT = 0.2, 0.35  # an accent falls within this time to this share of itself
TWOFOLD_S = (0.10, 0.25)  # fp: loud until the first, soft from the second


def share_of(marks: Iterable[str], is_slurred: bool) -> float:
    """Which share of its written time a note sounds."""
    here = set(marks)
    if "staccato" in here and ("tenuto" in here or is_slurred):
        return PORTATO
    return min((SHORTENED[mark] for mark in here if mark in SHORTENED), default=1.0)


def weight_of(marks: Iterable[str]) -> tuple[float, float]:
    """The velocity that its marks add to a note, and how long its attack takes beside the usual."""
    found = [WEIGHTS[mark] for mark in marks if mark in WEIGHTS]
    return max((added for added, _ in found), key=abs, default=0.0), min((attack for _, attack in found), default=1.0)


def shape_dynamics(points: list[tuple[float, float]], start_s: float, stop_s: float, added: float, twofold: float | None
                   ) -> list[tuple[float, float]]:
    """Dynamics of a note with what an accent adds to them, or with the louder beginning of an fp.

    Args:
        points: (seconds, velocity), in straight lines.
        start_s, stop_s: of the note.
        added: velocity; what is above 0 falls within 0.2 s to a third of itself.
        twofold: velocity of the beginning; None is none.
    """
    times = [start_s, *(at for at, _ in points if start_s < at < stop_s), stop_s]
    falls_s = min(ACCENT_S, 0.5 * (stop_s - start_s))
    if added > 0:
        times.append(start_s + falls_s)
    if twofold is not None:
        times += [min(start_s + after_s, stop_s) for after_s in TWOFOLD_S]

    def level(at: float) -> float:
        value = _read(points, at)
        left = min((at - start_s) / max(falls_s, 1e-9), 1.0)
        value += added * (1 - (1 - ACCENT_LEFT) * left) if added > 0 else added
        if twofold is not None:
            softer = min(max((at - start_s - TWOFOLD_S[0]) / (TWOFOLD_S[1] - TWOFOLD_S[0]), 0.0), 1.0)
            value = twofold + (value - twofold) * softer
        return min(max(value, 1.0), 127.0)

    return [(at, level(at)) for at in sorted(set(times))]


def _read(points: list[tuple[float, float]], at: float) -> float:
    """A line through points at an instant; of two points at one instant the later, but at its end the earlier."""
    if at <= points[0][0]:
        return points[0][1]
    for (left, low), (right, high) in pairwise(points):
        if at <= right:
            return high if right <= left else low + (high - low) * (at - left) / (right - left)
    return points[-1][1]
