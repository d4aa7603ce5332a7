"""The axes without names: where they begin, what they cost, and that they leave alone what has a name."""

from __future__ import annotations

import copy
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
import torch

from ddspvae.features.extract import extract
from ddspvae.model.autoencoder import Autoencoder
from ddspvae.model.bottleneck import kl_nats
from ddspvae.model.config import ModelConfig, sizes_for
from ddspvae.training.dataset import Crops, Take
from ddspvae.training.details import start_details
from ddspvae.training.export import hold_bitrate, sort_axes, training_rate
from ddspvae.training.trainer import DETAILS_FROM, Run, TrainingConfig
from ddspvae.training.validation import explained_loss

from ..conftest import melody_take

RATE, HOP = 16_000, 80
BITRATE = 1000.0
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def takes():
    sounds = [melody_take(4.0, RATE, seed, has_timbres=True) for seed in range(4)]
    return [Take(Path(f"{at}.wav"), sound, extract(sound, RATE, HOP), "booth") for at, sound in enumerate(sounds)]


def made(takes, n_z=16):
    torch.manual_seed(0)
    config = ModelConfig(sample_rate=RATE, hop_size=HOP, n_z=n_z, n_harmonics=25, n_noise_bands=65, encoder_channels=8,
                         decoder_channels=16, rooms=("booth",), bitrate=BITRATE)
    model = Autoencoder(config)
    model.decoder.typical.fit([take.heard() for take in takes], config.frames_per_z)
    return model.eval()


@pytest.fixture(scope="module")
def untold(takes):
    """Before it knows any details."""
    return made(takes)


@pytest.fixture(scope="module")
def begun(untold, takes):
    model = copy.deepcopy(untold)
    start_details(model, takes, BITRATE, CPU)
    return model.eval()


@torch.no_grad()
def test_what_is_left_is_what_the_curves_and_named_axes_do_not_explain(untold, takes):
    heard = takes[0].heard()
    listened = untold.listen(heard)
    z = listened.latents.to_z()
    named = torch.cat([z[..., :4], torch.zeros_like(z[..., 4:])], dim=-1)
    assert torch.equal(untold.explain(heard, named).harmonics, listened.explained.harmonics)
    loud = heard.loudness_db[..., 0] > float(untold.decoder.typical.loud_db) - 30  # softer frames count less
    left = listened.measured.less(listened.explained, heard.f0_hz)
    assert torch.equal(listened.left[loud], left.clamp(-2.5, 2.5)[loud]) and float(left.abs().max()) > 2.5
    assert not listened.left[heard.loudness_db[..., 0] < float(untold.decoder.typical.loud_db) - 60].any()


@torch.no_grad()
def test_details_begin_as_what_explains_most_at_the_rate_that_was_asked_for(untold, begun, takes):
    alone, told, typical = (sum(explained_loss(model, take, CPU, typical=flat) for take in takes)
                            for model, flat in ((untold, True), (begun, False), (begun, True)))
    assert told < 0.3 * alone and told < 0.3 * typical
    heard = [take.heard() for take in takes]
    bits = training_rate(begun, heard)["training_bits_per_axis"][4:]
    assert sum(bits) == pytest.approx(BITRATE, rel=0.3)
    assert bits[0] > 4 * bits[-1] and min(bits) > 0  # the principal ones first
    z = torch.cat([begun.encode(one).z_mean[0, :, 4:] for one in heard])
    together = z.T @ z / len(z)
    off = together - together.diag().diag()
    assert float(off.abs().max()) < 0.35 * float(together.diagonal().max())  # each tells something of its own


def test_details_begin_at_that_rate_whatever_was_learned_before(untold, takes):
    """While nothing is asked of them, the price of bits makes the network say that all of them are noise."""
    model = copy.deepcopy(untold)
    with torch.no_grad():
        model.encoder.stack.norm.bias.fill_(1.0)
        model.encoder.head.weight.fill_(0.3)
    start_details(model, takes, BITRATE, CPU)
    bits = training_rate(model, [take.heard() for take in takes])["training_bits_per_axis"][4:]
    assert sum(bits) == pytest.approx(BITRATE, rel=0.3)


def test_more_bits_let_details_begin_nearer(untold, takes):
    errors = []
    for bitrate in (200.0, 2000.0):
        model = copy.deepcopy(untold)
        start_details(model, takes, bitrate, CPU)
        errors.append(sum(explained_loss(model.eval(), take, CPU) for take in takes))
    assert errors[1] < 0.8 * errors[0]


