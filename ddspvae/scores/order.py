"""Repeats, voltas, da capo and dal segno: which bar is played after which."""

from __future__ import annotations

from collections.abc import Sequence

from ddspvae.scores.written import Bar

MOST_BARS = 100_000  # played; beyond, the signs contradict each other


def play_order(bars: Sequence[Bar]) -> list[int]:
    """Indices of the bars in the order in which they are played.

    Repeats are taken as often as they say, twice where they say nothing; a bracket is played in the passes that it names.
    After a da capo or dal segno repeats are not taken, of brackets the last is played, "to coda" leaps to the coda, and
    "fine" ends.

    >>> bars = [Bar(0, 4), Bar(4, 8, endings=(1,), repeats=2), Bar(8, 12, endings=(2,))]
    >>> play_order(bars)
    [0, 1, 0, 2]
    """
    order: list[int] = []
    at = start = 0
    played = 1  # pass of this stretch
    has_leapt = False
    while at < len(bars) and len(order) < MOST_BARS:
        bar = bars[at]
        if bar.starts_repeat and at != start:
            start, played = at, 1
        if bar.endings:
            wanted = _last_pass(bars, at) if has_leapt else played
            if wanted not in bar.endings:
                at += 1
                continue
        elif at and bars[at - 1].endings and start < at and order and order[-1] == at - 1:
            start, played = at, 1  # what comes after the brackets is another stretch
        order.append(at)
        if bar.repeats > 1 and not has_leapt:
            if played < max(bar.repeats, _last_pass(bars, at) if bar.endings else 0):
                played += 1
                at = start
                continue
            start, played = at + 1, 1
        if has_leapt and bar.fine:
            break
        if has_leapt and bar.to_coda and any(other.coda for other in bars):
            at = next(index for index, other in enumerate(bars) if other.coda)
            has_leapt = True
            continue
        if not has_leapt and (bar.da_capo or bar.dal_segno):
            has_leapt = True
            at = start = 0 if bar.da_capo else next((index for index, other in enumerate(bars) if other.segno), 0)
            continue
        at += 1
    return order


def _last_pass(bars: Sequence[Bar], at: int) -> int:
    """The highest number over the brackets that stand together around a bar."""
    first = last = at
    while first and bars[first - 1].endings:
        first -= 1
    while last + 1 < len(bars) and bars[last + 1].endings:
        last += 1
    return max(max(bar.endings) for bar in bars[first : last + 1])


def runs(order: Sequence[int]) -> list[tuple[int, int]]:
    """First and last index of the stretches that are played as they stand.

    >>> runs([0, 1, 0, 2, 3])
    [(0, 1), (0, 0), (2, 3)]
    """
    found: list[tuple[int, int]] = []
    for index in order:
        if found and found[-1][1] + 1 == index:
            found[-1] = (found[-1][0], index)
        else:
            found.append((index, index))
    return found
