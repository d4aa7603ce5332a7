"""Numba, where it is installed: loops over samples in Python, compiled once and kept on disk.

What is compiled here has a twin in torch that is differentiable, runs anywhere, and plays where there is no compiler.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from types import FunctionType
from typing import TYPE_CHECKING, Any, cast

import numpy as np

if TYPE_CHECKING:
    from ddspvae.kernels.objects import Entry

# as Python, these loops are thousands of times slower than torch
HAS_COMPILER = find_spec("numba") is not None and os.environ.get("NUMBA_DISABLE_JIT", "0") == "0"

# sums keep their order, so that a block of any length gives the same samples
_SAFE = {"contract", "nsz", "arcp"}
_ANY_ORDER = {*_SAFE, "reassoc"}


class Compiled:
    """A function of numbers and arrays that numba compiles on its first call, and keeps beside the source or in its cache.

    Args:
        function: written in what numba knows; other compiled functions that it names are called as such.
        liberties: with floating point, by LLVM's names.
        inline: "always" writes it out where it is called, by numba's word.
    """

    def __init__(self, function: FunctionType, liberties: set[str], inline: str = "never") -> None:
        self.function, self.liberties, self.inline = function, liberties, inline
        self._dispatchers: dict[bool, Any] = {}

    def dispatcher(self, *, kept: bool) -> Any:
        """Of numba, which is loaded here and not before; kept on disk or not."""
        if kept not in self._dispatchers:
            import numba

            bound = self.bound(kept=kept)
            options: dict[str, Any] = {"nogil": True, "fastmath": self.liberties, "error_model": "numpy",
                                       "inline": self.inline}
            try:
                self._dispatchers[kept] = numba.njit(cache=kept, **options)(bound)
            except RuntimeError:  # neither the package's folder nor the user's cache can be written
                self._dispatchers[kept] = numba.njit(**options)(bound)
        return self._dispatchers[kept]

    def bound(self, *, kept: bool) -> FunctionType:
        """The function, with numba's in the place of those that it names."""
        known = {name: value.dispatcher(kept=kept) if isinstance(value, Compiled) else value
                 for name, value in self.function.__globals__.items()
                 if name in self.function.__code__.co_names or name.startswith("__")}
        bound = FunctionType(self.function.__code__, known, self.function.__name__, self.function.__defaults__)
        bound.__module__, bound.__qualname__ = self.function.__module__, self.function.__qualname__
        return bound

    def __call__(self, *args: Any) -> Any:
        return self.dispatcher(kept=True)(*args)


class ReadyMade(Compiled):
    """As `Compiled`, and what is compiled is kept as machine code that is loaded without numba, whose start takes longer.

    The function returns nothing, makes no arrays, and is given none that overlap.
    """

    def __init__(self, function: FunctionType, liberties: set[str]) -> None:
        super().__init__(function, liberties)
        self._entries: dict[tuple[Any, ...], Entry | None] = {}

    def __call__(self, *args: Any) -> None:
        entry, values = self._prepare(args)
        if entry is None:
            self.dispatcher(kept=True)(*args)
        else:
            _run(entry.freely, values)

    def bind(self, *args: Any) -> Callable[[], None]:
        """The function of these arrays, whatever they hold when it is called: to look at them takes longer than to loop."""
        entry, values = self._prepare(args)
        if entry is None:
            return partial(self.dispatcher(kept=True), *args)
        return _Bound(entry.alone, values, args)

    def _prepare(self, args: tuple[Any, ...]) -> tuple[Entry | None, list[Any]]:
        """What is called, None if that is numba's; and what it is given."""
        spec: list[Any] = []
        values: list[Any] = []
        for arg in args:
            if isinstance(arg, tuple):
                spec.append(type(arg))
                for field in arg:
                    _add(field, spec, values)
            else:
                _add(arg, spec, values)
        key = tuple(spec)
        if None in spec:  # an array that is not contiguous
            return None, values
        if key not in self._entries:
            from ddspvae.kernels.objects import find_entry

            self._entries[key] = find_entry(self.function, self.liberties, partial(self.dispatcher, kept=False), key)
        return self._entries[key], values


def _run(entry: Callable[..., int], values: list[Any]) -> None:
    nothing = ctypes.c_int64()  # where numba puts what is returned, and what is raised
    failed = entry(ctypes.byref(nothing), ctypes.byref(nothing), *values)
    assert failed in (0, -2), "a compiled loop failed"  # -2: it returned None


class _Bound:
    """Machine code and what it is given, whose arrays live as long; short, so other threads wait."""

    def __init__(self, entry: Callable[..., int], values: list[Any], arrays: tuple[Any, ...]) -> None:
        self._entry, self._values, self._arrays = entry, values, arrays

    def __call__(self) -> None:
        _run(self._entry, self._values)


def bind(function: Callable[..., None], *args: Any) -> Callable[[], None]:
    """A function that is `ready_made`, and what it is given each time; as it is where there is no compiler."""
    return function.bind(*args) if isinstance(function, ReadyMade) else partial(function, *args)


def _add(value: Any, spec: list[Any], values: list[Any]) -> None:
    """What kind of argument it is: the type and the axes of an array, or the type of a number; and what is passed of it."""
    if isinstance(value, np.ndarray):
        spec.append((value.dtype.char, value.ndim) if value.flags.c_contiguous else None)
        values.append(value.__array_interface__["data"][0])
        values.extend(value.shape)
    elif isinstance(value, (bool, int, np.integer)):
        spec.append(("q", 0))
        values.append(int(value))
    elif isinstance(value, np.float32):
        spec.append(("f", 0))
        values.append(float(value))
    else:
        spec.append(("d", 0))
        values.append(float(value))


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Have a function compiled where there is a compiler."""
    return Compiled(cast(FunctionType, function), _SAFE) if HAS_COMPILER else function


def compiled_in_place(function: Callable[..., Any]) -> Callable[..., Any]:
    """As `compiled`, and written out wherever it is called, where it is known which arrays do not overlap."""
    return Compiled(cast(FunctionType, function), _SAFE, "always") if HAS_COMPILER else function


def compiled_in_any_order(function: Callable[..., Any]) -> Callable[..., Any]:
    """As `compiled`, for sums over arrays of one size, whose order may be what is fastest."""
    return Compiled(cast(FunctionType, function), _ANY_ORDER) if HAS_COMPILER else function


def ready_made(function: Callable[..., Any]) -> Callable[..., Any]:
    """As `compiled`, and loaded without numba; see `ReadyMade` for what it may do."""
    return ReadyMade(cast(FunctionType, function), _SAFE) if HAS_COMPILER else function


def ready_made_in_any_order(function: Callable[..., Any]) -> Callable[..., Any]:
    """As `ready_made`, with sums as in `compiled_in_any_order`."""
    return ReadyMade(cast(FunctionType, function), _ANY_ORDER) if HAS_COMPILER else function


def ready_made_as_written(function: Callable[..., Any]) -> Callable[..., Any]:
    """As `ready_made`, every operation rounded by itself, for what is looked up in a table by what comes out."""
    return ReadyMade(cast(FunctionType, function), set()) if HAS_COMPILER else function
