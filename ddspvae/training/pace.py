"""Half precision where a device gains by it, which is measured on it, and compiled networks where they are asked for.

Weights, their averages and the optimizer stay in single precision; what is multiplied by matrices is rounded to bfloat16.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from torch import nn

from ddspvae.model.stack import GatedStack
from ddspvae.signals.checks import check_choice

PRECISIONS = ("auto", "float32", "bfloat16")
TRIES = 5  # of each way, of which the quickest counts
LEAST_GAIN = 1.1  # times as quick, or the plain way stays


@dataclass(frozen=True)
class Pace:
    """How a step is computed.

    Args:
        is_half: whether products are in bfloat16.
    """

    is_half: bool = False

    def on(self, device: torch.device) -> AbstractContextManager[object]:
        """What a loss is computed in."""
        return torch.autocast(device.type, torch.bfloat16) if self.is_half else nullcontext()


PLAIN = Pace()


def choose_pace(precision: str, device: torch.device, attempt: Callable[[Pace], None] = lambda pace: None) -> Pace:
    """The quickest way of those that the device may gain by.

    Args:
        precision: "float32" and "bfloat16" are what they say; "auto" measures on a GPU, and is float32 on a CPU, which
            gains by neither.
        device: to compute on.
        attempt: computes a loss and its gradients in one of the ways.
    Raises:
        InputError: an unknown precision.
    """
    check_choice("train", "precision", precision, PRECISIONS)
    if precision != "auto":
        return Pace(is_half=precision == "bfloat16")
    if device.type != "cuda":
        return PLAIN
    return quickest((PLAIN, Pace(is_half=True)), attempt, device)


def quickest(ways: tuple[Pace, ...], attempt: Callable[[Pace], None], device: torch.device) -> Pace:
    """The first of some ways, unless another one is quicker by a tenth."""
    took = []
    for way in ways:
        seconds = []
        for _ in range(TRIES + 1):  # the first warms up
            began = time.perf_counter()
            attempt(way)
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            seconds.append(time.perf_counter() - began)
        took.append(min(seconds[1:]))
    best = min(range(len(ways)), key=lambda index: took[index])
    return ways[best] if took[best] * LEAST_GAIN < took[0] else ways[0]


def compile_stacks(model: nn.Module) -> None:
    """Compile what takes most of a step, in place: the names of the weights stay."""
    for part in model.modules():
        if isinstance(part, GatedStack):
            part.compile()
