"""Pieces of the report's page: tables, figures, pictures."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable
from html import escape


def picture(file: io.BytesIO, alt: str) -> str:
    """An embedded PNG."""
    data = base64.b64encode(file.getvalue()).decode()
    return f'<figure><img alt="{escape(alt)}" src="data:image/png;base64,{data}"></figure>'


def table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table of cells that are HTML already."""
    head = "".join(f"<th>{cell}</th>" for cell in header)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def goal(value: float | None, limit: float | None, words: str) -> tuple[str, str]:
    """The goal in words, and whether it is reached."""
    if value is None or limit is None:
        return words, ""
    return words, '<span class="good">✓ reached</span>' if value <= limit else '<span class="bad">✗ missed</span>'


def mark(words: str, is_reached: bool | None) -> str:
    """Words in the colour of a missed goal where is_reached is False."""
    return f'<span class="bad">{words}</span>' if is_reached is False else words


def plus(value: float | None, offset: float, factor: float = 1.0) -> float | None:
    """value * factor + offset; None stays None."""
    return None if value is None else value * factor + offset


def number(value: float | None, n_digits: int, unit: str = "", *, signed: bool = False) -> str:
    """A figure with its unit; None is a dash."""
    if value is None:
        return "–"
    value = round(value, n_digits) + 0.0  # no "-0.00"
    return f"{value:{'+' if signed and value else ''}.{n_digits}f}{unit}"


def share(value: float | None) -> str:
    """A share in per cent."""
    return number(plus(value, 0, 100), 1, " %")
