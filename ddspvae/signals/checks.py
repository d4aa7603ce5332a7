"""Argument errors are worded here only: `<function>: <name> must <rule>, got <value>; <the fix>.`"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

LONGEST_PIECE_S = 6 * 3600.0  # the longest album


class InputError(ValueError):
    """The input is at fault, not the program: a file, a number or a name from outside.

    The command line prints the sentence and exits with code 2.
    """


def fail(where: str, name: str, rule: str, got: Any, fix: str = "") -> InputError:
    """Word an InputError; the caller raises it.

    >>> str(fail("transpose", "semitones", "be finite", float("nan"), "check the curve"))
    'transpose: semitones must be finite, got nan; check the curve.'
    """
    end = f"; {fix}." if fix else "."
    return InputError(f"{where}: {name} must {rule}, got {got}{end}")


def check_range(where: str, name: str, value: float, low: float, high: float, fix: str = "") -> None:
    """Raise InputError unless low <= value <= high (NaN never is)."""
    if not low <= value <= high:
        raise fail(where, name, f"lie between {low:g} and {high:g}", f"{value:g}", fix)


def check_duration(where: str, what: object, seconds: float) -> None:
    """Raise InputError for what would last longer than LONGEST_PIECE_S."""
    if not seconds <= LONGEST_PIECE_S:
        raise InputError(f"{where}: {what} lasts {seconds / 3600:.1f} hours, and {LONGEST_PIECE_S / 3600:.0f} can be "
                         "played; is there a stray note at its end, or a wrong tempo or rate?")


def check_shape(where: str, name: str, shape: Iterable[int], *want: int | None) -> None:
    """Raise InputError unless shape matches want, where None stands for any size."""
    shape = tuple(shape)
    if len(shape) != len(want) or any(w is not None and w != s for s, w in zip(shape, want, strict=True)):
        wanted = "[" + ", ".join("*" if w is None else str(w) for w in want) + "]"
        raise fail(where, name, f"have shape {wanted}", list(shape))


def check_choice(where: str, name: str, value: str, choices: Iterable[str]) -> None:
    """Raise InputError unless value is one of choices; suggests the nearest.

    >>> check_choice("load", "preset", "violon", ["violin", "flute"])
    Traceback (most recent call last):
    ddspvae.signals.checks.InputError: load: preset must be one of flute, violin, got 'violon'; did you mean 'violin'?
    """
    choices = sorted(choices)
    if value not in choices:
        near = difflib.get_close_matches(value, choices, n=1, cutoff=0.5)
        hint = f"; did you mean '{near[0]}'?" if near else "."
        raise InputError(f"{where}: {name} must be one of {', '.join(choices)}, got '{value}'{hint}")


def one_line(text: str) -> str:
    """Text whose line breaks are shown as escapes: a name with one in it begins no sentence of its own.

    >>> one_line("lead" + chr(10) + "render: done")
    'lead\\\\nrender: done'
    """
    return text.replace("\n", "\\n")


def printable(text: str) -> str:
    """Text without what a terminal would obey: control characters of a file's or a track's name are shown as escapes.

    >>> printable("lead\\x1b[2J")
    'lead\\\\x1b[2J'
    """
    return "".join(c if c.isprintable() or c in "\n\t" else c.encode("unicode_escape").decode() for c in text)
