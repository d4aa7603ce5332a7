"""Auditory bands: powers by a slow twin, and what masks what."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from ddspvae.features.band_tables import N_NOISE_BANDS
from ddspvae.features.bands import band_centres, band_weights
from ddspvae.features.weighting import a_weighting
from ddspvae.model.encoder_inputs import EncoderInputs
from ddspvae.model.excitation import N_AUDITORY, SOFTEST, Excitation, auditory_centres_hz
from ddspvae.model.target import FLOOR, Shape, decoded_shape, measured_shape, shape_error
from ddspvae.training.losses import BEND, HeardError

RATE, N_HARMONICS = 48_000, 40
SILENT = math.log(FLOOR) / 2


def pitch(f0_hz=220.0, n_frames=1):
    return torch.full((1, n_frames, 1), f0_hz)


def shape(harmonics=None, noise=None, n_frames=1, n_heard=N_HARMONICS):
    """Levels in nepers by number of harmonic and by band; the others silent."""
    levels, hiss = torch.full((1, n_frames, N_HARMONICS), SILENT), torch.full((1, n_frames, N_NOISE_BANDS), SILENT)
    for number, level in (harmonics or {}).items():
        levels[..., number - 1] = level
    for band, level in (noise or {}).items():
        hiss[..., band] = level
    return Shape(levels, hiss, torch.full((1, n_frames, 1), n_heard))


def ear(f0_hz=220.0, n_heard=N_HARMONICS):
    return Excitation(pitch(f0_hz), torch.tensor([[[n_heard]]]), N_HARMONICS, N_NOISE_BANDS, RATE)


def gammatone_power(frequency_hz, centre_hz):
    """Of fourth order, and 1.019 equivalent rectangular bandwidths wide."""
    width_hz = 1.019 * 24.7 * (4.37 * centre_hz / 1000 + 1)
    return (1 + ((frequency_hz - centre_hz) / width_hz) ** 2) ** -4


def test_bands_lie_half_an_equivalent_rectangular_bandwidth_apart():
    centres = auditory_centres_hz().double().numpy()
    number = 21.4 * np.log10(0.00437 * centres + 1)
    assert centres[0] == pytest.approx(40, rel=1e-4) and centres[-1] == pytest.approx(16_000, rel=1e-4)
    np.testing.assert_allclose(np.diff(number), np.diff(number).mean(), rtol=1e-3)
    assert np.diff(number).mean() == pytest.approx(0.5, abs=0.05)


def test_one_harmonic_in_the_middle_of_a_band():
    """Power of amplitude 1: 1/2; and a band's width away, 1/2 * 2^-4."""
    centre = float(auditory_centres_hz()[30])
    level = ear(centre)(shape({1: 0.0}))[0, 0]
    assert float(level[30]) == pytest.approx(math.log(0.5 + SOFTEST) / 2, abs=1e-3)
    width_hz = 1.019 * 24.7 * (4.37 * centre / 1000 + 1)
    assert float(ear(centre + width_hz)(shape({1: 0.0}))[0, 0, 30]) == pytest.approx(math.log(0.5 / 16) / 2, abs=1e-3)


def test_bands_equal_a_slow_twin():
    random = np.random.default_rng(0)
    levels, hiss = random.uniform(-4, 0, N_HARMONICS), random.uniform(-6, -2, N_NOISE_BANDS)
    found = ear(330.0, 25)(Shape(torch.tensor(levels)[None, None].float(), torch.tensor(hiss)[None, None].float(),
                                 torch.tensor([[[25]]])))[0, 0]
    frequency_hz = np.linspace(0, RATE / 2, 40_001)  # noise, as the synthesizer shapes it: powers on straight lines
    density = np.interp(frequency_hz, band_centres().numpy() * RATE / 2, np.exp(2 * hiss))
    for band, centre_hz in enumerate(auditory_centres_hz().tolist()):
        power = sum(np.exp(2 * levels[k - 1]) / 2 * gammatone_power(330.0 * k, centre_hz) for k in range(1, 26))
        power += (density * gammatone_power(frequency_hz, centre_hz)).mean()
        assert float(found[band]) == pytest.approx(np.log(power + SOFTEST) / 2, abs=0.01)


def test_noise_far_below_a_harmonic_does_not_move_it_and_alone_it_is_heard():
    """40 dB down, in the bands around it; where no harmonic is near, the same noise is half of what is there."""
    f0_hz = 1000.0
    near = {band: 0.0 for band in range(N_NOISE_BANDS) if abs(float(band_centres()[band]) * RATE / 2 - f0_hz) < 400}
    power = float((2 * ear(f0_hz)(shape(noise=near))).exp().max())
    quiet = math.log(1e-4 * 0.5 / power) / 2
    bare, covered = ear(f0_hz)(shape({1: 0.0})), ear(f0_hz)(shape({1: 0.0}, dict.fromkeys(near, quiet)))
    at = int((auditory_centres_hz() - f0_hz).abs().argmin())
    assert float((covered - bare)[0, 0, at].abs()) < 1e-3
    hushed, alone = ear(f0_hz)(shape()), ear(f0_hz)(shape(noise=dict.fromkeys(near, quiet)))
    assert float((alone - hushed)[0, 0, at].abs()) > 0.5


def test_harmonics_that_are_not_heard_do_not_excite():
    loud, silent = ear(300.0, 10)(shape({12: 0.0})), ear(300.0, 10)(shape())
    torch.testing.assert_close(loud, silent)


