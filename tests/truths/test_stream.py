"""A stream is the offline render in pieces: any pieces, from anywhere, at once, without clicks."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import mido
import numpy as np
import pytest
import torch

from ddspvae import load
from ddspvae.evaluation.metrics import track_pitch
from ddspvae.features.f0 import track_f0
from ddspvae.instrument.in_torch import as_tensors
from ddspvae.instrument.instrument import Instrument
from ddspvae.live.networks import FrameNetwork, LiveNetworks, StepNetwork
from ddspvae.live.stream import within_full_scale
from ddspvae.live.torch_player import TensorFrames
from ddspvae.midi.causal import CausalPerformer
from ddspvae.model.autoencoder import Autoencoder
from ddspvae.model.form import ONSET_FRAMES
from ddspvae.signals import Performance
from ddspvae.signals.checks import InputError
from ddspvae.synth.convolve import fft_convolve
from ddspvae.synth.envelopes import start_phase
from ddspvae.synth.harmonic import play_harmonics
from ddspvae.synth.level import Tail
from ddspvae.synth.noise import fft_size, noise_key, play_noise
from ddspvae.synth.tails import N_ROOM_BANDS

HOP, RATE = 240, 48_000
AN_HOUR = 2e-5  # the worst of 172.8 million samples: single precision leaves some a little more than 1e-5 off


@pytest.fixture(scope="module")
def violin():
    return load("violin")


def take(instrument, seconds, seed=0, pitch_hz=330.0):
    """A take with vibrato, glides, swells and a rest."""
    random = np.random.default_rng(seed)
    n_frames = int(seconds * 200)
    t_s = np.arange(n_frames) / 200
    f0_hz = pitch_hz * 2 ** (np.sin(2 * np.pi * 6 * t_s) / 24 + np.sin(2 * np.pi * 0.3 * t_s + seed) / 2)
    loudness_db = -25 + 8 * np.sin(2 * np.pi * 0.7 * t_s) + random.normal(0, 0.5, n_frames)
    loudness_db[n_frames // 2 : n_frames // 2 + 60] = -120
    rows = instrument.config.frames_per_z
    z = random.normal(0, 1, (-(-n_frames // rows), instrument.config.n_z))
    return Performance(f0_hz, np.full(n_frames, 0.95), loudness_db, z, instrument.axis_names, 200.0, rows,
                       instrument.identity)


def read_in_blocks(stream, n_samples, next_size, events=()):
    """Blocks of sizes that next_size() gives, each sent its events beforehand."""
    events, blocks, at = list(events), [], 0
    while at < n_samples:
        size = min(next_size(), n_samples - at)
        while events and events[0][0] < at + size:
            when, message = events.pop(0)
            stream.send(message, when - at)
        blocks.append(stream.read(size))
        at += size
    return np.concatenate(blocks, axis=-1)


def sizes(seed, low, high):
    random = np.random.default_rng(seed)
    return lambda: int(random.integers(low, high + 1))


def note_on(pitch, velocity=80):
    return mido.Message("note_on", note=pitch, velocity=velocity)


def note_off(pitch):
    return mido.Message("note_off", note=pitch)


def busy_minute(seed, seconds, n_notes):
    """Notes at any sample, held for 40 to 600 ms, with wheel and pedal."""
    random = np.random.default_rng(seed)
    events = [(20_000, mido.Message("pitchwheel", pitch=3000)),
              (30_000, mido.Message("control_change", control=64, value=127)),
              (60_000, mido.Message("control_change", control=64, value=0))]
    for onset in random.integers(0, seconds * RATE - 30_000, n_notes).tolist():
        pitch = int(random.integers(55, 85))
        events += [(onset, note_on(pitch, int(random.integers(20, 127)))),
                   (onset + int(random.integers(2000, 29_000)), note_off(pitch))]
    return sorted(events, key=lambda event: event[0])


@pytest.mark.parametrize("blocks", [(64, 8192), (1, 700), (240, 240)])
def test_blocks_of_any_size_equal_the_whole(violin, blocks):
    performance = take(violin, 6)  # the offline render has a border at 5.1 s
    whole = violin.resynthesize(performance)
    stream = violin.stream(1)
    stream.feed(performance)
    pieces = read_in_blocks(stream, len(whole), sizes(1, *blocks))
    np.testing.assert_allclose(pieces, whole, atol=1e-5, rtol=0)
    assert np.abs(whole).max() > 0.05


def test_blocks_of_one_sample_equal_the_whole(violin):
    performance = take(violin, 1)
    whole = violin.resynthesize(performance)[: RATE // 2]
    stream = violin.stream(1)
    stream.feed(performance)
    np.testing.assert_allclose(read_in_blocks(stream, len(whole), lambda: 1), whole, atol=1e-5, rtol=0)
    assert np.abs(whole[-RATE // 10 :]).max() > 0.01


def test_a_start_in_the_middle_is_where_the_whole_would_be(violin):
    performance = take(violin, 17)
    whole = violin.resynthesize(performance)
    for start_s in (0.5, 13.015):
        stream = violin.stream(1, start_s=start_s)
        stream.feed(performance)
        rest = whole[round(start_s * RATE) :][: 3 * RATE]  # what lies before is heard longer neither in level nor room
        np.testing.assert_allclose(read_in_blocks(stream, len(rest), sizes(2, 64, 8192)), rest, atol=1e-5, rtol=0)
        assert np.abs(rest).max() > 0.05


@pytest.mark.slow
def test_a_start_in_a_long_room_and_after_the_end(violin):
    random = np.random.default_rng(0)
    ir = random.normal(0, 0.02, 5 * RATE) * np.exp(-np.arange(5 * RATE) / RATE)
    performance = take(violin, 9)
    whole = violin.resynthesize(performance, ir=ir)
    for start_s in (7.0, 9.0, 11.0, 13.9):
        stream = violin.stream(1, ir=ir, start_s=start_s, limit=False)
        stream.feed(performance)
        rest = whole[round(start_s * RATE) :]
        np.testing.assert_allclose(stream.read(len(rest)), rest, atol=1e-5, rtol=0)
        assert np.abs(rest).max() > 1e-4


@pytest.mark.parametrize("control", [120, 123])
def test_all_off_ends_everything_whatever_else_happens_then(violin, control):
    def play(*messages):
        stream = violin.stream(1, dry=True)
        stream.send(note_on(60, 110))
        for message in messages:
            stream.send(message, 30_000)
        return stream.read(3 * RATE)

    off = mido.Message("control_change", control=control, value=0)
    alone, stolen = play(off), play(note_on(64), off)
    assert np.abs(stolen[30_000:30_240]).max() <= 1.01 * np.abs(alone[30_000:30_240]).max()
    assert np.abs(stolen[-RATE // 2 :]).max() < 1e-4 and np.abs(alone[-RATE // 2 :]).max() < 1e-4
    again = violin.stream(1, dry=True)
    again.send(off, 10)
    again.send(note_on(60, 110), 20)
    assert np.abs(again.read(RATE // 2)).max() > 0.01


def test_a_legato_note_sounds_the_same_wherever_it_falls_in_a_hop(violin):
    def level_db(onset):
        stream = violin.stream(1, mono=True, dry=True)
        stream.send(note_on(64))
        for number in range(40):
            stream.send(note_on(66 + number % 2), 12_000 + 1200 * number + onset)
        stream.read(12_000 + 1200 * 40)
        return 10 * np.log10((stream.read(RATE // 4) ** 2).mean()), stream._player.n_frames[0]

    (early, n_early), (late, n_late) = level_db(10), level_db(230)
    assert n_early == n_late
    assert early == pytest.approx(late, abs=0.1)


@pytest.mark.parametrize("onset", [1140, 1430])  # in an attack, inside a hop
def test_a_legato_note_goes_on_from_where_the_voice_is(violin, onset):
    def play(*pitches):
        stream = violin.stream(1, mono=True, dry=True)
        for pitch, at in zip(pitches, (0, onset)):
            stream.send(note_on(pitch, 100), at)
        return stream.read(onset + HOP)

    alone, bound = play(64), play(64, 66)
    np.testing.assert_array_equal(alone[:onset], bound[:onset])
    apart = np.abs(bound - alone)[onset:]
    assert apart[:3].max() < 0.01 * np.abs(alone[onset - HOP : onset]).max() < apart.max()


@pytest.mark.usefixtures("run_hour")
def test_an_hour_in_random_blocks_and_from_its_last_ten_seconds(violin):
    performance = take(violin, 3600)
    streams = {0.0: violin.stream(1), 3590.0: violin.stream(1, start_s=3590)}
    next_size = sizes(3, 64, 8192)
    for stream in streams.values():
        stream.feed(performance)
    at = 0
    for block in violin.resynthesize_blocks(performance):
        for start_s, stream in streams.items():
            part = block[max(0, round(start_s * RATE) - at) :]
            if len(part):
                np.testing.assert_allclose(read_in_blocks(stream, len(part), next_size), part, atol=AN_HOUR, rtol=0)
        at += len(block)
    assert at == 3600 * RATE


def test_frames_fed_in_pieces_equal_the_whole(violin):
    performance = take(violin, 4)
    whole = violin.resynthesize(performance)

    def part(first, last):
        per_row = performance.frames_per_z
        rows = slice(first // per_row, -(-last // per_row))
        return Performance(performance.f0_hz[first:last], performance.periodicity[first:last],
                           performance.loudness_db[first:last], performance.z[rows], performance.axis_names, 200.0, per_row,
                           performance.instrument)

    ahead = violin.stream(1).lookahead_frames
    stream = violin.stream(1)
    stream.feed(part(0, 400))
    blocks = [stream.read((400 - ahead) * HOP)]
    for first in range(400, 800, 80):
        stream.feed(part(first, first + 80))
        blocks.append(stream.read(80 * HOP))
    blocks.append(stream.read(ahead * HOP))
    np.testing.assert_allclose(np.concatenate(blocks), whole, atol=1e-5, rtol=0)
    assert stream._takes._by_voice[0][1].n_frames < 300  # the past is not kept

    late = violin.stream(1)  # runs out, falls silent, and goes on when fed again
    late.feed(part(0, 400))
    late.read(400 * HOP)
    assert np.abs(late.read(RATE)[RATE // 2 :]).max() < 0.02
    late.feed(part(400, 800))
    again = late.read(200 * HOP)
    assert np.abs(again).max() > 0.05

    begun_later = violin.stream(1, start_s=2.0)
    begun_later.feed(part(0, 400))
    begun_later.feed(part(400, 800))
    np.testing.assert_allclose(begun_later.read(len(whole) - 2 * RATE), whole[2 * RATE :], atol=1e-5, rtol=0)


def test_eight_voices_equal_eight_alone(violin):
    performances = [take(violin, 2, seed, 200 + 60 * seed) for seed in range(8)]
    stream = violin.stream(8, limit=False)
    for voice, performance in enumerate(performances):
        stream.feed(performance, voice)
    together = read_in_blocks(stream, 2 * RATE, sizes(4, 64, 2000))
    alone = sum(violin.resynthesize(performance, voice=voice) for voice, performance in enumerate(performances))
    np.testing.assert_allclose(together, alone, atol=1e-5, rtol=0)


@pytest.mark.slow
@pytest.mark.parametrize("mono", [False, True])
def test_midi_in_any_blocks_equals_midi_in_one(violin, mono):
    events = busy_minute(5, 6, 60)
    whole = read_in_blocks(violin.stream(4, mono=mono), 6 * RATE, lambda: 6 * RATE, events)
    pieces = read_in_blocks(violin.stream(4, mono=mono), 6 * RATE, sizes(6, 1, 900), events)
    np.testing.assert_allclose(pieces, whole, atol=1e-5, rtol=0)
    assert np.abs(whole).max() > 0.05


def render_note(instrument, voice, pitch, velocity, onset, release, end):
    """The offline twin of a note: its frames by the causal rules, decoded at once and rendered, [1, end - onset].

    The first segment ends with the hop in which the note begins; from then on segments are hops.
    """
    border = -(-(onset + 1) // HOP) * HOP
    performer = CausalPerformer(instrument.statistics, RATE, 1)
    performer.start(0, pitch, velocity, onset)
    instants, curves = [onset, *range(border, end + 1, HOP)], []
    for instant in instants:
        if release <= instant - 1.75 * HOP:  # what a frame will be is settled early in the hop before its own
            performer.release(0, release)
        curves.append([float(curve[0]) for curve in performer.curves(np.array([0]), instant)])
    f0_hz, periodicity, loudness_db = np.array(curves, dtype=np.float32).T
    z = torch.from_numpy(instrument.likely_z(f0_hz, periodicity, loudness_db))[None]
    with torch.inference_mode():
        frames = TensorFrames.of(instrument.model.decode(
            *(torch.from_numpy(curve.copy())[None, :, None] for curve in (f0_hz, periodicity, loudness_db)), z,
            as_tensors(*instrument.rooms.response())[0]))
        parts, at, phase = [], onset, torch.zeros(1, 1, 1, dtype=torch.float64)
        for piece, length in ((frames[:, :2], border - onset), (frames[:, 1:], HOP)):
            start = start_phase(piece.f0_hz, RATE, length, phase)
            parts.append(play_harmonics(piece.f0_hz, piece.heights, start[:, :-1], RATE, length)
                         + play_noise(piece.noise_magnitudes, length, noise_key(0, voice), at,
                                      fft_size(HOP, instrument.config.n_noise_bands)))
            at, phase = at + length, start[:, -1:]
    return torch.cat(parts, dim=1)


@pytest.mark.parametrize("shift", [0, 1, 100, 239])
def test_midi_equals_each_note_rendered_alone(violin, shift):
    notes = [(0, 60, 90, 9_000), (40 * HOP, 67, 60, 30_000), (41 * HOP, 72, 120, 41_111), (100 * HOP, 60, 30, 50_000)]
    notes = [(onset + shift, pitch, velocity, release + shift) for onset, pitch, velocity, release in notes]
    end = 400 * HOP
    dry = torch.zeros(1, end)
    for voice, (onset, pitch, velocity, release) in enumerate(notes):
        dry[:, onset:] += render_note(violin, voice, pitch, velocity, onset, release, end)
    with torch.inference_mode():
        wet = fft_convolve(dry, as_tensors(*violin.rooms.response())[1])[0].numpy()
    events = sorted([(onset, note_on(pitch, velocity)) for onset, pitch, velocity, _ in notes]
                    + [(release, note_off(pitch)) for _, pitch, _, release in notes], key=lambda event: event[0])
    streamed = read_in_blocks(violin.stream(4), end, sizes(7, 32, 500), events)
    np.testing.assert_allclose(streamed, wet, atol=1e-5, rtol=0)


def test_a_knob_is_turned_for_the_notes_that_sound(violin):
    def play(value):
        stream = violin.stream(1, dry=True)
        stream.send(note_on(64))
        first = stream.read(RATE // 2)
        stream.turn("brightness", value)
        return first, stream.read(RATE)[RATE // 10 :]

    def centroid_hz(sound):
        power = np.abs(np.fft.rfft(sound * np.hanning(len(sound)))) ** 2
        return (power * np.fft.rfftfreq(len(sound), 1 / RATE)).sum() / power.sum()

    (before, plain), (same, bright) = play(0.0), play(2.0)
    np.testing.assert_array_equal(before, same)
    assert centroid_hz(bright) > 1.2 * centroid_hz(plain)
    with pytest.raises(InputError, match="stream.turn: axis must be one of bite"):
        violin.stream().turn("warmth", 1)


@pytest.mark.parametrize("offset", [0, 1, 100, 239, 240, 5000, 12_345])
def test_the_reported_delay_is_the_real_one(violin, offset):
    stream = violin.stream(4)
    stream.send(note_on(69, 100), offset)
    sound = read_in_blocks(stream, RATE, sizes(8, 1, 512))
    sustained = np.abs(sound[RATE // 2 :]).max()
    first = offset + stream.delay_samples
    assert np.abs(sound[: first + 1]).max() < 1e-7  # what an FFT rounds
    heard = np.flatnonzero(np.abs(sound) > sustained / 1000)[0]
    assert first < heard <= first + 0.005 * RATE


def roughness(sound):
    """Energy above 12 kHz in 2 ms pieces: a click fills the spectrum."""
    pieces = sound[: len(sound) // 96 * 96].reshape(-1, 96) * np.hanning(96)
    return (np.abs(np.fft.rfft(pieces))[:, 24:] ** 2).sum(1)


def test_stealing_a_voice_does_not_click(violin):
    def play(n_voices):
        stream = violin.stream(n_voices, dry=True)
        for pitch in (57, 62):
            stream.send(note_on(pitch, 110))
        stream.send(note_on(69, 110), 48_077)
        return stream.read(RATE * 3 // 2)

    stolen, free = play(2), play(3)
    np.testing.assert_allclose(stolen[:48_077], free[:48_077], atol=1e-6)
    assert np.abs(stolen - free)[60_000:].max() > 0.01  # one voice is gone
    at = slice(48_000 // 96 - 1, 48_600 // 96 + 2)
    assert roughness(stolen)[at].max() < 2 * roughness(free)[400:].max()


def test_a_legato_line_has_no_gap(violin):
    stream = violin.stream(1, mono=True, dry=True)
    stream.send(note_on(64), 0)
    stream.send(note_on(66), 24_100)
    stream.send(note_off(64), 26_000)
    sound = stream.read(48_000)
    level = np.sqrt((sound[: 48_000 // 480 * 480].reshape(-1, 480) ** 2).mean(1))
    assert level[40:].min() > 0.5 * np.median(level[40:])
    f0_hz = [np.median(track_pitch(sound[a:b], RATE, "autocorrelation").f0_hz)
             for a, b in ((12_000, 24_000), (36_000, 48_000))]
    assert f0_hz[0] == pytest.approx(329.6, rel=0.01) and f0_hz[1] == pytest.approx(370.0, rel=0.01)


def test_finished_voices_get_no_work_and_a_stream_falls_silent(violin, monkeypatch):
    stream = violin.stream(8)
    for pitch in (60, 64, 67):
        stream.send(note_on(pitch), 0)
        stream.send(note_off(pitch), 10_000)
    stream.read(4 * RATE)
    monkeypatch.setattr(stream._player, "frame", lambda *_: pytest.fail("a silent voice was given work"))
    assert np.abs(stream.read(RATE)).max() < 1e-6


def test_a_stereo_room_streams_in_stereo(violin):
    random = np.random.default_rng(0)
    ir = random.normal(0, 0.1, (2, 9000)) * np.exp(-np.arange(9000) / 1500)
    ir[:, 0] = 1, 0.5
    performance = take(violin, 3)
    whole = violin.resynthesize(performance, ir=ir)
    assert whole.shape == (2, 3 * RATE + 8999)
    stream = violin.stream(1, ir=ir, limit=False)
    stream.feed(performance)
    np.testing.assert_allclose(read_in_blocks(stream, whole.shape[1], sizes(9, 64, 3000)), whole, atol=1e-5, rtol=0)


def test_a_wetter_room_keeps_the_loudness(violin):
    performance = take(violin, 3)
    plain = violin.resynthesize(performance)
    wet = violin.resynthesize(performance, wet_db=20, decay=3)
    dry = torch.from_numpy(violin.resynthesize(performance, dry=True))[None]
    as_it_was, wetter = (fft_convolve(dry, as_tensors(*violin.rooms.response(**change))[1])[0].numpy()
                         for change in ({}, {"wet_db": 20, "decay": 3}))

    def loudness_db(sound):
        return 10 * np.log10((sound.astype(float) ** 2).mean())

    assert abs(loudness_db(wet) - loudness_db(plain)) < 0.3
    uncompensated_db = loudness_db(wetter) - loudness_db(as_it_was)
    assert uncompensated_db > max(0.3, 3 * abs(loudness_db(wet) - loudness_db(plain)))


@pytest.mark.parametrize("n_voices", [1, 5])
def test_the_exported_networks_equal_torch(violin, n_voices):
    random = torch.Generator().manual_seed(0)
    networks = LiveNetworks.of(violin.model)
    plain = (StepNetwork(violin.model), FrameNetwork(violin.model))

    def draw(*shape):
        return torch.randn(n_voices, *shape, generator=random)

    curves = (440 * 2 ** draw(1, 1), torch.rand(n_voices, 1, 1, generator=random), -30 + 10 * draw(1, 1))
    ringing = 1e-4 * torch.rand(n_voices, N_ROOM_BANDS, generator=random, dtype=torch.float64)
    room = as_tensors(*violin.rooms.response())[0]
    pasts = violin.model.decoder.stack.silence(n_voices)
    step_inputs = (*curves, draw(1, violin.config.n_z), *(torch.rand_like(past) for past in pasts))
    width = violin.config.decoder_channels + violin.model.decoder.n_beside
    frame_inputs = (*curves, draw(1, width), draw(1, width), torch.full((n_voices, 1, 1), 0.5), draw(ONSET_FRAMES, 3),
                    curves[0], curves[0], ringing, *Tail(room, RATE, HOP).constants)
    with torch.inference_mode():
        for fast, slow, inputs in zip((networks.step, networks.frame), plain, (step_inputs, frame_inputs)):
            assert not isinstance(fast, torch.nn.Module)
            for ours, theirs in zip(fast(*inputs), slow(*inputs), strict=True):
                assert ours.shape == theirs.shape and float(theirs.abs().max()) > 0
                torch.testing.assert_close(ours, theirs, atol=1e-5 * max(1.0, float(theirs.abs().max())), rtol=1e-5)


def test_without_the_live_extra_streams_in_torch_sound_the_same(monkeypatch):
    monkeypatch.setattr("ddspvae.engine.ability.HAS_COMPILER", False)

    def play():
        stream = load("violin").stream(2)
        stream.send(note_on(60), 100)
        return stream.read(24_000)

    fast = play()
    monkeypatch.setitem(sys.modules, "onnx", None)
    np.testing.assert_allclose(play(), fast, atol=1e-5, rtol=0)


def test_says_what_is_wrong(violin):
    performance = take(violin, 1)
    with pytest.raises(InputError, match="stream: voices must lie between"):
        violin.stream(0)
    with pytest.raises(InputError, match="room: wet_db and decay change the learned room"):
        violin.stream(dry=True, wet_db=3)
    with pytest.raises(InputError, match=r"room: ir must be \[L\] or \[2, L\], got \[3, 5\]"):
        violin.resynthesize(performance, ir=np.zeros((3, 5)))
    with pytest.raises(InputError, match="stream.send: message must be a mido.Message, got tuple"):
        violin.stream().send((0x90, 60, 80))
    with pytest.raises(InputError, match="stream.send: offset must lie between"):
        violin.stream().send(note_on(60), -1)
    with pytest.raises(InputError, match="stream.send: offset must be a whole number of samples, got 1.5"):
        violin.stream().send(note_on(60), 1.5)
    with pytest.raises(InputError, match="room: dry is without a room and ir in another one"):
        violin.resynthesize(performance, dry=True, ir=np.ones(3))
    with pytest.raises(InputError, match="stream.read: n_samples must lie between"):
        violin.stream().read(-1)
    fed = violin.stream(2)
    fed.feed(performance)
    with pytest.raises(InputError, match="stream.send: this stream plays the performances it was fed"):
        fed.send(note_on(60))
    fed.read(100)
    with pytest.raises(InputError, match="stream.feed: a performance must begin between hops of 240 samples, got"):
        fed.feed(performance, 1)
    with pytest.raises(InputError, match="stream.feed: voice must lie between"):
        fed.feed(performance, 2)
    played = violin.stream()
    played.send(note_on(60))
    with pytest.raises(InputError, match="stream.feed: this stream plays MIDI"):
        played.feed(performance)


def test_several_voices_in_one_room_equal_each_alone(violin):
    block_s = 128 * violin.config.frames_per_z / 200  # a voice that ends with a block, one within, one with the longest
    performances = [take(violin, seconds, seed) for seed, seconds in enumerate((block_s, 1.5, 11.0))]
    together = violin.resynthesize(performances, voice=2)
    assert together.shape == (11 * RATE,)
    alone = [violin.resynthesize(performance, voice=2 + i) for i, performance in enumerate(performances)]
    dry = [violin.resynthesize(performance, voice=2 + i, dry=True) for i, performance in enumerate(performances)]
    np.testing.assert_allclose(violin.resynthesize(performances, voice=2, dry=True)[: len(dry[0])][-100:],
                               (dry[0] + dry[2][: len(dry[0])])[-100:], atol=1e-6)
    # alone, a voice stops with its last frame; together, the room goes on ringing
    head = round(1.5 * RATE)
    np.testing.assert_allclose(together[:head], sum(sound[:head] for sound in alone), atol=1e-5)


def slow(**changes):
    return pytest.param(changes, marks=pytest.mark.slow)


@pytest.mark.parametrize("changes", [
    {"n_z": 6}, slow(sample_rate=16_000, hop_size=80), slow(with_reverb=False), slow(sample_rate=44_100, hop_size=220),
    slow(hop_size=101), slow(n_z=0), slow(with_noise=False), slow(n_harmonics=300), slow(frames_per_z=6),
    slow(frames_per_z=2),
], ids=str)
def test_other_models_stream_as_they_render(violin, changes):
    torch.manual_seed(0)
    config = replace(violin.config, **changes)
    model = Autoencoder(config)
    with torch.no_grad():
        torch.nn.init.normal_(model.decoder.harmonic_head.weight, std=0.1)
        model.room_energy.fill_(-2.0)
    instrument = Instrument(model, {**violin.card, "config": config.to_dict()}, "untrained")
    n_frames = 400
    t = np.arange(n_frames) / n_frames
    z = np.random.default_rng(0).normal(0, 1, (-(-n_frames // config.frames_per_z), config.n_z))
    performance = Performance(300 * 2 ** np.sin(9 * t), np.ones(n_frames), -30 + 9 * np.sin(30 * t), z,
                              instrument.axis_names, config.frame_rate_hz, config.frames_per_z, instrument.identity)
    whole = instrument.resynthesize(performance)
    stream = instrument.stream(1)
    stream.feed(performance)
    np.testing.assert_allclose(read_in_blocks(stream, len(whole), sizes(1, 1, 2000)), whole, atol=1e-5, rtol=0)
    late = instrument.stream(1, start_s=0.5)
    late.feed(performance)
    begin = late.sample
    np.testing.assert_allclose(late.read(len(whole) - begin), whole[begin:], atol=1e-5, rtol=0)
    assert np.abs(whole).max() > 0.01
    events = busy_minute(2, 2, 20)
    once = read_in_blocks(instrument.stream(3), 2 * RATE, lambda: 2 * RATE, events)
    pieces = read_in_blocks(instrument.stream(3), 2 * RATE, sizes(3, 1, 900), events)
    np.testing.assert_allclose(pieces, once, atol=1e-5, rtol=0)


def test_nothing_to_play(violin):
    with pytest.raises(InputError, match="resynthesize: there is no performance to play"):
        violin.resynthesize([])


def test_what_is_below_the_knee_is_left_alone_and_nothing_reaches_full_scale():
    quiet = np.linspace(-0.9, 0.9, 1001, dtype=np.float32)[None]
    assert within_full_scale(quiet) is quiet
    loud = np.linspace(-40, 40, 8001, dtype=np.float32)[None]
    bent = within_full_scale(loud)
    inside = np.abs(loud) <= 0.9
    assert np.array_equal(bent[inside], loud[inside]) and np.abs(bent).max() <= 1 and (np.diff(bent) >= 0).all()


@pytest.mark.parametrize("key", [0, 12, 24])
def test_a_key_far_below_the_range_is_no_blast(violin, key):
    stream = violin.stream(2, limit=False)
    stream.send(mido.Message("note_on", note=key, velocity=127))
    assert np.abs(stream.read(RATE // 2)).max() < 1e-2
    stream.send(mido.Message("note_on", note=69, velocity=80))
    assert 0.01 < np.abs(stream.read(RATE // 2)).max() < 1


def test_all_notes_off_leaves_the_pedal_its_notes(violin):
    stream = violin.stream(2, dry=True)
    stream.send(mido.Message("control_change", control=64, value=127))
    stream.send(mido.Message("note_on", note=69, velocity=90))
    stream.read(RATE // 4)
    stream.send(mido.Message("control_change", control=123))
    assert np.abs(stream.read(RATE)[-1000:]).max() > 0.01
    stream.send(mido.Message("control_change", control=64, value=0))
    assert np.abs(stream.read(2 * RATE)[-1000:]).max() < 1e-4


def test_the_range_of_the_wheel_is_heard_and_reset_takes_it_back(violin):
    stream = violin.stream(1, dry=True)
    for control, value in ((101, 0), (100, 0), (6, 12)):
        stream.send(mido.Message("control_change", control=control, value=value))
    stream.send(mido.Message("pitchwheel", pitch=8191))
    stream.send(mido.Message("note_on", note=62, velocity=90))
    f0_hz, _ = track_f0(stream.read(RATE), RATE, 240, "swift")
    assert np.median(f0_hz[50:]) == pytest.approx(440 * 2 ** (5 / 12), rel=0.005)
    stream.send(mido.Message("reset"))
    assert np.abs(stream.read(RATE)[-1000:]).max() < 1e-4
    stream.send(mido.Message("note_on", note=69, velocity=90))
    f0_hz, _ = track_f0(stream.read(RATE), RATE, 240, "swift")
    assert np.median(f0_hz[50:]) == pytest.approx(440, rel=0.005)


def test_the_farthest_bend_is_bounded_and_other_channels_leave_it_alone(violin):
    stream = violin.stream(1, dry=True)
    for control, value in ((101, 0), (100, 0), (6, 127), (100, 2), (6, 127)):
        stream.send(mido.Message("control_change", control=control, value=value))
    stream.send(mido.Message("pitchwheel", pitch=8191))
    stream.send(mido.Message("note_on", note=60, velocity=90))
    assert np.isfinite(stream.read(4800)).all()
    one, other = violin.stream(1, dry=True), violin.stream(1, dry=True)
    for stream in (one, other):
        stream.send(mido.Message("pitchwheel", pitch=4000))
        stream.send(mido.Message("note_on", note=60, velocity=90))
    other.send(mido.Message("control_change", control=101, value=0, channel=5))
    np.testing.assert_array_equal(one.read(9600), other.read(9600))


def test_a_block_is_a_whole_number_of_samples(violin):
    with pytest.raises(InputError, match="n_samples must be a whole number, got 1.5"):
        violin.stream(1).read(1.5)


def test_two_threads_may_open_the_first_stream():
    fresh = load("flute")
    with ThreadPoolExecutor(2) as pool:
        sounds = list(pool.map(lambda _: played_note(fresh.stream(1)), range(2)))
    np.testing.assert_array_equal(*sounds)


def test_two_threads_may_open_the_first_stream_in_torch(monkeypatch):
    monkeypatch.setattr("ddspvae.engine.ability.HAS_COMPILER", False)
    test_two_threads_may_open_the_first_stream()


def played_note(stream):
    stream.send(mido.Message("note_on", note=74, velocity=90))
    return stream.read(4800)


@pytest.mark.parametrize("shift", [30, 100, 200])
def test_all_sound_off_inside_a_hop_is_heard_in_that_hop(violin, shift):
    """Alone, with no note that begins: what fades begins to fade at its own sample, and ends without a step."""
    stream, other = (violin.stream(1, dry=True) for _ in range(2))
    for one in (stream, other):
        one.send(note_on(60))
        one.read(100 * HOP)
    stream.send(mido.Message("control_change", control=120, value=0), shift)
    cut, whole = stream.read(4 * HOP), other.read(4 * HOP)
    np.testing.assert_array_equal(cut[:shift], whole[:shift])
    faded = np.abs(cut[shift + 20 : HOP]) < np.abs(whole[shift + 20 : HOP])
    assert faded.mean() > 0.95
    assert np.abs(np.diff(cut)).max() <= 1.1 * np.abs(np.diff(whole)).max() and not cut[2 * HOP :].any()
