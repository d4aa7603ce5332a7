"""In time: what a program that plays asks of the interpreter and of the system."""

from __future__ import annotations

import contextlib
import gc
import os
import sys
from collections.abc import Callable, Iterator

SWITCH_S = 0.0005  # how long another thread may keep the interpreter from the one that plays
PRIORITY = 20  # among real-time threads; sound servers have more


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Inside, no garbage is searched for, no thread keeps the interpreter for long, and where the system grants it, this
    thread, and those that it and the libraries start, go before all that need not be in time.

    That counts for all of them, since each holds the interpreter now and then, and who holds it must not be kept waiting.
    The collector would now and then walk through all that a compiler has left behind, for ten blocks and longer; playing
    leaves it nothing to find, since what a block makes is freed by counting.
    """
    before, collects = sys.getswitchinterval(), gc.isenabled()
    gc.collect()
    gc.disable()
    sys.setswitchinterval(SWITCH_S)
    calm = hurry(PRIORITY // 2)
    try:
        yield
    finally:
        calm()
        sys.setswitchinterval(before)
        if collects:
            gc.enable()


def hurry(priority: int) -> Callable[[], None]:
    """Real-time priority for this thread, where the system grants it; what takes it back."""
    try:
        before = os.sched_getscheduler(0), os.sched_getparam(0)
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(priority))
    except (AttributeError, OSError):  # not Linux, or not granted
        return lambda: None
    return lambda: os.sched_setscheduler(0, *before)
