"""What hosts run equals the stream: the TorchScript module by nn~'s contract, and the ONNX files."""

from __future__ import annotations

import copy
import json
import runpy
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import ddspvae
from benchmarks.exported_networks import DELAY, HOP, moving_curves, play_in_blocks, streamed, to_signals
from ddspvae.commands.main import main
from ddspvae.export import Plan, export_network, export_sampled
from ddspvae.export.nn_tilde import NnTilde
from ddspvae.model.form import NAMED_AXES

EXACT = 1e-4


@pytest.fixture(scope="module")
def violin() -> ddspvae.Instrument:
    return ddspvae.load("violin")


@pytest.fixture(scope="module")
def exported(tmp_path_factory) -> dict[str, Path]:
    folders = {kind: tmp_path_factory.mktemp("networks") / kind for kind in ("nn", "onnx")}
    for kind, folder in folders.items():
        assert main(["export", "--preset", "violin", "--format", kind, "--out", str(folder)]) == 0
    return folders


def test_the_torchscript_file_keeps_the_contract(exported):
    module = torch.jit.load(str(exported["nn"] / "violin.ts"))
    assert module.get_methods() == ["decode"]
    assert module.decode_params.tolist() == [6, 1, 1, 1]
    assert len(module.decode_input_labels) == 6 and len(module.decode_output_labels) == 1
    assert tuple(module.get_attributes()) == NAMED_AXES
    for name in NAMED_AXES:
        assert getattr(module, f"{name}_params").tolist() == [2]
        assert getattr(module, f"set_{name}")(0.5) == 0
        assert getattr(module, f"get_{name}")() == [0.5]
    assert module.set_sample_rate(44_100) == 0 and module.get_sample_rate() == 48_000
    for n_batch in (1, 4):  # what a host tries when it loads the file
        sound = module.decode(torch.zeros(n_batch, 6, 8192))
        assert sound.shape == (n_batch, 1, 8192) and sound.abs().max() < 1e-9  # nothing is connected


@pytest.mark.parametrize("blocks", [(64, 1, 777, 2048), *(pytest.param((n,), marks=pytest.mark.slow)
                                                          for n in (64, 512, 8192))], ids=str)
def test_the_torchscript_file_plays_what_the_stream_plays(exported, violin, blocks):
    take = moving_curves(violin, 56)
    heard = play_in_blocks(torch.jit.load(str(exported["nn"] / "violin.ts")), to_signals(take), blocks)[0]
    wanted = streamed(violin, take)
    assert np.abs(wanted).max() > 0.05 and not heard[:DELAY].any()
    assert np.abs(heard[DELAY:] - wanted[: len(heard) - DELAY]).max() < EXACT


@pytest.mark.slow
def test_voices_of_a_batch_are_players_of_their_own(exported, violin):
    module, signals = torch.jit.load(str(exported["nn"] / "violin.ts")), to_signals(moving_curves(violin, 80))
    other = signals.clone()
    other[:, 0] += 3
    together = play_in_blocks(module, torch.cat([signals, other]), (512,))
    alone = play_in_blocks(module, signals, (512,))
    assert np.abs(together[0] - alone[0]).max() < EXACT
    assert np.abs(together[1] - together[0]).max() > 0.05


@pytest.mark.slow
def test_an_attribute_is_added_to_its_inlet(exported, violin):
    module, signals = torch.jit.load(str(exported["nn"] / "violin.ts")), to_signals(moving_curves(violin, 80))
    turned = signals.clone()
    turned[:, 2] += 1.5
    by_inlet = play_in_blocks(module, turned, (512,))
    plain = play_in_blocks(module, signals, (512,))
    module.set_brightness(1.5)
    by_attribute = play_in_blocks(module, signals, (512,))
    assert np.abs(by_attribute - by_inlet).max() < EXACT < np.abs(plain - by_inlet).max()


@pytest.mark.slow
def test_far_below_its_range_the_module_stays_soft(exported, violin):
    signals = to_signals(moving_curves(violin, 80))
    signals[:, 0], signals[:, 1] = 5.0, 0.5
    sound = play_in_blocks(torch.jit.load(str(exported["nn"] / "violin.ts")), signals, (512,))
    assert np.isfinite(sound).all() and np.abs(sound).max() < 1


def test_the_onnx_example_plays_what_the_stream_plays(exported, violin):
    take = moving_curves(violin, 56)
    play = runpy.run_path(str(exported["onnx"] / "play.py"))["play"]
    z = np.repeat(take.z, take.frames_per_z, axis=0)
    heard, wanted = play(exported["onnx"], take.f0_hz, take.periodicity, take.loudness_db, z), streamed(violin, take)
    assert heard.shape == wanted.shape and np.abs(wanted).max() > 0.05
    assert np.abs(heard - wanted).max() < EXACT


