"""The named axes: read from a take, realised by the decoder, found again in the sound."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from ddspvae.features.attributes import HIGHEST_HZ, N_PARTIALS
from ddspvae.features.bands import band_centres, band_weights, breath_shares
from ddspvae.features.extract import extract
from ddspvae.features.partials import measure_partials, partial_statistics, read_attributes
from ddspvae.model.autoencoder import Autoencoder
from ddspvae.model.axes import find_onsets, tilt_and_hollow
from ddspvae.model.config import ModelConfig
from ddspvae.model.encoder_inputs import EncoderInputs
from ddspvae.model.form import NAMED_AXES, ONSET_FRAMES, axis_names
from ddspvae.model.stack import scale_curves
from ddspvae.model.typical import Typical
from ddspvae.synth.render import render

from ..conftest import melody_take

RATE, HOP = 16_000, 80


def curves_of(f0_hz, loudness_db):
    column = [torch.tensor(curve, dtype=torch.float32)[None, :, None] for curve in (f0_hz, np.ones_like(f0_hz), loudness_db)]
    return scale_curves(*column)


def test_an_onset_is_a_rise_or_a_step_and_a_swell_or_a_vibrato_is_none():
    n = 200 + ONSET_FRAMES
    t_s = np.arange(n) / 200
    steady = np.full(n, 440.0)
    attack = np.where(t_s < 0.5, -70.0, -20.0)
    onsets = find_onsets(curves_of(steady, attack))[0, :, 0]
    at = 100 - ONSET_FRAMES
    assert float(onsets[at : at + ONSET_FRAMES].min()) == 1 and float(onsets[:at].max()) == 0
    assert float(onsets[at + ONSET_FRAMES :].max()) == 0
    step = find_onsets(curves_of(np.where(t_s < 0.5, 440.0, 494.0), np.full(n, -20.0)))[0, :, 0]
    assert float(step[at]) == 1 and float(step[:at].max()) == 0
    down = find_onsets(curves_of(np.where(t_s < 0.5, 494.0, 440.0), np.full(n, -20.0)))[0, :, 0]
    assert torch.equal(down, step)
    swell = -40 + 20 * t_s
    vibrato = 440 * 2 ** (0.5 * np.sin(2 * np.pi * 6 * t_s) / 12)
    assert float(find_onsets(curves_of(vibrato, swell)).max()) == 0


def read_back(logits, f0_hz):
    inside = torch.arange(1, N_PARTIALS + 1) * f0_hz <= HIGHEST_HZ
    share = torch.softmax(logits[..., :N_PARTIALS].masked_fill(~inside, -1e4), dim=-1)
    return share @ partial_statistics(N_PARTIALS).T


def test_a_spectrum_is_as_bright_and_hollow_as_it_is_asked_to_be():
    random = torch.Generator().manual_seed(0)
    logits = -torch.arange(1, 83).float().log() + 0.7 * torch.randn(2, 50, 82, generator=random)
    f0_hz = 200 * 2 ** (2 * torch.rand(2, 50, 1, generator=random))
    for change in ([0.3, 0.1], [0.8, -0.1], [-0.4, 0.05]):
        wanted = read_back(logits, f0_hz) + torch.tensor(change)
        torch.testing.assert_close(read_back(tilt_and_hollow(logits, f0_hz, wanted), f0_hz), wanted, atol=2e-3, rtol=0)
    beyond = tilt_and_hollow(logits, f0_hz, torch.tensor([40.0, 3.0]).expand(2, 50, 2))  # approached, and finite
    assert bool(torch.isfinite(beyond).all()) and float(read_back(beyond, f0_hz)[..., 0].min()) > 2


def test_a_dark_spectrum_gets_as_hollow_as_it_can_and_no_darker():
    """Odd harmonics begin at the third, so an octave of brightness pays for 0.63 of hollowness at the most."""
    f0_hz = torch.full((1, 1, 1), 700.0)
    logits = -2 * torch.arange(1.0, 83.0).log().expand(1, 1, -1)
    asked = torch.tensor([0.0, 0.1, 0.2, 0.3, 0.4, 0.6])
    read = torch.cat([read_back(tilt_and_hollow(logits, f0_hz, torch.tensor([[[0.4, float(hollow)]]])), f0_hz)
                      for hollow in asked])[:, 0]
    assert (read[:, 0] - 0.4).abs().max() < 0.05
    assert (read[:3, 1] - asked[:3]).abs().max() < 0.01 and (read[1:, 1] - read[:-1, 1]).min() > -1e-3


def test_the_tilt_has_gradients():
    logits = torch.randn(1, 2, 12, dtype=torch.float64, generator=torch.Generator().manual_seed(1), requires_grad=True)
    f0_hz = torch.full((1, 2, 1), 300.0, dtype=torch.float64)
    wanted = read_back(torch.nn.functional.pad(logits.detach(), (0, 28), value=-1e4).float(), f0_hz.float()).double() + 0.1
    assert torch.autograd.gradcheck(lambda x, w: torch.softmax(tilt_and_hollow(x, f0_hz, w), -1),
                                    (logits, wanted.requires_grad_()), atol=1e-6)


@pytest.fixture(scope="module")
def takes():
    return [EncoderInputs.of(extract(melody_take(4.0, RATE, seed, has_timbres=True), RATE, HOP)) for seed in range(4)]


@pytest.fixture(scope="module")
def model(takes):
    torch.manual_seed(0)
    config = ModelConfig(sample_rate=RATE, hop_size=HOP, n_z=6, n_harmonics=20, encoder_channels=8, decoder_channels=8,
                         with_reverb=False)
    model = Autoencoder(config).eval()
    model.decoder.typical.fit(takes, config.frames_per_z)
    return model


def test_what_is_typical_is_the_same_for_every_seed_and_leaves_unit_deviations(takes):
    torch.manual_seed(1)
    one, two = Typical(), Typical()
    one.fit(takes, 8)
    torch.manual_seed(2)
    two.fit(takes, 8)
    assert all(torch.equal(a, b) for a, b in zip(one.buffers(), two.buffers()))
    rows, seen = (torch.cat(parts, dim=1)[0] for parts in zip(*(one.read(take, 8) for take in takes)))
    deviation = ((rows.square() * seen).sum(0) / seen.sum(0)).sqrt()
    assert deviation.tolist() == pytest.approx([1, 1, 1, 1], abs=0.05)
    pitch = torch.cat([take.f0_hz[0, ::8, 0].log2() for take in takes])
    sure = seen[:, 0] > 0
    assert abs(float(torch.corrcoef(torch.stack([rows[sure, 0], pitch[sure]]))[0, 1])) < 0.15


def test_a_take_without_any_pitch_tells_nothing():
    n = 100
    noise = EncoderInputs(torch.full((1, n, 1), 300.0), torch.zeros(1, n, 1), torch.full((1, n, 1), -30.0),
                          torch.zeros(1, n, 64), torch.rand(1, n, N_PARTIALS + 1), torch.zeros(1, 0), torch.zeros(1, n, 0))
    typical = Typical()
    typical.fit([noise], 8)
    rows, seen = typical.read(noise, 8)
    assert float(rows.abs().max()) == 0 and float(seen.max()) == 0


@pytest.mark.parametrize("axis", range(3))
def test_an_axis_moves_its_own_attribute_in_the_sound_and_no_other(model, takes, axis):
    """Through the synthesizer and back through the measurement; bite needs onsets, see truths/test_named_axes.py."""
    f0_hz = torch.full((1, 200, 1), 330.0)
    loudness_db = torch.full((1, 200, 1), -25.0)
    column = {0: 0, 1: 2, 2: 1}
    levels = []
    for value in (-1.0, 0.0, 1.0):
        z = torch.zeros(1, 50, 6)
        z[..., axis] = value
        with torch.inference_mode():
            controls = model.decode(f0_hz, torch.ones_like(f0_hz), loudness_db, z, None)
            audio = render(controls, RATE, HOP)[0].numpy()
        read = read_attributes(torch.from_numpy(measure_partials(audio, RATE, HOP, f0_hz[0, :, 0].numpy())))[40:-40].mean(0)
        levels.append(torch.stack([read[column[i]] for i in range(3)]) / model.decoder.typical.deviation[:3])
    slopes = (levels[2] - levels[0]) / 2
    assert float(slopes[axis]) == pytest.approx(1, abs=0.25)
    assert float((slopes - slopes[axis] * torch.eye(3)[axis]).abs().max()) < 0.1
    assert float(levels[0][axis]) < float(levels[1][axis]) < float(levels[2][axis])


def test_breath_leaves_the_hiss_of_the_recording_alone():
    """Where most of the noise lies above what breathiness is read from, and would rise with it if nobody saw to that."""
    config = ModelConfig(n_z=4, n_harmonics=20, encoder_channels=8, decoder_channels=8, with_reverb=False)
    model = Autoencoder(config).eval()
    above_hz = band_centres(config.n_noise_bands) * 24_000
    with torch.no_grad():
        model.decoder.noise_head.bias.copy_(4.0 * (above_hz > 13_000))
    breath = breath_shares(config.n_noise_bands, 48_000) * band_weights(config.n_noise_bands, 48_000).sum(-1)
    ones = torch.ones(1, 16, 1)
    powers = []
    for z in (torch.zeros(1, 4, 4), torch.tensor([[[0.0, 1, 0, 0]]]).expand(1, 4, 4)):
        with torch.inference_mode():
            controls = model.decode(300 * ones, ones, -30 * ones, z, None)
        harmonics = (controls.amplitude * controls.harmonic_distribution).square().sum(-1)
        noise = controls.noise_magnitudes.square() / harmonics[..., None]  # beside the harmonics' power
        powers.append(torch.stack([noise @ breath, noise[..., above_hz > 13_000].sum(-1)]).mean(-1)[:, 0])
    assert float(powers[0][1] / powers[0][0]) > 10
    assert float(powers[1][0] / powers[0][0]) == pytest.approx(math.e, rel=1e-4)
    # around 9 kHz bands are a share of both, which breath that is louder has more of: 0.02 dB
    assert float(powers[1][1] / powers[0][1]) == pytest.approx(1, abs=0.005)


def test_axes_without_names_cannot_move_what_has_one(model, takes):
    take = takes[0]
    random = torch.Generator().manual_seed(0)
    with torch.inference_mode():
        z = model.encode(take).to_z()
        moved = z.clone()
        moved[..., 4:] = 3 * torch.randn(z[..., 4:].shape, generator=random)
        (a, noise_a, share_a), (b, noise_b, share_b) = (model.decoder(*take.curves, one) for one in (z, moved))
    assert not torch.equal(a, b) and not torch.equal(noise_a, noise_b)
    torch.testing.assert_close(share_a, share_b)


def test_rows_that_tell_nothing_cost_nothing(model, takes):
    from ddspvae.model.bottleneck import kl_nats

    with torch.inference_mode():
        latents = model.encode(takes[0])
    _, seen = model.decoder.typical.read(takes[0], model.config.frames_per_z)
    bits = kl_nats(latents)[..., : len(NAMED_AXES)]
    assert float(bits[seen == 0].abs().max()) < 1e-5 and float(bits[seen > 0].min()) > 0
    assert float(latents.to_z()[..., : len(NAMED_AXES)][seen == 0].abs().max()) == 0


def test_names_of_axes():
    assert axis_names(2) == ("brightness", "breathiness") and axis_names(5)[4] == "z5" and axis_names(0) == ()
