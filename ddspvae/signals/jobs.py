"""Work on several cores, given back in order: the same results whatever the number of workers.

Workers are forks of this process, so that they begin in milliseconds with all that is loaded; where the system cannot fork,
the work is done here. A worker must not use more than one thread of torch.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pickle
import sys
import threading
import warnings
from collections.abc import Callable, Generator, Iterator, Sequence
from contextvars import ContextVar
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkProcess
from typing import Any, TypeVar

from ddspvae.signals.checks import InputError

T = TypeVar("T")
R = TypeVar("R")
END_S = 2.0  # for a worker to end that is asked to
POOLS = {"numba": "NUMBA_NUM_THREADS", "torch": "OMP_NUM_THREADS"}  # what sizes each library's when it is imported


def cores() -> int:
    """How many this process may use."""
    with contextlib.suppress(AttributeError):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def can_fork() -> bool:
    """Whether workers are possible: not on Windows or macOS, whose libraries do not survive it."""
    return (sys.platform == "linux" and threading.current_thread() is threading.main_thread()
            and not multiprocessing.current_process().daemon)


def in_order(function: Callable[[T], R], items: Sequence[T], jobs: int | None = None,
             progress: Callable[[Any], None] | None = None) -> Generator[R, None, None]:
    """`function` of each item, in the order of the items, on up to `jobs` cores.

    Warnings of a worker are given in the order of the items, too. What a function hands to `tell` on its way reaches
    `progress`, as it comes.

    Args:
        function: what it takes is inherited; what it gives must be picklable.
        items: to work on.
        jobs: workers; None is all cores, 1 is this process alone.
        progress: called with what workers tell.
    Raises:
        InputError: that a function raised, or a worker that was killed.
    """
    n_workers = min(jobs or cores(), len(items))
    if n_workers <= 1 or not can_fork():
        for item in items:
            with _in_context(_teller, progress), on_cores(jobs or cores()):
                result = function(item)
            yield result
        return
    context = multiprocessing.get_context("fork")
    taken = context.Value("i", 0)
    workers: dict[Connection, ForkProcess] = {}
    try:
        for _ in range(n_workers):
            ours, theirs = context.Pipe(duplex=False)
            worker = context.Process(target=_work, daemon=True,
                                     args=(function, items, taken, theirs, ours, max(1, (jobs or cores()) // n_workers)))
            worker.start()
            theirs.close()
            workers[ours] = worker
        yield from _collect(workers, len(items), progress)
    finally:
        for connection, worker in workers.items():
            worker.terminate()
            worker.join(END_S)
            if worker.is_alive():
                worker.kill()
            connection.close()


_teller: ContextVar[Callable[[Any], None] | None] = ContextVar("_teller", default=None)


_free: ContextVar[int] = ContextVar("_free", default=0)


def free_cores() -> int:
    """How many cores the work of this moment may use: what is left for each where `in_order` does several things at once."""
    return _free.get() or cores()


@contextlib.contextmanager
def on_cores(n: int) -> Iterator[None]:
    """Let the work inside use so many cores; 1 keeps it in this thread."""
    with _in_context(_free, n):
        yield


def tell(news: Any) -> None:
    """From inside a function that `in_order` works with: how far it is."""
    teller = _teller.get()
    if teller is not None:
        teller(news)


@contextlib.contextmanager
def _in_context(variable: ContextVar[T], value: T) -> Iterator[None]:
    token = variable.set(value)
    try:
        yield
    finally:
        variable.reset(token)


def _work(function: Callable[[Any], Any], items: Sequence[Any], taken: Any, pipe: Connection, other_end: Connection,
          n_cores: int) -> None:
    """A worker's life: one item after the other, until none is left."""
    import signal

    other_end.close()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):  # the parent tells when to end
        signal.signal(number, signal.SIG_DFL if number != signal.SIGINT else signal.SIG_IGN)
    _stay_in_one_thread()
    _free.set(n_cores)
    _teller.set(lambda news: pipe.send(("news", -1, news)))
    while True:
        with taken.get_lock():
            index = taken.value
            taken.value += 1
        if index >= len(items):
            break
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            try:
                answer = ("done", index, (function(items[index]), _messages(said)))
            except BaseException as error:  # the parent raises it
                answer = ("failed", index, (_picklable(error), _messages(said)))
        try:
            pipe.send(answer)
        except Exception as error:  # what cannot be pickled cannot be given back
            pipe.send(("failed", index, (RuntimeError(f"{type(error).__name__}: {error}"), [])))
    pipe.close()
    os._exit(0)  # what the parent opened is the parent's to close


def _stay_in_one_thread() -> None:
    """Pools of threads did not come along, and who waits for one waits for ever."""
    for library, variable in POOLS.items():  # numba first: it sets OpenMP's number, which is torch's, too, to its own
        if library in sys.modules:
            sys.modules[library].set_num_threads(1)
        else:
            os.environ[variable] = "1"


def _messages(said: Sequence[warnings.WarningMessage]) -> list[tuple[str, type[Warning]]]:
    return [(str(one.message), one.category) for one in said if issubclass(one.category, UserWarning)]


def _picklable(error: BaseException) -> BaseException:
    try:
        pickle.loads(pickle.dumps(error))
        return error
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")


def _collect(workers: dict[Connection, ForkProcess], n_items: int, progress: Callable[[Any], None] | None) -> Iterator[Any]:
    waiting: dict[int, tuple[str, Any]] = {}
    living, following = set(workers), 0
    while following < n_items:
        if following in waiting:
            kind, (result, said) = waiting.pop(following)
            for message, category in said:
                warnings.warn(message, category, stacklevel=3)
            if kind == "failed":
                raise result
            following += 1
            yield result
            continue
        if not living:
            codes = sorted({worker.exitcode for worker in workers.values() if worker.exitcode})
            raise InputError(f"jobs: a worker was ended (exit code {', '.join(map(str, codes))}), for want of memory "
                             "perhaps; give --jobs 1.")
        for connection in wait(list(living)):
            assert isinstance(connection, Connection)
            try:
                kind, index, content = connection.recv()
            except (EOFError, OSError):
                living.discard(connection)
                workers[connection].join(END_S)
                continue
            if kind == "news":
                if progress is not None:
                    progress(content)
            else:
                waiting[index] = (kind, content)
