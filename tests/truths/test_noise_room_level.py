"""Noise has the level it was asked for, a room of nothing changes nothing, loudness comes out as written."""

import math

import numpy as np
import pytest
import torch

from ddspvae.features.bands import band_centres
from ddspvae.features.loudness import a_weighted_loudness
from ddspvae.signals.checks import InputError
from ddspvae.synth.convolve import Convolver, fft_convolve
from ddspvae.synth.level import Tail, solve_level
from ddspvae.synth.noise import filtered_noise, noise_key, white_noise
from ddspvae.synth.render import render
from ddspvae.synth.reverb import Room, impulse_response
from ddspvae.synth.tails import TAIL_LENGTH_S, band_masks

RATES = [(16_000, 80), (44_100, 220), (48_000, 240)]


def test_white_noise_is_white_and_of_unit_power():
    noise = white_noise(noise_key(3, 0), 0, 480_000)[0].double()
    assert float(noise.mean()) == pytest.approx(0, abs=5e-3)
    assert float(noise.square().mean()) == pytest.approx(1, abs=5e-3)
    bands = torch.fft.rfft(noise).abs().square()[1:].reshape(16, -1).mean(1) / len(noise)
    assert float(bands.min()) > 0.95 and float(bands.max()) < 1.05
    lag = torch.dot(noise[:-1], noise[1:]) / len(noise)
    assert abs(float(lag)) < 5e-3


def test_noise_is_addressed_by_absolute_time():
    whole = white_noise(noise_key(5, 1), -100, 1000)
    torch.testing.assert_close(white_noise(noise_key(5, 1), 400, 100), whole[:, 500:600], atol=0, rtol=0)
    beyond = white_noise(noise_key(5, 1), 2**32 - 50, 100)
    assert not torch.equal(beyond[:, 50:], white_noise(noise_key(5, 1), 0, 50))
    both = white_noise(noise_key(torch.tensor([5, 6]), 1), 0, 1000)
    torch.testing.assert_close(both[:1], white_noise(noise_key(5, 1), 0, 1000), atol=0, rtol=0)


@pytest.mark.parametrize("other", [{"seed": 6}, {"voice": 1}])
def test_seeds_and_voices_are_uncorrelated(other):
    a = white_noise(noise_key(5, 0), 0, 480_000)[0]
    b = white_noise(noise_key(other.get("seed", 5), other.get("voice", 0)), 0, 480_000)[0]
    assert abs(float(torch.dot(a, b))) / 480_000 < 6e-3  # 4 sigma


@pytest.mark.parametrize("sample_rate, hop", RATES)
def test_band_levels_are_exact(sample_rate, hop):
    """A 20 dB staircase, each step sixteen bands wide, over 10 s."""
    n_frames = 10 * sample_rate // hop
    steps_db = torch.tensor([0.0, -10.0, -20.0, -5.0]).repeat_interleave(16)
    magnitudes = 10 ** (torch.cat([steps_db, steps_db[-1:]]) / 20)
    audio = filtered_noise(magnitudes.expand(1, n_frames, 65), hop)[0].double()
    power = torch.fft.rfft(audio).abs().square() / len(audio)
    for step in range(4):
        low, high = band_centres(65)[[step * 16 + 3, step * 16 + 12]].tolist()
        band = power[round(low * len(power)) : round(high * len(power))]
        assert 10 * math.log10(float(band.mean())) == pytest.approx(float(steps_db[step * 16]), abs=0.5)


@pytest.mark.parametrize("hop", [240, 101])
def test_flat_noise_is_the_white_noise_of_its_time(hop):
    magnitudes = torch.ones(1, 6, 33)
    white = white_noise(noise_key(3, 1), 777, 6 * hop)
    torch.testing.assert_close(filtered_noise(magnitudes, hop, seed=3, voice=1, start_sample=777), white, atol=1e-5, rtol=0)


