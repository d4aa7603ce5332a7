import math

import pytest
import torch

from ddspvae.features.attributes import N_PARTIALS
from ddspvae.features.band_tables import N_NOISE_BANDS
from ddspvae.model.autoencoder import Autoencoder
from ddspvae.model.bottleneck import bits_per_second, kl_nats, sample
from ddspvae.model.config import ModelConfig, harmonics_needed
from ddspvae.model.encoder_inputs import EncoderInputs
from ddspvae.model.form import harmonic_knots
from ddspvae.model.stack import GatedStack
from ddspvae.signals import Latents
from ddspvae.signals.checks import InputError
from ddspvae.synth.render import render

RATES = [(16_000, 80), (44_100, 220), (48_000, 240)]


def small(sample_rate: int = 16_000, hop_size: int = 80, **changes) -> ModelConfig:
    sizes = {"n_z": 6, "n_harmonics": 20, "encoder_channels": 8, "decoder_channels": 8, "rooms": ("hall", "booth")}
    return ModelConfig(sample_rate=sample_rate, hop_size=hop_size, **{**sizes, **changes})


def curves(n_frames: int, batch: int = 1):
    random = torch.Generator().manual_seed(0)
    f0_hz = 200 + 400 * torch.rand(batch, n_frames, 1, generator=random)
    return f0_hz, torch.rand(batch, n_frames, 1, generator=random), -40 + 20 * torch.rand(batch, n_frames, 1)


def hear(n_frames: int, batch: int = 1, hop_size: int = 80) -> EncoderInputs:
    partials = torch.rand(batch, n_frames, N_PARTIALS + 1)
    partials[..., :-1] /= partials[..., :-1].sum(-1, keepdim=True)
    return EncoderInputs(*curves(n_frames, batch), torch.rand(batch, n_frames, 64), partials,
                         torch.rand(batch, n_frames * hop_size) - 0.5, torch.rand(batch, n_frames, N_NOISE_BANDS + 12) / 100)


@pytest.mark.parametrize("sample_rate, hop", RATES)
@pytest.mark.parametrize("changes", [{}, {"n_z": 0}, {"with_noise": False}, {"with_reverb": False}], ids=str)
def test_encode_decode_render_at_every_rate(sample_rate, hop, changes):
    model = Autoencoder(small(sample_rate, hop, **changes)).eval()
    n_frames = 43
    latents = model.encode(hear(n_frames, 2, hop))
    assert latents.z_mean.shape == (2, 11, model.config.n_z)  # ceil(43 / 4) rows
    controls = model.decode(*curves(n_frames, 2), latents.to_z(sample(latents)), model.room(torch.tensor([0, 1])))
    assert controls.harmonic_distribution.shape == (2, n_frames, 20)
    torch.testing.assert_close(controls.harmonic_distribution.sum(-1), torch.ones(2, n_frames), atol=1e-4, rtol=0)
    audio = render(controls, sample_rate, hop)
    assert audio.shape == (2, n_frames * hop) and bool(torch.isfinite(audio).all())


def test_default_size_is_what_was_promised():
    model = Autoencoder(ModelConfig(n_harmonics=128))
    assert sum(p.numel() for p in model.parameters()) <= 1_500_000


def test_the_stack_is_causal_and_sees_what_it_says():
    stack = GatedStack(3, 8, (1, 2, 4)).eval()
    assert stack.receptive_field == 15
    x = torch.rand(1, 40, 3)
    changed = x.clone()
    changed[:, 20] += 1
    moved = (stack(x)[0] - stack(changed)[0]).abs().sum((0, 2)) > 1e-7
    assert moved.nonzero()[:, 0].tolist() == list(range(20, 35))


def test_a_score_without_z_gets_no_z():
    assert Autoencoder(small(n_z=0)).encode(hear(16)).z_mean.shape == (1, 4, 0)


