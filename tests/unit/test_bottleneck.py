"""One interface for four bottlenecks, and what only the Gaussian one promises."""

import copy
import math

import pytest
import torch
from torch import nn

from ddspvae.model.bottleneck import (
    active_axes,
    bits_per_second,
    kl_nats,
    sounding_rows,
)
from ddspvae.model.bottlenecks import make_bottleneck
from ddspvae.model.parts import BOTTLENECKS
from ddspvae.signals import Latents
from ddspvae.signals.checks import InputError

Z_RATE_HZ = 25.0


def latents_of(z_mean: torch.Tensor, logvar: float = -4.0, gain: torch.Tensor | None = None) -> Latents:
    return Latents(z_mean=z_mean, z_logvar=torch.full_like(z_mean, logvar), gain=gain)


def mixture(n_rows: int, seed: int) -> torch.Tensor:
    """Rows [4, n_rows / 4, 12] around 200 centres that lie in 4 dimensions of 12."""
    fixed, random = torch.Generator().manual_seed(0), torch.Generator().manual_seed(seed)
    centres = torch.randn(200, 4, generator=fixed) @ torch.randn(4, 12, generator=fixed)
    rows = centres[torch.randint(200, (n_rows,), generator=random)] + 0.2 * torch.randn(n_rows, 12, generator=random)
    return rows.reshape(4, -1, 12)


def short_training(name: str, bitrate: float, n_steps: int = 250):
    """A linear encoder and decoder around a bottleneck; the bottleneck, and the error on rows it never saw."""
    torch.manual_seed(0)
    bottleneck = make_bottleneck(name, 4, Z_RATE_HZ, bitrate).train()
    encoder, decoder = nn.Linear(12, 4), nn.Linear(4, 12)
    adam = torch.optim.Adam([*encoder.parameters(), *decoder.parameters(), *bottleneck.parameters()], lr=1e-2)
    for step in range(n_steps):
        rows = mixture(400, seed=1 + step)
        bottled = bottleneck(latents_of(encoder(rows)))
        adam.zero_grad()
        ((decoder(bottled.z) - rows).square().mean() + bottled.loss).backward()
        adam.step()
    bottleneck.eval()
    with torch.no_grad():
        rows = mixture(8000, seed=100_000)
        latents = latents_of(encoder(rows))
        error = (decoder(bottleneck.deterministic(latents)) - rows).square().mean() / rows.square().mean()
    return bottleneck, latents, float(error)


def started(name: str, bitrate: float = 200.0, n_z: int = 3):
    """A bottleneck that has seen one batch, and latents."""
    torch.manual_seed(0)
    bottleneck = make_bottleneck(name, n_z, Z_RATE_HZ, bitrate)
    latents = latents_of(torch.randn(2, 300, n_z))
    bottleneck.train()(latents)
    return bottleneck, latents


def test_a_gaussian_costs_its_divergence_from_the_prior():
    # KL(N(1, 4) || N(0, 1)) = (1 + 4 - ln 4 - 1) / 2 nats; two axes, 25 rows a second
    bottled = make_bottleneck("gaussian", 2, Z_RATE_HZ, 500)(latents_of(torch.ones(1, 3, 2), logvar=math.log(4)))
    nats = (4 - math.log(4)) / 2
    assert bottled.bits.tolist() == pytest.approx(2 * [25 * nats / math.log(2)])
    assert bottled.codes is None and float(bottled.loss) == 0


def test_without_axes_there_is_nothing_to_pay():
    bottled = make_bottleneck("gaussian", 0, Z_RATE_HZ, 500)(latents_of(torch.zeros(2, 3, 0)))
    assert bottled.bits.shape == (0,) and bottled.z.shape == (2, 3, 0)


def test_a_gaussian_agrees_with_torchs_own_divergence():
    torch.manual_seed(0)
    latents = Latents(torch.randn(2, 5, 3), torch.randn(2, 5, 3))
    posterior = torch.distributions.Normal(latents.z_mean, (latents.z_logvar / 2).exp())
    want = torch.distributions.kl_divergence(posterior, torch.distributions.Normal(0.0, 1.0))
    torch.testing.assert_close(kl_nats(latents), want)
    weight = (torch.rand(2, 5) > 0.5).float()
    bottled = make_bottleneck("gaussian", 3, Z_RATE_HZ, 500)(latents, weight)
    torch.testing.assert_close(bottled.bits, bits_per_second(want, Z_RATE_HZ, weight))


