"""Several instruments in one model: told apart, learned together, taken out again, mixed and morphed."""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import pytest
import soundfile
import torch

from ddspvae.features.extract import extract
from ddspvae.instrument.loading import load
from ddspvae.instrument.presets import find_preset, split_timbre
from ddspvae.model.autoencoder import Autoencoder
from ddspvae.model.config import ModelConfig
from ddspvae.model.encoder_inputs import EncoderInputs
from ddspvae.model.timbre import LEANING_FRAMES, TimbreCode
from ddspvae.model.transplant import adopt, is_alike, settle, transplant
from ddspvae.signals import Note, Notes
from ddspvae.signals.checks import InputError
from ddspvae.synth.render import render
from ddspvae.training.few import FEW_RATE, FEW_STEPS, are_few, as_wide
from ddspvae.training.loop import train
from ddspvae.training.many import find_instruments
from ddspvae.training.prepare import prepare

from ..conftest import melody_take

RATE, HOP = 16_000, 80
STRENGTHS = {"bright": 0.0, "middling": 0.7, "dull": 1.6}
SMALL = ModelConfig(sample_rate=RATE, hop_size=HOP, decoder_channels=16)


def dull(audio, strength):
    """The same notes with less and less treble: another instrument."""
    spectrum = np.fft.rfft(audio)
    frequency_hz = np.fft.rfftfreq(len(audio), 1 / RATE)
    return np.fft.irfft(spectrum / (1 + (frequency_hz / 600) ** 2) ** strength, n=len(audio)).astype(np.float32)


