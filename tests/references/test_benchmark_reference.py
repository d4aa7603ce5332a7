"""The contestants of benchmarks/reference.py are what they claim to be."""

import numpy as np
import pytest
import torch

from benchmarks.reference import (
    Reference,
    ReferenceDecoder,
    best_bank,
    exp_sigmoid,
    factored_bank,
    plain_bank,
    plain_noise,
    plain_reverb,
)

from .bank import oscillator_bank

RATE, HOP = 48_000, 240
EXACT = [best_bank, factored_bank]


def controls(n_frames: int, n_harmonics: int, kind: str = "steady"):
    random = torch.Generator().manual_seed(0)
    f0_hz = torch.tensor([220.0, 330.0])[:, None, None].repeat(1, n_frames, 1)  # of 100 harmonics the second loses 28
    amplitude = torch.tensor([0.3, 0.5])[:, None, None].repeat(1, n_frames, 1)
    if kind == "vibrato":
        f0_hz = f0_hz * 2 ** (torch.sin(torch.arange(n_frames) / 5) / 24)[:, None]
        amplitude[:, n_frames // 2] = 0
    distribution = torch.rand(2, 1, n_harmonics, generator=random).repeat(1, n_frames, 1)
    return f0_hz, amplitude, distribution


@pytest.mark.parametrize("n_harmonics", [1, 10, 11, 100])
@pytest.mark.parametrize("kind", ["steady", "vibrato"])
@pytest.mark.parametrize("bank", EXACT)
def test_the_fast_banks_equal_the_slow_one(bank, kind, n_harmonics):
    given = controls(70, n_harmonics, kind)
    expected = oscillator_bank(*given, RATE, HOP)
    audio = bank(*given, RATE, HOP)
    assert audio.shape == (2, 70 * HOP) and audio.dtype == torch.float32
    torch.testing.assert_close(audio.double(), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("n_harmonics", [1, 100])
def test_the_plain_bank_equals_the_slow_one_a_sample_later(n_harmonics):
    given = controls(20, n_harmonics)
    expected = oscillator_bank(*given, RATE, HOP)
    audio = plain_bank(*given, RATE, HOP)
    assert audio.shape == (2, 20 * HOP)
    # its float32 sum of angles is 1e-5 rad off after 0.1 s, a hundred times that at harmonic 100
    torch.testing.assert_close(audio[:, :-1].double(), expected[:, 1:], atol=1e-3, rtol=0)


def test_the_plain_bank_is_linear_between_frames():
    f0_hz = torch.full((1, 3, 1), 12_000.0)  # a quarter of the rate: the samples' own steps are 1, 0, -1, 0
    amplitude = torch.tensor([0.0, 1.0, 0.0])[None, :, None]
    audio = plain_bank(f0_hz, amplitude, torch.ones(1, 3, 1), RATE, 4)[0]
    expected = torch.tensor([0, 0, -0.5, 0, 1, 0, -0.5, 0, 0, 0, 0, 0])
    torch.testing.assert_close(audio, expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("bank", EXACT)
def test_the_size_of_the_chunks_does_not_matter(bank):
    given = controls(9, 30, "vibrato")
    for chunk_frames in (1, 6, 128):
        torch.testing.assert_close(bank(*given, RATE, HOP, chunk_frames), bank(*given, RATE, HOP), atol=1e-6, rtol=0)


@pytest.mark.parametrize("bank", EXACT)
def test_gradients_equal_those_of_the_slow_bank(bank):
    weight = torch.rand(2, 9 * HOP, generator=torch.Generator().manual_seed(1))
    gradients = []
    for play in (bank, oscillator_bank):
        leaves = [x.clone().requires_grad_() for x in controls(9, 30, "vibrato")]
        gradients.append(torch.autograd.grad((play(*leaves, RATE, HOP) * weight).sum(), leaves))
    for ours, expected in zip(*gradients):
        torch.testing.assert_close(ours, expected, atol=1e-5 * float(expected.abs().max()), rtol=1e-3)


@pytest.mark.parametrize("bank", [plain_bank, *EXACT])
def test_silence_is_zero(bank):
    f0_hz, amplitude, distribution = controls(5, 30)
    assert not bank(f0_hz, 0 * amplitude, distribution, RATE, HOP).any()


def test_filters_of_ones_delay_the_white_noise():
    torch.manual_seed(0)
    audio = plain_noise(torch.ones(2, 6, 65), HOP)
    torch.manual_seed(0)
    white = (torch.rand(2, 6, HOP) * 2 - 1).flatten(1)
    assert audio.shape == (2, 6 * HOP)
    assert not audio[:, :64].abs().gt(1e-6).any()
    torch.testing.assert_close(audio[:, 64:], white[:, :-64], atol=1e-6, rtol=0)


def test_reverb_is_convolution():
    random = np.random.default_rng(0)
    audio, taps = random.standard_normal(300).astype(np.float32), random.standard_normal(70).astype(np.float32)
    wet = plain_reverb(torch.from_numpy(audio)[None], torch.from_numpy(taps))
    np.testing.assert_allclose(wet[0].numpy(), np.convolve(audio, taps)[:300], atol=1e-4)


def test_exp_sigmoid_by_hand():
    # 2 * 0.5^ln(10) = 2 e^(-0.6931 * 2.3026) = 2 * 0.2027
    assert exp_sigmoid(torch.tensor([-50.0, 0.0, 50.0])).tolist() == pytest.approx([1e-7, 0.4054, 2.0], abs=1e-4)


def test_the_size_of_the_decoder_by_hand():
    normalised = 512 + 2 * 512  # bias, and scale and shift of the layer norm
    two_more = 2 * (512 * 512 + normalised)
    stack = 1 * 512 + normalised + two_more
    gru = 3 * 512 * (1024 + 512 + 2)
    last = (1024 + 512) * 512 + normalised + two_more
    heads = (512 + 1) * (101 + 65)
    n_parameters = sum(p.numel() for p in ReferenceDecoder().parameters())
    assert n_parameters == 2 * stack + gru + last + heads == 4_821_670
    # z: a stack of 16 inputs, and its 512 outputs enter the GRU and the last stack
    with_z = 16 * 512 + normalised + two_more + 3 * 512 * 512 + 512 * 512
    assert sum(p.numel() for p in ReferenceDecoder(16).parameters()) == n_parameters + with_z == 6_407_334


@pytest.mark.parametrize("n_z", [0, 16])
def test_the_whole_chain_plays_and_learns(n_z):
    torch.manual_seed(0)
    reference = Reference(16_000, 160, n_z)
    curves = [torch.full((2, 7, 1), 440.0), torch.full((2, 7, 1), -20.0)] + [torch.rand(2, 7, n_z)] * (n_z > 0)
    audio = reference(*curves)
    assert audio.shape == (2, 7 * 160)
    assert reference.impulse_response.shape == (16_000,) and reference.impulse_response[0].item() == 1.0
    audio.square().mean().backward()
    gradients = [p.grad for p in reference.parameters()]
    assert all(g is not None and bool(torch.isfinite(g).all()) and bool(g.any()) for g in gradients)
    with torch.no_grad():
        amplitude, distribution, magnitudes = reference.decoder(*curves)
    assert (amplitude.shape[-1], distribution.shape[-1], magnitudes.shape[-1]) == (1, 100, 65)
    assert float(magnitudes.mean()) < 0.001 * float(amplitude.mean())  # the noise begins far below
