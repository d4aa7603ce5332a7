"""One stage of work in a thread of its own, a few pieces ahead of who takes them."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

T = TypeVar("T")
PIECES = 2  # that wait, at most; more are memory and nothing else


def ahead(pieces: Iterator[T]) -> Iterator[T]:
    """The same pieces in the same order, made while the ones before are worked on.

    It helps where both sides leave the interpreter to others: in compiled loops, transforms and products of matrices.
    What the pieces raise is raised here; who takes no more of them, or closes this, ends the thread.
    """
    made: queue.Queue[tuple[str, Any]] = queue.Queue(PIECES)
    is_over = threading.Event()

    def put(kind: str, what: Any = None) -> bool:
        while not is_over.is_set():
            try:
                made.put((kind, what), timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def work() -> None:
        try:
            for piece in pieces:
                if not put("piece", piece):
                    return
            put("end")
        except BaseException as error:  # raised where the pieces are taken
            put("error", error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        while True:
            kind, what = made.get()
            if kind == "error":
                raise what
            if kind == "end":
                return
            yield what
    finally:
        is_over.set()
        thread.join()


def in_stages(pieces: Iterator[Any], *stages: Callable[[Iterator[Any]], Iterator[Any]], n_cores: int) -> Iterator[Any]:
    """Stages of work one after the other, each a function of the pieces before; side by side on more than one core."""
    for stage in stages:
        pieces = stage(ahead(pieces) if n_cores > 1 else pieces)
    return pieces
