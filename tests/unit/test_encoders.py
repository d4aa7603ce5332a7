from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from ddspvae.features.attributes import N_PARTIALS
from ddspvae.features.partials import read_partials
from ddspvae.features.spectrum import measure_spectrum
from ddspvae.features.timbre import timbre_frames
from ddspvae.model.encoder import (
    BLOCK_FRAMES,
    CONTEXT,
    TransformerLayer,
    WaveformEncoder,
    factor_hop,
    normalise_level,
)
from ddspvae.model.encoder_inputs import EncoderInputs
from ddspvae.model.form import N_NODES, row_middle
from ddspvae.model.parts import ENCODERS
from ddspvae.model.target import Shape, measured_shape
from ddspvae.signals.checks import InputError
from tests.conftest import melody_take

RATES = [(16_000, 80), (44_100, 220), (48_000, 240)]
N_Z, N_LEFT = 4, 20
FRAMES = ("f0_hz", "periodicity", "loudness_db", "timbre", "partials", "spectrum")


def make(name: str, sample_rate: int = 16_000, hop_size: int = 80, n_channels: int = 16, frames_per_z: int = 8,
         n_left: int = N_LEFT):
    torch.manual_seed(0)
    encoder = ENCODERS[name](n_channels=n_channels, n_z=N_Z, frames_per_z=frames_per_z, hop_size=hop_size,
                             sample_rate=sample_rate, n_left=n_left)
    torch.nn.init.normal_(encoder.principal.weight, std=0.1)
    return encoder.eval()


def left_in(n_frames: int, batch: int = 1, seed: int = 0) -> torch.Tensor:
    """Envelopes of what nothing explains."""
    return torch.randn(batch, n_frames, N_LEFT, generator=torch.Generator().manual_seed(100 + seed))


def noise(n_frames: int, hop_size: int = 80, batch: int = 1, seed: int = 0) -> EncoderInputs:
    """Random curves of the right shapes and ranges."""
    random = torch.Generator().manual_seed(seed)
    f0_hz, periodicity, loudness_db = torch.rand(3, batch, n_frames, 1, generator=random)
    shares = torch.softmax(2 * torch.randn(batch, n_frames, N_PARTIALS, generator=random), dim=-1)
    ratio = torch.randn(batch, n_frames, 1, generator=random) - 4
    return EncoderInputs(f0_hz=100 + 600 * f0_hz, periodicity=periodicity, loudness_db=-60 + 40 * loudness_db,
                         timbre=2 * torch.rand(batch, n_frames, 64, generator=random) - 1,
                         partials=torch.cat([shares, ratio], dim=-1),
                         audio=0.1 * torch.randn(batch, n_frames * hop_size, generator=random),
                         spectrum=torch.zeros(batch, n_frames, 0))


def listen(audio: np.ndarray, f0_hz: np.ndarray, sample_rate: int, hop_size: int) -> EncoderInputs:
    """What a take of known f0 [F] sounds like."""
    curve = torch.from_numpy(f0_hz.astype(np.float32))[None, :, None]
    sound = torch.from_numpy(audio)[None]
    spectrum = measure_spectrum(audio, sample_rate, hop_size, f0_hz)
    partials = torch.from_numpy(read_partials(spectrum, f0_hz, sample_rate))[None]
    return EncoderInputs(curve, torch.ones_like(curve), torch.full_like(curve, -20.0),
                         timbre_frames(sound, sample_rate, hop_size), partials, sound, torch.from_numpy(spectrum)[None])


def part(heard: EncoderInputs, pick: slice, stop: int, hop_size: int = 80) -> EncoderInputs:
    """Some takes of a batch, up to a frame."""
    frames = {name: getattr(heard, name)[pick, :stop] for name in FRAMES}
    return EncoderInputs(audio=heard.audio[pick, : stop * hop_size], **frames)


