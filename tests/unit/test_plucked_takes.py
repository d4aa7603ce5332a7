"""Takes of plucked instruments: partials that are stretched as those of its scores are, and the pitch of the first."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ddspvae.engine.network import Network
from ddspvae.engine.playing import play_takes
from ddspvae.features.refine import refine_f0
from ddspvae.instrument.loading import load
from ddspvae.instrument.stored import weights_of
from ddspvae.instrument.torch_blocks import play_in_torch
from ddspvae.kernels.plucks import play_sinusoids, stretch
from ddspvae.signals import Note, Notes
from ddspvae.synth.stretched import play_stretched
from ddspvae.synth.stretched import stretch as stretch_in_torch

RATE, STIFFNESS = 16_000, 4e-4


@pytest.fixture(scope="module")
def guitar():
    return load("guitar-electric")


@pytest.fixture(scope="module")
def take(guitar):
    return guitar.perform(Notes((Note(45, 80, 0.1, 1.2), Note(52, 90, 1.2, 1.5))))


@pytest.fixture
def rng():
    return np.random.default_rng(1)


def frames(rng, n_frames: int, n_harmonics: int):
    heights = rng.random((n_frames, n_harmonics)).astype(np.float32) / np.arange(1, n_harmonics + 1, dtype=np.float32)
    return 110 + 5 * rng.random(n_frames), heights, np.full(n_frames, STIFFNESS)


def test_harmonics_become_partials_of_the_same_power_in_every_region(rng):
    f0_hz, heights, stiffness = frames(rng, 4, 60)
    partials_hz, stretched = stretch(f0_hz, heights, stiffness)
    assert partials_hz[:, 0] == pytest.approx(f0_hz, rel=1e-6)
    assert partials_hz[0, 9] / f0_hz[0] == pytest.approx(10 * np.sqrt((1 + 100 * STIFFNESS) / (1 + STIFFNESS)))
    smooth = np.tile(1 / np.arange(1, 61, dtype=np.float32), (4, 1))
    partials_hz, stretched = stretch(f0_hz, smooth, stiffness)
    for low, high in ((1, 10), (10, 25), (25, 50)):
        ours = [np.square(row[(hz >= (low - 0.5) * f0) & (hz < (high - 0.5) * f0)]).sum()
                for row, hz, f0 in zip(stretched, partials_hz, f0_hz)]
        assert 10 * np.log10(np.array(ours) / np.square(smooth[0, low - 1 : high - 1]).sum()) == pytest.approx(0, abs=0.5)
    same_hz, same = stretch(f0_hz, heights, np.zeros(4))
    assert same == pytest.approx(heights, rel=1e-6) and same_hz[:, 59] == pytest.approx(60 * f0_hz)


def test_the_compiled_loop_is_the_sum_in_torch(rng):
    f0_hz, heights, stiffness = frames(rng, 20, 40)
    rows = [torch.from_numpy(np.asarray(row))[None] for row in (f0_hz[:, None], heights, stiffness[:, None])]
    for ours, theirs in zip(stretch(f0_hz, heights, stiffness), stretch_in_torch(*rows)):
        assert ours == pytest.approx(theirs[0].numpy(), rel=1e-5)
    phases = np.zeros(40)
    ours = play_sinusoids(*stretch(f0_hz, heights, stiffness), phases, RATE, 80)
    theirs, after = play_stretched(*rows, torch.zeros(1, 1, 1, dtype=torch.float64), RATE, 80)
    assert ours == pytest.approx(theirs[0].numpy(), abs=3e-6)
    assert np.exp(2j * np.pi * phases) == pytest.approx(np.exp(2j * np.pi * after[0, 0].numpy()), abs=1e-9)


def test_stretched_harmonics_are_differentiable():
    f0_hz = torch.tensor([[[110.0], [112.0]]], dtype=torch.float64, requires_grad=True)
    heights = (torch.rand(1, 2, 4, dtype=torch.float64) + 0.1).requires_grad_()
    stiffness = torch.full((1, 2, 1), 2e-3, dtype=torch.float64, requires_grad=True)
    start = torch.zeros(1, 1, 1, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda *given: play_stretched(*given, start, 2000, 8)[0], (f0_hz, heights, stiffness),
                                    atol=1e-4)


def test_takes_sound_in_the_engine_as_in_torch_and_a_span_as_in_the_whole(guitar, take):
    tail, response = guitar.rooms.response(True)
    of = Network(guitar.config, weights_of(guitar.model))
    law = guitar.plucks.stiffness_at
    short = take.slice(0.0, 0.25)
    ours, theirs = (np.concatenate(list(play(whose, [short], tail, response, 0, seed=5, first_voice=0, stiffness=law)))
                    for play, whose in ((play_takes, of), (play_in_torch, guitar.model)))
    assert ours == pytest.approx(theirs, abs=1e-5 * float(np.abs(theirs).max()))
    hop = guitar.config.hop_size
    whole = guitar.resynthesize(take, dry=True)
    part = np.concatenate(list(guitar.resynthesize_blocks(take, dry=True, span=(120, 260))))
    assert part == pytest.approx(whole[120 * hop : 260 * hop], abs=1e-5)


def test_what_is_played_back_has_the_partials_of_the_string(guitar, take):
    audio = guitar.resynthesize(take, dry=True)
    start = round(0.2 * guitar.config.sample_rate)
    piece = audio[start : start + 40_000]
    spectrum = np.abs(np.fft.rfft(piece * np.hanning(len(piece)), 1 << 18))
    bin_hz, f0_hz = guitar.config.sample_rate / (1 << 18), float(take.f0_hz[100])
    stiffness = float(guitar.plucks.stiffness_at(take.f0_hz[100:101])[0])
    assert stiffness > 5e-5
    for k in (2, 5, 9):
        ratio = k * np.sqrt((1 + stiffness * k**2) / (1 + stiffness))
        low = round((ratio * f0_hz - 0.3 * f0_hz) / bin_hz)
        found = (low + int(spectrum[low : low + round(0.6 * f0_hz / bin_hz)].argmax())) * bin_hz
        assert 1200 * np.log2(found / (ratio * f0_hz)) == pytest.approx(0, abs=1.5), k


def test_the_pitch_of_a_take_is_that_of_its_first_partial():
    t = np.arange(RATE) / RATE
    audio = np.zeros(RATE)
    for k in range(1, 13):
        hz = 110 * k * np.sqrt((1 + STIFFNESS * k**2) / (1 + STIFFNESS))
        audio += 0.1 * np.sin(2 * np.pi * hz * t + k)
    curve, sure = np.full(200, 110.3), np.ones(200)
    plain, first = (refine_f0(audio.astype(np.float32), RATE, 80, curve, sure, told)[40:160]
                    for told in (None, np.full(200, STIFFNESS)))
    assert 1200 * np.log2(np.median(plain) / 110) > 3, "all partials together lie higher"
    assert 1200 * np.log2(np.median(first) / 110) == pytest.approx(0, abs=0.7)


def test_an_analysed_take_is_played_back_at_its_own_pitch(guitar, take):
    audio = guitar.resynthesize(take, dry=True)
    again = guitar.analyze(audio, guitar.config.sample_rate)
    cents = 1200 * np.log2(again.f0_hz[60:220] / take.f0_hz[60:220])
    assert abs(float(np.median(cents))) < 1.5