def slow(n_rows: int, persistence: float, seed: int = 0) -> torch.Tensor:
    """One axis that changes slowly, of unit variance [1, n_rows, 1]."""
    random = torch.Generator().manual_seed(seed)
    rows = [torch.randn((), generator=random)]
    for step in torch.randn(n_rows - 1, generator=random):
        rows.append(persistence * rows[-1] + math.sqrt(1 - persistence**2) * step)
    return torch.stack(rows)[None, :, None]


def test_a_prior_that_remembers_costs_what_it_does_on_average_over_the_row_before():
    """Against torch's own divergence, with z of the row before drawn from its posterior."""
    torch.manual_seed(0)
    mean, logvar, persistence = torch.randn(2, 6, 3), torch.randn(2, 6, 3) - 1, torch.rand(2, 6, 3) * 0.95
    deviation = (logvar / 2).exp()
    drawn = (mean + deviation * torch.randn(40_000, 2, 6, 3))[:, :, :-1]
    remembered = torch.nn.functional.pad(persistence[:, 1:] * drawn, (0, 0, 1, 0))
    spread = torch.nn.functional.pad(1 - persistence[:, 1:].square(), (0, 0, 1, 0), value=1.0).sqrt()
    posterior = torch.distributions.Normal(mean, deviation)
    want = torch.distributions.kl_divergence(posterior, torch.distributions.Normal(remembered, spread)).mean(0)
    found = kl_nats(Latents(mean, logvar, persistence=persistence))
    torch.testing.assert_close(found, want, rtol=0.03, atol=0.03)
    torch.testing.assert_close(found[:, 0], kl_nats(Latents(mean, logvar))[:, 0])  # nothing comes before a first row


def test_a_prior_that_remembers_nothing_is_the_plain_one():
    torch.manual_seed(0)
    mean, logvar, nothing = torch.randn(2, 5, 3), torch.randn(2, 5, 3), torch.zeros(2, 5, 3)
    torch.testing.assert_close(kl_nats(Latents(mean, logvar, persistence=nothing)), kl_nats(Latents(mean, logvar)))


@pytest.mark.parametrize("r", [0.5, 0.9, 0.99])
def test_what_does_not_change_costs_half_a_bit_a_row_at_most_however_exactly_it_is_known(r):
    """Rows are drawn one by one, so what is known to v = (1 - r^2) / (1 + r^2) costs ln(1 + r^2) / 2, and never nothing."""
    still, variance = torch.zeros(1, 20, 1), (1 - r**2) / (1 + r**2)
    logvar = torch.full_like(still, math.log(variance))
    cost = kl_nats(Latents(still, logvar, persistence=torch.full_like(still, r)))[0, 1:]
    torch.testing.assert_close(cost, torch.full_like(cost, math.log(1 + r**2) / 2))
    assert float(cost.max()) < 0.5 * math.log(2)
    alone = kl_nats(Latents(still, logvar))[0, 1:]
    assert float(alone.mean()) == pytest.approx((variance - 1 - math.log(variance)) / 2, rel=1e-4)
    moved = kl_nats(Latents(still + 1, logvar, persistence=torch.full_like(still, r)))[0, 1:]
    torch.testing.assert_close(moved - cost, torch.full_like(cost, (1 - r) ** 2 / (1 - r**2) / 2))  # being elsewhere


def test_what_changes_slowly_costs_fewer_bits_to_a_prior_that_knows_how_slowly():
    mean = slow(4000, 0.95)
    cost = {r: float(kl_nats(Latents(mean, torch.full_like(mean, -4.0), persistence=torch.full_like(mean, r))).mean())
            for r in (0.0, 0.8, 0.95)}
    assert cost[0.0] > cost[0.8] > cost[0.95] and cost[0.0] - cost[0.95] > 0.8


def test_rows_in_silence_cost_nothing():
    loudness_db = torch.tensor([[-20.0, -30, -71, -90, -90, -90, -69]])
    assert sounding_rows(loudness_db, 2).tolist() == [[1, 0, 0, 1]]
    loud = torch.zeros(1, 2, 1)
    loud[0, 1] = 100.0
    bottleneck = make_bottleneck("gaussian", 1, Z_RATE_HZ, 500)
    assert float(bottleneck(latents_of(loud, logvar=0.0), torch.tensor([[1.0, 0.0]])).bits) == 0


