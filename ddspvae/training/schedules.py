"""What a controller of the bitrate of z is, and those that only follow a schedule.

Every controller answers one question a step: what does this batch's z cost? The answer goes into the loss. Prices
are in loss per bit/s, so that they mean the same whatever the rate of the rows or the number of axes, and everything
that takes time takes a share of the run, so that 300 steps and 20000 are steered alike.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from ddspvae.signals.checks import check_range, check_shape

SEARCH_SHARE = 0.1  # of the run, free of charge: let z find its use first
RAMP_SHARE = 0.4  # of the run, after that: the target comes down from the free-running rate
SMOOTH_SHARE = 0.01  # of the run: running mean of the rate
SMOOTH_STEPS = (4.0, 100.0)  # at least a few batches, which differ by 20 %; at most what a network moves in
LATE_SMOOTHING = 2.0  # times as long a mean at the end, when the network hardly moves
RUN_STEPS = (100.0, 100_000.0)  # what a run is taken for
UNKNOWN_STEPS = 2000.0  # while progress stands still


@dataclass
class Controller:
    """Keeps a running mean of the rate of z and says what a batch's rate costs.

    Args:
        target_bits: bit/s asked for, 1 to 1e6; may be changed during a run.
        price: loss per bit/s charged in the last step, <= 0 where more bits are wanted.
        smooth_bits: running mean of the measured rate, bit/s.
        start_bits: the free-running rate, or the target where that is higher, bit/s; 0 before the first step.
        aim_bits: the rate to hold in the last step, bit/s.
        steps: calls so far.
        first_progress: progress at the first call.
    Raises:
        InputError: target_bits is out of range.
    """

    target_bits: float
    price: float = 0.0
    smooth_bits: float = 0.0
    start_bits: float = 0.0
    aim_bits: float = 0.0
    steps: int = 0
    first_progress: float = 0.0
    name: ClassVar[str] = ""

    def __post_init__(self) -> None:
        check_range("make_controller", "target_bits", self.target_bits, 1, 1e6)

    def cost(self, bits: Tensor, progress: float) -> Tensor:
        """Take this step's rate, once a step; return what to add to the loss.

        A step whose rate is not finite costs nothing and changes nothing.

        Args:
            bits: [Z], bit/s of each axis of this batch, with its gradient.
            progress: share of the run that is over, 0 to 1.
        Returns:
            scalar, differentiable in bits.
        """
        check_shape("cost", "bits", bits.shape, None)
        measured = float(bits.detach().sum())
        if not math.isfinite(measured):
            return bits.new_zeros(())
        if self.steps == 0:
            self.first_progress = progress
        self.steps += 1
        # a plain mean of the few there are, then an exponential one
        self.smooth_bits += (measured - self.smooth_bits) / min(float(self.steps), self._smooth_steps(progress))
        if progress < SEARCH_SHARE or not self.start_bits:
            self.start_bits = max(self.smooth_bits, self.target_bits)
        self.aim_bits = self.aim(progress)
        self.price = self.next_price(progress)
        return self.charge(bits)

    def next_price(self, progress: float) -> float:
        """Loss per bit/s for this step, from the progress, the running mean and the aim, which are up to date."""
        raise NotImplementedError

    def charge(self, bits: Tensor) -> Tensor:
        """What bits [Z] cost at the price of this step, a scalar."""
        return self.price * bits.sum()

    def aim(self, progress: float) -> float:
        """The rate to hold now, bit/s: down from the free-running one in equal ratios, then the target.

        For a decoder that knows f0 and loudness, any price that is there from the start teaches it to ignore z.
        """
        if not self.start_bits:
            return self.target_bits
        left = 1 - min(1.0, max(0.0, (progress - SEARCH_SHARE) / RAMP_SHARE))
        return self.target_bits * (self.start_bits / self.target_bits) ** left

    def run_steps(self, progress: float) -> float:
        """How many steps the whole run will have, from how far those so far came."""
        moved = progress - self.first_progress
        if moved <= 0 or self.steps < 2:
            return UNKNOWN_STEPS
        return min(RUN_STEPS[1], max(RUN_STEPS[0], (self.steps - 1) / moved))

    def state(self) -> dict[str, float | str]:
        """For the checkpoint: `make_controller(name, target_bits, **state)` goes on where this one was."""
        return {key: value for key, value in vars(self).items() if key != "target_bits"}

    def _smooth_steps(self, progress: float) -> float:
        steps = min(SMOOTH_STEPS[1], max(SMOOTH_STEPS[0], SMOOTH_SHARE * self.run_steps(progress)))
        return steps * (1 + (LATE_SMOOTHING - 1) * lateness(progress))


def lateness(progress: float) -> float:
    """0 until the ramp is over, then up to 1 at the end of the run."""
    over = SEARCH_SHARE + RAMP_SHARE
    return min(1.0, max(0.0, (progress - over) / (1 - over)))


@dataclass
class Beta(Controller):
    """A constant price; what bitrate comes out is found by trying.

    Args:
        top_price: loss per bit/s.
    Source: Higgins et al., "beta-VAE", ICLR 2017; the price of a nat per row is top_price * rows/s / ln 2.
    """

    top_price: float = 3e-4
    name: ClassVar[str] = "beta"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range("make_controller", "top_price", self.top_price, 1e-12, 1e6)

    def next_price(self, progress: float) -> float:
        return self.top_price


@dataclass
class Linear(Beta):
    """A price that rises in a straight line over the first half of the run."""

    name: ClassVar[str] = "linear"

    def next_price(self, progress: float) -> float:
        return self.top_price * min(1.0, progress / (SEARCH_SHARE + RAMP_SHARE))


@dataclass
class LogLinear(Beta):
    """A price that rises by equal ratios over the first half of the run, from a ten-thousandth.

    Source: Caillon & Esling, "RAVE", 2021, and its later configurations.
    """

    name: ClassVar[str] = "log-linear"

    def next_price(self, progress: float) -> float:
        left = 1 - min(1.0, progress / (SEARCH_SHARE + RAMP_SHARE))
        return float(self.top_price * 1e-4**left)


@dataclass
class Cyclical(Beta):
    """Four times from nothing up to the price in half a cycle, and held for the other half.

    Source: Fu et al., "Cyclical annealing schedule", NAACL 2019.
    """

    name: ClassVar[str] = "cyclical"

    def next_price(self, progress: float) -> float:
        cycle = (4 * progress) % 1.0 if progress < 1 else 1.0
        return self.top_price * min(1.0, 2 * cycle)


@dataclass
class FreeBits(Beta):
    """A constant price for what an axis costs beyond its share of the target, which is free.

    The mean over the batch is taken before the maximum, or quiet rows would bias it.

    Source: Kingma et al., "Inverse autoregressive flow", NIPS 2016, section on free bits.
    """

    top_price: float = 3e-3
    name: ClassVar[str] = "free-bits"

    def charge(self, bits: Tensor) -> Tensor:
        return self.price * bits.clamp(min=self.target_bits / len(bits)).sum()