def heard_of(strength, seed, seconds=5.0):
    return EncoderInputs.of(extract(dull(melody_take(seconds, RATE, seed), strength), RATE, HOP))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Three instruments, two takes each."""
    root = tmp_path_factory.mktemp("orchestra")
    for name, strength in STRENGTHS.items():
        (root / name).mkdir()
        for seed in (1, 2):
            soundfile.write(root / name / f"{seed}.wav", dull(melody_take(5.0, RATE, seed), strength), RATE)
    return root


@pytest.fixture(scope="module")
def ensemble(folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("ensemble") / "three.safetensors"
    return train(folder, out, steps=4, seed=1, many=True, device="cpu", model=SMALL)


def test_takes_of_one_instrument_have_one_code_whatever_they_play():
    names = ["bright", "dull", "middling"] * 4
    takes = [heard_of(STRENGTHS[name], seed) for seed, name in enumerate(names)]
    ear = TimbreCode(2)
    ear.fit(takes, names)
    known = {name: ear.hear([take for take, own in zip(takes, names) if own == name]) for name in set(names)}
    spread = torch.stack(list(known.values()))
    deviation = spread.square().mean(0).sqrt()
    assert spread.mean(0).abs().max() < 1e-3 and deviation.min() > 0.9 and deviation.max() < 1.001
    for name, strength in STRENGTHS.items():
        code = ear(heard_of(strength, seed=77, seconds=3.0))[0]
        assert min(known, key=lambda one: float((known[one] - code).square().sum())) == name
    ear.fit(takes, ["one", "dull", "middling", "other", "dull", "middling"] * 2)  # no take tells one from the other
    codes = torch.cat([ear(take) for take in (takes[0], takes[3], takes[1])])
    assert (codes[0] - codes[1]).norm() < 0.5 * (codes[0] - codes[2]).norm()
    silence = EncoderInputs.of(extract(np.full(RATE, 1e-6, dtype=np.float32), RATE, HOP))
    assert not ear(silence).any()


def model_of_many(seed=0):
    torch.manual_seed(seed)
    model = Autoencoder(ModelConfig(sample_rate=RATE, hop_size=HOP, decoder_channels=16, n_harmonics=40, n_z=9, n_timbre=2,
                                    rooms=("hall", "booth"))).eval()
    decoder = model.decoder
    for tensor in (decoder.typical.coefficients, decoder.harmonic_head.weight, decoder.noise_head.weight,
                   decoder.stack.inlet.weight, model.encoder.principal.weight):
        tensor.data.normal_(std=0.05)
    return model


@torch.no_grad()
def play(model, heard, z):
    return render(model.decode(*heard.curves, z, None), RATE, HOP)


def test_one_of_many_taken_out_sounds_as_it_did_inside():
    model, heard, code = model_of_many(), heard_of(0.2, seed=3), torch.tensor([0.7, -1.2])
    one = settle(model, code)
    assert (one.config.n_z, one.config.n_timbre) == (7, 0)
    z = torch.randn(1, -(-heard.f0_hz.shape[1] // model.config.frames_per_z), 7)
    inside = play(model, heard, torch.cat([z, code.expand(1, z.shape[1], 2)], dim=-1))
    other = play(model, heard, torch.cat([z, -code.expand(1, z.shape[1], 2)], dim=-1))
    assert (play(one, heard, z) - inside).abs().max() < 1e-4
    assert (other - inside).abs().max() > 1e-2
    told = replace(heard, code=code[None])
    torch.testing.assert_close(one.encode(heard).to_z(), model.encode(told).to_z()[..., :7], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(("given", "wanted"), [(40, 60), (60, 40), (300, 80), (80, 300)])
def test_a_transplant_keeps_harmonics_by_number_and_rooms_by_name(given, wanted):
    def made(n_harmonics, rooms):
        return Autoencoder(ModelConfig(sample_rate=RATE, hop_size=HOP, decoder_channels=16, n_harmonics=n_harmonics,
                                       rooms=rooms)).eval()

    torch.manual_seed(0)
    giver, taker = made(given, ("hall", "booth")), made(wanted, ("booth", "street"))
    smooth = torch.sin(torch.arange(len(giver.decoder.harmonic_head.bias)) / 9.0)
    giver.decoder.harmonic_head.bias.data.copy_(smooth)
    giver.room_energy.data.copy_(torch.randn(2, 7))
    torch.nn.init.normal_(giver.decoder.stack.inlet.weight)
    torch.nn.init.normal_(giver.expected.mean.weight)
    transplant(giver, taker)
    n = min(given, wanted, 60)
    heights = [model.decoder.harmonic_head.bias @ model.decoder.knots for model in (giver, taker)]
    assert (heights[0][:n] - heights[1][:n]).abs().max() < 0.02
    assert torch.equal(taker.room_energy[0], giver.room_energy[1])
    assert torch.equal(taker.room_energy[1], Autoencoder(taker.config).room_energy[1])
    inlets = [model.decoder.stack.inlet.weight for model in (giver, taker)]
    assert torch.equal(inlets[1][:, :3], inlets[0][:, :3]) and not inlets[1][:, 3:].any()  # details begin anew
    assert not taker.expected.mean.weight.any()


def test_a_folder_of_folders_becomes_one_file_that_plays_each(ensemble):
    card = load(ensemble).card
    assert sorted(card["timbres"]) == ["bright", "dull", "middling"]
    assert card["config"]["n_timbre"] == 2 and len(card["config"]["rooms"]) == 3
    notes = Notes((Note(67, 90, 0.0, 1.0),))
    sounds = {name: load(f"{ensemble}:{name}").render(notes) for name in ("bright", "dull", "bright+dull", "bright..dull")}
    assert all(np.isfinite(sound).all() and np.abs(sound).max() > 1e-3 for sound in sounds.values())
    bright, between = load(f"{ensemble}:bright"), load(f"{ensemble}:bright+dull")
    assert bright.config.n_timbre == 0 and bright.room.startswith("bright/")
    levels = [np.mean(one.statistics.loudness_quantiles_db) for one in (bright, between, load(f"{ensemble}:dull"))]
    assert levels[1] == pytest.approx((levels[0] + levels[2]) / 2)


def test_a_morph_begins_as_the_one_and_ends_as_the_other(ensemble):
    whole, card = load(f"{ensemble}:bright..dull"), load(ensemble).card
    z = whole.perform(Notes((Note(67, 90, 0.0, 2.0),))).z[:, -2:]
    assert np.allclose(z[0], card["timbres"]["bright"]["code"]) and np.allclose(z[-1], card["timbres"]["dull"]["code"])
    assert np.abs(np.diff(z, axis=0)).max() < 0.2


def test_voices_of_one_score_morph_together(ensemble):
    player = load(f"{ensemble}:bright..dull")
    long, short = (player.perform(Notes((Note(67, 90, 0.0, length),)), score_s=4.0).z[:, -2:] for length in (4.0, 1.0))
    assert np.allclose(long[: len(short)], short) and not np.allclose(short[0], short[-1])


def test_a_take_morphs_too_and_the_whole_model_keeps_what_it_hears(ensemble):
    take, card = melody_take(4.0, RATE, 5), load(ensemble).card
    turned, heard = load(f"{ensemble}:bright..dull"), load(ensemble)
    z = turned.analyze(take, RATE).z[:, -2:]
    assert np.allclose(z[0], card["timbres"]["bright"]["code"]) and np.allclose(z[-1], card["timbres"]["dull"]["code"])
    plain = heard.analyze(take, RATE)
    assert np.ptp(plain.z[:, -2:], axis=0).max() < 1e-6
    assert np.allclose(turned.adapt(plain).z[-1, -2:], card["timbres"]["dull"]["code"])


def test_a_stream_does_not_know_when_a_morph_ends(ensemble):
    with pytest.raises(InputError, match="whose end a stream does not know"):
        load(f"{ensemble}:bright..dull").stream()
    load(f"{ensemble}:bright+dull").stream()


@pytest.mark.slow
def test_a_killed_run_of_many_goes_on_where_it_was(folder, tmp_path):
    def kill_at_10(row):
        if row["step"] >= 10:
            raise KeyboardInterrupt

    call = {"steps": 12, "seed": 1, "many": True, "device": "cpu", "model": SMALL}
    with pytest.raises(KeyboardInterrupt):
        train(folder, tmp_path / "x.safetensors", progress=kill_at_10, **call)
    card = load(train(folder, tmp_path / "x.safetensors", **call)).card
    assert card["training"]["steps_done"] == 12 and len(card["timbres"]) == 3


def test_instruments_of_one_take_each_can_be_told_apart_and_silence_cannot():
    takes, ear = [heard_of(strength, seed=1) for strength in STRENGTHS.values()], TimbreCode(2)
    ear.fit(takes, list(STRENGTHS))
    codes = torch.cat([ear(take) for take in takes])
    assert torch.isfinite(codes).all() and torch.pdist(codes).min() > 0.5
    silence = EncoderInputs.of(extract(np.full(RATE, 1e-6, dtype=np.float32), RATE, HOP))
    with pytest.raises(InputError, match="no frame of nobody has a sure pitch"):
        ear.fit([*takes, silence], [*STRENGTHS, "nobody"])


def test_a_few_seconds_give_the_code_of_who_plays(ensemble, folder, tmp_path):
    soundfile.write(tmp_path / "new.wav", dull(melody_take(5.0, RATE, 9), STRENGTHS["dull"]), RATE)
    model, card = load(ensemble).model, load(ensemble).card
    heard = load(f"{ensemble}:{tmp_path / 'new.wav'}")
    assert heard.config.n_timbre == 0 and heard.statistics.minutes == pytest.approx(5 / 60, abs=0.02)
    take = soundfile.read(tmp_path / "new.wav")[0].astype(np.float32)
    code = model.timbre(EncoderInputs.of(load(ensemble).listen(take, RATE)))[0]
    away = {name: float(np.square(code.numpy() - timbre["code"]).sum()) for name, timbre in card["timbres"].items()}
    assert min(away, key=lambda name: away[name]) == "dull"


def test_the_code_of_few_seconds_leans_to_the_nearest_that_is_known(ensemble):
    ear = load(ensemble).model.timbre
    known = torch.tensor([timbre["code"] for timbre in load(ensemble).card["timbres"].values()])
    take = heard_of(0.5, 3)
    own = ear.hear([take])
    nearest = known[(known - own).square().sum(1).argmin()]

    def way(takes):
        moved, whole = ear.hear(takes, known) - own, nearest - own
        share = float(moved @ whole / whole.square().sum())
        torch.testing.assert_close(moved, share * whole, atol=1e-4, rtol=0)
        return share

    told = float(ear.gather(take)[1])
    for n_takes in (1, 20):
        assert way([take] * n_takes) == pytest.approx(LEANING_FRAMES / (LEANING_FRAMES + n_takes * told), abs=1e-3)
    torch.testing.assert_close(ear.hear([take], known[:0]), own)


def test_few_takes_keep_all_that_many_taught_and_move_what_is_typical(ensemble):
    heard, many = heard_of(STRENGTHS["dull"], 3), load(ensemble).model
    one = settle(many, many.timbre.hear([heard]))
    network = Autoencoder(replace(one.config, rooms=("new",), n_harmonics=one.config.n_harmonics + 5))
    assert is_alike(one, network)
    assert not is_alike(one, Autoencoder(replace(one.config, n_z=one.config.n_z + 1)))
    adopt(one, network, [heard])
    for name in ("encoder.principal.weight", "expected.mean.weight", "decoder.detail_head.weight", "persistence"):
        assert torch.equal(network.state_dict()[name], one.state_dict()[name]), name
    before, after = one.decoder.typical, network.decoder.typical
    assert torch.equal(after.coefficients[0, 1:], before.coefficients[0, 1:])
    off = [float((typical.read(heard, 4, limit=1e9)[0]).mean((0, 1)).abs().max()) for typical in (before, after)]
    assert off[1] < 0.5 * off[0], "they are nearer to what the takes say"


def test_few_seconds_take_the_axes_of_a_model_of_many(ensemble, folder, monkeypatch):
    source, prepared = load(ensemble), prepare(folder / "dull", [], "swift", replace(SMALL, n_z=12, bitrate=500))
    assert are_few(prepared, source) and not are_few(prepared, load("violin")) and not are_few(prepared, None)
    assert not are_few(replace(prepared, model=replace(prepared.model, encoder="mel")), source), "another kind of network"
    wide = as_wide(prepared, source, None).model
    assert (wide.n_z, wide.n_timbre, wide.bitrate) == (source.config.n_running, 0, source.config.bitrate)
    assert as_wide(prepared, source, 500).model.bitrate == 500
    n_frames = sum(take.n_frames for take in prepared.few)
    assert sum(take.n_frames for take in prepared.training) < n_frames and not prepared.is_few
    assert sum(take.n_frames for take in as_wide(prepared, source, None).training) == n_frames, "nothing is held back"
    assert as_wide(prepared, source, None).is_few
    monkeypatch.setattr(sys.modules["ddspvae.training.prepare"], "FEW_S", 0.9 * n_frames / prepared.model.frame_rate_hz)
    assert not are_few(prepare(folder / "dull", [], "swift", replace(SMALL, n_z=12, bitrate=500)), source)


@pytest.mark.slow
def test_few_seconds_with_axes_of_their_own_begin_anew(ensemble, folder, tmp_path):
    said: list[str] = []
    path = train(folder / "dull", tmp_path / "own.safetensors", steps=1, axes=12, device="cpu", model=SMALL,
                 start_from=ensemble, tell=said.append)
    assert load(path).config.n_z == 12 and load(path).card["training"]["most_steps"] is None
    assert "with 12 axes of z nothing is kept of what three knows" in said[-1]


@pytest.mark.slow
def test_training_starts_from_the_one_that_sounds_alike(ensemble, folder, tmp_path, monkeypatch):
    monkeypatch.setattr("ddspvae.training.export.meet_dynamics", lambda *_: pytest.fail("few notes tell no dynamics"))
    before = load(ensemble).model.decoder.frame_layer.weight
    path = train(folder / "dull", tmp_path / "own.safetensors", steps=1, seed=2, device="cpu", model=SMALL,
                 start_from=ensemble)
    after = load(path)
    assert after.config.n_timbre == 0
    assert after.card["training"]["most_steps"] == FEW_STEPS, "of few seconds few steps are taken"
    assert after.card["training"]["learning_rate"] == pytest.approx(FEW_RATE * 2e-3), "and short ones"
    assert (after.model.decoder.frame_layer.weight - before).abs().max() < 0.01


@pytest.mark.parametrize(("timbre", "words"), [
    ("oboe", "instrument must be one of bright, dull, middling"), ("", "ends with a colon"),
    ("bright+oboe", "must be one of"), ("missing.wav", "no recording missing.wav"), ("bright..dull..bright", "turns into 3"),
    ("bright+../nowhere/x.wav", "no recording ../nowhere/x.wav"), ("bright..oboe", "got 'oboe'")])
def test_an_instrument_that_is_not_there_is_named(ensemble, timbre, words):
    with pytest.raises(InputError, match=words):
        load(f"{ensemble}:{timbre}")


def test_one_instrument_has_none_inside():
    with pytest.raises(InputError, match="violin is one instrument"):
        load("violin:flute")
    assert split_timbre("a/b.safetensors") == ("a/b.safetensors", "")
    assert split_timbre("ensemble:take.wav") == ("ensemble", "take.wav")
    assert split_timbre(r"C:\my\one.safetensors:oboe") == (r"C:\my\one.safetensors", "oboe")
    assert split_timbre(r"ensemble:C:\take.wav") == ("ensemble", r"C:\take.wav")
    with pytest.raises(InputError, match="is an instrument inside of ensemble"):
        find_preset("ensemble:violin")


def test_many_wants_folders_of_instruments(folder, tmp_path):
    assert [one.name for one in find_instruments(folder)] == ["bright", "dull", "middling"]
    with pytest.raises(InputError, match=r"is no folder"):
        find_instruments(folder / "nowhere")
    with pytest.raises(InputError, match=r"holds 0 folders with recordings"):
        find_instruments(folder / "bright")
    with pytest.raises(InputError, match="two folders are called bright"):
        find_instruments([folder / "bright", folder / "dull", folder / "bright"])
    (tmp_path / "a+b").mkdir()
    soundfile.write(tmp_path / "a+b" / "1.wav", melody_take(1.0, RATE), RATE)
    with pytest.raises(InputError, match="rename it"):
        find_instruments([folder / "bright", tmp_path / "a+b"])
    with pytest.raises(InputError, match="is in none of the folders"):
        train(folder, tmp_path / "x.safetensors", steps=1, many=True, device="cpu", model=SMALL,
              holdout=[tmp_path / "elsewhere.wav"])
