"""The reader that keeps a program's memory near: it finds what is there, and ends with the program."""

from __future__ import annotations

import mmap
import os
import subprocess
import sys

import numpy as np
import pytest

from benchmarks.near_memory import present_pages, read_pages

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="pages are read as Linux has it")


def test_pages_are_found_where_they_are_in_memory():
    with mmap.mmap(-1, 16 * mmap.PAGESIZE) as memory:
        numbers = np.frombuffer(memory, np.uint8)
        touched = [0, 3, 15]
        numbers[[page * mmap.PAGESIZE for page in touched]] = 1
        first = numbers.ctypes.data
        found = set(present_pages(os.getpid()).tolist())
        assert [page for page in range(16) if first + page * mmap.PAGESIZE in found] == touched
        del numbers


def test_reading_ends_with_the_program(monkeypatch):
    monkeypatch.setattr("benchmarks.near_memory.LOOK_AGAIN_S", 0.0)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as program:
        assert len(present_pages(program.pid))
        program.communicate(b"\n", timeout=10)
        read_pages([program.pid])
