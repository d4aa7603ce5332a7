"""Several processes that train one model: started by torchrun, which tells each its number."""

from __future__ import annotations

import datetime
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import nn

from ddspvae.model.together import Share
from ddspvae.signals.checks import InputError

LONGEST_WAIT = datetime.timedelta(hours=48)  # for the first process to listen to a corpus
LOST = re.compile(r"gloo|nccl|connection (closed|reset|refused)|peer|broken pipe|timed? ?out|socket", re.IGNORECASE)


def rank_here() -> int:
    """The number of this process, 0 for one alone; needs nothing of torch, and is known before the processes meet."""
    return int(os.environ.get("RANK", "0")) if int(os.environ.get("WORLD_SIZE", "1")) > 1 else 0


@dataclass(frozen=True)
class Processes:
    """Those that train together.

    Args:
        rank: of this one.
        count: of all.
    """

    rank: int = 0
    count: int = 1

    @property
    def leads(self) -> bool:
        """Whether this one validates, writes and speaks."""
        return self.rank == 0

    @property
    def share(self) -> Share | None:
        """Of each batch; None where one process has it all."""
        return Share(self.rank, self.count) if self.count > 1 else None

    def agree(self, value: Any) -> Any:
        """What the leading process has, on all."""
        if self.count == 1:
            return value
        kept = [value]
        dist.broadcast_object_list(kept, src=0)
        return kept[0]

    def agree_number(self, value: float, device: torch.device) -> float:
        """The same for a number, quicker."""
        if self.count == 1:
            return value
        number = torch.tensor(value, dtype=torch.float64 if device.type == "cpu" else torch.float32, device=device)
        dist.broadcast(number, src=0)
        return float(number)

    def wait(self) -> None:
        """Until all are here."""
        if self.count > 1:
            self.agree(None)

    @torch.no_grad()
    def align(self, model: nn.Module) -> None:
        """Give all the leading process's weights, to the last bit."""
        for tensor in (*model.parameters(), *model.buffers()) if self.count > 1 else ():
            dist.broadcast(tensor, src=0)


@contextmanager
def joined(device: torch.device) -> Iterator[Processes]:
    """The processes that torchrun has started, met for as long as the `with` block lasts; one alone without it.

    Raises:
        InputError: another process of the run has ended.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield Processes()
        return
    if device.type == "cuda":
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=LONGEST_WAIT)
    processes = Processes(dist.get_rank(), dist.get_world_size())
    try:
        yield processes
    except RuntimeError as error:  # torch has no kind of its own for what gloo says
        if isinstance(error, InputError) or not LOST.search(str(error)):
            raise
        raise InputError(f"train: another process of this run has ended (process {processes.rank} of {processes.count} no "
                         "longer hears it); the same command goes on from the last state that was saved.") from error
    finally:
        dist.destroy_process_group()


class Shared(nn.Module):
    """A loss as a module, for DistributedDataParallel to average the gradients of what it is made of."""

    def __init__(self, model: nn.Module, loss: Any) -> None:
        super().__init__()
        self.model, self.loss = model, loss

    def forward(self, batch: Any) -> Any:
        """What the loss gives."""
        return self.loss(batch)


def in_parallel(model: nn.Module, loss: Any, device: torch.device) -> nn.Module:
    """The loss, whose gradients are means over the processes; what has a part in it must be the same in every step.

    Source: Li et al., "PyTorch Distributed", VLDB 2020.
    """
    return nn.parallel.DistributedDataParallel(
        Shared(model, loss), device_ids=[device.index] if device.type == "cuda" else None, broadcast_buffers=False,
        gradient_as_bucket_view=True, static_graph=True)