def test_a_gaussian_draws_while_training_and_takes_the_mean_after():
    torch.manual_seed(0)
    latents = latents_of(torch.full((1, 20_000, 1), 3.0), logvar=math.log(0.25), gain=torch.full((1, 20_000, 1), 2.0))
    bottleneck = make_bottleneck("gaussian", 1, Z_RATE_HZ, 500)
    drawn = bottleneck(latents).z
    assert float(drawn.mean()) == pytest.approx(6, abs=0.03) and float(drawn.std()) == pytest.approx(1, abs=0.03)
    assert torch.equal(bottleneck.deterministic(latents), torch.full((1, 20_000, 1), 6.0))


def test_no_axes_cost_nothing():
    nothing = torch.zeros(2, 5, 0)
    latents = Latents(nothing, nothing)
    assert bits_per_second(kl_nats(latents), 25.0).shape == (0,)
    assert make_bottleneck("gaussian", 0, 25.0, 500.0)(latents).bits.shape == (0,)


def test_an_axis_that_costs_nothing_is_not_active():
    assert active_axes(torch.tensor([100.0, 1.3, 1.2, 0.0]), Z_RATE_HZ) == 2  # 0.05 * 25 = 1.25 bit/s


@pytest.mark.parametrize("name", BOTTLENECKS)
def test_what_comes_out_has_the_shapes_that_were_promised(name):
    bottleneck, latents = started(name)
    bottled = bottleneck(latents, torch.ones(2, 300))
    assert bottled.z.shape == (2, 300, 3) == bottleneck.deterministic(latents).shape
    assert bottled.loss.shape == () and float(bottled.bits.sum()) > 0 and bottled.bits.ndim == 1
    assert (bottled.codes is None) == (not bottleneck.discrete)
    if bottleneck.discrete:
        assert bottled.codes.shape == (2, 300, len(bottled.bits)) and bottled.codes.dtype == torch.long


@pytest.mark.parametrize("name", BOTTLENECKS)
def test_a_gradient_reaches_the_encoder(name):
    bottleneck, _ = started(name)
    encoder = nn.Linear(5, 3)
    target = torch.randn(2, 40, 3)
    bottled = bottleneck(latents_of(encoder(torch.randn(2, 40, 5))))
    (bottled.z - target).square().mean().backward()
    assert float(encoder.weight.grad.abs().min()) > 0 and bool(torch.isfinite(encoder.weight.grad).all())


@pytest.mark.parametrize("name", BOTTLENECKS)
def test_each_row_is_bottled_on_its_own(name):
    bottleneck, latents = started(name)
    bottleneck.eval()
    whole = bottleneck.deterministic(latents)
    alone = bottleneck.deterministic(Latents(latents.z_mean[1:, 7:8], latents.z_logvar[1:, 7:8]))
    torch.testing.assert_close(whole[1:, 7:8], alone)


@pytest.mark.parametrize("name", BOTTLENECKS)
def test_using_a_bottleneck_does_not_change_it(name):
    bottleneck, latents = started(name)
    before = copy.deepcopy(bottleneck.state_dict())
    bottleneck.deterministic(latents)  # even while it is in training mode
    bottleneck.eval()(latents)
    assert all(torch.equal(before[key], value) for key, value in bottleneck.state_dict().items())


@pytest.mark.parametrize("name", BOTTLENECKS)
def test_a_gain_is_applied_to_what_came_through(name):
    bottleneck, latents = started(name)
    doubled = Latents(latents.z_mean, latents.z_logvar, gain=torch.full_like(latents.z_mean, 2.0))
    torch.testing.assert_close(bottleneck.eval().deterministic(doubled), 2 * bottleneck.deterministic(latents))


@pytest.mark.parametrize("name", [name for name in BOTTLENECKS if name != "gaussian"])  # a price holds that one's rate
def test_more_bits_leave_less_error(name):
    coarse, fine = (short_training(name, bitrate, n_steps=120)[2] for bitrate in (50, 200))
    assert fine < 0.6 * coarse


def test_names_and_rates_are_checked():
    with pytest.raises(InputError, match="bottleneck must be one of fsq, gaussian, rvq, vq, got 'vqq'; did you mean 'vq'"):
        make_bottleneck("vqq", 4, Z_RATE_HZ, 500)
    with pytest.raises(InputError, match="z_rate_hz must lie between"):
        make_bottleneck("gaussian", 4, 0.0, 500)
