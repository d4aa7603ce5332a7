"""The benchmark of parts: a spectrum taken apart, put together again, and with one part of another."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))  # as its scripts find each other
from parts import NAMES, Parts, cell, exchanged

from ddspvae.synth.level import harmonic_band_power, noise_band_power

from ..conftest import melody_take

RATE = 16_000


def spectrum(seed):
    random = torch.Generator().manual_seed(seed)
    f0_hz = 200 + 100 * torch.rand(1, 50, 1, generator=random)
    return torch.rand(1, 50, 12, generator=random), torch.rand(1, 50, 9, generator=random), f0_hz


def powers(amplitudes, noise, f0_hz):
    return (harmonic_band_power(f0_hz, amplitudes).sum(-1, keepdim=True),
            noise_band_power(noise, RATE).sum(-1, keepdim=True))


def test_the_parts_are_a_spectrum_and_make_it_again():
    amplitudes, noise, f0_hz = spectrum(0)
    parts = Parts.of(amplitudes, noise, f0_hz, RATE)
    of_harmonics, of_noise = powers(amplitudes, noise, f0_hz)
    torch.testing.assert_close(parts.balance, of_harmonics / (of_harmonics + of_noise))
    torch.testing.assert_close(parts.level, of_harmonics + of_noise)
    for power in powers(parts.distribution, parts.noise_shape, f0_hz):
        torch.testing.assert_close(power, torch.ones_like(power))
    for again, was in zip(parts.together(), (amplitudes, noise)):
        torch.testing.assert_close(again, was)
    silent = Parts.of(0 * amplitudes, 0 * noise, f0_hz, RATE)
    assert all(x.isfinite().all() and x.max() < 1e-6 for x in silent.together())


def test_one_part_at_a_time_is_exchanged():
    own, other = Parts.of(*spectrum(0), RATE), Parts.of(*spectrum(1), RATE)
    rows = dict(exchanged(own, other))
    assert list(rows) == ["harmonic distribution", "noise shape", "balance", "level"]
    for part, words in NAMES.items():
        for name in NAMES:
            assert getattr(rows[words], name) is getattr(other if name == part else own, name)


def test_a_cell_says_what_both_judges_say():
    audio = melody_take(2.0, RATE)
    zimtohrli, visqol = cell(audio, audio, RATE).split(" | ")
    assert float(zimtohrli) == pytest.approx(5, abs=0.01) and float(visqol) > 4.5
    assert cell(audio, None, RATE).count("|") == 1