def test_kl_of_a_known_gaussian():
    # KL(N(1, 4) || N(0, 1)) = (1 + 4 - ln 4 - 1) / 2
    latents = Latents(torch.ones(1, 3, 2), torch.full((1, 3, 2), math.log(4)))
    torch.testing.assert_close(kl_nats(latents), torch.full((1, 3, 2), (4 - math.log(4)) / 2))
    assert float(kl_nats(Latents(torch.zeros(1, 1, 1), torch.zeros(1, 1, 1)))) == 0


def test_rate_sums_over_axes_and_averages_over_time_and_batch():
    kl = torch.full((2, 5, 3), math.log(2))  # one bit an axis and row
    assert bits_per_second(kl, 25.0).tolist() == pytest.approx([25, 25, 25])
    weight = torch.zeros(2, 5)
    weight[0, 0] = 1
    kl[0, 0] = 2 * math.log(2)
    assert bits_per_second(kl, 25.0, weight).tolist() == pytest.approx([50, 50, 50])


def test_samples_have_the_posteriors_mean_and_variance():
    latents = Latents(torch.full((1, 20_000, 1), 3.0), torch.full((1, 20_000, 1), math.log(0.25)))
    z = sample(latents, torch.Generator().manual_seed(0))
    assert float(z.mean()) == pytest.approx(3, abs=0.02) and float(z.std()) == pytest.approx(0.5, abs=0.02)


def test_knots_are_the_identity_then_a_smooth_envelope():
    assert torch.equal(torch.from_numpy(harmonic_knots(82)), torch.eye(82))
    many = torch.from_numpy(harmonic_knots(370))
    assert many.shape == (128, 370)
    torch.testing.assert_close(many.sum(0), torch.ones(370))
    assert torch.equal(many[:64, :64], torch.eye(64)) and float(many[:, 369].argmax()) == 127


def test_harmonics_reach_16_khz_or_nyquist():
    assert (harmonics_needed(43.65, 48_000), harmonics_needed(200, 16_000), harmonics_needed(4000, 48_000)) == (367, 40, 8)


def test_sampled_z_persists_and_follows_seed_and_temperature():
    prior = Autoencoder(small()).prior
    torch.nn.init.zeros_(prior.net[-1].weight)
    torch.nn.init.zeros_(prior.net[-1].bias)
    rows = [curve[0] for curve in curves(4000)]
    with torch.no_grad():
        z = prior.sample(*rows, seed=1)
        assert torch.equal(z, prior.sample(*rows, seed=1)) and not torch.equal(z, prior.sample(*rows, seed=2))
        assert float((z[1:] * z[:-1]).mean()) == pytest.approx(0.9, abs=0.08)
        torch.testing.assert_close(prior.sample(*rows, seed=1, temperature=0.5), z / 2)
        assert float(prior.sample(*rows, seed=1, temperature=0).abs().max()) == 0


def test_pitch_and_level_do_not_pass_through_z():
    model = Autoencoder(small(with_reverb=False)).eval()
    f0_hz, periodicity, loudness_db = curves(40)
    a = model.decode(f0_hz, periodicity, loudness_db, torch.zeros(1, 10, 6), None)
    b = model.decode(f0_hz, periodicity, loudness_db, torch.full((1, 10, 6), 3.0), None)
    assert torch.equal(a.f0_hz, b.f0_hz) and not torch.equal(a.harmonic_distribution, b.harmonic_distribution)


def test_config_round_trip_and_errors():
    config = small(by_room=True)  # what is left to the recordings is decided in a file
    import json

    assert ModelConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config
    with pytest.raises(InputError, match="unknown settings colour; the file is from a newer ddspvae"):
        ModelConfig.from_dict({"colour": 1})
    for name, value in (("sample_rate", 1), ("hop_size", 1), ("n_z", -1), ("n_harmonics", 0)):
        with pytest.raises(InputError, match=f"{name} must lie between"):
            ModelConfig(**{name: value})
