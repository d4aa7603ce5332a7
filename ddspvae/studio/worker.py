"""The process that performs and renders, so that what plays live never waits for it."""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import multiprocessing
import os
import threading
import traceback
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from ddspvae.signals.checks import InputError

IDLE_S = 0.5
FIRST, LATER = 0, 1  # who changes something comes before who looks
THREADS = 16
LOOKS = ("curves", "controls", "table", "look")


class Worker:
    """A process with one open project at a time, asked from any thread or task."""

    def __init__(self) -> None:
        self._context = multiprocessing.get_context("spawn")
        self._turn = Turn()
        self._process: Any = None
        self._connection: Connection | None = None
        self._threads = ThreadPoolExecutor(THREADS, "studio-ask")  # its own, so that an edit finds one free

    def start(self) -> None:
        """Begin; what is compiled is loaded meanwhile."""
        ours, theirs = self._context.Pipe()
        self._process = self._context.Process(target=run, args=(theirs, os.getpid()), daemon=True, name="studio-worker")
        self._process.start()
        theirs.close()
        self._connection = ours

    def stop(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.terminate()
            self._process.join(5)

    def ask(self, method: str, folder: Path, **arguments: Any) -> Any:
        """Call a method of the session of a project, and wait.

        Raises:
            InputError: what the session says of its input; or the process has ended, and was begun again.
        """
        with self._turn.taken(LATER if method in LOOKS else FIRST):
            for _ in range(2):
                if self._process is None or not self._process.is_alive():
                    self.start()
                assert self._connection is not None
                try:
                    self._connection.send((method, str(folder), arguments))
                    kind, answer = self._connection.recv()
                    break
                except (EOFError, OSError):
                    self._process = None
            else:
                raise InputError("studio: the process that renders was ended twice, for want of memory perhaps.")
        if kind == "input":
            raise InputError(answer)
        if kind == "bug":
            raise RuntimeError(answer)
        return answer

    async def call(self, method: str, folder: Path, **arguments: Any) -> Any:
        """`ask`, from a task."""
        asking = partial(self.ask, method, folder, **arguments)
        return await asyncio.get_running_loop().run_in_executor(self._threads, asking)


class Turn:
    """A lock that goes to who is of the lowest rank among those who wait, of these to who came first."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: list[tuple[int, int]] = []
        self._serial, self._is_taken = 0, False

    @contextlib.contextmanager
    def taken(self, rank: int) -> Iterator[None]:
        """Hold it."""
        with self._changed:
            self._serial += 1
            own = (rank, self._serial)
            heapq.heappush(self._waiting, own)
            self._changed.wait_for(lambda: not self._is_taken and self._waiting[0] == own)
            heapq.heappop(self._waiting)
            self._is_taken = True
        try:
            yield
        finally:
            with self._changed:
                self._is_taken = False
                self._changed.notify_all()


def run(connection: Connection, parent: int) -> None:
    """Answer questions, and render what is missing in between."""
    from ddspvae.studio.session import Session

    session: Session | None = None
    busy = False
    if not connection.poll(0):
        warm_up()
    while True:
        if not connection.poll(0 if busy else IDLE_S):
            if os.getppid() != parent:
                return  # the server was killed
            try:
                busy = session is not None and session.work()
            except Exception:  # told when it is asked for
                traceback.print_exc()
                busy = False
            continue
        try:
            method, folder, arguments = connection.recv()
        except (EOFError, OSError):
            return
        try:
            if session is None or session.project.folder != Path(folder) or method == "reopen":
                session = Session(Path(folder), lambda: connection.poll(0))
            with warnings.catch_warnings(record=True) as said:
                warnings.simplefilter("always")
                answer = session.view() if method in ("open", "reopen") else getattr(session, method)(**arguments)
            if isinstance(answer, dict) and method in ("open", "reopen", "add_score", "add_take", "edit"):
                answer = {**answer, "warnings": _sentences(said)}
            reply: tuple[str, Any] = ("done", answer)
        except InputError as error:
            reply = ("input", str(error))
        except Exception:
            reply = ("bug", traceback.format_exc())
        try:
            connection.send(reply)
        except OSError:
            return  # the server was killed
        busy = session is not None


def warm_up() -> None:
    """Load what is compiled before somebody waits for it."""
    import numpy as np

    from ddspvae.instrument.loading import load_to_play
    from ddspvae.instrument.presets import list_presets
    from ddspvae.signals import Note, Notes

    player = load_to_play(list_presets()[0])
    np.concatenate(list(player.resynthesize_blocks(player.perform(Notes((Note(69, 80, 0.0, 0.1),))), span=(0, 20))))


def _sentences(said: list[Any]) -> list[str]:
    return list(dict.fromkeys(str(one.message) for one in said if issubclass(one.category, UserWarning)))

