"""Work on several cores comes back in order, with what it said, and an end of any worker is told."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import warnings

import pytest

from ddspvae import InputError
from ddspvae.signals.jobs import can_fork, in_order, tell

forking = pytest.mark.skipif(not can_fork(), reason="workers are forks, on Linux")


def square(number):
    time.sleep(0.02 * (5 - number))  # the first take longest
    tell(number)
    if number == 3:
        warnings.warn("three", UserWarning, stacklevel=2)
    return os.getpid(), number * number


@pytest.mark.parametrize("jobs", [1, pytest.param(3, marks=forking)])
def test_results_warnings_and_news_come_back(jobs):
    news = []
    with pytest.warns(UserWarning, match="three"):
        results = list(in_order(square, range(5), jobs, news.append))
    assert [value for _, value in results] == [0, 1, 4, 9, 16]
    assert sorted(news) == [0, 1, 2, 3, 4]
    assert (os.getpid() in {pid for pid, _ in results}) == (jobs == 1)


@forking
def test_an_error_is_raised_in_its_place():
    def fail_at_two(number):
        if number == 2:
            raise InputError("two: no.")
        return number

    got = []
    with pytest.raises(InputError, match=r"two: no\."):
        for value in in_order(fail_at_two, range(5), 2):
            got.append(value)
    assert got == [0, 1]


@forking
def test_a_killed_worker_is_told():
    def die(number):
        os.kill(os.getpid(), signal.SIGKILL)

    with pytest.raises(InputError, match="a worker was ended .*give --jobs 1"):
        list(in_order(die, range(3), 2))


@forking
def test_who_stops_early_leaves_no_worker():
    work = in_order(lambda number: time.sleep(60 * number), range(4), 4)
    assert next(work) is None
    before = time.monotonic()
    work.close()
    assert time.monotonic() - before < 5


WITH_POOLS = """
import numpy as np, torch
{before}
from ddspvae.signals.jobs import in_order

def work(number):
    import numba

    @numba.njit(parallel=True)
    def doubled(values):
        for index in numba.prange(len(values)):
            values[index] *= 2
        return values

    values = doubled(np.ones(1000) * number)
    return float(torch.from_numpy(values).repeat(10_000).cos().sum() + torch.hann_window(1_000_000).sum())

torch.ones(10_000_000).cos()  # the pool of OpenMP begins
print(len(list(in_order(work, range(2), 2))))
"""


@forking
@pytest.mark.parametrize("before", ["", "import numba"])
def test_pools_of_threads_before_the_fork_are_not_waited_for(before):
    """Torch's and numba's share one, which did not come along; numba sets its size anew when it begins."""
    pytest.importorskip("numba")
    program = [sys.executable, "-c", WITH_POOLS.format(before=before)]
    done = subprocess.run(program, check=False, capture_output=True, text=True, timeout=60,
                          env={**os.environ, "OMP_NUM_THREADS": "2", "NUMBA_NUM_THREADS": "2"})
    assert done.stdout == "2\n", done.stderr


WITH_A_JUDGE = """
import numba
import numpy as np
from ddspvae.evaluation.perceptual import judge
from ddspvae.signals.jobs import in_order

noise = np.random.default_rng(0).standard_normal(96_000).astype(np.float32) * 0.1
judge(noise, noise, 48_000)
print(len(list(in_order(lambda index: judge(noise, noise, 48_000), range(2), 2))))
"""


@forking
@pytest.mark.slow
def test_a_judge_that_was_asked_before_the_fork_answers_after_it():
    """ViSQOL's loops are numba's, in parallel, and OpenMP ends a fork that uses what it began before."""
    for module in ("numba", "zimtohrli", "visqol"):
        pytest.importorskip(module)
    left = {name: value for name, value in os.environ.items() if name != "NUMBA_THREADING_LAYER"}
    done = subprocess.run([sys.executable, "-c", WITH_A_JUDGE], check=False, capture_output=True, text=True, timeout=120,
                          env=left)
    assert done.stdout == "2\n", done.stderr
