"""What plays without torch, beside the torch that it must agree with."""

import math
from dataclasses import replace
from functools import partial
from itertools import pairwise

import mido
import numpy as np
import pytest
import torch
from scipy.signal import fftconvolve

from ddspvae import load
from ddspvae.engine.ability import can_play
from ddspvae.engine.live_room import LiveRoom
from ddspvae.engine.network import Network
from ddspvae.engine.playing import play_takes
from ddspvae.engine.room import in_room
from ddspvae.engine.shapes import player_shapes
from ddspvae.features.spectrum import measure_spectrum
from ddspvae.instrument.in_torch import as_tensors
from ddspvae.instrument.instrument import Instrument
from ddspvae.instrument.loading import load_to_play
from ddspvae.instrument.presets import arrays_of, find_preset, read_card, read_weights, save_instrument
from ddspvae.instrument.rooms import Rooms
from ddspvae.instrument.stored import weights_of
from ddspvae.instrument.torch_blocks import play_in_torch
from ddspvae.kernels.compiler import HAS_COMPILER
from ddspvae.kernels.mixed_noise import mix_filtered_noise
from ddspvae.kernels.noise import bins_of, play_filtered_noise
from ddspvae.kernels.oscillators import play_oscillators
from ddspvae.kernels.peaks import find_peak
from ddspvae.kernels.spectrum import below, highest
from ddspvae.kernels.stack import gate
from ddspvae.kernels.tiles import gate_tiles, mix_inputs, mix_taps
from ddspvae.live.torch_player import TensorPlayer
from ddspvae.model.autoencoder import Autoencoder
from ddspvae.model.form import DILATIONS, frames_per_step
from ddspvae.signals import Performance
from ddspvae.signals.checks import InputError
from ddspvae.signals.jobs import on_cores
from ddspvae.signals.true_peak import interpolator_reach, peak_between
from ddspvae.synth.envelopes import start_phase
from ddspvae.synth.harmonic import play_harmonics
from ddspvae.synth.noise import bin_shapes, fft_size, noise_key, play_noise
from ddspvae.synth.reverb import impulse_response, ringing_s
from ddspvae.synth.tails import RoomTail, heard_part
from ddspvae.synth.tails import ringing_s as tail_ringing_s

RATE, HOP = 48_000, 240
PLACES = [(HOP, 0, 40), (HOP, 2**32 - 5000, 40), (100, -300, 4), (HOP, 7, 2), (220, 7, 9), (100, 5, 40)]
PITCHES = [(80, 200.0, 3000.0), (368, 30.0, 60.0), (1, 8000.0, 8100.0)]
pytestmark = pytest.mark.skipif(not HAS_COMPILER, reason="numba is not installed")


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture(scope="module")
def violin():
    return load("violin")


def glide(n_voices: int, n_frames: int, low_hz: float, high_hz: float) -> np.ndarray:
    return np.geomspace(low_hz, high_hz, n_voices * n_frames).reshape(n_voices, n_frames).astype(np.float32)


@pytest.mark.parametrize(("n_harmonics", "low_hz", "high_hz"), PITCHES)
def test_oscillators_agree_with_tables(rng, n_harmonics, low_hz, high_hz):
    f0 = glide(2, 31, low_hz, high_hz)
    number = np.arange(1, n_harmonics + 1)
    heights = (rng.random((2, 31, n_harmonics)) / number * (number * f0[..., None] < RATE / 2.1)).astype(np.float32)
    heights[0, 10:14] = 0  # a rest
    phase = rng.random(2)
    audio, after = play_oscillators(f0, heights, phase, RATE, HOP)
    start = start_phase(torch.from_numpy(f0)[..., None], RATE, HOP, torch.from_numpy(phase)[:, None, None])
    tables = play_harmonics(torch.from_numpy(f0)[..., None], torch.from_numpy(heights), start[:, :-1], RATE, HOP, 60)
    np.testing.assert_allclose(audio, tables.numpy(), rtol=0, atol=1e-6 * np.abs(heights).sum(-1).max())
    np.testing.assert_array_equal(after, start[:, -1, 0].numpy())
    assert not audio[0, 10 * HOP : 13 * HOP].any() and audio[0, 14 * HOP :].any()


