"""How things that hold long arrays show themselves."""

from __future__ import annotations

from dataclasses import fields
from typing import Any


def short_repr(thing: Any) -> str:
    """A dataclass by its fields, arrays and tensors by shape and type.

    >>> from dataclasses import dataclass; import numpy as np
    >>> @dataclass(repr=False)
    ... class Take:
    ...     f0_hz: np.ndarray
    ...     rate: float
    ...     __repr__ = short_repr
    >>> Take(np.zeros((2000, 3), np.float32), 200.0)
    Take(f0_hz=[2000, 3] float32, rate=200.0)
    """
    said = ", ".join(f"{field.name}={_said(getattr(thing, field.name))}" for field in fields(thing) if field.repr)
    return f"{type(thing).__name__}({said})"


def _said(value: Any) -> str:
    shape = getattr(value, "shape", None)
    if shape is not None:
        return f"{list(shape)} {str(value.dtype).removeprefix('torch.')}"
    if isinstance(value, tuple) and len(value) > 8:
        return f"({value[0]!r}, ... {len(value)} in all)"
    return repr(value)
