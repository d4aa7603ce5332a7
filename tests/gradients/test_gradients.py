"""Gradients of every synthesizer stage: right in float64, finite at silence."""

import pytest
import torch

from ddspvae.features.loudness import a_weighted_loudness
from ddspvae.synth.convolve import fft_convolve
from ddspvae.synth.harmonic import harmonic
from ddspvae.synth.level import solve_level
from ddspvae.synth.noise import filtered_noise
from ddspvae.synth.render import render
from ddspvae.synth.reverb import Room, impulse_response
from ddspvae.training.losses import spectral_loss

from ..references.bank import oscillator_bank


def leaf(*shape: int, low: float = 0.1, high: float = 1.0, seed: int = 0) -> torch.Tensor:
    random = torch.Generator().manual_seed(seed)
    return (low + (high - low) * torch.rand(*shape, generator=random, dtype=torch.float64)).requires_grad_()


def test_harmonic_passes_gradcheck():
    f0_hz, amplitude, distribution = leaf(1, 4, 1, low=300, high=500), leaf(1, 4, 1), leaf(1, 4, 3)
    # x' of the cubic between table points is itself an approximation: a fine table makes it 1e-6 exact
    play = lambda *c: harmonic(*c, 8000, 10, points_per_harmonic=400)  # noqa: E731
    assert torch.autograd.gradcheck(play, (f0_hz, amplitude, distribution), eps=1e-5, atol=1e-3, rtol=1e-3)


def test_harmonic_gradients_equal_the_banks():
    tensors = leaf(1, 12, 1, low=300, high=500), leaf(1, 12, 1), leaf(1, 12, 20)
    weight = torch.randn(1, 12 * 80, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    ours = torch.autograd.grad((harmonic(*tensors, 16_000, 80) * weight).sum(), tensors)
    theirs = torch.autograd.grad((oscillator_bank(*tensors, 16_000, 80) * weight).sum(), tensors)
    for a, b in zip(ours, theirs):
        assert float((a - b).norm() / b.norm()) < 1e-3


def test_noise_passes_gradcheck():
    # the noise itself is float32; gradcheck sees the float64 path through the magnitudes
    magnitudes = leaf(1, 3, 5)
    assert torch.autograd.gradcheck(lambda m: filtered_noise(m, 16), (magnitudes,), eps=1e-4, atol=1e-3, rtol=1e-3)


def test_reverb_passes_gradcheck():
    audio, response = leaf(1, 50, low=-1), leaf(1, 20, low=-1, seed=1)
    assert torch.autograd.gradcheck(fft_convolve, (audio, response))


def test_room_gradients_are_finite():
    room = Room(torch.full((1, 7), 0.1, requires_grad=True), torch.full((1, 7), 0.3, requires_grad=True))
    impulse_response(room, 16_000).square().sum().backward()
    for value in (room.tail_energy, room.decay_s):
        assert torch.isfinite(value.grad).all() and float(value.grad.abs().sum()) > 0


@pytest.mark.parametrize("loudness_db", [-120.0, -60.0, -10.0])
@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_the_whole_chain_is_finite_at_silence_and_at_the_ends_of_the_balance(loudness_db, share):
    f0_hz = torch.full((1, 40, 1), 440.0)
    distribution, noise = torch.full((1, 40, 20), 0.05, requires_grad=True), torch.ones(1, 40, 65, requires_grad=True)
    balance = torch.full((1, 40, 1), share, requires_grad=True)
    controls = solve_level(f0_hz, torch.full((1, 40, 1), loudness_db), distribution, noise, balance, 16_000, 80,
                           Room(torch.full((1, 7), 0.1), torch.full((1, 7), 0.3)))
    audio = render(controls, 16_000, 80)
    spectral_loss(torch.zeros_like(audio), audio, (512, 64)).backward()
    for tensor in (distribution, noise):
        assert torch.isfinite(tensor.grad).all()


def test_loudness_is_differentiable_and_finite_at_silence():
    audio = torch.zeros(1, 4000, requires_grad=True)
    a_weighted_loudness(audio, 16_000, 80).sum().backward()
    assert torch.isfinite(audio.grad).all()
