"""Where jobs run: a local cluster of this machine's cores, or a scheduler that is there already."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ddspvae.signals.checks import InputError, check_range
from ddspvae.signals.jobs import cores

if TYPE_CHECKING:
    from distributed import Client

ANSWER_S = 10.0  # for a scheduler to answer
WORKERS_S = 60.0  # for the first worker to come
# small kernels: threads beside each other would spin, and each worker is one core's worth
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1",
              "OMP_WAIT_POLICY": "PASSIVE"}


@contextlib.contextmanager
def open_cluster(scheduler: str | None = None, workers: int | None = None) -> Iterator[Client]:
    """A client of a Dask cluster, for as long as the `with` block lasts.

    Args:
        scheduler: the address of a running one, such as tcp://host:8786, whose workers have this package and see the same
            files under the same paths; None starts one on this machine.
        workers: processes of the local cluster; None is one a core.
    Raises:
        InputError: Dask is not installed, the address is none, nobody answers there, or no worker comes.
    """
    try:
        import dask
        from distributed import Client, LocalCluster
    except ImportError as error:
        raise InputError("batch: Dask distributed is not installed; pip install 'ddspvae[batch]'.") from error
    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # a worker that is gone is told in our own words
    with contextlib.ExitStack() as stack:
        stack.enter_context(dask.config.set({
            "distributed.comm.timeouts.connect": f"{ANSWER_S:g}s", "distributed.nanny.pre-spawn-environ": ONE_THREAD,
            # on a busy machine a new worker may take longer than the 15 s after which the cluster would do without it
            "distributed.deploy.lost-worker-timeout": "1h", "distributed.scheduler.worker-saturation": 1.0,
            "distributed.scheduler.allowed-failures": 1}))
        if scheduler is not None:
            client = _reach(scheduler, stack)
        else:
            if workers is not None:
                check_range("batch", "workers", workers, 1, 1024)
            cluster = stack.enter_context(LocalCluster(
                n_workers=workers or cores(), threads_per_worker=1, processes=True, dashboard_address=None,
                silence_logs=logging.CRITICAL))
            client = stack.enter_context(Client(cluster))
        try:
            client.wait_for_workers(1, timeout=WORKERS_S)
        except TimeoutError as error:
            raise InputError(f"batch: no worker came to {scheduler or 'the local cluster'} in {WORKERS_S:.0f} s; start one "
                             f"with dask worker {scheduler or 'ADDRESS'}.") from error
        yield client


def _reach(scheduler: str, stack: contextlib.ExitStack) -> Client:
    from distributed import Client

    try:
        return stack.enter_context(Client(scheduler, timeout=ANSWER_S))
    except (OSError, TimeoutError) as error:
        raise InputError(f"batch: no scheduler answers at {scheduler}; start one with dask scheduler, or leave --scheduler "
                         "out to work on this machine.") from error
    except (ValueError, TypeError) as error:
        raise InputError(f"batch: --scheduler must look like tcp://host:8786, got '{scheduler}'.") from error
