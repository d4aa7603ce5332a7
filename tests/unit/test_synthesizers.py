"""Synthesizers from outside: trained with, rendered, streamed; and asked for by the file that needs one."""

from __future__ import annotations

from dataclasses import replace

import mido
import numpy as np
import pytest
import soundfile
import torch

import ddspvae
from ddspvae.features.extract import extract
from ddspvae.instrument.presets import read_card
from ddspvae.model.config import ModelConfig
from ddspvae.model.parts import SYNTHESIZERS
from ddspvae.signals import Controls, registry
from ddspvae.signals.checks import InputError
from ddspvae.synth.harmonic import harmonic
from ddspvae.synth.noise import filtered_noise
from ddspvae.synth.render import render
from ddspvae.synth.synthesizers import Synthesizer
from ddspvae.training.dataset import Take
from ddspvae.training.validation import reconstruct

from ..conftest import melody_take

RATE, HOP = 16_000, 80
SMALL = ModelConfig(sample_rate=RATE, hop_size=HOP, n_z=5, encoder_channels=8, decoder_channels=16)


class Turned(Synthesizer):
    """Harmonics upside down, noise at double height: told apart to the bit."""

    noisier = 2.0

    def harmonics(self, f0_hz, heights, start, length):
        return -super().harmonics(f0_hz, heights, start, length)

    def noise(self, noise_magnitudes, noise_keys, start_sample, length):
        return self.noisier * super().noise(noise_magnitudes, noise_keys, start_sample, length)


@pytest.fixture(autouse=True)
def turned(monkeypatch):
    monkeypatch.setattr(registry, "_outside", {**registry._outside, "synthesizer": {}})
    return ddspvae.register("synthesizer", "turned", Turned)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("turned")
    soundfile.write(folder / "take.wav", melody_take(5.0, RATE), RATE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "_outside", {**registry._outside, "synthesizer": {"turned": Turned}})
        return ddspvae.train(folder / "take.wav", folder / "turned.safetensors", steps=20,
                             model=replace(SMALL, synthesizer="turned"))


@pytest.fixture(scope="module")
def loaded(trained):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "_outside", {**registry._outside, "synthesizer": {"turned": Turned}})
        return ddspvae.load(trained)


@pytest.fixture
def instrument(loaded, monkeypatch):
    monkeypatch.setattr(loaded.model, "config", loaded.model.config)  # and back again
    return loaded


@pytest.fixture(scope="module")
def heard():
    return melody_take(1.5, RATE, seed=5)


def without(instrument, **parts):
    """The same one, with other parts of its config."""
    instrument.model.config = replace(instrument.model.config, **parts)
    return instrument


def test_what_is_trained_with_it_says_so_and_which_module_has_it(trained):
    card = read_card(trained)
    assert card["config"]["synthesizer"] == "turned" and card["plugins"] == {"synthesizer turned": __name__}


def test_a_file_whose_synthesizer_is_missing_asks_for_it(trained, monkeypatch):
    monkeypatch.setattr(registry, "_outside", {kind: {} for kind in registry.KINDS})
    with pytest.raises(InputError, match="needs the synthesizer 'turned', which .*test_synthesizers registered when"):
        ddspvae.load(trained)
    with pytest.raises(InputError, match="ModelConfig: synthesizer must be one of spectral, got 'turned'; one of a plugin"):
        replace(ModelConfig(), synthesizer="turned")


def test_configs_without_one_are_written_as_they_ever_were():
    config = ModelConfig(by_room=False)
    assert "synthesizer" not in config.to_dict() and ModelConfig.from_dict(config.to_dict()) == config
    turned = replace(config, synthesizer="turned")
    assert turned.to_dict()["synthesizer"] == "turned" and ModelConfig.from_dict(turned.to_dict()) == turned
    assert not config.plugins and turned.plugins == {"synthesizer turned": __name__}


