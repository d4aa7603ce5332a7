"""Controllers of the bitrate of z, each held to what it claims, on a network in small."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch

from ddspvae.signals.checks import InputError
from ddspvae.training.rate import CONTROLLERS, make_controller, settling

LATE = 0.93  # from here on a run counts as finished


class Network:
    """What a price does to the rate of a network, in small.

    Every axis carries what pays at its price (reverse water-filling of Gaussians, Cover & Thomas 10.3.3), moves there
    with a lag that grows as the learning rate falls, and is seen through batches that differ by 20 %. A decoder
    that gets little from z learns to ignore it, and then no bit is worth any price.

    Args:
        loss_weight: how large the loss is.
        n_axes, rate_hz: of z.
        lag_steps: at the full learning rate.
        use: how much the decoder makes of z, 0 to 1.
    """

    def __init__(self, loss_weight: float = 1.0, n_axes: int = 24, rate_hz: float = 25.0, lag_steps: float = 30.0,
                 use: float = 1.0, free_bits: float = 3500.0, noise: float = 0.2,
                 seed: int = 0) -> None:
        self.worth = 0.2 * loss_weight * np.geomspace(1, 0.02, n_axes) / rate_hz
        self.bits_per_neper = rate_hz / 2 / math.log(2)
        self.free = free_bits / n_axes
        self.bits = np.full(n_axes, self.free if use else 0.0)
        self.lag_steps, self.use, self.noise = lag_steps, use, noise
        self.random = np.random.default_rng(seed)

    def batch(self) -> torch.Tensor:
        """Bit/s of each axis as one batch shows it."""
        noise = math.exp(self.noise * self.random.standard_normal() - self.noise**2 / 2)
        return torch.tensor(self.bits * noise, requires_grad=True)

    def learn(self, slope: np.ndarray, progress: float) -> None:
        """One step at a slope of the cost."""
        pace = (0.05 + 0.95 * (1 + math.cos(math.pi * progress)) / 2) / self.lag_steps
        worth = np.maximum(self.worth * self.use, 1e-300)
        pays = self.bits_per_neper * np.log(worth / np.maximum(slope, 1e-300))
        wanted = np.where(slope > 0, np.clip(pays, 0, self.free), np.where(slope < 0, self.free, self.bits))
        self.bits += pace * (wanted - self.bits)
        self.use += pace * (min(1.0, self.bits.sum() / 50) - self.use)


def train(controller, network, steps=1500, start=0.0, stop=1.0):
    """The true rate after every step."""
    rates = []
    for step in range(round(start * steps), round(stop * steps)):
        bits = network.batch()
        controller.cost(bits, step / steps).backward()
        network.learn(bits.grad.numpy(), step / steps)
        rates.append(network.bits.sum())
    return np.array(rates)


def at_the_end(rates):
    return float(np.mean(rates[-max(1, round((1 - LATE) * len(rates))):]))


@pytest.mark.parametrize("target", [100, 250, 500, 1000, 2000])
@pytest.mark.parametrize("steps, noise, lag_steps", [(300, 0.06, 12.0), (2000, 0.2, 30.0)])
def test_log_dual_holds_every_target_within_3_percent(target, steps, noise, lag_steps):
    rates = train(make_controller("log-dual", target), Network(noise=noise, lag_steps=lag_steps, seed=target), steps)
    assert at_the_end(rates) == pytest.approx(target, rel=0.03)
    assert rates[steps // 2 :].min() > 0.7 * target


@pytest.mark.parametrize("loss_weight", [0.03, 30.0])
def test_log_dual_does_not_mind_the_size_of_the_loss(loss_weight):
    assert at_the_end(train(make_controller("log-dual", 500), Network(loss_weight))) == pytest.approx(500, rel=0.03)


@pytest.mark.parametrize("n_axes, rate_hz", [(8, 25.0), (32, 12.5), (16, 50.0)])
def test_log_dual_does_not_mind_axes_and_row_rates(n_axes, rate_hz):
    rates = train(make_controller("log-dual", 500), Network(n_axes=n_axes, rate_hz=rate_hz))
    assert at_the_end(rates) == pytest.approx(500, rel=0.03)


@pytest.mark.parametrize("target", [100, 2000])
def test_log_dual_wakes_a_z_that_the_decoder_ignores(target):
    rates = train(make_controller("log-dual", target), Network(use=0.0), steps=2500)
    assert rates[0] == 0 and at_the_end(rates) == pytest.approx(target, rel=0.03)


def test_a_price_alone_never_wakes_it():
    assert at_the_end(train(make_controller("beta", 500, top_price=1e-10), Network(use=0.0))) == 0


@pytest.mark.parametrize("before, after", [(500, 200), (200, 1000), (1000, 100)])
def test_log_dual_follows_a_target_that_is_changed_in_the_run(before, after):
    controller, network = make_controller("log-dual", before), Network()
    train(controller, network, steps=3000, stop=0.6)
    controller.target_bits = after
    assert at_the_end(train(controller, network, steps=3000, start=0.6)) == pytest.approx(after, rel=0.03)


def test_the_aim_comes_down_from_the_free_rate_in_equal_ratios():
    controller = make_controller("log-dual", 500)
    for progress in (0.0, 0.05, 0.09, 0.1, 0.3, 0.5, 0.9):
        controller.cost(torch.tensor([1000.0, 1000.0]), progress)
        ramp = min(1.0, max(0.0, (progress - 0.1) / 0.4))
        assert controller.aim_bits == pytest.approx(2000 * 0.25**ramp)


def test_a_price_rises_while_the_rate_is_above_the_target_and_bits_are_paid_for_below_it():
    for bits, sign in ((4000.0, 1), (50.0, -1)):
        controller = make_controller("log-dual", 500)
        for step in range(200):
            rate = torch.full((4,), bits / 4, requires_grad=True)
            cost = controller.cost(rate, 0.5 + step / 400)
        assert math.copysign(1, controller.price) == sign
        assert (controller.dual > 1e-5) == (sign > 0)
        cost.backward()
        assert rate.grad.tolist() == pytest.approx([controller.price] * 4)


def test_a_rate_that_is_not_finite_costs_nothing_and_changes_nothing():
    for name in CONTROLLERS:
        controller = make_controller(name, 500)
        controller.cost(torch.tensor([400.0, 300.0]), 0.6)
        before = controller.state()
        for bad in (float("nan"), float("inf")):
            assert float(controller.cost(torch.tensor([400.0, bad], requires_grad=True), 0.7)) == 0
        assert controller.state() == before


@pytest.mark.parametrize("name", sorted(CONTROLLERS))
def test_a_restored_controller_goes_on_as_if_nothing_had_happened(name):
    whole, network = make_controller(name, 500), Network()
    train(whole, network, steps=200, stop=0.7)
    again = make_controller(name, 500, **json.loads(json.dumps(whole.state())))
    for progress in (0.7, 0.8, 0.9):
        bits = network.batch()
        assert again.cost(bits, progress).item() == whole.cost(bits, progress).item()
    assert again.state() == whole.state()


def test_300_steps_and_3000_are_steered_alike():
    prices = []
    for steps in (300, 3000):
        controller = make_controller("log-dual", 500)
        for step in range(steps):
            controller.cost(torch.tensor([600.0]), step / steps)
        prices.append(math.log(controller.dual / 1e-6))
    assert prices[0] == pytest.approx(prices[1], rel=0.15)


def prices_of(name, progresses, **settings):
    controller = make_controller(name, 500, **settings)
    prices = []
    for progress in progresses:
        controller.cost(torch.tensor([700.0]), progress)
        prices.append(controller.price)
    return prices


def test_schedules_do_not_look_at_the_rate():
    assert prices_of("beta", [0, 0.5, 1], top_price=2e-4) == [2e-4] * 3
    assert prices_of("linear", [0, 0.25, 0.5, 1], top_price=2e-4) == pytest.approx([0, 1e-4, 2e-4, 2e-4])
    assert prices_of("log-linear", [0, 0.25, 0.5, 1], top_price=2e-4) == pytest.approx([2e-8, 2e-6, 2e-4, 2e-4])
    cycle = [0, 1e-4, 2e-4, 2e-4]
    quarters = [(k + phase) / 4 for k in range(4) for phase in (0, 0.25, 0.5, 0.75)]
    assert prices_of("cyclical", quarters + [1], top_price=2e-4) == pytest.approx(cycle * 4 + [2e-4])


def test_a_constant_price_gives_another_rate_for_another_loss():
    rates = [at_the_end(train(make_controller("beta", 500), Network(weight))) for weight in (0.3, 1, 3)]
    assert rates[0] * 1.5 < rates[1] and rates[1] * 1.5 < rates[2]


def test_free_bits_charge_an_axis_only_beyond_its_share():
    bits = torch.tensor([50.0, 124.0, 126.0, 900.0], requires_grad=True)
    make_controller("free-bits", 500, top_price=1e-3).cost(bits, 0.5).backward()
    assert bits.grad.tolist() == pytest.approx([0, 0, 1e-3, 1e-3])


def test_free_bits_at_a_high_price_end_near_the_target():
    network = Network(noise=0.0)
    rates = train(make_controller("free-bits", 500, top_price=1.0), network)
    assert at_the_end(rates) == pytest.approx(500, rel=0.05)
    assert np.ptp(network.bits) < 0.3 * network.bits.mean()  # what it costs: every axis carries the same


def test_a_squared_distance_stays_off_by_the_price_over_twice_its_weight():
    errors = []
    for weight in (1e-3, 1e-2):
        network = Network(noise=0.0, lag_steps=10.0)
        rate = at_the_end(train(make_controller("squared", 500, weight=weight), network))
        worth = network.worth * network.use
        price = worth.max() * math.exp(-network.bits.max() / network.bits_per_neper)
        assert rate / 500 - 1 == pytest.approx(price / (2 * weight), rel=0.1)
        errors.append(rate / 500 - 1)
    assert errors[0] > 0.05 and errors[1] < 0.03


def test_a_squared_distance_wakes_z_from_a_cold_start():
    assert at_the_end(train(make_controller("squared", 500), Network(use=0.0))) > 400


@pytest.mark.parametrize("target", [500, 1000])
def test_pi_holds_the_targets_that_its_gains_suit(target):
    assert at_the_end(train(make_controller("pi", target), Network())) == pytest.approx(target, rel=0.05)


def test_the_integral_of_pi_does_not_wind_up_at_its_limits():
    controller = make_controller("pi", 500, top_price=1e-3)
    for step in range(500):
        controller.cost(torch.tensor([5.0]), 0.5 + step / 1000)
    assert controller.price == 0 and controller.integral > -1e-4
    controller = make_controller("pi", 500, top_price=1e-3)
    for step in range(500):
        controller.cost(torch.tensor([5000.0]), 0.5 + step / 1000)
    assert controller.price == 1e-3 and controller.integral < 1e-3


def test_settling_is_the_step_after_the_last_exit():
    assert settling([900, 520, 490, 540, 505, 498], 500) == 4
    assert settling([500, 500], 500) == 0
    assert settling([500, 516], 500) == 2
    assert settling([500, 516], 500, tolerance=0.05) == 0
    assert settling([500, math.nan, 500], 500) == 2
    with pytest.raises(InputError, match="settling: target must lie between"):
        settling([1.0], 0)
    with pytest.raises(InputError, match="settling: tolerance must lie between"):
        settling([1.0], 1, tolerance=2)


@pytest.mark.parametrize("call, words", [
    (lambda: make_controller("log-duel", 500), "controller must be one of .* got 'log-duel'; did you mean 'log-dual'?"),
    (lambda: make_controller("beta", 500, topprice=1), "setting must be one of .* did you mean 'top_price'?"),
    (lambda: make_controller("log-dual", 0), "target_bits must lie between 1 and 1e.06, got 0"),
    (lambda: make_controller("beta", 500, top_price=-1), "top_price must lie between"),
    (lambda: make_controller("pi", 500, top_price=-1), "top_price must lie between"),
    (lambda: make_controller("squared", 500, weight=0), "weight must lie between"),
    (lambda: make_controller("beta", 500).cost(torch.ones(2, 3), 0.5), r"bits must have shape \[\*\], got \[2, 3\]"),
])
def test_controllers_say_what_is_wrong(call, words):
    with pytest.raises(InputError, match=words):
        call()
