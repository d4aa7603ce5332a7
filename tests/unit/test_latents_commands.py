"""`ddspvae latents` from the command line: what it writes, says and refuses."""

import argparse
import json

import mido
import numpy as np
import pytest
import soundfile

from ddspvae.commands.latents import OPERATIONS, add_options, run
from ddspvae.instrument.loading import load
from ddspvae.instrument.presets import read_card
from ddspvae.signals import Note, Notes, Performance
from ddspvae.signals.checks import InputError

from ..conftest import melody_take, tone

PRESET = ("--preset", "violin")


def latents(*argv: object) -> None:
    parser = argparse.ArgumentParser()
    add_options(parser)
    run(parser.parse_args([str(arg) for arg in argv]))


@pytest.fixture(scope="module")
def violin():
    return load("violin")


@pytest.fixture(scope="module")
def folder(tmp_path_factory, violin):
    """Two performances and a recording."""
    path = tmp_path_factory.mktemp("takes")
    for name, pitch, offset, seconds in (("a", 69, -1.0, 0.5), ("b", 74, 1.0, 0.8)):
        take = violin.perform(Notes((Note(pitch, 90, 0.0, seconds),)))
        take.offset_z({violin.axis_names[0]: offset}).save(path / f"{name}.npz")
    soundfile.write(path / "c.wav", tone(440.0, 0.8), 48_000)
    tracks = [mido.MidiTrack([mido.Message("note_on", note=pitch, velocity=90, time=0),
                              mido.Message("note_off", note=pitch, time=480)]) for pitch in (67, 71)]
    mido.MidiFile(tracks=tracks).save(path / "two.mid")
    return path


def files(folder) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_same_seed_draws_the_same_timbre_and_temperature_0_the_likeliest(folder, tmp_path, violin, capsys):
    drawn = {}
    for name, options in (("one", ["--seed", 1]), ("again", ["--seed", 1]), ("two", ["--seed", 2]),
                          ("cold", ["--seed", 1, "--temperature", 0])):
        out = tmp_path / f"{name}.npz"
        latents("sample", folder / "two.mid", "--part", 2, *PRESET, "--out", out, *options, "--json")
        drawn[name] = Performance.load(out)
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["temperature"] == 0
    one = drawn["one"]
    assert np.array_equal(one.z, drawn["again"].z) and not np.array_equal(one.z, drawn["two"].z)
    likely = violin.likely_z(one.f0_hz, one.periodicity, one.loudness_db)
    assert drawn["cold"].z == pytest.approx(likely, abs=1e-6) and np.abs(one.z - likely).max() > 0.1
    assert np.median(one.f0_hz) == pytest.approx(440 * 2 ** (2 / 12), rel=0.02)


def test_a_timbre_is_drawn_for_a_take_whoever_it_came_from(folder, tmp_path, violin):
    take = Performance.load(folder / "a.npz")
    curves = (take.f0_hz, take.periodicity, take.loudness_db)
    Performance(*curves, take.z[:, :1], ("other",), take.frame_rate_hz, take.frames_per_z, "other").save(tmp_path / "o.npz")
    latents("sample", tmp_path / "o.npz", *PRESET, "--out", tmp_path / "new.npz", "--seed", 3)
    drawn = Performance.load(tmp_path / "new.npz")
    assert drawn.instrument == violin.identity and np.array_equal(drawn.f0_hz, take.f0_hz)


def test_interpolation_writes_a_sound_and_the_curves_of_a(folder, tmp_path, violin, capsys):
    a, b = (Performance.load(folder / f"{name}.npz") for name in "ab")
    latents("interpolate", folder / "a.npz", folder / "b.npz", *PRESET, "--at", 0.25, "--out", tmp_path / "mix.npz")
    mixed = Performance.load(tmp_path / "mix.npz")
    assert mixed.z == pytest.approx(0.75 * a.z + 0.25 * b.stretch(a.n_frames / b.n_frames).z, abs=1e-5)
    assert np.array_equal(mixed.f0_hz, a.f0_hz)
    capsys.readouterr()
    latents("interpolate", folder / "a.npz", folder / "b.npz", *PRESET, "--morph", 0.1, 0.4, "--mix", "pitch",
            "--method", "slerp", "--out", tmp_path / "mix.wav", "--json")
    said = json.loads(capsys.readouterr().out)
    audio, rate = soundfile.read(tmp_path / "mix.wav")
    assert len(audio) == round(a.duration_s * rate) and np.abs(audio).max() > 0.01
    assert said["morph_s"] == [0.1, 0.4] and said["mix"] == ["pitch"] and said["method"] == "slerp"
    assert files(tmp_path) == ["mix.npz", "mix.wav"]


