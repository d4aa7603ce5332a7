"""Rooms that are told apart: what is learned of each, and a model that is settled in one of them."""

from __future__ import annotations

import warnings
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
import torch

from ddspvae import load, train
from ddspvae.instrument.nearest import moved_to, moved_to_folder, nearest_room
from ddspvae.instrument.presets import arrays_of
from ddspvae.model.autoencoder import Autoencoder
from ddspvae.model.by_room import settled_in
from ddspvae.model.config import ModelConfig
from ddspvae.model.parts import DECODERS
from ddspvae.model.transplant import transplant
from ddspvae.model.typical import Typical
from ddspvae.training.prepare import can_tell_rooms, prepare

from ..conftest import melody_take
from .test_dynamics import note

ROOMS = ("hall", "studio", "booth")
SMALL = ModelConfig(n_z=8, encoder_channels=16, decoder_channels=16, n_harmonics=20, rooms=ROOMS, by_room=True)


@pytest.fixture
def model():
    """One of three rooms, all weights of which say something."""
    torch.manual_seed(0)
    network = Autoencoder(SMALL)
    with torch.no_grad():
        for weight in [*network.parameters(), network.decoder.typical.of_rooms, network.decoder.typical.coefficients]:
            weight.add_(0.2 * torch.randn(weight.shape))
    return network.eval()


def settled(model, at):
    """The same in one room."""
    other = Autoencoder(model.config)
    other.load_state_dict({name: torch.from_numpy(array) for name, array in
                           settled_in(arrays_of(model.state_dict()), at).items()})
    return other.eval()


def curves(n=48):
    time = torch.linspace(0, 1, n)[None, :, None]
    return 220 * 2**time, torch.ones_like(time), -30 + 15 * time


@torch.inference_mode()
def test_settled_in_a_room_it_needs_not_be_told_the_room(model):
    z = torch.randn(1, 12, SMALL.n_z)
    every = [torch.cat(model.decoder(*curves(), z, place=torch.tensor([at])), dim=-1) for at in range(3)]
    assert (every[0] - every[1]).abs().max() > 0.01 and (every[1] - every[2]).abs().max() > 0.01
    for at in range(3):
        here = settled(model, at)
        alone = torch.cat(here.decoder(*curves(), z), dim=-1)
        torch.testing.assert_close(alone, every[at], atol=2e-6, rtol=2e-5)
        for other in range(3):  # the others stay what they were, and so it may move
            told = torch.cat(here.decoder(*curves(), z, place=torch.tensor([other])), dim=-1)
            torch.testing.assert_close(told, every[other], atol=2e-6, rtol=2e-5)
            there = torch.cat(settled(here, other).decoder(*curves(), z), dim=-1)
            torch.testing.assert_close(there, every[other], atol=2e-6, rtol=2e-5)


def test_a_brighter_room_is_no_brighter_playing():
    takes = [note(pitch, level_db, brightness + 0.01 * level_db + slope * (pitch - 66), room)
             for room, brightness, slope in (("hall", 0.6, 0.0), ("studio", 0.8, 0.01)) for pitch in range(58, 76)
             for level_db in (-30, -24, -18)]
    farthest = {}
    for rooms in ((), ("hall", "studio")):
        typical = Typical(n_rooms=len(rooms))
        typical.fit(takes, 8, rooms)
        deviation = float(typical.deviation[0])
        read = [typical.read(take, 8, place=torch.tensor([rooms.index(take.room)]) if rooms else None)[0][..., 0]
                for take in takes]
        farthest[len(rooms)] = deviation * max(float(one.abs().max()) for one in read)
    assert farthest[0] > 0.15 and farthest[2] < 0.05  # octaves


def test_rooms_are_found_by_name_when_another_training_begins(model):
    torch.manual_seed(1)
    network = Autoencoder(replace(SMALL, rooms=("booth", "church", "hall")))
    transplant(model, network)
    theirs, own = model.decoder.room_envelope, network.decoder.room_envelope
    assert torch.equal(own[0], theirs[2]) and torch.equal(own[2], theirs[0]) and not own[1].any()
    plain = Autoencoder(replace(SMALL, by_room=False))
    transplant(model, plain)
    assert torch.equal(plain.decoder.noise_head.weight, model.decoder.noise_head.weight)


def test_files_of_models_that_tell_no_rooms_apart_say_nothing_of_it(monkeypatch):
    plain = replace(SMALL, by_room=False)
    assert "by_room" not in plain.to_dict() and ModelConfig.from_dict(plain.to_dict()) == plain
    assert ModelConfig.from_dict(SMALL.to_dict()) == SMALL
    assert SMALL.n_rooms_apart == 3 and replace(SMALL, rooms=("hall",)).n_rooms_apart == 0
    assert not [name for name in Autoencoder(plain).state_dict() if "room_inlet" in name or "of_rooms" in name]
    assert replace(SMALL, n_timbre=2).n_rooms_apart == 0  # its code tells apart
    monkeypatch.setitem(DECODERS.own, "mine", object)
    assert replace(SMALL, decoder="mine").n_rooms_apart == 0


