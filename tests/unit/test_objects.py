"""Machine code that is kept on disk: made once, loaded without numba, and never trusted when it is damaged."""

from __future__ import annotations

import sys
from typing import NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from ddspvae.kernels import objects
from ddspvae.kernels.compiler import HAS_COMPILER, bind, compiled, ready_made

pytestmark = pytest.mark.skipif(not HAS_COMPILER or sys.platform != "linux", reason="numba on Linux is what it works with")


class Pair(NamedTuple):
    x: NDArray[np.float64]
    scale: float


@compiled
def _raised(x):
    return np.exp(x)


@ready_made
def _toy(pair, y, times, out):
    for row in range(len(out)):
        for i in range(out.shape[1]):
            out[row, i] = pair.scale * pair.x[i] + _raised(y[i]) * times


@ready_made
def _of_its_own(x, out):
    own = np.empty(len(x))
    own[:] = x
    out[:] = own


def play(kernel):
    x, y, out = np.linspace(0, 1, 7), np.linspace(-1, 1, 7, dtype=np.float32), np.zeros((2, 7))
    kernel(Pair(x, 2.5), y, 3, out)
    np.testing.assert_allclose(out, np.stack([2.5 * x + 3 * np.exp(y)] * 2), rtol=1e-7)


@pytest.fixture
def folder(monkeypatch, tmp_path):
    monkeypatch.setattr(objects, "_folders", lambda: [tmp_path])
    return tmp_path


def forget(monkeypatch, kernel, *, may_compile):
    monkeypatch.setattr(kernel, "_entries", {})
    if not may_compile:
        monkeypatch.setattr(kernel, "dispatcher", lambda **kept: pytest.fail("numba was asked"))


def test_what_is_made_once_is_loaded_and_what_is_damaged_is_made_anew(folder, monkeypatch):
    forget(monkeypatch, _toy, may_compile=True)
    play(_toy)
    kept, = folder.glob("*.object")
    with monkeypatch.context() as alone:
        forget(alone, _toy, may_compile=False)
        play(_toy)
    whole = kept.read_bytes()
    damaged = whole[:-9] + bytes([whole[-9] ^ 1]) + whole[-8:]
    kept.write_bytes(damaged)
    forget(monkeypatch, _toy, may_compile=True)
    play(_toy)
    assert kept.read_bytes() != damaged


def test_where_nothing_can_be_kept_or_made_numba_plays(folder, monkeypatch):
    monkeypatch.setattr(objects, "_folders", lambda: [folder / "a file"])
    (folder / "a file").touch()
    forget(monkeypatch, _toy, may_compile=True)
    play(_toy)
    assert [path.name for path in folder.iterdir()] == ["a file"]
    monkeypatch.setattr(objects, "_make", lambda *args: 1 / 0)
    forget(monkeypatch, _toy, may_compile=True)
    play(_toy)


@pytest.mark.slow
def test_a_function_with_arrays_of_its_own_is_left_to_numba(folder, monkeypatch):
    out = np.zeros(5)
    _of_its_own(np.arange(5.0), out)
    np.testing.assert_array_equal(out, np.arange(5.0))
    assert not list(folder.glob("*.object"))


def test_an_array_with_steps_is_left_to_numba(folder, monkeypatch):
    x, y, out = np.linspace(0, 1, 7), np.linspace(-1, 1, 14, dtype=np.float32)[::2], np.zeros((2, 7))
    _toy(Pair(x, 2.5), y, 3, out)
    np.testing.assert_allclose(out[1], 2.5 * x + 3 * np.exp(y), rtol=1e-7)


@pytest.mark.parametrize("is_kept", [True, False])
def test_what_is_bound_hears_what_its_arrays_hold_now(folder, monkeypatch, is_kept):
    forget(monkeypatch, _toy, may_compile=True)
    if not is_kept:
        monkeypatch.setattr(objects, "find_entry", lambda *_: None)
    x, y, out = np.zeros(7), np.zeros(7, np.float32), np.zeros((2, 7))
    loop = bind(_toy, Pair(x, 2.5), y, 3, out)
    for value in (1.0, 2.0):
        x[:], y[:] = value, value / 2
        loop()
        np.testing.assert_allclose(out, 2.5 * value + 3 * np.exp(value / 2), rtol=1e-7)
