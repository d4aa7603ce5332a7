"""Work on several cores comes back in order, with what it said, and an end of any worker is told."""

from __future__ import annotations

import os
import signal
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
