"""Where a host takes the memory of a virtual machine away, and gives each page back when it is touched: that it is near.

On some guests a page that nobody has touched for a second takes microseconds to touch, of which the guest's own system knows
nothing: the host has taken it away, as it looks from inside. A program that has rested for two seconds waits like that for
every page that it needs, and no player could be in time. To see what a program does by itself, another one reads a byte of
each of its pages ten times a second. It changes nothing in it.

    python benchmarks/near_memory.py          what a page costs here that was not touched for two seconds
    python benchmarks/near_memory.py PID ...  read the pages of these programs until they end (Linux)
"""

from __future__ import annotations

import ctypes
import mmap
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

import numpy as np
from numpy.typing import NDArray

EVERY_S = 0.1
LOOK_AGAIN_S = 2.0  # which pages there are
MOST_AT_ONCE = 1024  # by the system's rule
PRESENT = 63  # the bit in a page's entry
REST_S, N_PAGES = 2.0, 4096


def page_us(rest_s: float) -> float:
    """What touching a page takes, a rest after it was touched; microseconds, the median of five."""
    taken_s = []
    with mmap.mmap(-1, N_PAGES * mmap.PAGESIZE) as memory:
        pages = np.frombuffer(memory, np.uint8)[:: mmap.PAGESIZE]
        pages[:] = 1
        for _ in range(5):
            pages.sum()
            time.sleep(rest_s)
            began_s = time.perf_counter()
            pages.sum()
            taken_s.append(time.perf_counter() - began_s)
        del pages
    return 1e6 * float(np.median(taken_s)) / N_PAGES


def tell_host() -> str:
    """How this machine's memory behaves, in a sentence."""
    return (f"touching a page of memory takes {page_us(0):.2f} us, and {page_us(REST_S):.2f} us "
            f"if nobody has for {REST_S:g} s")


def present_pages(pid: int) -> NDArray[np.uint64]:
    """Addresses of the pages of a program that are in memory."""
    found = [np.zeros(0, np.uint64)]
    with open(f"/proc/{pid}/maps", encoding="utf-8") as areas, open(f"/proc/{pid}/pagemap", "rb", 0) as entries:
        for area in areas:
            span, rights = area.split()[:2]
            begin, end = (int(edge, 16) // mmap.PAGESIZE for edge in span.split("-"))
            if "r" not in rights or "[v" in area:  # the system's own
                continue
            entries.seek(8 * begin)
            entry = np.frombuffer(entries.read(8 * (end - begin)), np.uint64)
            here = np.flatnonzero(entry >> np.uint64(PRESENT)).astype(np.uint64)
            found.append((here + np.uint64(begin)) * np.uint64(mmap.PAGESIZE))
    return np.concatenate(found)


def read_pages(pids: Sequence[int]) -> None:
    """A byte of every page, again and again, until these programs have ended."""
    read = ctypes.CDLL(None).process_vm_readv
    address, count = ctypes.c_void_p, ctypes.c_ulong
    read.argtypes, read.restype = [ctypes.c_int, address, count, address, count, count], ctypes.c_ssize_t
    there = np.zeros(MOST_AT_ONCE, np.uint8)
    here = np.array([there.ctypes.data, MOST_AT_ONCE], np.uint64)
    places: dict[int, NDArray[np.uint64]] = {}
    looked_s = -LOOK_AGAIN_S
    while True:
        if time.monotonic() - looked_s > LOOK_AGAIN_S:
            places, looked_s = {}, time.monotonic()
            for pid in pids:
                with suppress(OSError):
                    pages = present_pages(pid)
                    places[pid] = np.stack([pages, np.ones_like(pages)], axis=1)
            if not any(map(len, places.values())):
                return
        for pid, rows in places.items():
            for at in range(0, len(rows), MOST_AT_ONCE):
                some = np.ascontiguousarray(rows[at : at + MOST_AT_ONCE])
                read(pid, here.ctypes.data, 1, some.ctypes.data, len(some), 0)
        time.sleep(EVERY_S)


@contextmanager
def kept_near(*pids: int) -> Iterator[None]:
    """Inside, the memory of these programs and of this one is near; without any, nothing is done."""
    if not pids:
        yield
        return
    command = [sys.executable, __file__, *map(str, pids), str(os.getpid())]
    with subprocess.Popen(["nice", "-n", "10", *command]) as reader:
        try:
            yield
        finally:
            reader.terminate()


if __name__ == "__main__":
    if sys.argv[1:]:
        with suppress(KeyboardInterrupt):
            read_pages(list(map(int, sys.argv[1:])))
    else:
        print(tell_host())
