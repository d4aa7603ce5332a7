"""A batch that several processes share: what must not depend on how it is shared.

Each process has some rows of the batch. Gradients are averaged over the processes, so a mean over the whole batch comes out
right if each divides its sum by the mean over the processes of their counts, and noise is the same for a row wherever it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Share:
    """Which rows of a batch this process has: those of its rank, of as many equal shares as there are processes."""

    rank: int
    count: int

    def rows(self, n: int) -> range:
        """Of a batch of n, where `count` divides n."""
        return range(self.rank * n // self.count, (self.rank + 1) * n // self.count)


_share: ContextVar[Share | None] = ContextVar("_share", default=None)


@contextmanager
def sharing(share: Share | None) -> Iterator[None]:
    """Inside, batches are shared; every process must come to the same `mean_over_processes` in the same order."""
    token = _share.set(share)
    try:
        yield
    finally:
        _share.reset(token)


def mean_over_processes(value: Tensor) -> Tensor:
    """Of a number that needs no gradient; as it is where nothing is shared."""
    share = _share.get()
    if share is None:
        return value
    total = value.detach().clone()
    torch.distributed.all_reduce(total)
    return total / share.count


def count_together(n_here: int) -> int:
    """Of what each process has as many of as this one: how many they are in the whole batch."""
    share = _share.get()
    return n_here if share is None else n_here * share.count


def draw_normal(shape: Sequence[int], like: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Normal noise [B, ...] for this process's rows of the batch, as it would be were they all here."""
    share = _share.get()
    rows, total = (slice(None), shape[0]) if share is None else (slice(*_ends(share, shape[0])), shape[0] * share.count)
    return torch.randn((total, *shape[1:]), generator=generator, device=like.device, dtype=like.dtype)[rows]


def _ends(share: Share, n_here: int) -> tuple[int, int]:
    return share.rank * n_here, (share.rank + 1) * n_here
