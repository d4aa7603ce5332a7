"""The bitrate of z as the training knob."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass
class RateController:
    """Log-dual control: the price of a nat rises while z costs more than the target and falls below it.

    The target is ramped down from the free-running rate, because for a decoder that knows f0 and loudness
    any price that is there from the start teaches it to ignore z.

    Args:
        target_bits: bit/s to end at.
        price: loss per bit/s now.
        speed: change of log price per step and relative error.
        smooth_bits: running mean of the measured rate; 0 before the first step.
    """

    target_bits: float
    price: float = 1e-6
    speed: float = 2e-2
    smooth_bits: float = 0.0
    start_bits: float = 0.0

    def step(self, bits: float, progress: float) -> float:
        """Take this step's rate in bit/s and the training's progress 0 to 1; return the price to use."""
        self.smooth_bits = bits if self.smooth_bits == 0 else 0.95 * self.smooth_bits + 0.05 * bits
        if progress < 0.1:  # let z find its use first
            self.start_bits = max(self.smooth_bits, self.target_bits)
            return self.price
        ramp = min(1.0, (progress - 0.1) / 0.4)
        target = math.exp((1 - ramp) * math.log(self.start_bits) + ramp * math.log(self.target_bits)) \
            if self.start_bits else self.target_bits
        error = max(-1.0, min(1.0, (self.smooth_bits - target) / target))
        self.price = min(1e-1, max(1e-8, self.price * math.exp(self.speed * error)))
        return self.price

    def state(self) -> dict[str, float]:
        """For the checkpoint."""
        return dict(vars(self))
