"""Stages of work in threads of their own."""

import threading

import pytest

from ddspvae.signals.ahead import ahead, in_stages


def test_pieces_come_in_order_and_no_thread_stays():
    before = threading.active_count()
    assert list(ahead(iter(range(100)))) == list(range(100))
    assert threading.active_count() == before


def test_no_more_than_a_few_are_made_ahead():
    made = []

    def pieces():
        for number in range(100):
            made.append(number)
            yield number

    taken = ahead(pieces())
    assert next(taken) == 0
    taken.close()
    assert len(made) < 6


def test_what_the_pieces_raise_is_raised_after_those_before_it():
    def pieces():
        yield 1
        raise ValueError("the second")

    taken = ahead(pieces())
    assert next(taken) == 1
    with pytest.raises(ValueError, match="the second"):
        next(taken)


def test_who_takes_no_more_ends_all_threads():
    before = threading.active_count()
    stages = (lambda numbers: (2 * n for n in numbers)), (lambda numbers: (n + 1 for n in numbers))
    doubled = in_stages(iter(range(10**6)), *stages, n_cores=2)
    assert [next(doubled) for _ in range(3)] == [1, 3, 5]
    doubled.close()
    for thread in threading.enumerate():
        if thread is not threading.current_thread():
            thread.join(2)
    assert threading.active_count() == before