@pytest.mark.parametrize(("n_harmonics", "f0_hz", "length"),
                         [(62, 900.0, 240), (491, 48.0, 240), (15, 1000.0, 17), (16, 700.0, 700)])
def test_oscillators_are_exact(rng, n_harmonics, f0_hz, length):
    """Beside sines in double precision, at pitches that move: 120 dB below."""
    f0 = (f0_hz * np.array([1.0, 0.99, 1.01])).astype(np.float32)
    heights = rng.random((1, 3, n_harmonics)).astype(np.float32)
    audio, after = play_oscillators(f0[None], heights, np.array([0.3]), RATE, length)
    t, phase, exact = np.arange(length), 0.3, []
    for (begin_hz, end_hz), (begin, end) in zip(pairwise(f0.astype(float)), pairwise(heights[0].astype(float))):
        cycles = phase + (begin_hz + (end_hz - begin_hz) * t / (2 * length)) * t / RATE
        amplitude = begin + (end - begin) * (t / length)[:, None]
        exact.append((amplitude * np.sin(2 * np.pi * np.outer(cycles, np.arange(1, n_harmonics + 1)))).sum(1))
        phase += (begin_hz + end_hz) / 2 * length / RATE
    error = audio[0] - np.concatenate(exact)
    assert np.square(error).mean() < 1e-12 * np.square(np.concatenate(exact)).mean()
    assert after[0] == pytest.approx(phase % 1, abs=1e-9)


def test_oscillators_join_without_a_seam(rng):
    f0, heights = glide(1, 9, 440.0, 500.0), rng.random((1, 9, 20)).astype(np.float32)
    whole, _ = play_oscillators(f0, heights, np.zeros(1), RATE, HOP)
    first, phase = play_oscillators(f0[:, :4], heights[:, :4], np.zeros(1), RATE, HOP)
    rest, _ = play_oscillators(f0[:, 3:], heights[:, 3:], phase, RATE, HOP)
    np.testing.assert_array_equal(np.concatenate([first, rest], axis=1), whole)