@pytest.mark.slow
def test_the_control_network_alone_says_what_the_instrument_plays(exported, violin):
    """Heights and noise of every frame, beside the module that is built from the preset itself."""
    import onnxruntime

    take, card = moving_curves(violin, 48), json.loads((exported["onnx"] / "instrument.json").read_text())
    session = onnxruntime.InferenceSession(exported["onnx"] / "control.onnx")
    state = {slot["name"]: np.zeros((1, *slot["shape"]), slot["dtype"]) for slot in card["control_state"]}
    got: list[list[np.ndarray]] = []
    for frame in range(take.n_frames):
        curves = {name: np.full((1, 1, 1), getattr(take, name)[frame]) for name in ("f0_hz", "periodicity", "loudness_db")}
        after = np.full((1, 1, 1), take.f0_hz[min(frame + 1, take.n_frames - 1)])
        *played, = session.run(None, {**curves, "after_hz": after, "z": take.z[None, None, frame // 4], **state})
        state = dict(zip(state, played[2:]))
        got.append(played[:2])
    f0, periodicity, loudness, z = (torch.from_numpy(np.array(part))[None] for part in (
        take.f0_hz[:, None], take.periodicity[:, None], take.loudness_db[:, None], take.z))
    with torch.inference_mode():
        controls = violin.model.decode(f0, periodicity, loudness, z, None)
    for wanted, frames in zip((controls.amplitude * controls.harmonic_distribution, controls.noise_magnitudes), zip(*got)):
        assert np.abs(np.concatenate(frames, axis=1) - wanted.numpy()).max() < EXACT


@pytest.mark.slow
def test_the_example_of_the_onnx_folder_writes_a_scale(exported, tmp_path):
    out = tmp_path / "scale.wav"
    subprocess.run([sys.executable, str(exported["onnx"] / "play.py"), str(out)], check=True, cwd=tmp_path, timeout=120)
    audio, rate = ddspvae.read_audio(out)
    assert rate == 48_000 and len(audio) == 799 * HOP and 0.02 < np.abs(audio).max() < 1


@pytest.mark.slow
def test_at_another_rate_the_pitch_is_right(exported):
    module, signals = torch.jit.load(str(exported["nn"] / "violin.ts")), torch.zeros(1, 6, 44_100)
    assert module.set_sample_rate(44_100) == 0
    signals[:, 0], signals[:, 1] = 69.0, 0.1
    sound = play_in_blocks(module, signals, (2048,))[0][22_050:]
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound)), 8 * len(sound)))
    assert np.argmax(spectrum[: 8 * 330]) / 4 / 440 == pytest.approx(1, abs=1e-3)


@pytest.mark.slow
def test_axes_that_were_trimmed_stay_where_they_are(violin):
    take = moving_curves(violin, 80)
    plain, trimmed = (NnTilde(violin.model, violin.statistics, names) for names in ((), NAMED_AXES))
    still = replace(take, z=np.zeros_like(take.z))
    with torch.inference_mode():
        wanted = plain.decode(to_signals(still))
        assert (trimmed.decode(to_signals(take)) - wanted).abs().max() < EXACT
    plain.reset(1)
    with torch.inference_mode():
        assert (plain.decode(to_signals(take)) - wanted).abs().max() > 100 * EXACT


def test_what_turns_into_another_instrument_is_not_exported(violin, tmp_path):
    turning = copy.copy(violin)
    turning.codes = np.zeros((2, 4))
    for export in (lambda: export_network(turning, "nn", tmp_path / "x"),
                   lambda: export_sampled(turning, "sfz", tmp_path / "x", Plan.of(violin.statistics))):
        with pytest.raises(ddspvae.InputError, match="turns from one instrument into another; export one of them."):
            export()
    own = copy.copy(violin)
    own.config = copy.copy(violin.config)
    object.__setattr__(own.config, "synthesizer", "mine")
    with pytest.raises(ddspvae.InputError, match="played by parts of its own"):
        export_network(own, "onnx", tmp_path / "x")


@pytest.mark.slow
def test_many_instruments_in_one_must_be_chosen_from(tmp_path, capsys):
    assert main(["export", "--preset", "ensemble", "--format", "nn", "--out", str(tmp_path / "x")]) == 2
    assert "name one" in capsys.readouterr().err and not list(tmp_path.iterdir())


@pytest.mark.slow
def test_an_instrument_of_many_is_written_like_any_other(tmp_path):
    flute = ddspvae.load("ensemble:flute")
    assert main(["export", "--preset", "ensemble:flute", "--format", "nn", "--out", str(tmp_path / "x")]) == 0
    take = moving_curves(flute, 120)
    heard = play_in_blocks(torch.jit.load(str(tmp_path / "x" / "ensemble-flute.ts")), to_signals(take), (512,))[0]
    assert np.abs(heard[DELAY:] - streamed(flute, take)[: len(heard) - DELAY]).max() < EXACT
