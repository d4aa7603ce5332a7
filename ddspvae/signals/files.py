"""Files are written whole or not at all, whoever else writes, whatever ends the process."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from ddspvae.signals.checks import InputError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

YOUNG_S = 1.0
OLD_S = 24 * 3600.0  # where nothing tells whether a file's writer still lives
PART = re.compile(r"[0-9a-f]{16}\.part(\.[^.]*)?$")  # the end of a temporary name
NAME_BYTES = 120  # of a file's name that its temporary one repeats


def cache_folder() -> Path | None:
    """The folder named by DDSPVAE_CACHE, else ddspvae in the user's cache folder; None without a home."""
    if os.environ.get("DDSPVAE_CACHE"):
        return Path(os.environ["DDSPVAE_CACHE"]).expanduser()
    if os.environ.get("XDG_CACHE_HOME"):
        return Path(os.environ["XDG_CACHE_HOME"]) / "ddspvae"
    try:
        return Path.home() / ".cache" / "ddspvae"
    except RuntimeError:
        return None


@contextlib.contextmanager
def new_file(path: str | Path) -> Iterator[Path]:
    """A file to write to that takes its name when the `with` block ends well, and is gone otherwise.

    It lies beside its target under a name of its own, so that two writers do not meet and the one that ends last wins. A
    link stays one, and what it points to is written, as the system's tools have it; a pipe or a device gets the bytes. What
    a killed writer left of the same target is cleared away.

    Args:
        path: what is to be written.
    Raises:
        OSError: the folder cannot be written, or the disk is full.
    """
    target = Path(path) if _is_special(Path(path)) else Path(os.path.realpath(path))
    if _is_special(target):
        with tempfile.TemporaryDirectory() as folder:
            whole = Path(folder) / target.name
            whole.touch()
            yield whole
            with whole.open("rb") as source, target.open("wb") as pipe:
                shutil.copyfileobj(source, pipe)
        return
    clear_leftovers(target)
    start = _start(target)
    part = target.with_name(f"{start}{secrets.token_hex(8)}.part{target.suffix[:NAME_BYTES]}")
    handle = os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0), 0o666)
    if fcntl is None:  # Windows does not rename what is open
        os.close(handle)
    try:
        _lock(handle)
        with contextlib.suppress(OSError):
            shutil.copymode(target, part)
        yield part
        os.replace(part, target)
    except BaseException:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise
    finally:
        if fcntl is not None:
            os.close(handle)


def read_whole(where: str, path: Path, most_bytes: int, what: str) -> bytes:
    """The content of a file that fits the memory.

    Args:
        where: the function that reads, for the sentence.
        what: it should be, with its article.
    Raises:
        InputError: missing, a folder, empty, larger than most_bytes, or not to be read.
    """
    if not os.path.exists(path):
        raise InputError(f"{where}: no file {path}.")
    if os.path.isdir(path):
        raise InputError(f"{where}: {path} is a folder, not {what}.")
    try:
        with path.open("rb") as file:
            data = file.read(most_bytes + 1)
    except OSError as error:
        raise InputError(f"{where}: cannot read {path} ({error.strerror}).") from error
    if not data:
        raise InputError(f"{where}: {path} is empty (0 bytes); copy or export it again.")
    if len(data) > most_bytes:
        raise InputError(f"{where}: {path} is larger than {most_bytes // 1_000_000} MB; is it {what}?")
    return data


def clear_leftovers(target: Path) -> None:
    """Delete what writers of this file, or of any in this folder, left that are gone."""
    folder, start = (target, ".") if target.is_dir() else (target.parent, _start(target))
    with contextlib.suppress(OSError):
        for left in folder.iterdir():
            if left.name.startswith(start) and PART.search(left.name, len(start)):
                _delete_if_left(left)


def _start(target: Path) -> str:
    return "." + target.name.encode(errors="surrogateescape")[:NAME_BYTES].decode(errors="ignore") + "."


def _delete_if_left(left: Path) -> None:
    with contextlib.suppress(OSError):
        if fcntl is None:
            if time.time() - left.stat().st_mtime > OLD_S:
                left.unlink()
            return
        if time.time() - left.stat().st_mtime < YOUNG_S:
            return  # its writer may be about to lock it
        handle = os.open(left, os.O_RDWR | getattr(os, "O_NOFOLLOW", 0))
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)  # fails while its writer lives
            left.unlink()
        finally:
            os.close(handle)


def _lock(handle: int) -> None:
    if fcntl is not None:
        with contextlib.suppress(OSError):  # of a file system without locks
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _is_special(path: Path) -> bool:
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))