@pytest.mark.parametrize(("length", "start", "n_frames"), PLACES)
def test_compiled_noise_is_the_noise(rng, length, start, n_frames):
    magnitudes = (rng.random((3, n_frames, 65)) ** 3).astype(np.float32)
    magnitudes[1, : n_frames // 2] = 0
    keys, n_fft = noise_key(3, np.arange(3)), fft_size(length if n_frames < 10 else HOP, 65)
    audio = play_filtered_noise(magnitudes, length, keys[:, 0], start, bins_of(bin_shapes(65, n_fft).numpy(), n_fft))
    noise = play_noise(torch.from_numpy(magnitudes), length, keys, start, n_fft).numpy()
    np.testing.assert_allclose(audio, noise, rtol=0, atol=1e-6)


@pytest.mark.parametrize(("length", "start", "n_frames"), PLACES)
def test_mixed_noise_is_the_sum(rng, length, start, n_frames):
    magnitudes = (rng.random((3, n_frames, 65)) ** 3).astype(np.float32)
    magnitudes[1, : n_frames // 2] = 0
    silence = slice(n_frames // 2 + 1, n_frames // 2 + 4)
    magnitudes[:, silence] = 0
    keys, n_fft = noise_key(3, np.arange(3))[:, 0], fft_size(length if n_frames < 10 else HOP, 65)
    bins = bins_of(bin_shapes(65, n_fft).numpy(), n_fft)
    mixed = mix_filtered_noise(magnitudes, length, keys, start, bins)
    np.testing.assert_allclose(mixed, play_filtered_noise(magnitudes, length, keys, start, bins).sum(0), rtol=0, atol=1e-6)
    assert not mixed[silence.start * length : (silence.stop - 1) * length].any()


@pytest.mark.parametrize("n_steps", [128, 131, 512])
@pytest.mark.parametrize("dilation", DILATIONS)
def test_a_convolution_in_tiles_is_the_convolution(rng, dilation, n_steps):
    weight, bias = rng.standard_normal((64, 96)).astype(np.float32) / 10, rng.standard_normal(64).astype(np.float32)
    seen = rng.standard_normal((2 * dilation + n_steps + -n_steps % (4 * dilation), 32)).astype(np.float32)
    tiles = np.empty((6, (len(seen) - 2 * dilation) // 4, 32), np.float32)
    mix_inputs(seen, dilation, tiles)
    gated = np.empty((len(seen) - 2 * dilation, 32), np.float32)
    gate_tiles(tiles @ mix_taps(weight), bias, dilation, gated)
    taps = np.concatenate([seen[tap * dilation :][: len(gated)] for tap in range(3)], axis=1)
    plain = np.empty_like(gated)
    gate(taps @ weight.T + bias, plain)
    a, b = np.split(taps.astype(np.float64) @ weight.T + bias, 2, axis=1)
    exact = np.tanh(a) / (1 + np.exp(-b))
    assert np.square(gated - exact).mean() < 9 * np.square(plain - exact).mean()  # three times what is rounded without tiles
    np.testing.assert_allclose(gated, exact, rtol=0, atol=1e-5)


@pytest.mark.parametrize("number", [1, 3, 7, 50])
@pytest.mark.parametrize("side", [-math.inf, 0.0, math.inf])
def test_harmonics_below_a_frequency_are_counted_as_they_are_rounded(number, side):
    for f0_hz in np.geomspace(25, 5000, 100).astype(np.float32):
        border_hz = float(f0_hz * np.float32(number))
        limit_hz = math.nextafter(border_hz, side) if side else border_hz
        count = 0
        while count < 90 and float(f0_hz * np.float32(count + 1)) < limit_hz:
            count += 1
        assert below(f0_hz, limit_hz, 90) == count


def test_the_highest_is_found_wherever_it_is(rng):
    for n in range(1, 12):
        for at in range(n):
            values = rng.normal(size=16).astype(np.float32)
            values[at], values[n:] = 9, 99
            assert highest(values, n) == 9


def test_the_peak_is_looked_for_only_where_it_may_be(rng):
    sound = (rng.standard_normal(5000) * np.hanning(5000)).astype(np.float32)
    padded = np.pad(sound, interpolator_reach())
    assert find_peak(padded, 0.0) == pytest.approx(peak_between(padded), rel=1e-6)
    assert find_peak(padded, 100.0) == 100.0
    low = np.pad(np.sin(np.arange(64) * np.pi / 2 + np.pi / 4).astype(np.float32), interpolator_reach())
    assert find_peak(low, 0.0) > 0.95  # 0.707 at its samples


@pytest.mark.parametrize(("n_samples", "n_taps", "n_channels"), [(50_000, 100, 1), (3000, 5000, 2), (1, 3, 1), (100, 1, 2),
                                                               (70_000, 20_000, 2)])
def test_rooms_in_large_pieces(rng, n_samples, n_taps, n_channels):
    sound = rng.standard_normal(n_samples).astype(np.float32)
    response = (rng.standard_normal((n_channels, n_taps)) / n_taps).astype(np.float32)
    whole = np.stack([fftconvolve(sound.astype(float), taps) for taps in response])
    for n_wet in (n_samples, n_samples + n_taps - 1):
        wet = np.concatenate(list(in_room(np.array_split(sound, 7), response, n_wet)), axis=1)
        assert wet.dtype == np.float32
        np.testing.assert_allclose(wet, whole[:, :n_wet], rtol=0, atol=1e-6)


def test_what_is_left_out_of_a_room_is_not_heard(rng):
    response = (rng.standard_normal((2, 48_000)) * np.exp(-np.arange(48_000) / 2000)).astype(np.float32)
    part = heard_part(response)
    assert 2000 * 13 < part.shape[1] < 2000 * 15  # 120 dB are 13.8 times 8.7 dB
    np.testing.assert_array_equal(part, response[:, : part.shape[1]])
    assert np.square(response[:, part.shape[1] :]).sum() <= 1e-12 * np.square(response).sum()
    assert heard_part(np.zeros((1, 5), np.float32)).shape == (1, 1)


@pytest.mark.parametrize(("n_taps", "n_channels"), [(1000, 1), (100, 2), (240, 1), (241, 2), (48_000, 1)])
def test_live_rooms_in_blocks_of_any_size(rng, n_taps, n_channels):
    sound = rng.standard_normal(20_000).astype(np.float32)
    response = (rng.standard_normal((n_channels, n_taps)) * np.exp(-np.arange(n_taps) * 4 / n_taps) / 20).astype(np.float32)
    whole = np.stack([fftconvolve(sound.astype(float), taps)[: len(sound)] for taps in response])
    room, cuts = LiveRoom(response, HOP), np.sort(rng.integers(0, len(sound), 60))
    wet = np.concatenate([room(piece) for piece in np.split(sound, cuts)], axis=1)
    np.testing.assert_allclose(wet, whole, rtol=0, atol=3e-6 * np.abs(whole).max())


def test_rooms_are_those_of_torch(violin):
    room, response = as_tensors(*violin.rooms.response(wet_db=3.0, decay=0.5))
    np.testing.assert_allclose(impulse_response(room, RATE).numpy(), response.numpy(), rtol=0, atol=1e-7)
    assert tail_ringing_s(response[0].numpy(), RATE) == pytest.approx(ringing_s(room, RATE), abs=1e-3)


def played(instrument, rng, seconds=3.0) -> Performance:
    config = instrument.config
    n_frames = round(seconds * config.frame_rate_hz)
    low_hz, high_hz = instrument.statistics.range_hz
    steps = np.interp(np.arange(n_frames) / 50, np.arange(n_frames // 50 + 2), rng.uniform(size=n_frames // 50 + 2))
    loudness_db = (-30 + 12 * np.sin(np.arange(n_frames) / 40)).astype(np.float32)
    loudness_db[200:260] = -120.0
    z = rng.normal(0, 0.7, (-(-n_frames // config.frames_per_z), config.n_z))
    return Performance((low_hz * (high_hz / low_hz) ** steps).astype(np.float32), np.full(n_frames, 0.9, np.float32),
                       loudness_db, z.astype(np.float32), instrument.axis_names, config.frame_rate_hz, config.frames_per_z)


def untrained(**changes) -> Instrument:
    """An instrument of other sizes whose heads say something."""
    torch.manual_seed(0)
    violin = load("violin")
    config = replace(violin.config, **changes)
    model = Autoencoder(config)
    with torch.no_grad():
        for head in (model.decoder.harmonic_head, model.decoder.noise_head, model.decoder.balance_head):
            for values in head.parameters():
                torch.nn.init.normal_(values, std=0.1)
    return Instrument(model, {**violin.card, "config": config.to_dict()}, "untrained")


@pytest.mark.parametrize("made", [partial(load, "violin"), partial(load, "tuba"), partial(load, "ensemble"),
                                  partial(untrained, n_z=0), partial(untrained, n_harmonics=300)],
                         ids=["violin", "tuba", "ensemble", "no axes", "harmonics from knots"])
def test_the_network_agrees_with_torch(made, rng):
    instrument = made()
    take, config = played(instrument, rng), instrument.config
    network = Network(config, weights_of(instrument.model))
    curves = (take.f0_hz, take.periodicity, take.loudness_db)
    around = np.pad(take.f0_hz, 1, mode="edge")
    highest_hz = np.maximum(take.f0_hz, np.maximum(around[:-2], around[2:]))
    room = instrument.model.room()
    tail = RoomTail(room.tail_energy[0].detach().numpy(), room.decay_s[0].detach().numpy())
    heights, magnitudes = network.play(*curves, take.z, highest_hz, network.level(tail), network.state())
    with torch.inference_mode():
        frames = TensorPlayer(instrument.model, room, 1).control(*(torch.tensor(curve)[None, :, None] for curve in curves),
                                                           torch.tensor(take.z)[None], None, None)
    for ours, theirs in ((heights, frames.heights), (magnitudes, frames.noise_magnitudes)):
        np.testing.assert_allclose(ours, theirs[0].numpy(), rtol=0, atol=1e-5 * float(theirs.max()))


@pytest.mark.parametrize("n_steps", [3, 100, 160, 297])  # beyond what the stack remembers or not, and in tiles or not
def test_the_network_goes_on_where_it_stopped(violin, rng, n_steps):
    take, network = played(violin, rng, 6.0), Network(violin.config, weights_of(violin.model))
    assert take.frames_per_z == frames_per_step(take.frames_per_z) == 4
    curves, dry = (take.f0_hz, take.periodicity, take.loudness_db), network.level(None)
    whole = network.play(*curves, take.z, take.f0_hz, dry, network.state())
    state, pieces, at = network.state(), [], 4 * n_steps
    for frames, rows in ((slice(at), slice(n_steps)), (slice(at, None), slice(n_steps, None))):
        pieces.append(network.play(*(curve[frames] for curve in curves), take.z[rows], take.f0_hz[frames], dry, state))
    for one, parts in zip(whole, zip(*pieces)):
        np.testing.assert_allclose(np.concatenate(parts), one, rtol=0, atol=1e-5 * one.max())


@pytest.mark.parametrize("where", ["room", "dry", "stereo"])
def test_takes_sound_as_in_torch(violin, rng, where):
    takes = [played(violin, rng), played(violin, rng, 11.0)]  # the second is longer than a block
    ir = (rng.standard_normal((2, 3000)) * np.exp(-np.arange(3000) / 500)).astype(np.float32) / 30
    rooms = Rooms(violin.config, lambda: weights_of(violin.model), violin.room)
    tail, response = rooms.response(where == "dry", ir if where == "stereo" else None)
    after = 2999 if where == "stereo" else 0
    network = Network(violin.config, weights_of(violin.model))
    ours, theirs = (np.concatenate(list(play(of, takes, tail, response, after, seed=5, first_voice=2)), axis=-1)
                    for play, of in ((play_takes, network), (play_in_torch, violin.model)))
    assert ours.shape == theirs.shape and ours.dtype == np.float32
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-5 * np.abs(theirs).max())


def test_any_number_of_cores_gives_the_same_samples(violin, rng):
    take = played(violin, rng, 12.0)
    sounds = []
    for n_cores in (1, 2):
        with on_cores(n_cores):
            sounds.append(violin.resynthesize(take))
    np.testing.assert_array_equal(*sounds)


def test_without_a_compiler_torch_plays(violin, rng, monkeypatch):
    take = played(violin, rng)
    ours = violin.resynthesize(take)
    monkeypatch.setattr("ddspvae.engine.ability.HAS_COMPILER", False)
    assert not can_play(violin.config)
    np.testing.assert_allclose(violin.resynthesize(take), ours, rtol=0, atol=1e-5 * np.abs(ours).max())


@pytest.mark.parametrize("name, mono", [("violin", False), ("tuba", True), ("ensemble", False)])
def test_streams_without_a_compiler_sound_alike(rng, monkeypatch, name, mono):
    """Chords, notes that are bound, bent, cut off and struck again, in blocks of any size."""
    sounds = []
    for has_compiler in (True, False):
        for module in ("engine.ability", "live.opening", "live.torch_player"):
            monkeypatch.setattr(f"ddspvae.{module}.HAS_COMPILER", has_compiler)
        stream = load(name).stream(voices=3, mono=mono)
        for number, (note, at) in enumerate(((57, 17), (64, 3000), (62, 3100), (55, 9000), (57, 9111), (60, 9600))):
            stream.send(mido.Message("note_on", note=note, velocity=60 + 10 * number), at)
            stream.send(mido.Message("note_off", note=note), at + 5000)
        stream.send(mido.Message("pitchwheel", pitch=4000), 7001)
        sounds.append(np.concatenate([stream.read(size) for size in (1, 5000, 63, 7000, 64, 8000)]))
    np.testing.assert_allclose(sounds[1], sounds[0], rtol=0, atol=1e-5)
    assert np.abs(sounds[0]).max() > 0.05


@pytest.mark.parametrize("low_hz", [45.0, 300.0])
def test_harmonics_are_taken_off_alike_without_a_compiler(rng, monkeypatch, low_hz):
    f0_hz = np.geomspace(low_hz, 2 * low_hz, 200)
    phase = np.cumsum(np.repeat(f0_hz, HOP)) / RATE
    sound = sum(np.sin(2 * np.pi * k * phase) / k for k in range(1, 12)) * 0.1 + rng.normal(0, 0.01, len(phase))
    measured = []
    for has_compiler in (True, False):
        monkeypatch.setattr("ddspvae.features.spectrum.HAS_COMPILER", has_compiler)
        measured.append(measure_spectrum(sound.astype(np.float32), RATE, HOP, f0_hz))
    np.testing.assert_allclose(measured[0], measured[1], rtol=0, atol=1e-5)


@pytest.fixture(scope="module")
def flute():
    path = find_preset("flute")
    return read_weights(path), {key: value for key, value in read_card(path).items() if key != "format"}


def test_a_file_that_only_plays_is_checked_as_far(flute, tmp_path):
    weights, card = flute
    one = dict(weights)
    del one["decoder.noise_head.bias"]
    save_instrument(tmp_path / "one.safetensors", one, card)
    with pytest.raises(InputError, match="do not fit their own config"):
        load_to_play(tmp_path / "one.safetensors")
    mute = {name: weight for name, weight in weights.items() if not name.startswith("encoder")}
    save_instrument(tmp_path / "two.safetensors", mute, card)
    deaf = load_to_play(tmp_path / "two.safetensors")
    with pytest.raises(InputError, match="do not fit their own config"):
        _ = deaf.model


@pytest.mark.parametrize("name", ["violin", "tuba", "ensemble"])
def test_shapes_of_what_plays(name):
    model = load(name).model
    own = {key: weight.shape for key, weight in arrays_of(model.state_dict()).items()
           if key.startswith(("decoder.", "room_")) and key != "decoder.typical.loud_db"}
    assert player_shapes(model.config) == own


@pytest.mark.parametrize("span", [(0, 100), (1234, 1500), (2700, 3000), (2990, 3000)])
def test_a_span_alone_is_what_it_is_within_the_whole(violin, span):
    n_frames = 3000
    time_s = np.arange(n_frames) / 200
    z = np.zeros((n_frames // 4, len(violin.axis_names)))
    takes = [Performance(np.exp2(np.sin(time_s * speed) / 2) * 440, np.ones(n_frames), -25 + 8 * np.sin(3 * time_s), z,
                         violin.axis_names, 200.0, 4, violin.identity) for speed in (1.0, 1.3)]
    whole = violin.resynthesize(takes)
    alone = np.concatenate(list(violin.resynthesize_blocks(takes, span=span)))
    assert len(alone) == (span[1] - span[0]) * HOP
    assert np.abs(alone - whole[span[0] * HOP : span[1] * HOP]).max() < 1e-5
