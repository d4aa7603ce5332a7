"""The manifest of a corpus: a row a recording, in CSV or Parquet."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ddspvae.signals.checks import InputError, check_choice
from ddspvae.signals.tables import read_cells

SPLITS = ("train", "validation", "test")
NEEDED = ("path", "instrument")
ENDINGS = (".csv", ".parquet")


@dataclass(frozen=True)
class Recording:
    """A row.

    Args:
        path: of the sound file, absolute.
        instrument: who plays.
        split: "train", "validation", "test", or "" where the corpus is to be split by itself.
        licence: may be empty.
        room: where it was recorded; "" is one room for each instrument.
    """

    path: Path
    instrument: str
    split: str = ""
    licence: str = ""
    room: str = ""


def read_manifest_rows(manifest: str | Path) -> list[Recording]:
    """Read a manifest: columns path and instrument, and split, licence and room where they are there.

    Paths are taken from the manifest's folder on.

    Raises:
        InputError: it cannot be read, lacks a column or a value, names a split that is none, a file that is not there, or
            one file twice.
    """
    manifest = Path(manifest)
    table = _parquet(manifest) if manifest.suffix.lower() == ".parquet" else _csv(manifest)
    seen: dict[Path, int] = {}
    rows = []
    for number, cells in table:
        where = f"corpus: {manifest} row {number}"
        for name in NEEDED:
            if not cells.get(name):
                raise InputError(f"{where}: {name} is empty.")
        if any(sign in cells["instrument"] for sign in (":", "+", "..", "/")):
            raise InputError(f"{where}: the instrument '{cells['instrument']}' may not hold ':', '+', '/' or '..', which "
                             "mean something in a preset's name; rename it.")
        if cells.get("split"):
            check_choice(where, "split", cells["split"], SPLITS)
        path = (manifest.parent / cells["path"]).resolve()
        if path in seen:
            raise InputError(f"{where}: {cells['path']} stands in row {seen[path]} already; leave one out.")
        if not path.is_file():
            raise InputError(f"{where}: there is no file {path}.")
        seen[path] = number
        rows.append(Recording(path, *(cells.get(name, "") for name in ("instrument", "split", "licence", "room"))))
    if not rows:
        raise InputError(f"corpus: {manifest} has no rows.")
    return rows


def _csv(manifest: Path) -> Iterator[tuple[int, dict[str, str]]]:
    table = read_cells("corpus", manifest)
    header = [name.strip() for name in table[0]] if table else []
    _check_columns(manifest, header)
    for number, cells in enumerate(table[1:], start=2):
        if any(cell.strip() for cell in cells):
            yield number, {name: cell.strip() for name, cell in zip(header, cells)}


def _parquet(manifest: Path) -> Iterator[tuple[int, dict[str, str]]]:
    try:
        from pyarrow import ArrowException, parquet
    except ImportError as error:
        raise InputError("corpus: pyarrow is not installed, which reads Parquet; pip install 'ddspvae[corpus]', or write a "
                         "CSV file.") from error
    try:
        file = parquet.ParquetFile(manifest)
        _check_columns(manifest, file.schema_arrow.names)
        number = 1
        for batch in file.iter_batches():
            for row in batch.to_pylist():
                yield number, {name: _text(value) for name, value in row.items()}
                number += 1
    except (OSError, ArrowException) as error:
        raise InputError(f"corpus: cannot read {manifest} ({str(error).splitlines()[0]}).") from error


def _text(value: Any) -> str:
    return "" if value is None else str(value).strip()


def _check_columns(manifest: Path, header: Iterable[str]) -> None:
    for name in NEEDED:
        if name not in header:
            raise InputError(f"corpus: {manifest} must have columns {' and '.join(NEEDED)}, {name} is not there.")