def test_thinned_out_frames_are_those_of_all():
    random = torch.Generator().manual_seed(0)
    f0_hz = 200 + 300 * torch.rand(2, 21, 1, generator=random)
    heard = torch.full((2, 21, 1), 20)
    one = Shape(-4 * torch.rand(2, 21, N_HARMONICS, generator=random),
                -4 * torch.rand(2, 21, N_NOISE_BANDS, generator=random),
                heard)
    every = Excitation(f0_hz, heard, N_HARMONICS, N_NOISE_BANDS, RATE, thin=1)(one)
    third = Excitation(f0_hz, heard, N_HARMONICS, N_NOISE_BANDS, RATE, thin=3)(one)
    assert every.shape == (2, 21, N_AUDITORY)
    torch.testing.assert_close(third, every[:, ::3])


def heard_of(n_frames):
    nothing = torch.zeros(1, n_frames, 1)
    return EncoderInputs(pitch(300.0, n_frames), nothing + 1, nothing - 20, nothing, nothing, nothing[..., 0], nothing)


def some_shape(n_frames, seed=0, n_heard=30):
    random = torch.Generator().manual_seed(seed)
    return Shape(-4 * torch.rand(1, n_frames, N_HARMONICS, generator=random),
                 -3 * torch.rand(1, n_frames, N_NOISE_BANDS, generator=random), torch.full((1, n_frames, 1), n_heard))


def test_equal_spectra_have_no_error_and_6_db_everywhere_is_near_1():
    measured, weight = some_shape(12), torch.ones(1, 12)
    error = HeardError(heard_of(12), measured, weight, RATE)
    assert float(error(measured)) == 0
    six_db = math.log(10 ** (6 / 20))
    louder = Shape(measured.harmonics + six_db, measured.noise + six_db, measured.n_heard)
    assert float(shape_error(louder, measured, weight / 12)) == pytest.approx(1, abs=1e-3)  # line by line
    ear = BEND * (math.sqrt(1 + 1 / BEND**2) - 1)  # large errors count by themselves, small ones by their square
    assert float(error(louder)) == pytest.approx(0.8 * ear + 0.2, abs=0.02)  # what is 50 dB down counts less
    little = 0.01 * six_db
    barely = Shape(measured.harmonics + little, measured.noise + little, measured.n_heard)
    assert float(error(barely)) == pytest.approx(0.8 * 1e-4 / (2 * BEND) + 0.2 * 1e-4, rel=0.05)


def test_a_frame_counts_as_much_as_it_weighs():
    measured, other = some_shape(4), some_shape(4, seed=1)
    weight = torch.tensor([[0.0, 1.0, 1.0, 2.0]])
    whole = float(HeardError(heard_of(4), measured, weight, RATE)(other))
    alone = []
    for frame in range(4):
        weight = torch.zeros(1, 4)
        weight[0, frame] = 1
        alone.append(float(HeardError(heard_of(4), measured, weight, RATE)(other)))
    assert whole == pytest.approx((alone[1] + alone[2] + 2 * alone[3]) / 4, rel=1e-4) and len(set(alone)) == 4
    assert float(HeardError(heard_of(4), measured, torch.zeros(1, 4), RATE)(other)) == 0


def test_what_is_masked_costs_the_lines_alone():
    """Noise that is 10 dB wrong where a harmonic drowns it."""
    measured = shape({3: 0.0}, dict.fromkeys(range(N_NOISE_BANDS), -6.0), 2)
    around = int((band_centres() * RATE / 2 - 900).abs().argmin())
    wrong = Shape(measured.harmonics, measured.noise.clone(), measured.n_heard)
    wrong.noise[..., around] += math.log(10 ** (10 / 20))
    weight = torch.ones(1, 2)
    error = float(HeardError(heard_of(2), measured, weight, RATE)(wrong))
    assert error == pytest.approx(0.2 * float(shape_error(wrong, measured, weight / 2)), rel=0.05) and error > 0


def test_measured_and_decoded_spectra_are_brought_to_one_form():
    """What is played as it was measured has no error, whatever the level was."""
    random = torch.Generator().manual_seed(0)
    f0_hz, n_bands = pitch(300.0, 5), N_NOISE_BANDS
    amplitudes, noise = torch.rand(1, 5, N_HARMONICS, generator=random), torch.rand(1, 5, n_bands, generator=random) / 3
    spectrum = torch.cat([noise, amplitudes], dim=-1)
    measured = [measured_shape(gain * spectrum, f0_hz, N_HARMONICS, n_bands, RATE) for gain in (1.0, 0.01)]
    torch.testing.assert_close(measured[0].harmonics, measured[1].harmonics, atol=1e-4, rtol=0)
    total = (2 * measured[0].harmonics).exp()
    heard = 300.0 * torch.arange(1, N_HARMONICS + 1)
    power = (total * a_weighting(heard)).sum(-1) / 2
    noise_power = (2 * measured[0].noise).exp() @ band_weights(n_bands, RATE).sum(-1)
    torch.testing.assert_close(power + noise_power, torch.ones(1, 5), atol=1e-4, rtol=0)
    share = (power / (power + noise_power))[..., None]
    decoded = decoded_shape(amplitudes / amplitudes.sum(-1, keepdim=True), 7 * noise, share, f0_hz, RATE)
    torch.testing.assert_close(decoded.harmonics, measured[0].harmonics, atol=1e-3, rtol=0)
    torch.testing.assert_close(decoded.noise, measured[0].noise, atol=1e-3, rtol=0)
    assert float(measured[0].less(decoded, f0_hz).abs().max()) < 1e-3
    fewer = measured_shape(spectrum[..., : n_bands + 10], f0_hz, N_HARMONICS, 33, RATE)
    assert fewer.noise.shape[-1] == 33 and float(fewer.harmonics[..., 10:].max()) == pytest.approx(SILENT)
