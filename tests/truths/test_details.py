"""What has a name or a curve of its own is not moved by the axes without names, by construction and for any weights."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ddspvae.features.band_tables import N_NOISE_BANDS
from ddspvae.features.bands import band_weights
from ddspvae.features.extract import extract
from ddspvae.features.partials import read_attributes, read_partials
from ddspvae.features.statistics import measure
from ddspvae.features.weighting import a_weighting
from ddspvae.instrument.instrument import Instrument
from ddspvae.model.autoencoder import Autoencoder
from ddspvae.model.config import ModelConfig
from ddspvae.signals import Performance

from ..conftest import melody_take

N_FRAMES, N_Z = 240, 16


def wild(sample_rate, hop_size, n_harmonics=40, **changes):
    """A model whose every weight that matters is random, and whose details turn the spectrum upside down."""
    torch.manual_seed(3)
    config = ModelConfig(sample_rate=sample_rate, hop_size=hop_size, n_z=N_Z, n_harmonics=n_harmonics, encoder_channels=8,
                         decoder_channels=16, **changes)
    model = Autoencoder(config).eval()
    decoder = model.decoder
    with torch.no_grad():
        decoder.typical.deviation.copy_(torch.tensor([0.3, 0.8, 0.1, 0.7]))
        decoder.typical.coefficients[0, 0] = torch.tensor([1.5, -4.0, 0.05, -3.0])
        decoder.typical.coefficients[0, 1:3].normal_(std=0.1)
        decoder.detail_head.weight.normal_(std=0.15)
        for weight in (decoder.stack.inlet.weight, decoder.envelope_head.weight, decoder.harmonic_head.weight,
                       decoder.noise_head.weight, decoder.balance_head.weight):
            weight.normal_(std=0.1)
    return model


def curves():
    """Two notes with attacks, a step and vibrato, [1, F, 1] each."""
    t_s = torch.arange(N_FRAMES) / 200
    f0_hz = torch.where(t_s < 0.6, 262.0, 330.0) * 2 ** (0.3 * torch.sin(2 * torch.pi * 5.5 * t_s) / 12)
    loudness_db = torch.where((t_s % 0.6) < 0.05, -50.0, -22.0) - 3 * t_s
    return tuple(curve[None, :, None] for curve in (f0_hz, torch.ones(N_FRAMES), loudness_db))


def attributes(controls, sample_rate):
    """Brightness, hollowness and breathiness [F, 3] of what is to be played, as they are read from a take."""
    played = torch.cat([controls.noise_magnitudes, controls.amplitude * controls.harmonic_distribution], dim=-1)[0]
    return read_attributes(torch.from_numpy(read_partials(played.numpy(), controls.f0_hz[0, :, 0].numpy(), sample_rate)))


def a_weighted_power(controls, sample_rate):
    """Of harmonics and noise [F], in a dry room."""
    heights = controls.amplitude * controls.harmonic_distribution
    frequency_hz = controls.f0_hz * torch.arange(1, heights.shape[-1] + 1)
    noise = controls.noise_magnitudes.square() @ band_weights(N_NOISE_BANDS, sample_rate).sum(-1)
    return ((heights.square() / 2 * a_weighting(frequency_hz)).sum(-1) + noise)[0]


@pytest.mark.parametrize("sample_rate, hop_size", [(16_000, 80), (48_000, 240)])
@torch.no_grad()
def test_details_move_no_named_axis_no_level_and_no_pitch(sample_rate, hop_size):
    model, (f0_hz, periodicity, loudness_db) = wild(sample_rate, hop_size, 22), curves()
    named = torch.randn(1, N_FRAMES // 4, 4, generator=torch.Generator().manual_seed(0))
    played = []
    for seed in range(3):
        details = 2 * torch.randn(1, N_FRAMES // 4, N_Z - 4, generator=torch.Generator().manual_seed(seed))
        played.append(model.decode(f0_hz, periodicity, loudness_db, torch.cat([named, details], dim=-1), None))
    one, *others = played
    for other in others:
        apart = (one.harmonic_distribution / other.harmonic_distribution).log()[..., :10].abs()
        assert float(apart.mean()) > 0.5 and float((one.noise_magnitudes / other.noise_magnitudes).log().abs().mean()) > 0.5
        assert torch.equal(one.f0_hz, other.f0_hz)
        torch.testing.assert_close(attributes(other, sample_rate), attributes(one, sample_rate), atol=1e-3, rtol=0)
    for each in played:
        asked = 10 ** (loudness_db[0, :, 0] / 10)
        torch.testing.assert_close(a_weighted_power(each, sample_rate), asked, atol=0, rtol=1e-3)


@torch.no_grad()
def test_a_named_axis_says_what_it_says_whatever_the_details_are():
    """One deviation more of brightness is one deviation more in the spectrum, with either details."""
    model, (f0_hz, periodicity, loudness_db) = wild(48_000, 240), curves()
    steady = slice(160, 230)  # no onset
    for axis, column in ((0, 0), (1, 2), (2, 1)):
        for seed in range(2):
            z = torch.randn(1, N_FRAMES // 4, N_Z, generator=torch.Generator().manual_seed(seed))
            z[..., :4] = 0
            more = z.clone()
            more[..., axis] = 1
            low, high = (attributes(model.decode(f0_hz, periodicity, loudness_db, one, None), 48_000) for one in (z, more))
            step = float(model.decoder.typical.deviation[axis])
            torch.testing.assert_close((high - low)[steady, column], torch.full((70,), step), atol=0.01 * step, rtol=0)


@pytest.mark.parametrize("frames_per_z", [4, 8])
def test_a_stream_with_details_equals_the_whole(frames_per_z):
    rate, hop = 16_000, 80
    take = melody_take(3.0, rate)
    statistics = measure([extract(take, rate, hop)])
    model = wild(rate, hop, 22, frames_per_z=frames_per_z)
    instrument = Instrument(model, {"statistics": statistics.to_dict(), "tracker": "swift"}, "wild")
    performance = Performance(
        *(curve[0, :, 0].numpy() for curve in curves()),
        np.random.default_rng(0).standard_normal((N_FRAMES // frames_per_z, N_Z)), instrument.axis_names, 200.0,
        frames_per_z, instrument.identity)
    whole = instrument.resynthesize(performance)
    assert np.abs(whole).max() > 0.01
    stream, random, blocks = instrument.stream(1), np.random.default_rng(1), []
    stream.feed(performance)
    while sum(map(len, blocks)) < len(whole):
        blocks.append(stream.read(min(int(random.integers(1, 3000)), len(whole) - sum(map(len, blocks)))))
    np.testing.assert_allclose(np.concatenate(blocks), whole, atol=1e-5, rtol=0)
