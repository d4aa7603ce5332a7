"""Jobs to a cluster, one a core; what ended is counted, what is lost is told."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from ddspvae.batch.jobs import LEFT_OUT, Job, Outcome, attempt, ended_before, write_log
from ddspvae.signals.checks import InputError

if TYPE_CHECKING:
    from distributed import Client, Future

ALONE_S = 120.0  # without any worker, until nobody is expected to come back
LOOK_S = 0.5  # between looks at the scheduler


def run_jobs(client: Client, function: Callable[[Any], dict[str, Any]], jobs: Iterable[Job],
             ended: Callable[[Outcome, bool], None]) -> None:
    """Do jobs, each on any worker.

    One that was done before is not done again; one whose worker is lost is done on another. One that several workers were
    lost with may have waited on them while another ended them: it is tried again when all else is done, alone, and left out
    if it ends several more; as is one that fails.

    Args:
        client: from `open_cluster`.
        function: gets a job's `work` and gives plain values; a function of a module that the workers can import.
        jobs: a generator, perhaps: few are held at a time.
        ended: called with every outcome, and whether it is of an earlier run.
    Raises:
        InputError: the scheduler is gone; what is done stays done.
    """
    from asyncio import CancelledError

    try:
        _run(client, function, jobs, ended)
    except InputError:
        raise
    except (Exception, CancelledError) as error:  # whatever was being said to the scheduler when it went
        time.sleep(LOOK_S)  # a client notices a little later
        if client.status == "running":
            raise
        raise _gone(client) from error


def _run(client: Client, function: Callable[[Any], dict[str, Any]], jobs: Iterable[Job],
         ended: Callable[[Outcome, bool], None]) -> None:
    came: queue.SimpleQueue[Future] = queue.SimpleQueue()
    running: dict[Any, tuple[Job, Future, bool]] = {}
    coming, suspects = iter(jobs), list[Job]()
    # one a core: a job that only waits on a worker would be blamed when that dies of another one
    n_ahead, seen = max(1, _threads(client)), time.monotonic()
    is_more = True

    def begin(job: Job, alone: bool) -> None:
        future = client.submit(attempt, function, job, key=f"{job.name}-{job.key}{'-alone' * alone}", pure=False)
        running[future.key] = (job, future, alone)
        future.add_done_callback(came.put)

    while is_more or running or suspects:
        while is_more and len(running) < n_ahead:
            job = next(coming, None)
            if job is None:
                is_more = False
                break
            before = ended_before(job)
            if before is not None:
                ended(before, True)
                continue
            begin(job, False)
        if not running and suspects:
            begin(suspects.pop(0), True)
        if not running:
            continue
        try:
            future = came.get(timeout=LOOK_S)
        except queue.Empty:
            if client.status != "running":
                raise _gone(client) from None
            n_ahead = _threads(client) or n_ahead
            seen = time.monotonic() if _threads(client) else seen
            if time.monotonic() - seen > ALONE_S:
                raise InputError(f"batch: no worker has been there for {ALONE_S:.0f} s; what is done stays done, and the "
                                 "same command goes on from there.") from None
            continue
        if future.status in ("cancelled", "lost"):
            raise _gone(client)
        seen = time.monotonic()
        job, _, is_alone = running.pop(future.key)
        if _took_workers(future) and not is_alone:
            suspects.append(job)
        else:
            ended(_outcome(job, future), False)


def _took_workers(future: Future) -> bool:
    """Whether one worker after the other was lost with it."""
    from distributed.scheduler import KilledWorker

    return future.status == "error" and isinstance(future.exception(), KilledWorker)


def _outcome(job: Job, future: Future) -> Outcome:
    """What the worker said, or what became of it."""
    error = None if future.status == "finished" else future.exception()
    if error is None:
        outcome: Outcome = future.result()
        return outcome
    if isinstance(error, ModuleNotFoundError):
        raise InputError(f"batch: the workers cannot import {error.name}; install ddspvae there, in the same version.")
    if isinstance(error, OSError):
        raise InputError(f"batch: a worker cannot write {job.log} ({error.strerror or error}); do the workers see the same "
                         "folders under the same paths?")
    reason = f"{type(error).__name__}: {error}"
    if _took_workers(future):
        reason = "it ended every worker that tried it, for want of memory perhaps."
    outcome = Outcome(job.name, job.key, LEFT_OUT, reason=reason)
    write_log(job, outcome)
    return outcome


def _threads(client: Client) -> int:
    """Cores of all workers; as the scheduler said not long ago."""
    return sum(int(worker["nthreads"]) for worker in client.scheduler_info(n_workers=-1)["workers"].values())


def _gone(client: Client) -> InputError:
    address = client.scheduler.address if client.scheduler is not None else "its address"
    return InputError(f"batch: the scheduler at {address} is gone; what is done stays done, and the same command goes on "
                      "from there once it is back.")
