"""The bitrate of z as the training knob: controllers that hold it where it was asked for."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar

from torch import Tensor

from ddspvae.signals.checks import check_choice, check_range
from ddspvae.signals.registry import Registry
from ddspvae.training.schedules import (
    SEARCH_SHARE,
    Beta,
    Controller,
    Cyclical,
    FreeBits,
    Linear,
    LogLinear,
    lateness,
)

START_PRICE = 1e-6  # loss per bit/s: next to nothing for a loss of order 1
PRICE_RANGE = (1e-10, 1e-1)
DEAD_BAND = 0.005  # of the target: less is noise
TOP_SPEED = 45.0  # log price a run: fast enough to cross the range in the ramp, too slow to outrun the network
TOP_PACE = 150.0  # log price a run and log ratio of rate to aim
# The least pace p: batches that differ by s shake the rate by s^2 p / (2 steps), and it lags d / p behind a
# network that still drifts by d log price a run; with s = 0.2 and d = 0.7 the sum of squares is least at p = 3.7 steps^(1/3)
LEAST_PACE = 4.0  # * steps ** (1/3)
PULL_BELOW = 0.05  # of the target: nearer, the price alone will do
PULL_SPEED = 30.0  # log pull a run for a rate of nothing
PACE_GROWTH = 10.0  # log pace a run
PACE_CUT = 0.5  # at each crossing
LATE = 0.4  # of pace and lead at the end of the run, when little but noise is left to follow
LEAD = 4.0  # log price now per log ratio of rate to target: damps what the integral alone would swing
LEAD_LIMIT = 0.5  # log ratio: a rate that is far off is left to the integral


@dataclass
class LogDual(Controller):
    """The default. The log of the price rises while z costs more than the aim and falls while it costs less.

    The aim comes down from the free-running rate. How fast the price follows finds itself: the pace grows
    while the rate stays on one side of the aim and is cut each time it crosses, because the same change of price
    moves a rate of 100 bit/s by half and one of 2000 by a twentieth. Below the target a pull grows in the same way
    and pays for bits, since a price that falls to nothing does not wake a z that the decoder has learned to ignore.

    Args:
        dual: the integrated price, loss per bit/s.
        pull: what is paid per bit/s for a rate of nothing.
        pace: change of log dual per run and log error.
        side: of the aim, 1 above, -1 below, 0 before the first step that counts.
    Source: Rezende & Viola, "Taming VAEs", 2018 (the dual in its logarithm); Kesten, "Accelerated stochastic
        approximation", 1958 (steps cut at crossings).
    """

    dual: float = START_PRICE
    pull: float = START_PRICE
    pace: float = 40.0
    side: float = 0.0
    name: ClassVar[str] = "log-dual"

    def next_price(self, progress: float) -> float:
        if progress < SEARCH_SHARE:
            return self.dual
        steps = self.run_steps(progress)
        share = 1 / steps
        late = 1 - (1 - LATE) * lateness(progress)
        error = math.log(max(self.smooth_bits, 1e-3) / self.aim_bits)
        shortfall = max(0.0, 1 - PULL_BELOW - self.smooth_bits / self.target_bits)
        if abs(error) > DEAD_BAND:
            side = math.copysign(1.0, error)
            factor = PACE_CUT if side * self.side < 0 else math.exp(PACE_GROWTH * share)
            self.pace = _clip(self.pace * factor, min(TOP_PACE, LEAST_PACE * steps ** (1 / 3)), TOP_PACE)
            self.side = side
            speed = _clip(self.pace * error, -TOP_SPEED, TOP_SPEED) * late
            self.dual = _clip(self.dual * math.exp(speed * share), *PRICE_RANGE)
        if shortfall:
            self.pull = _clip(max(self.pull, self.dual) * math.exp(PULL_SPEED * shortfall * share), *PRICE_RANGE)
        else:
            self.pull = _clip(self.pull * math.exp(-TOP_SPEED * share), *PRICE_RANGE)
        return self.dual * math.exp(LEAD * late * _clip(error, -LEAD_LIMIT, LEAD_LIMIT)) - self.pull * shortfall


@dataclass
class Squared(Controller):
    """A squared distance from the aim.

    Pulls from both sides, but vanishes at the target: the rate stays off it by the share price / (2 * weight), where
    price is what would hold it. Right for thousands of bits, wrong for a slow timbre.

    Args:
        weight: loss per bit/s; half the price at twice the aim.
    Source: Seetharaman & Kumar's target bitrate, relative to the aim: weight * aim * ((rate - aim) / aim)^2.
    """

    weight: float = 3e-3
    name: ClassVar[str] = "squared"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range("make_controller", "weight", self.weight, 1e-12, 1e6)

    def next_price(self, progress: float) -> float:
        return 0.0 if progress < SEARCH_SHARE else 2 * self.weight * (self.smooth_bits / self.aim_bits - 1)

    def charge(self, bits: Tensor) -> Tensor:
        if self.price == 0:
            return 0.0 * bits.sum()
        return self.weight * self.aim_bits * (bits.sum() / self.aim_bits - 1).square()


@dataclass
class PI(Controller):
    """Proportional and integral control of the price itself, 0 at the least, with anti-windup.

    The integral stands still while the price is at a limit and the error pushes it further out. The gains are in
    loss per bit/s, so that they suit one size of loss and one target, which the logarithm in `LogDual` avoids.

    Args:
        gain: loss per bit/s for a rate of twice the aim.
        integral_gain: loss per bit/s and run.
        integral: loss per bit/s.
        top_price: loss per bit/s.
    Source: Shao et al., "ControlVAE", ICML 2020, with a linear proportional part and errors relative to the aim.
    """

    gain: float = 3e-4
    integral_gain: float = 1e-2
    integral: float = 0.0
    top_price: float = 1e-1
    name: ClassVar[str] = "pi"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range("make_controller", "top_price", self.top_price, 1e-12, 1e6)

    def next_price(self, progress: float) -> float:
        if progress < SEARCH_SHARE:
            return 0.0
        error = _clip(self.smooth_bits / self.aim_bits - 1, -1.0, 1.0)
        price = self.gain * error + self.integral
        outward = (price <= 0 and error < 0) or (price >= self.top_price and error > 0)
        if not outward:
            self.integral += self.integral_gain * error / self.run_steps(progress)
        return _clip(self.gain * error + self.integral, 0.0, self.top_price)


CONTROLLERS: Registry[type[Controller]] = Registry("controller", {
    kind.name: kind for kind in (LogDual, Beta, Linear, LogLinear, Cyclical, FreeBits, Squared, PI)})


def make_controller(name: str, target_bits: float, **state: Any) -> Controller:
    """A controller by name, new or as its `state()` was.

    Args:
        name: one of CONTROLLERS: log-dual, beta, linear, log-linear, cyclical, free-bits, squared, pi.
        target_bits: bit/s.
        state: settings by the names of the controller's fields.
    Raises:
        InputError: an unknown name or setting, or a target out of range.

    >>> import torch
    >>> make_controller("log-dual", 500.0).cost(torch.full((8,), 100.0), progress=0.0)
    tensor(0.0008)
    """
    CONTROLLERS.check("make_controller", name)
    for setting in state:
        check_choice("make_controller", "setting", setting, [field.name for field in fields(CONTROLLERS[name])])
    return CONTROLLERS[name](target_bits, **state)


def settling(rates: Sequence[float], target: float, tolerance: float = 0.03) -> int:
    """When a rate came to stay: the index after its last value outside target * (1 +- tolerance).

    Args:
        rates: bit/s, step by step, smoothed where the batches are noisy.
        target: bit/s, > 0.
        tolerance: share of the target, 0 to 1.
    Returns:
        0 if it was never outside, len(rates) if it ends outside.
    Raises:
        InputError: target or tolerance is out of range.

    >>> settling([900, 520, 490, 540, 505, 498], target=500)
    4
    """
    check_range("settling", "target", target, 1e-9, 1e9)
    check_range("settling", "tolerance", tolerance, 0, 1)
    outside = [index for index, rate in enumerate(rates) if not abs(rate - target) <= tolerance * target]
    return outside[-1] + 1 if outside else 0


def _clip(value: float, low: float, high: float) -> float:
    return min(high, max(low, value))
