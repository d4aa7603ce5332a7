"""Folders here and stores elsewhere, by one way of naming them: a path, or a URL that fsspec knows."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ddspvae.signals.checks import InputError
from ddspvae.signals.files import new_file

URL = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]+://")


def is_url(place: str | Path) -> bool:
    """Whether a place is named by a URL.

    >>> is_url("s3://bucket/corpus"), is_url("corpus/"), is_url("C:/corpus")
    (True, False, False)
    """
    return bool(URL.match(str(place))) and not str(place).startswith("file://")


def local(place: str | Path) -> Path:
    """The path of a place on this machine."""
    return Path(str(place).removeprefix("file://"))


def join(place: str | Path, name: str) -> str:
    """A file in a place."""
    return f"{str(place).rstrip('/')}/{name}" if is_url(place) else str(local(place) / name)


def exists(where: str | Path) -> bool:
    """Whether a file is there."""
    if not is_url(where):
        return local(where).is_file()
    with _told(where):
        system, path = _system(where)
        return bool(system.exists(path))


@contextlib.contextmanager
def reading(where: str | Path) -> Iterator[Any]:
    """A file, opened to read its bytes from its beginning to its end.

    Raises:
        InputError: it is missing or cannot be read.
    """
    if not is_url(where):
        with _told(where), local(where).open("rb") as file:
            yield file
        return
    with _told(where):
        system, path = _system(where)
        with system.open(path, "rb") as file:
            yield file


def write_whole(where: str | Path, data: bytes) -> None:
    """A file that appears whole or not at all: under a temporary name on this machine, in one piece in a store.

    Raises:
        InputError: it cannot be written.
    """
    with _told(where, "write"):
        if is_url(where):
            system, path = _system(where)
            system.makedirs(path.rsplit("/", 1)[0], exist_ok=True)
            system.pipe_file(path, data)
            return
        target = local(where)
        target.parent.mkdir(parents=True, exist_ok=True)
        with new_file(target) as part:
            part.write_bytes(data)


def _system(url: str | Path) -> tuple[Any, str]:
    try:
        import fsspec
    except ImportError as error:
        raise InputError("corpus: fsspec is not installed; pip install 'ddspvae[corpus]'.") from error
    try:
        system, path = fsspec.core.url_to_fs(str(url))
    except (ImportError, ValueError) as error:
        raise InputError(f"corpus: {url} cannot be reached ({error}).") from error
    return system, path


@contextlib.contextmanager
def _told(where: str | Path, what: str = "read") -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InputError(f"corpus: cannot {what} {where} ({error.strerror or error}).") from error


def listing(place: str | Path, ending: str) -> list[str]:
    """Names of the files in a place that end so, sorted; none where there is no such place."""
    if not is_url(place):
        return sorted(path.name for path in local(place).glob(f"*{ending}") if not path.name.startswith("."))
    with _told(place):
        system, path = _system(place)
        names = [str(name).rsplit("/", 1)[-1] for name in system.ls(path, detail=False)] if system.exists(path) else []
    return sorted(name for name in names if name.endswith(ending))
