"""Numba, where it is installed: loops over samples in Python, compiled once and kept on disk.

What is compiled here has a twin in torch that is differentiable, runs anywhere, and plays where there is no compiler.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])

# as Python, these loops are thousands of times slower than torch
HAS_COMPILER = find_spec("numba") is not None and os.environ.get("NUMBA_DISABLE_JIT", "0") == "0"

# sums keep their order, so that a block of any length gives the same samples
_SAFE = {"contract", "nsz", "arcp"}


def compiled(function: F) -> F:
    """Compile a function of numbers and arrays on its first call, and keep it beside the source or in the user's cache."""
    return _compile(function, _SAFE)


def compiled_in_any_order(function: F) -> F:
    """As `compiled`, for sums over arrays of one size, whose order may be what is fastest."""
    return _compile(function, {*_SAFE, "reassoc"})


def _compile(function: F, liberties: set[str]) -> F:
    if not HAS_COMPILER:
        return function
    import numba

    options: dict[str, Any] = {"nogil": True, "fastmath": liberties, "error_model": "numpy"}
    try:
        return numba.njit(cache=True, **options)(function)  # type: ignore[no-any-return]
    except RuntimeError:  # neither the package's folder nor the user's cache can be written
        return numba.njit(**options)(function)  # type: ignore[no-any-return]