def test_noise_starts_where_its_frame_is():
    magnitudes = torch.zeros(1, 100, 65)
    magnitudes[:, 50:] = 1
    audio = filtered_noise(magnitudes, 240)[0]
    assert float(audio[: 49 * 240 - 130].abs().max()) < 1e-4
    assert float(audio[49 * 240 + 120 : 50 * 240].square().mean()) > 0.1


def test_noise_says_what_is_wrong():
    with pytest.raises(InputError, match="filtered_noise: hop_size must lie between"):
        filtered_noise(torch.ones(1, 2, 3), 0)


def test_a_unit_impulse_changes_nothing():
    audio = torch.randn(2, 5000, generator=torch.Generator().manual_seed(0))
    impulse = torch.zeros(1, 400)
    impulse[:, 0] = 1
    torch.testing.assert_close(fft_convolve(audio, impulse), audio, atol=1e-5, rtol=0)


def test_convolution_equals_the_definition_in_blocks_too():
    random = torch.Generator().manual_seed(0)
    audio, response = torch.randn(1, 3000, generator=random), torch.randn(1, 700, generator=random)
    plain = torch.nn.functional.conv1d(torch.nn.functional.pad(audio, (699, 0))[None], response.flip(-1)[None])[0]
    torch.testing.assert_close(fft_convolve(audio, response), plain, atol=1e-3, rtol=0)
    torch.testing.assert_close(Convolver(response, 256)(audio), plain, atol=1e-3, rtol=0)


@pytest.mark.parametrize("sample_rate", [16_000, 44_100, 48_000])
def test_room_has_the_decay_and_energy_it_says(sample_rate):
    room = Room(tail_energy=torch.full((1, 7), 0.5), decay_s=torch.full((1, 7), 0.4))
    response = impulse_response(room, sample_rate)[0].double()
    assert len(response) == round(TAIL_LENGTH_S * sample_rate) and float(response[0]) == 1.0
    tail = response[1:]
    early, late = tail[round(0.05 * sample_rate) : round(0.1 * sample_rate)], \
        tail[round(0.25 * sample_rate) : round(0.3 * sample_rate)]
    fall_db = 10 * math.log10(float(early.square().mean() / late.square().mean()))
    assert fall_db == pytest.approx(60 * 0.2 / 0.4, abs=2)
    # half the energy of the direct sound in every band, so in all; 1 s of decaying noise scatters by some dB
    assert 10 * math.log10(float(tail.square().sum()) / 0.5) == pytest.approx(0, abs=1.5)


@pytest.mark.parametrize("wet", [False, True])
def test_the_level_is_solved_in_double_precision_too(wet):
    """And so on any device: what it reads tables with goes where the curves are."""
    room = Room(torch.full((1, 7), 0.1), torch.full((1, 7), 0.4)) if wet else None
    ones = torch.ones(1, 20, 1)
    asked = (ones * 300, ones * -30, torch.ones(1, 20, 9) / 9, torch.ones(1, 20, 65), ones * 0.9)
    single = solve_level(*asked, 48_000, 240, room)
    double = solve_level(*(value.double() for value in asked), 48_000, 240, room)
    assert double.amplitude.dtype == torch.float64
    torch.testing.assert_close(double.amplitude.float(), single.amplitude, rtol=1e-4, atol=0)


