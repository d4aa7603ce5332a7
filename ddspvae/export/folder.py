"""A folder for another program: written whole or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ddspvae.signals.checks import InputError

if TYPE_CHECKING:
    from ddspvae.instrument.instrument import Instrument

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


def check_instrument(instrument: Instrument) -> None:
    """Raise InputError for an instrument that changes on the way, or is played by parts that no other program has."""
    if instrument.codes is not None:
        raise InputError(f"export: {instrument.name} turns from one instrument into another; export one of them.")
    if instrument.plucks is not None or instrument.rings.plucks:
        raise InputError(f"export: {instrument.name} is plucked, and rings by a model of its own that no loop follows; "
                         "export one that is bowed or blown.")
    config = instrument.config
    if (config.decoder, config.synthesizer) != (type(config).decoder, type(config).synthesizer):
        raise InputError(f"export: {instrument.name} is played by parts of its own ({config.decoder}, "
                         f"{config.synthesizer}); only what the package's own parts play can be exported.")


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