def record(folder, seed, times=1):
    """A melody, all of it so many times as high."""
    folder.mkdir()
    soundfile.write(folder / "a.wav", melody_take(8.0 * times, 48_000 // times, seed), 48_000)


def test_folders_that_hold_other_notes_are_no_rooms(tmp_path):
    record(tmp_path / "parlour", 0)
    record(tmp_path / "booth", 1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = prepare(tmp_path, [], "swift", ModelConfig()).model
        assert model.n_rooms_apart == 2 and model.by_room
        assert not prepare(tmp_path / "parlour", [], "swift", ModelConfig()).model.by_room
        assert not prepare(tmp_path, [], "swift", ModelConfig(by_room=False)).model.by_room
        assert prepare(tmp_path / "parlour", [], "swift", ModelConfig(by_room=True)).model.by_room is False
    record(tmp_path / "high", 2, times=3)
    with pytest.warns(UserWarning, match="hardly anything in the folder high is as high and as loud as"):
        assert not prepare(tmp_path, [], "swift", ModelConfig()).model.by_room
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert prepare(tmp_path, [], "swift", ModelConfig(by_room=True)).model.n_rooms_apart == 3
    (tmp_path / "booth").rename(tmp_path / "church")
    with pytest.warns(UserWarning, match="--room church means something else"):
        prepare(tmp_path, [], "swift", ModelConfig(by_room=True))


def heard(room, pitches, level_db):
    """A take of steady notes, at two levels each."""
    f0_hz = np.repeat(440 * 2 ** ((np.array(pitches, np.float32) - 69) / 12), 40)
    levels = np.tile(np.repeat(np.float32([level_db, level_db - 8]), 20), len(pitches))
    return SimpleNamespace(room=room, features=SimpleNamespace(f0_hz=f0_hz, loudness_db=levels,
                                                               periodicity=np.ones(len(f0_hz), np.float32)))


@pytest.mark.parametrize("takes, lonely", [
    ([heard("a", range(50, 70), -20), heard("b", range(52, 72), -22)], None),
    ([heard("loud", range(50, 70), -10), heard("soft", range(50, 65), -35)], "soft"),
    ([heard("all", range(50, 70), -20), heard("one", [75], -20)], "one"),
    ([heard("all", range(50, 70), -20), heard("one", [60], -20)], None),
    ([heard("all", range(50, 70), -20), heard("none", [], -20)], None),
    ([heard("a", range(50, 70), -20), heard("b", range(52, 72), -22), heard("low", range(30, 40), -20)], "low"),
], ids=["alike", "loud and soft", "another note", "one of the notes", "nothing", "low strings"])
def test_a_folder_is_a_room_when_it_holds_what_the_others_hold(takes, lonely):
    model = replace(SMALL, rooms=tuple(take.room for take in takes), by_room=None)
    if lonely is None:
        assert can_tell_rooms(model, takes)
    else:
        with pytest.warns(UserWarning, match=f"the folder {lonely} is"):
            assert not can_tell_rooms(model, takes)
    assert can_tell_rooms(replace(model, by_room=True), takes) and not can_tell_rooms(replace(model, by_room=False), takes)
    assert not can_tell_rooms(model, takes[:1])  # a corpus, of which a sample is held that lacks a room


@pytest.mark.slow
def test_an_instrument_of_two_rooms_plays_in_both(tmp_path):
    for number, room in enumerate(("dull", "bright")):
        (tmp_path / room).mkdir()
        audio = melody_take(8.0, 48_000, number)
        if room == "bright":
            audio = np.diff(audio, prepend=audio[:1]) * 4
        soundfile.write(tmp_path / room / "a.wav", audio, 48_000)
    path = train(tmp_path, tmp_path / "a.safetensors", steps=60, seed=1, device="cpu", model=replace(SMALL, rooms=("room",)))
    assert load(path, "dull").identity == load(path, "bright").identity  # z means the same in both
    bands = {}
    for room in ("dull", "bright"):
        instrument = load(path, room)
        assert sorted(instrument.config.rooms) == ["bright", "dull"]
        take = instrument.analyze(*soundfile.read(tmp_path / room / "a.wav", dtype="float32"))
        still = replace(take, z=np.zeros_like(take.z))
        sound = instrument.resynthesize(still)
        power = np.abs(np.fft.rfft(sound)) ** 2
        hz = np.fft.rfftfreq(len(sound), 1 / 48_000)
        bands[room] = 10 * np.log10(power[hz > 1500].sum() / power[hz < 1500].sum())
        score = instrument.stream(1, seed=0)  # without torch, from the same file
        assert len(score.read(256)) == 256
        assert nearest_room(load(path), *soundfile.read(tmp_path / room / "a.wav", dtype="float32")) == room
        there = moved_to(load(path), room)
        np.testing.assert_allclose(there.resynthesize(still), sound, atol=1e-5)
        assert there.room == room and moved_to_folder(load(path), tmp_path / room / "a.wav").room == room
    assert bands["bright"] > bands["dull"] + 4
