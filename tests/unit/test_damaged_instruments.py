"""Instruments that are not what they say: told before their network is built, in one sentence."""

from __future__ import annotations

import json

import numpy as np
import pytest

from ddspvae import InputError, load
from ddspvae.instrument.instrument import Instrument
from ddspvae.instrument.presets import find_preset, read_card, read_weights, save_instrument
from ddspvae.model.autoencoder import Autoencoder
from ddspvae.model.config import ModelConfig


@pytest.fixture(scope="module")
def parts():
    path = find_preset("flute")
    card = {key: value for key, value in read_card(path).items() if key != "format"}
    return read_weights(path), card


def write(folder, weights, card, **changes):
    save_instrument(folder / "x.safetensors", weights, {**card, **changes})
    return folder / "x.safetensors"


@pytest.mark.parametrize(("changes", "match"), [
    (lambda card: {"config": {**card["config"], "encoder_channels": 4096}}, "do not fit their own config"),
    (lambda card: {"config": {**card["config"], "decoder_channels": 4096}}, "do not fit their own config"),
    (lambda card: {"config": {**card["config"], "n_harmonics": 99}}, "do not fit their own config"),
    (lambda card: {"config": {**card["config"], "n_harmonics": -1}}, "card of .* is damaged: ModelConfig: n_harmonics"),
    (lambda card: {"config": []}, "is not a ddspvae instrument"),
    (lambda card: {"statistics": {**card["statistics"], "loudness_quantiles_db": [""] * 101}}, "is not a ddspvae"),
    (lambda card: {"statistics": {**card["statistics"], "pitch_low": float("nan")}}, "card of .* is damaged"),
    (lambda card: {"statistics": {**card["statistics"], "silence_db": 1e300}}, "card of .* is damaged"),
    (lambda card: {"plugins": []}, "has no readable plugins"),
    (lambda card: {"trimmed_axes": 5}, "has no readable trimmed_axes"),
    (lambda card: {"timbres": None}, "has no readable timbres"),
    (lambda card: {"tracker": "../somebody/elses/file.csv"}, "names a file of somebody's"),
])
def test_a_card_that_cannot_be_right(parts, tmp_path, changes, match):
    weights, card = parts
    with pytest.raises(InputError, match=match):
        load(write(tmp_path, weights, card, **changes(card)))


def test_weights_that_are_not_finite(parts, tmp_path):
    weights, card = parts
    name = next(name for name in weights if name.startswith("decoder"))
    with pytest.raises(InputError, match="are not finite"):
        load(write(tmp_path, {**weights, name: np.full_like(weights[name], np.nan)}, card))


def test_brackets_without_end(tmp_path):
    header = json.dumps({"__metadata__": {"ddspvae": "[" * 100_000}}).encode()
    (tmp_path / "x.safetensors").write_bytes(len(header).to_bytes(8, "little") + header)
    with pytest.raises(InputError, match="is not a ddspvae instrument"):
        load(tmp_path / "x.safetensors")


def test_an_instrument_without_z_can_be_stretched(parts):
    _, card = parts
    config = ModelConfig(sample_rate=16_000, hop_size=80, n_z=0, n_harmonics=20, decoder_channels=8)
    plain = Instrument(Autoencoder(config), {**card, "config": config.to_dict(), "axes": {}}, "plain")
    take = plain.analyze(0.3 * np.sin(2 * np.pi * 440 * np.arange(16_000) / 16_000).astype(np.float32), 16_000)
    assert plain.resynthesize(take.stretch(2.0)).shape == (32_000,)
