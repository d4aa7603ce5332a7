"""Results kept on disk by the content they were computed from; never in the way of the computation."""

from __future__ import annotations

import contextlib
import hashlib
import io
import zipfile
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ddspvae.signals.files import cache_folder, clear_leftovers, new_file

DIGEST_BYTES = 32  # the SHA-256 of an entry, before it
KEPT_BYTES = 1 << 30  # the oldest entries go when the folder is larger
Arrays = dict[str, NDArray]
_tidied: set[Path] = set()


def content_key(parts: Iterable[object]) -> str:
    """One name for everything that decides a result: arrays by their bytes, all else by type and repr.

    >>> content_key(["f0", 1]) == content_key(["f0", 1.0])
    False
    """
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, np.ndarray):
            head, body = f"array {part.dtype.str} {part.shape}", np.ascontiguousarray(part).data.cast("B")
        else:
            head, body = type(part).__name__, memoryview(repr(part).encode())
        # lengths keep ("ab", "c") and ("a", "bc") apart
        digest.update(f"{head} {len(body)}\n".encode())
        digest.update(body)
    return digest.hexdigest()


def cached(key_parts: Iterable[object], compute: Callable[[], Arrays]) -> Arrays:
    """Give back what `compute` gave for the same key before, or compute it now and keep it.

    A folder that is missing, full or read-only, and an entry that is damaged, only cost the time to compute.

    Args:
        key_parts: everything that the result depends on: audio, settings, and a version of the code.
        compute: makes a dictionary of arrays.
    """
    folder = cache_folder()
    if folder is None:
        return compute()
    path = folder / f"{content_key(key_parts)}.npz"
    kept = _read(path)
    if kept is not None:
        return kept
    arrays = compute()
    with contextlib.suppress(OSError):
        _write(path, arrays)
    return arrays


def _read(path: Path) -> Arrays | None:
    try:
        data = path.read_bytes()
        if hashlib.sha256(data[DIGEST_BYTES:]).digest() != data[:DIGEST_BYTES]:
            return None
        with np.load(io.BytesIO(data[DIGEST_BYTES:]), allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    # what numpy and zipfile raise for a missing, cut or overwritten file
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError):
        return None


def _write(path: Path, arrays: Arrays) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    _tidy(path.parent)
    content = io.BytesIO()
    np.savez(content, **arrays)  # type: ignore[arg-type]
    with new_file(path) as part, part.open("wb") as file:
        file.write(hashlib.sha256(content.getbuffer()).digest())
        file.write(content.getbuffer())


def _tidy(folder: Path) -> None:
    """Once per process, delete the oldest entries beyond KEPT_BYTES."""
    if folder in _tidied:
        return
    _tidied.add(folder)
    clear_leftovers(folder)
    entries = sorted(((entry.stat().st_mtime, entry.stat().st_size, entry) for entry in folder.glob("*.npz")),
                     reverse=True)
    total = 0
    for _, size, entry in entries:
        total += size
        if total > KEPT_BYTES:
            entry.unlink(missing_ok=True)
