"""Numba, where it is installed: loops over samples in Python, compiled once and kept on disk.

What is compiled here has a twin in torch that is differentiable, runs anywhere, and plays where there is no compiler.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])

try:
    import numba

    # as Python, these loops are thousands of times slower than torch
    HAS_COMPILER = not numba.config.DISABLE_JIT  # type: ignore[attr-defined]
except ImportError:  # pragma: no cover
    HAS_COMPILER = False

# sums keep their order, so that a block of any length gives the same samples
_SAFE = {"contract", "nsz", "arcp"}


def compiled(function: F) -> F:
    """Compile a function of numbers and arrays on its first call, and keep it beside the source or in the user's cache."""
    if not HAS_COMPILER:
        return function
    return numba.njit(cache=True, nogil=True, fastmath=_SAFE, error_model="numpy")(function)  # type: ignore[return-value]