def test_a_run_starts_its_details_once_after_a_quarter_and_a_restored_one_does_not_again(takes, untold):
    crops = Crops(takes, ("booth",), 160, 64, HOP)
    run = Run(copy.deepcopy(untold), TrainingConfig(steps=8, batch_size=1, bitrate=BITRATE), CPU)
    while run.progress < DETAILS_FROM:
        run.advance(crops)
    before = run.model.decoder.detail_head.weight.clone()
    assert not run.has_details
    run.advance(crops)
    moved = (run.model.decoder.detail_head.weight - before).detach()
    assert run.has_details and float(moved.abs().max()) > 0.1
    apart = (run.average.decoder.detail_head.weight - run.model.decoder.detail_head.weight).detach()
    assert float(apart.abs().max()) < 0.05
    again = Run(copy.deepcopy(untold), run.config, CPU)
    again.restore(copy.deepcopy(run.state()))  # as from a file
    assert again.has_details
    run.advance(crops)
    again.advance(crops)
    assert all(torch.equal(a, b) for a, b in zip(run.model.parameters(), again.model.parameters()))


@pytest.mark.parametrize("bitrate", [950.0, 1500.0, 4000.0])
def test_a_bitrate_is_held_to_a_fifth_of_a_percent(begun, takes, bitrate):
    model, heard = copy.deepcopy(begun), [take.heard() for take in takes]
    hold_bitrate(model, heard, bitrate)
    assert training_rate(model, heard)["training_bits_per_second"] == pytest.approx(bitrate, rel=2e-3)


def test_a_bitrate_that_cannot_be_held_is_come_near(begun, takes):
    """Means that were learned for more bits cost so much alone; noise louder than the prior would cost more again."""
    model, heard = copy.deepcopy(begun), [take.heard() for take in takes]
    hold_bitrate(model, heard, 100.0)
    held, at = training_rate(model, heard)["training_bits_per_second"], float(model.coarseness)
    for coarseness in (at - 0.5, at + 0.5):
        model.coarseness.fill_(coarseness)
        assert held < 1.03 * training_rate(model, heard)["training_bits_per_second"]


@torch.no_grad()
def test_sorted_axes_sound_the_same_and_the_dearest_comes_first(begun, takes):
    model, heard = copy.deepcopy(begun), [take.heard() for take in takes]
    generator = torch.Generator().manual_seed(0)
    for tensor in (model.persistence, model.encoder.head.weight, model.expected.mean.weight,
                   model.decoder.stack.inlet.weight):
        tensor.add_(0.1 * torch.randn(tensor.shape, generator=generator))
    before = [model.explain(one, model.encode(one).to_z()) for one in heard]
    rate = training_rate(model, heard)["training_bits_per_second"]
    assert sorted(sort_axes(model, heard)) == sorted(f"z{number}" for number in range(5, 17))
    after = [model.explain(one, model.encode(one).to_z()) for one in heard]
    for one, other in zip(before, after):
        torch.testing.assert_close(one.harmonics, other.harmonics, atol=1e-3, rtol=0)
        torch.testing.assert_close(one.noise, other.noise, atol=1e-3, rtol=0)
    sorted_rate = training_rate(model, heard)
    assert sorted_rate["training_bits_per_second"] == pytest.approx(rate, rel=1e-4)
    bits = sorted_rate["training_bits_per_axis"][4:]
    assert all(one >= other - 1e-3 for one, other in pairwise(bits))


def test_a_bitrate_pays_for_axes_and_rows():
    sizes = [sizes_for(rate) for rate in (10, 100, 500, 999, 1000, 2000, 4000, 8000, 20_000)]
    assert sizes[2] == (28, 8) and sizes[5] == (44, 4)
    details, frames = [n_z - 4 for n_z, _ in sizes], [per_row for _, per_row in sizes]
    assert min(details) == 4 and max(details) == 96 and frames == [8] * 4 + [4] * 5
    for rate, (n_z, per_row) in zip((500, 2000, 8000), (sizes[2], sizes[5], sizes[7])):
        assert 0.5 < rate * per_row / 200 / (n_z - 4) < 2  # bits a row and axis


def test_without_a_spectrum_details_are_not_heard_and_the_named_axes_are(begun, takes):
    heard = takes[0].heard()
    with torch.no_grad():
        whole, deaf = begun.encode(heard), begun.encode(replace(heard, spectrum=heard.spectrum[..., :0]))
    assert torch.equal(whole.z_mean[..., :4], deaf.z_mean[..., :4]) and not deaf.z_mean[..., 4:].any()
    assert float(kl_nats(deaf)[..., 4:].abs().max()) < 1e-6 or not deaf.z_logvar[..., 4:].any()