@pytest.mark.parametrize("sample_rate, hop_size", RATES)
@pytest.mark.parametrize("name", ENCODERS)
@torch.no_grad()
def test_rows_cover_the_frames_at_every_rate(name, sample_rate, hop_size):
    encoder = make(name, sample_rate, hop_size)
    for n_frames in (1, 8, 43):
        latents = encoder(noise(n_frames, hop_size, batch=2), left_in(n_frames, batch=2))
        assert latents.z_mean.shape == latents.z_logvar.shape == (2, -(-n_frames // 8), N_Z)
        assert bool(torch.isfinite(latents.z_mean).all())


@pytest.mark.parametrize("frames_per_z", [4, 8])
@pytest.mark.parametrize("name", ENCODERS)
@torch.no_grad()
def test_no_row_hears_further_ahead_than_its_own_window(name, frames_per_z):
    """A row describes its frame row_middle, and looks as far to either side of it as to the next row's."""
    encoder, heard, changed = make(name, frames_per_z=frames_per_z), noise(600), noise(600, seed=1)
    left, other = left_in(600), left_in(600, seed=1)
    for n in (8, 131, 512):
        later = {key: torch.cat([getattr(heard, key)[:, :n], getattr(changed, key)[:, n:]], dim=1)
                 for key in FRAMES}
        later["audio"] = torch.cat([heard.audio[:, : n * 80], changed.audio[:, n * 80 :]], dim=1)
        before = encoder(heard, left).z_mean[0]
        after = encoder(EncoderInputs(**later), torch.cat([left[:, :n], other[:, n:]], dim=1)).z_mean[0]
        moved = ((before - after).abs().amax(-1) > 1e-5).tolist()
        last_heard = [row * frames_per_z + row_middle(frames_per_z) + frames_per_z - 1 for row in range(len(moved))]
        assert moved == [last >= n for last in last_heard]


@pytest.mark.parametrize("name", ENCODERS)
@torch.no_grad()
def test_takes_of_a_batch_do_not_hear_each_other(name):
    encoder, heard, left = make(name), noise(150, batch=3), left_in(150, batch=3)
    together = encoder(heard, left).z_mean
    for at in range(3):
        alone = encoder(part(heard, slice(at, at + 1), 150), left[at : at + 1]).z_mean
        torch.testing.assert_close(together[at : at + 1], alone, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("name", ENCODERS)
@torch.no_grad()
def test_a_take_that_stops_early_has_the_same_rows_so_far(name):
    encoder, heard, left = make(name), noise(BLOCK_FRAMES + 300), left_in(BLOCK_FRAMES + 300)
    whole, start = encoder(heard, left).z_mean, encoder(part(heard, slice(None), 800), left[:, :800]).z_mean
    torch.testing.assert_close(whole[:, :99], start[:, :99], atol=1e-5, rtol=1e-4)  # the last one would look ahead


@pytest.mark.parametrize("name", ENCODERS)
@torch.no_grad()
def test_a_gain_on_the_audio_changes_nothing(name):
    sample_rate, hop_size = 16_000, 80
    audio = melody_take(2.0, sample_rate)
    audio += 1e-3 * np.random.default_rng(0).standard_normal(len(audio)).astype(np.float32)
    f0_hz = np.full(len(audio) // hop_size, 330.0)
    encoder = make(name, n_left=N_NODES + 33)

    def hear(heard: EncoderInputs) -> torch.Tensor:
        shape = measured_shape(heard.spectrum, heard.f0_hz, 20, 33, sample_rate)
        nothing = Shape(torch.zeros_like(shape.harmonics), torch.zeros_like(shape.noise), shape.n_heard)
        return encoder(heard, shape.less(nothing, heard.f0_hz)).z_mean

    loud, quiet = (hear(listen(gain * audio, f0_hz, sample_rate, hop_size)) for gain in (1.0, 0.125))
    assert float((loud - quiet).abs().max()) < 1e-3 * float(loud.std())
    curves = listen(audio, f0_hz, sample_rate, hop_size)
    assert torch.equal(loud, hear(replace(curves, loudness_db=curves.loudness_db - 18)))


@pytest.mark.parametrize("name", ENCODERS)
def test_every_weight_gets_a_gradient(name):
    encoder = make(name).train()
    latents = encoder(noise(300, batch=2), left_in(300, batch=2))
    (latents.z_mean.square().mean() + latents.z_logvar.mean()).backward()
    for key, weight in encoder.named_parameters():
        assert weight.grad is not None and float(weight.grad.abs().max()) > 0, key


@pytest.mark.parametrize("name", ENCODERS)
@torch.no_grad()
def test_silence_is_finite(name):
    quiet = noise(40)
    quiet = replace(quiet, audio=0 * quiet.audio, timbre=0 * quiet.timbre - 1, partials=0 * quiet.partials)
    assert bool(torch.isfinite(make(name)(quiet, 0 * left_in(40)).z_mean).all())


@pytest.mark.parametrize("name", ENCODERS)
@torch.no_grad()
def test_it_starts_nearly_deterministic(name):
    logvar = make(name)(noise(200), left_in(200)).z_logvar
    assert float(logvar.mean()) == pytest.approx(-4, abs=0.7)


class Largest(TorchDispatchMode):
    """The most bytes that a new tensor took."""

    n_bytes = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        for tensor in out if isinstance(out, (tuple, list)) else [out]:
            if isinstance(tensor, torch.Tensor) and tensor._base is None:
                self.n_bytes = max(self.n_bytes, tensor.numel() * tensor.element_size())
        return out


@pytest.mark.slow
@pytest.mark.parametrize("name", ENCODERS)
@torch.no_grad()
def test_two_minutes_take_no_more_memory_than_the_frames_need(name):
    n_frames, hop_size = 24_000, 240
    encoder, heard = make(name, 48_000, hop_size, n_channels=32), noise(n_frames, hop_size)
    left = left_in(n_frames)
    with Largest() as largest:
        assert encoder(heard, left).z_mean.shape == (1, 3000, N_Z)
    assert largest.n_bytes <= max(4 * n_frames * 128, heard.audio.nbytes + 4 * encoder.sample_rate)


@torch.no_grad()
def test_to_begin_with_a_mean_is_a_weighted_sum_of_what_is_left():
    encoder, left = make("harmonics"), torch.randn(1, 1, N_LEFT).expand(1, 40, N_LEFT)
    torch.nn.init.zeros_(encoder.head.weight)
    torch.nn.init.zeros_(encoder.head.bias)
    want = left[:, ::8] @ encoder.principal.weight.T
    torch.testing.assert_close(encoder(noise(40), left).z_mean, want)


@pytest.mark.parametrize("name", ENCODERS)
@torch.no_grad()
def test_axes_in_another_order_say_the_same(name):
    encoder, heard, left = make(name), noise(80), left_in(80)
    order, sign = torch.tensor([2, 0, 3, 1]), torch.tensor([1.0, -1.0, -1.0, 1.0])
    before = encoder(heard, left)
    encoder.permute(order, sign)
    after = encoder(heard, left)
    torch.testing.assert_close(after.z_mean, before.z_mean[..., order] * sign)
    torch.testing.assert_close(after.z_logvar, before.z_logvar[..., order])


def test_strides_multiply_to_the_hop():
    for hop_size in (16, 80, 96, 220, 240, 256, 257, 441, 4096):
        strides = factor_hop(hop_size)
        assert int(np.prod(strides)) == hop_size and strides == sorted(strides, reverse=True)
    assert factor_hop(240) == [8, 6, 5] and factor_hop(257) == [257]


def test_an_attack_is_not_amplified_like_the_silence_before_it():
    audio = torch.full((1, 80 * 100), 1e-6)
    audio[:, 80 * 50 + 30 :] = 0.5
    level = normalise_level(audio, 80, 16_000)
    assert float(level.abs().max()) < 4.0  # the square root of 1 over a frame's share of the window, about
    assert [float(level[0, 80 * at]) for at in (45, 95)] == pytest.approx([1, 1], abs=0.02)


def test_a_waveform_encoder_asks_for_the_waveform():
    assert WaveformEncoder.hears_audio and not ENCODERS["mel"].hears_audio
    heard = noise(40)
    with pytest.raises(InputError, match=r"WaveformEncoder: audio must have shape \[1, 3200\], got \[1, 0\]"):
        make("waveform")(replace(heard, audio=heard.audio[:, :0]), left_in(40))


@torch.no_grad()
def test_attention_by_blocks_is_attention_within_a_window():
    torch.manual_seed(0)
    layer = TransformerLayer(16, 4).eval()
    rows = torch.randn(2, 3 * CONTEXT + 5, 16)
    query, key, value = layer.inlet(rows).unflatten(2, (3, 4, 4)).permute(2, 0, 3, 1, 4)
    scores = query @ key.transpose(2, 3) / 2
    for q in range(rows.shape[1]):
        for k in range(rows.shape[1]):
            seen = 0 <= q - k < CONTEXT
            scores[:, :, q, k] += layer.recency[:, q - k] if seen else -torch.inf
    want = layer.outlet((torch.softmax(scores, -1) @ value).transpose(1, 2).flatten(2))
    torch.testing.assert_close(layer._attend(rows), want, atol=1e-5, rtol=1e-4)
