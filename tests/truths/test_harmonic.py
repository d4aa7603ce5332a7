"""The harmonic synthesizer against a float64 oscillator bank, and the physics both must obey."""

import math

import numpy as np
import pytest
import torch

from ddspvae.signals.checks import InputError
from ddspvae.synth.constrain import audible
from ddspvae.synth.envelopes import start_phase
from ddspvae.synth.harmonic import harmonic

from ..references.bank import oscillator_bank

RATES = [(16_000, 80), (44_100, 220), (48_000, 240)]


def snr_db(reference: torch.Tensor, estimate: torch.Tensor) -> float:
    error = (estimate.double() - reference).square().mean()
    return 10 * math.log10(float(reference.square().mean() / error))


def controls(kind: str, f0: float, sample_rate: int, hop: int, n_frames: int = 60):
    t = torch.arange(n_frames) * hop / sample_rate
    f0_hz = torch.full((1, n_frames, 1), f0)
    if kind == "vibrato":
        f0_hz = f0_hz * 2 ** (torch.sin(2 * math.pi * 7 * t) / 12)[None, :, None]
    if kind == "glide":  # two octaves in 100 ms
        f0_hz = f0_hz * 2 ** (2 * ((t - 0.1) / 0.1).clamp(0, 1) - 1)[None, :, None]
    amplitude = torch.full((1, n_frames, 1), 0.5)
    if kind == "switch":
        amplitude[:, : n_frames // 2] = 0
    return f0_hz, amplitude


@pytest.mark.parametrize("sample_rate, hop", RATES)
@pytest.mark.parametrize("kind", ["steady", "vibrato", "glide", "switch"])
@pytest.mark.parametrize("f0", [20.0, 110.0, 440.0, 4000.0])
@pytest.mark.parametrize("slope", [0, 1], ids=["flat", "1/k"])
def test_equals_the_bank_within_90_db(sample_rate, hop, kind, f0, slope):
    f0_hz, amplitude = controls(kind, f0, sample_rate, hop)
    distribution = (torch.arange(1, 101).float() ** -slope).expand(1, f0_hz.shape[1], 100)
    distribution = distribution / distribution.sum(-1, keepdim=True)
    fast = harmonic(f0_hz, amplitude, distribution, sample_rate, hop)
    assert snr_db(oscillator_bank(f0_hz, amplitude, distribution, sample_rate, hop), fast) > 90


def test_nothing_folds_back_at_nyquist():
    # a harmonic that sweeps through Nyquist: all energy must stay on the harmonic's own side
    f0_hz = torch.linspace(900, 1100, 400)[None, :, None]
    distribution = torch.zeros(1, 400, 30)
    distribution[..., 23] = 1.0  # 24 f0 runs from 21.6 to 26.4 kHz
    audio = harmonic(f0_hz, torch.ones(1, 400, 1), distribution, 48_000, 240)[0].numpy()
    end = audio[210 * 240 :]  # from 1005 Hz on, 24 f0 is above Nyquist
    assert np.abs(end).max() == 0


def test_the_nyquist_rule_by_hand():
    f0_hz = torch.tensor([900.0, 900.0, 1100.0, 900.0, 900.0])[None, :, None]
    heard = audible(f0_hz, 24, 48_000)  # harmonic 24 is at 21.6 and 26.4 kHz, harmonic 21 at 23.1 at most
    assert heard[0, :, 23].tolist() == [True, False, False, False, True]
    assert bool(heard[0, :, :21].all())


@pytest.mark.parametrize("sample_rate, hop", RATES)
def test_amplitude_is_the_peak_of_a_sine(sample_rate, hop):
    ones = torch.ones(1, 50, 1)
    audio = harmonic(ones * 400.0, ones * 0.25, ones, sample_rate, hop)
    assert float(audio.abs().max()) == pytest.approx(0.25, rel=1e-4)
    doubled = harmonic(ones * 400.0, ones * 0.5, ones, sample_rate, hop)
    gain_db = 10 * math.log10(float(doubled.square().mean() / audio.square().mean()))
    assert gain_db == pytest.approx(6.0206, abs=1e-4)


def test_frame_n_is_the_instant_n_hop():
    # a step in pitch at frame 50 starts to glide there, half-way between at 50.5: zero crossings tell
    f0_hz = torch.full((1, 100, 1), 500.0)
    f0_hz[:, 51:] = 1000.0
    audio = harmonic(f0_hz, torch.ones(1, 100, 1), torch.ones(1, 100, 1), 48_000, 240)[0].numpy()
    crossings = np.flatnonzero((audio[:-1] < 0) & (audio[1:] >= 0))
    periods = np.diff(crossings)
    assert (periods[crossings[1:] <= 50 * 240] == pytest.approx(96, abs=1))
    assert (periods[crossings[:-1] >= 51 * 240] == pytest.approx(48, abs=1))


def test_phase_does_not_drift_in_an_hour():
    n_frames = 200 * 3600
    f0 = 439.7
    phase = start_phase(torch.full((1, n_frames, 1), f0, dtype=torch.float32), 48_000, 240)[0, -1, 0]
    f0 = float(torch.tensor(f0, dtype=torch.float32))
    # exact: whole hops of f0 * 240 / 48000 cycles, by integer arithmetic on f0's binary fraction
    from fractions import Fraction

    exact = Fraction(f0) * 240 / 48_000 * (n_frames - 1) % 1
    drift = (float(phase) - float(exact) + 0.5) % 1 - 0.5
    assert abs(drift) * 2 * math.pi * 40 < 1e-3


def test_frame_borders_are_as_smooth_as_their_inside():
    """Second differences at borders no larger than the corner of a linear envelope: no step, no click."""
    random = torch.Generator().manual_seed(0)
    f0_hz = 300 + 20 * torch.rand(1, 80, 1, generator=random)
    amplitude = torch.rand(1, 80, 1, generator=random)
    audio = harmonic(f0_hz, amplitude, torch.ones(1, 80, 1), 48_000, 240)[0].double()
    second = torch.diff(audio, n=2).abs()
    at_borders = torch.stack([second[torch.arange(1, 79) * 240 + k] for k in (-2, -1, 0)]).max()
    # amplitude * (2 pi f0 / rate)^2 = 1.8e-3 for the sine, at most 1 / 240 = 4.2e-3 for the corner of the envelope,
    # and amplitude * 2 pi * (20 Hz / 240) / rate = 1e-5 for the corner of f0; a step would be up to 1
    assert at_borders < 1.8e-3 + 2 * 4.2e-3


def test_eight_at_once_equal_eight_alone():
    random = torch.Generator().manual_seed(2)
    f0_hz, amplitude = 200 + 600 * torch.rand(8, 40, 1, generator=random), torch.rand(8, 40, 1, generator=random)
    distribution = torch.rand(8, 40, 50, generator=random)
    together = harmonic(f0_hz, amplitude, distribution, 48_000, 240)
    alone = [harmonic(f0_hz[i : i + 1], amplitude[i : i + 1], distribution[i : i + 1], 48_000, 240) for i in range(8)]
    torch.testing.assert_close(together, torch.cat(alone), atol=1e-6, rtol=0)


def test_says_what_is_wrong():
    ones = torch.ones(1, 5, 1)
    with pytest.raises(InputError, match=r"harmonic: f0_hz must have shape \[1, 5, 1\], got \[1, 4, 1\]"):
        harmonic(ones[:, :4], ones, torch.ones(1, 5, 3), 48_000, 240)
    with pytest.raises(InputError, match="harmonic: hop_size must lie between"):
        harmonic(ones, ones, torch.ones(1, 5, 3), 48_000, 0)
    with pytest.raises(InputError, match="harmonic: sample_rate must lie between"):
        harmonic(ones, ones, torch.ones(1, 5, 3), 0, 240)