def test_a_steady_sound_rings_with_the_energy_of_the_room_and_solving_undoes_the_recursion():
    room = Room(torch.tensor([[0.5, 1.0, 0.2, 0.1, 2.0, 0.3, 0.7]]), torch.tensor([[0.1, 0.3, 2.0, 0.5, 1.0, 0.2, 0.4]]))
    tail = Tail(room, 48_000, 240)
    np.testing.assert_allclose(tail.now + tail.first / (1 - tail.keep), room.tail_energy, rtol=1e-5)
    # a frame's own share is what rings within half a hop of its instant: power falls by 60 dB in decay_s
    np.testing.assert_allclose(tail.now, room.tail_energy * (1 - 1e-6 ** (120 / 48_000 / room.decay_s.double())), rtol=1e-5)
    random = np.random.default_rng(0)
    asked, share = 1 + 0.1 * random.random((1, 400)), random.dirichlet(np.ones(7), (1, 400))
    dry, left = tail.solve(asked, share, np.full((1, 7), 0.01))
    ringing = np.full(7, 0.01)
    for frame in range(400):
        wet = dry[0, frame] * (1 + share[0, frame] @ tail.now[0]) + ringing.sum()
        assert wet == pytest.approx(asked[0, frame], rel=1e-6)
        ringing = tail.keep[0] * ringing + tail.first[0] * share[0, frame] * dry[0, frame]
    np.testing.assert_allclose(left[0], ringing, rtol=1e-6)


def test_band_masks_split_power_without_loss():
    masks = torch.from_numpy(band_masks(8192, 48_000))
    torch.testing.assert_close(masks.square().sum(0), torch.ones(4097), atol=1e-5, rtol=0)


@pytest.mark.parametrize("sample_rate, hop", RATES)
@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("wet", ["dry", "tail", "little"])
def test_loudness_comes_out_as_asked(sample_rate, hop, share, wet):
    n_frames = 400
    t = torch.arange(n_frames) * hop / sample_rate
    asked = -30 + 6 * torch.sin(2 * math.pi * 0.7 * t)
    vibrato = 2 ** (0.4 / 12 * torch.sin(2 * math.pi * 5.5 * t))
    random = torch.Generator().manual_seed(0)
    room = {"dry": None, "tail": Room(torch.full((1, 7), 0.2), torch.full((1, 7), 0.4)),
            "little": Room(torch.full((1, 7), 0.01), torch.full((1, 7), 0.4))}[wet]
    controls = solve_level(300 * vibrato[None, :, None], asked[None, :, None],
                           torch.rand(1, 1, 60, generator=random).expand(1, n_frames, 60),
                           torch.rand(1, 1, 65, generator=random).expand(1, n_frames, 65),
                           torch.full((1, n_frames, 1), share), sample_rate, hop, room)
    audio = render(controls, sample_rate, hop, response=None if room is None else impulse_response(room, sample_rate))
    heard = a_weighted_loudness(audio, sample_rate, hop)[0]
    error = (heard - asked)[20:-20]
    assert abs(float(error.mean())) < (1.0 if wet == "tail" else 0.3)
    assert float((error - error.mean()).abs().mean()) < 0.7


def test_z_and_shape_cannot_move_the_level():
    n_frames = 100
    f0_hz, asked = torch.full((1, n_frames, 1), 440.0), torch.full((1, n_frames, 1), -25.0)
    heard = []
    for seed in range(4):
        random = torch.Generator().manual_seed(seed)
        controls = solve_level(f0_hz, asked, torch.rand(1, 1, 50, generator=random).expand(1, n_frames, 50) ** 4,
                               torch.rand(1, 1, 65, generator=random).expand(1, n_frames, 65),
                               torch.full((1, n_frames, 1), 0.9), 48_000, 240)
        heard.append(float(a_weighted_loudness(render(controls, 48_000, 240), 48_000, 240)[0, 20:-20].mean()))
    assert max(heard) - min(heard) < 0.3


def test_a_note_above_nyquist_is_played_by_noise_alone():
    ones = torch.ones(1, 20, 1)
    controls = solve_level(ones * 9000, ones * -30, torch.ones(1, 20, 4) / 4, torch.ones(1, 20, 65), ones * 0.9,
                           16_000, 80)
    assert float((controls.amplitude * controls.harmonic_distribution).max()) == 0
    heard = a_weighted_loudness(render(controls, 16_000, 80), 16_000, 80)[0, 5:-5]
    assert float(heard.mean()) == pytest.approx(-30, abs=0.7)