def test_a_render_of_controls_is_what_it_plays():
    random = np.random.default_rng(0)
    n_frames = 20
    distribution = torch.rand(1, n_frames, 12, generator=torch.Generator().manual_seed(0)) + 0.1
    controls = Controls(
        f0_hz=torch.from_numpy(220 + 10 * random.random((1, n_frames, 1))).float(),
        amplitude=torch.full((1, n_frames, 1), 0.3),
        harmonic_distribution=distribution / distribution.sum(-1, keepdim=True),
        noise_magnitudes=torch.rand(1, n_frames, 9, generator=torch.Generator().manual_seed(1)) / 10)
    pitched = harmonic(controls.f0_hz, controls.amplitude, controls.harmonic_distribution, RATE, HOP)
    noise = filtered_noise(controls.noise_magnitudes, HOP, seed=3, start_sample=160)
    turned = SYNTHESIZERS["turned"](RATE, HOP, 9)
    sound = render(controls, RATE, HOP, seed=3, start_sample=160, synthesizer=turned)
    torch.testing.assert_close(sound, 2 * noise - pitched)
    torch.testing.assert_close(render(controls, RATE, HOP, with_noise=False, synthesizer=turned), -pitched)


def test_validation_listens_to_it(instrument, heard):
    take = Take("take.wav", heard, extract(heard, RATE, HOP), "room")
    turned, own = (reconstruct(without(instrument, with_noise=False, synthesizer=name).model, take, ["room"],
                               torch.device("cpu"))[0] for name in ("turned", "spectral"))
    np.testing.assert_allclose(turned, -own, atol=1e-6)
    assert np.abs(own).max() > 0.01


def test_renders_play_its_harmonics(instrument, heard):
    performance = instrument.analyze(heard, RATE)
    turned, own = (without(instrument, synthesizer=name, with_noise=False).resynthesize(performance, dry=True)
                   for name in ("turned", "spectral"))
    np.testing.assert_allclose(turned, -own, rtol=0, atol=1e-6)
    assert np.abs(own).max() > 0.01


def test_renders_play_its_noise(instrument, heard, monkeypatch):
    performance = instrument.analyze(heard, RATE)
    twice = instrument.resynthesize(performance, dry=True)  # 2 n - h
    monkeypatch.setattr(Turned, "noisier", 4.0)
    fourfold = instrument.resynthesize(performance, dry=True)  # 4 n - h
    own = without(instrument, synthesizer="spectral").resynthesize(performance, dry=True)  # n + h
    np.testing.assert_allclose(2 * (own + twice), 3 * (fourfold - twice), atol=1e-5)
    assert np.abs(fourfold - twice).max() > 1e-3


def test_streams_play_what_renders_do_in_any_blocks_and_from_anywhere(instrument, heard):
    performance = instrument.analyze(heard, RATE)
    whole = instrument.resynthesize(performance)
    stream = instrument.stream(limit=False)
    stream.feed(performance)
    blocks = [stream.read(n_samples) for n_samples in (1, 79, 160, 1000, 31, 4000, 8000)]
    streamed = np.concatenate(blocks)
    np.testing.assert_allclose(streamed, whole[: len(streamed)], atol=1e-5)
    late = instrument.stream(limit=False, start_s=0.5)
    late.feed(performance)
    np.testing.assert_allclose(late.read(4000), whole[RATE // 2 : RATE // 2 + 4000], atol=1e-5)
    assert np.abs(whole[RATE // 2 : RATE // 2 + 4000]).max() > 0.01


def test_notes_that_come_live_are_played_by_it(instrument):
    without(instrument, with_noise=False)
    heard = []
    for name in ("turned", "spectral"):
        stream = without(instrument, synthesizer=name).stream(2, limit=False)
        for at, pitch in ((13, 64), (1000, 67), (2345, 71)):
            stream.send(mido.Message("note_on", note=pitch, velocity=90), at)
        stream.send(mido.Message("note_off", note=67), 3000)
        heard.append(stream.read(5000))
    np.testing.assert_allclose(heard[0], -heard[1], rtol=0, atol=1e-6)
    assert np.abs(heard[0]).max() > 0.01
