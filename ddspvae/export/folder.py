"""A folder for another program: written whole or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ddspvae.signals.checks import InputError

Advance = Callable[[], None]  # called after each note that is done


@dataclass(frozen=True)
class Exported:
    """What was written.

    Args:
        n_samples: notes.
        n_bytes: of all files.
        main: the file to open, relative to the folder.
    """

    n_samples: int
    n_bytes: int
    main: str


@contextlib.contextmanager
def new_folder(path: str | Path) -> Iterator[Path]:
    """A folder to write to that takes its name when the `with` block ends well, and is gone otherwise.

    Args:
        path: a folder that is not there yet, or empty.
    Raises:
        InputError: it holds something, or cannot be made.
    """
    target = Path(path)
    check_new_folder(target)
    part = target.absolute().with_name(f".{target.absolute().name[:100]}.{secrets.token_hex(8)}.part")
    try:
        part.mkdir()
        try:
            yield part
            if target.is_dir():
                target.rmdir()  # empty, or it is refused
            os.replace(part, target)
        except BaseException:
            shutil.rmtree(part, ignore_errors=True)
            raise
    except OSError as error:
        raise InputError(f"export: cannot write {target} ({error.strerror or error}); has the disk room?") from error


def check_new_folder(target: Path) -> None:
    """Raise InputError where no new folder can be written."""
    if target.exists() and not target.is_dir():
        raise InputError(f"export: {target} is a file; name a folder.")
    if target.is_dir() and any(target.iterdir()):
        raise InputError(f"export: the folder {target} is not empty; name a new one, or delete what is in it.")
    if not target.absolute().parent.is_dir():
        raise InputError(f"export: no folder {target.absolute().parent} to write {target.name} to; make it first.")


