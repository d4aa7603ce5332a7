"""Sounds in blocks: cut evenly, and with what lies around."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain

import numpy as np
from numpy.typing import NDArray


def even_blocks(blocks: Iterable[NDArray], size: int) -> Iterator[NDArray]:
    """The same sound in blocks of `size` samples, the last one shorter: what follows never depends on how it came."""
    held: list[NDArray] = []
    missing = size
    for block in blocks:
        rest = block
        while rest.shape[-1] >= missing:
            yield np.concatenate([*held, rest[..., :missing]], axis=-1)
            held, rest, missing = [], rest[..., missing:], size
        if rest.shape[-1]:
            held.append(rest)
            missing -= rest.shape[-1]
    if held:
        yield np.concatenate(held, axis=-1)


def with_context(blocks: Iterable[NDArray], size: int, reach: int) -> Iterator[tuple[NDArray, int, int]]:
    """Even blocks, each with the `reach` samples before and after it (reach <= size), and where in that it lies."""
    even = even_blocks(blocks, size)
    block = next(even, None)
    if block is None:
        return
    before = block[..., :0]
    for after in chain(even, [before]):
        around = np.concatenate([before, block, after[..., :reach]], axis=-1)
        yield around, before.shape[-1], before.shape[-1] + block.shape[-1]
        before, block = block[..., -reach:], after
