"""Sound is reckoned in single precision or better, whatever the tensors that ask for it come in."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import Tensor

HALVES = (torch.bfloat16, torch.float16)
F = TypeVar("F", bound=Callable[..., Any])


def in_single_precision(function: F) -> F:
    """Let a function of tensors see half precision as single, and nothing of `torch.autocast`.

    A phase in half precision is wrong by cycles within a second, and tables in it are noise 50 dB down.
    """
    @functools.wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        def raised(value: Any) -> Any:
            return value.float() if isinstance(value, Tensor) and value.dtype in HALVES else value

        device = next((value.device.type for value in args if isinstance(value, Tensor)), "cpu")
        with torch.autocast(device, enabled=False):
            return function(*map(raised, args), **{name: raised(value) for name, value in kwargs.items()})

    return wrapped  # type: ignore[return-value]
