"""What torch can do with the modules, and what it cannot: the table of docs/tutorials/take-apart.md."""

from __future__ import annotations

import warnings

import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck

import ddspvae
from ddspvae.synth import fft_convolve, filtered_noise, harmonic, impulse_response
from ddspvae.synth.harmonic import _read, _read_plainly

RATE, HOP = 8000, 16


def frames(n_frames: int = 4, n_harmonics: int = 5, dtype: torch.dtype = torch.float64) -> list[torch.Tensor]:
    random = torch.Generator().manual_seed(0)
    f0_hz = 200 + 50 * torch.rand(1, n_frames, 1, generator=random, dtype=torch.float64)
    amplitude = 0.1 + torch.rand(1, n_frames, 1, generator=random, dtype=torch.float64)
    distribution = torch.softmax(torch.randn(1, n_frames, n_harmonics, generator=random, dtype=torch.float64), dim=-1)
    return [tensor.to(dtype).requires_grad_() for tensor in (f0_hz, amplitude, distribution)]


def sound(*controls: torch.Tensor) -> torch.Tensor:
    return harmonic(*controls, RATE, HOP)


def test_the_plain_reading_is_the_quick_one():
    tables, cycles = torch.randn(3, 40, dtype=torch.float64), torch.rand(2, 16, dtype=torch.float64) * 3
    first = torch.tensor([[0], [1]], dtype=torch.int32)
    torch.testing.assert_close(_read_plainly(tables, cycles, first, 72), _read(tables, cycles, first, 72))


def test_harmonics_have_a_second_derivative_in_everything():
    controls = frames()
    assert gradcheck(sound, controls, eps=1e-6, atol=1e-4)
    assert gradgradcheck(sound, controls, eps=1e-6, atol=1e-3)


def test_no_second_derivative_is_left_out_without_a_word():
    controls = frames()
    first = torch.autograd.grad(sound(*controls).square().sum(), controls, create_graph=True)
    second = torch.autograd.grad(sum(grad.square().sum() for grad in first), controls)
    assert all(torch.isfinite(grad).all() and grad.abs().sum() > 0 for grad in second)


def test_noise_and_convolution_have_a_second_derivative():
    magnitudes = (torch.rand(1, 3, 9, dtype=torch.float64) + 0.1).requires_grad_()
    assert gradgradcheck(lambda magnitudes: filtered_noise(magnitudes, HOP), [magnitudes], atol=1e-3)
    audio, response = (torch.randn(1, n, dtype=torch.float64).requires_grad_() for n in (20, 6))
    assert gradgradcheck(fft_convolve, [audio, response])


@pytest.mark.parametrize("half", [torch.bfloat16, torch.float16])
def test_half_precision_is_reckoned_in_single(half):
    controls = [tensor.detach() for tensor in frames(dtype=half)]
    played = sound(*controls)
    assert played.dtype == torch.float32
    torch.testing.assert_close(played, sound(*(tensor.float() for tensor in controls)))
    assert filtered_noise(torch.ones(1, 3, 9, dtype=half), HOP).dtype == torch.float32


def test_autocast_does_not_reach_the_sound():
    controls = [tensor.detach() for tensor in frames(dtype=torch.float32)]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = sound(*controls)
    torch.testing.assert_close(inside, sound(*controls), rtol=0, atol=0)


@pytest.fixture
def quiet_compiler(caplog):
    """A fresh one, whose debug messages pytest does not collect."""
    caplog.set_level("ERROR", logger="torch")
    caplog.set_level("ERROR", logger="torch.__trace")
    torch._dynamo.reset()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@pytest.mark.slow
def test_a_compiled_synthesizer_gives_the_same_sound(quiet_compiler):
    controls = [tensor.detach() for tensor in frames(dtype=torch.float32)]
    compiled = torch.compile(sound, backend="aot_eager")(*controls)
    torch.testing.assert_close(compiled, sound(*controls))


@pytest.mark.slow
def test_the_decoder_compiles_as_one_graph_and_exports(quiet_compiler):
    decoder = ddspvae.load("flute").model.decoder
    curves = [torch.full((1, 16, 1), value) for value in (440.0, 1.0, -20.0)]
    z = torch.zeros(1, 4, 44)
    with torch.no_grad():
        plain = decoder(*curves, z)
        whole = torch.compile(decoder, fullgraph=True, backend="aot_eager")(*curves, z)
        exported = torch.export.export(decoder, (*curves, z)).module()(*curves, z)
    for one, other, third in zip(whole, plain, exported):
        torch.testing.assert_close(one, other)
        torch.testing.assert_close(third, other)


def test_what_vmap_cannot_do_a_batch_can():
    controls = [tensor.detach().repeat(2, 1, 1) for tensor in frames(dtype=torch.float32)]
    with pytest.raises(RuntimeError):
        torch.func.vmap(lambda *one: sound(*(tensor[None] for tensor in one))[0])(*controls)
    played = sound(*controls)
    torch.testing.assert_close(played[0], played[1])
    audio, response = torch.randn(3, 50), torch.randn(3, 8)
    each = torch.func.vmap(lambda one, ir: fft_convolve(one[None], ir[None])[0])(audio, response)
    torch.testing.assert_close(each, fft_convolve(audio, response))


def test_rooms_are_played_in_under_autocast():
    room = ddspvae.load("flute").model.room(torch.tensor([0]))
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        response = impulse_response(room, RATE)
    assert response.dtype == torch.float32
