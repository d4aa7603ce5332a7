"""Tables as spreadsheets of any locale write them: commas, semicolons or tabs, decimal commas, UTF-8 or UTF-16."""

from __future__ import annotations

import codecs
import csv
import io
import re
from pathlib import Path

from ddspvae.signals.checks import InputError

DECIMAL_COMMA = re.compile(r"\s*[+-]?\d*,\d+(?:[eE][+-]?\d+)?\s*")
MOST_BYTES = 100_000_000


def read_cells(where: str, path: str | Path) -> list[list[str]]:
    """All rows of a table as text, numbers with a decimal point; [] for an empty file.

    Raises:
        InputError: missing, too large, not text, or no table; `where` begins the sentence.
    """
    try:
        with Path(path).open("rb") as file:
            data = file.read(MOST_BYTES + 1)
        if len(data) > MOST_BYTES:
            raise InputError(f"{where}: {path} is larger than {MOST_BYTES // 1_000_000} MB; is it a table?")
        utf_16 = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        text = data.decode("utf-16" if utf_16 else "utf-8-sig")
        first = re.sub(r'"[^"]*"', "", text.split("\n", 1)[0])
        delimiter = max(",;\t", key=first.count)  # of as many the comma, which comes first
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
    except (OSError, UnicodeError, csv.Error, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{where}: cannot read {path} ({getattr(error, 'strerror', None) or error}).") from error
    if delimiter == ",":
        return rows
    return [[cell.replace(",", ".") if DECIMAL_COMMA.fullmatch(cell) else cell for cell in row] for row in rows]