def test_arithmetic_moves_a_take_towards_what_has_it(folder, tmp_path, violin, capsys):
    latents("arithmetic", folder / "c.wav", *PRESET, "--plus", folder / "b.npz", "--minus", folder / "a.npz",
            "--amount", 1.5, "--out", tmp_path / "more.npz", "--json")
    said = json.loads(capsys.readouterr().out)
    audio, rate = soundfile.read(folder / "c.wav", dtype="float32")
    before, after = violin.analyze(audio, rate), Performance.load(tmp_path / "more.npz")
    direction = np.array([said["direction"][name] for name in violin.axis_names])
    assert after.z - before.z == pytest.approx(np.broadcast_to(1.5 * direction, before.z.shape), abs=1e-3)
    assert direction[0] > 0 and 0 < said["kept_share"] <= 1


def test_a_sweep_is_a_sound_and_a_picture(tmp_path, violin, capsys):
    out, plot = tmp_path / "sweep.wav", tmp_path / "sweep.png"
    latents("sweep", *PRESET, "--axis", violin.axis_names[0], "--note", 69, "--steps", 3, "--out", out, "--plot", plot,
            "--json")
    said = json.loads(capsys.readouterr().out)
    assert said["values"] == [-2, 0, 2] and said["plot"] == str(plot) and said["seconds"] > 4
    assert files(tmp_path) == ["sweep.png", "sweep.wav"] and plot.read_bytes().startswith(b"\x89PNG")


def test_trimming_writes_an_instrument_that_says_so(tmp_path, violin, capsys):
    soundfile.write(tmp_path / "take.wav", melody_take(12.0, 48_000), 48_000)
    out = tmp_path / "small.safetensors"
    latents("trim", tmp_path / "take.wav", *PRESET, "--fidelity", 0.05, "--out", out, "--json")
    said = json.loads(capsys.readouterr().out)
    assert set(said["kept"] + said["dropped"]) == set(violin.axis_names) and said["share"] >= 0.05
    assert read_card(out)["trimmed_axes"] == said["dropped"] and said["principal_axes"] <= len(said["kept"])
    assert said["spectral_distance"]["before"] > 0
    with pytest.raises(InputError, match=r"axis must be one of"):
        latents("sweep", "--preset", out, "--axis", said["dropped"][0], "--out", tmp_path / "no.wav")
    assert files(tmp_path) == ["small.safetensors", "take.wav"]


@pytest.mark.parametrize(("argv", "sentence"), [
    (["interpolate", "a.npz", "b.npz", "--out", "new.txt"], "must end in .wav or .flac or .ogg or .opus"),
    (["interpolate", "a.npz", "b.npz", "--out", "new.npz", "--dry"], "--dry is for sounds and .*new.npz holds curves"),
    (["interpolate", "a.npz", "b.npz", "--out", "new.npz", "--at", "2"], "weight must lie between 0 and 1, got 2"),
    (["interpolate", "a.npz", "foreign.npz", "--out", "new.npz"], "holds the z of another instrument; analyze its"),
    (["interpolate", "a.npz", "b.npz", "--tracker", "swift", "--out", "new.npz"], "holds its pitch already"),
    (["sample", "two.mid", "--out", "new.npz"], "has 2 parts; choose one with --part N"),
    (["sample", "two.mid", "--part", "3", "--out", "new.npz"], "--part must lie between 1 and 2, got 3"),
    (["sample", "a.npz", "--part", "1", "--out", "new.npz"], "--part is for scores"),
    (["sample", "two.mid", "--part", "1", "--tracker", "swift", "--out", "new.npz"], "--tracker is for recordings"),
    (["sample", "two.mid", "--temperature", "-1", "--out", "new.npz"], "temperature must lie between 0 and 10, got -1"),
    (["arithmetic", "a.npz", "--plus", "b.npz", "--minus", "b.npz", "--out", "new.npz"], "the same mean z"),
    (["sweep", "a.npz", "--note", "60", "--axis", "any", "--out", "new.wav"], "give one of them"),
    (["sweep", "--axis", "shimmer", "--out", "new.wav"], "--axis must be one of .*, got 'shimmer'"),
    (["sweep", "--axis", "any", "--out", "new.wav", "--plot", "new.jpg"], "must end in .png or .svg or .pdf"),
    (["trim", "c.wav", "--out", "new.safetensors"], "hold at least .* sounding rows of z for .* axes, got"),
    (["trim", "c.wav", "--out", "new.npz"], "must end in .safetensors"),
])
def test_bad_input_is_one_sentence_and_no_file(folder, tmp_path, argv, sentence):
    take = Performance.load(folder / "a.npz")
    if not (folder / "foreign.npz").exists():
        Performance(take.f0_hz, take.periodicity, take.loudness_db, take.z, take.axis_names, take.frame_rate_hz,
                    take.frames_per_z, "another").save(folder / "foreign.npz")
    placed = [folder / arg if (folder / arg).exists() else tmp_path / arg if arg.startswith("new.") else arg for arg in argv]
    before = files(folder)
    with pytest.raises(InputError, match=sentence):
        latents(*placed, *PRESET)
    assert files(tmp_path) == [] and files(folder) == before


def test_every_operation_explains_itself(capsys):
    for name in OPERATIONS:
        with pytest.raises(SystemExit) as stop:
            latents(name, "--help")
        assert stop.value.code == 0 and name in capsys.readouterr().out
