"""Sampled instruments: the plan, the loops, and what three formats say about the same notes."""

from __future__ import annotations

import copy
import struct
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import soundfile
from scipy import signal

import ddspvae
from ddspvae.commands.main import main
from ddspvae.export import sampled
from ddspvae.export.credits import attributions
from ddspvae.export.loop import close_loop, find_loop, periodic_places, tune_loop
from ddspvae.export.plan import Plan, Span, gains_db, steps_of
from ddspvae.export.sampling import Sample, play_samples
from ddspvae.features.statistics import Statistics
from ddspvae.instrument.presets import read_cards
from ddspvae.midi.closed_forms import velocity_to_level_db
from ddspvae.signals.units import db_to_power, power_to_db

from ..conftest import ROOT

FEW = ("--keys", "67-69", "--layers", "3", "--seeds", "2")
RATE = 48_000


@pytest.fixture(scope="module")
def violin() -> ddspvae.Instrument:
    return ddspvae.load("violin")


@pytest.fixture(scope="module")
def few(violin) -> list[Sample]:
    return list(play_samples(violin, Plan.of(violin.statistics, n_layers=3, low=67, high=69)))


@pytest.fixture(scope="module")
def exported(tmp_path_factory) -> dict[str, Path]:
    folders = {kind: tmp_path_factory.mktemp("sampled") / kind for kind in ("sf2", "decent")}
    for kind, folder in folders.items():
        assert main(["export", "--preset", "violin", "--format", kind, "--out", str(folder), *FEW]) == 0
    return folders


@pytest.mark.parametrize("name", sorted(read_cards()))
@pytest.mark.parametrize(("step", "n_layers"), [(3, 4), (1, 1), (5, 8)])
def test_every_key_and_every_velocity_is_served_once(name, step, n_layers):
    statistics = Statistics.from_dict(read_cards()[name]["statistics"])
    plan = Plan.of(statistics, step_keys=step, n_layers=n_layers)
    low, high = round(statistics.pitch_low), round(statistics.pitch_high)
    for spans, first, last in ((plan.keys, low, high), (plan.layers, 1, 127)):
        served = [at for span in spans for at in range(span.low, span.high + 1)]
        assert served == list(range(served[0], served[-1] + 1)) and served[0] <= first <= last <= served[-1]
        assert all(span.low <= span.sampled <= span.high for span in spans)
    assert all(abs(span.sampled - at) <= step // 2 + 1 for span in plan.keys for at in (span.low, span.high))
    assert len(plan.layers) == n_layers


def test_steps_of_a_layer_follow_its_gains(violin):
    for layer in Plan.of(violin.statistics).layers:
        parts = steps_of(layer, violin.statistics, 1.0)
        stepped = np.concatenate([np.full(part.high - part.low + 1, gain_db) for part, gain_db in parts])
        assert np.abs(stepped - gains_db(layer, violin.statistics)).max() <= 0.5 + 1e-9
        assert [part.low for part, _ in parts] == [layer.low, *(part.high + 1 for part, _ in parts[:-1])]


def test_a_closed_loop_holds_whole_periods_and_ends_where_it_began():
    rate = 200.0
    time_s = np.arange(600) / rate
    f0_hz = 440.3 * 2 ** (0.2 * np.sin(2 * np.pi * 5.3 * time_s) / 12)
    loudness_db = -20 + np.sin(2 * np.pi * 0.7 * time_s)
    loop = find_loop(f0_hz, loudness_db, 440.0, 140, rate)
    tuned = tune_loop(close_loop(f0_hz, loop, rate), loop, rate)
    inside = tuned[loop.begin : loop.end + 1]
    assert inside[0] == inside[-1] and len(tuned) == loop.end + 1
    assert ((inside[1:] + inside[:-1]) / 2).sum() / rate == pytest.approx(loop.n_periods, abs=1e-9)
    mean_hz = loop.n_periods / ((loop.end - loop.begin) / rate)
    assert abs(1200 * np.log2(mean_hz / 440.0)) < 0.6
    assert np.abs(np.diff(inside)).max() < 3 * np.abs(np.diff(f0_hz)).max()  # nor does it jump on the way


def test_periodic_places_repeat_from_before_the_loop_on():
    place = periodic_places(60, -5, 20, 10, 7)
    assert place[:18].tolist() == list(range(-5, 13))  # as they are up to 7 before the loop
    assert (place[18:][10:] == place[18:][:-10]).all() and place.max() == 22


def test_a_sample_goes_on_after_its_loop_as_after_its_beginning(few):
    for sample in few:
        begin, end, guard = sample.loop_begin, sample.loop_end, len(sample.audio) - sample.loop_end
        again = np.abs(sample.audio[end:] - sample.audio[begin : begin + guard]).max()
        assert guard >= 48 and again < 2e-4 * np.ptp(sample.audio)
        assert sample.audio[0] == 0 or abs(sample.audio[0]) < 1e-3  # no click where a note begins
        assert end - begin >= 0.9 * RATE


def test_turns_of_the_round_robin_are_two_performances(violin):
    """Of two notes of the recordings, not of one with another noise: their pitch moves differently."""
    one, other = play_samples(violin, Plan((Span(79, 79, 79),), (Span(1, 127, 80),), (0, 1)))
    assert (one.key, one.layer) == (other.key, other.layer) and (one.turn, other.turn) == (0, 1)
    n = min(len(one.audio), len(other.audio))
    lines = [np.unwrap(np.angle(signal.hilbert(sample.audio[:n]))) for sample in (one, other)]
    assert np.ptp(np.diff(lines, axis=0)[0, RATE // 4 :]) > 0.3  # radians


def test_the_decent_preset_serves_every_note_in_every_turn_at_its_level(exported, violin, few):
    root = ElementTree.parse(exported["decent"] / "violin.dspreset").getroot()
    groups = root.findall("groups/group")
    loop_power = {sample.name: np.square(sample.audio[sample.loop_begin : sample.loop_end].astype(float)).mean()
                  for sample in few}
    levels = {(layer.sampled, turn): power_to_db(np.mean([loop_power[sample.name] for sample in few
                                                          if (sample.layer, sample.turn) == (layer, turn)]))
              for layer in {sample.layer for sample in few} for turn in (0, 1)}
    assert [group.get("seqPosition") for group in groups] == ["1", "2"]
    for turn, group in enumerate(groups):
        served = np.zeros((128, 128), int)
        for entry in group:
            get = {name: int(entry.get(name, "")) for name in ("loNote", "hiNote", "loVel", "hiVel", "loopStart", "loopEnd")}
            served[get["loNote"] : get["hiNote"] + 1, get["loVel"] : get["hiVel"] + 1] += 1
            audio, rate = soundfile.read(exported["decent"] / entry.get("path", ""))
            assert rate == RATE and 0 < get["loopStart"] < get["loopEnd"] < len(audio)
            volume_db = float(entry.get("volume", "").removesuffix("dB"))
            heard_db = power_to_db(np.square(audio[get["loopStart"] : get["loopEnd"] + 1]).mean()) + volume_db
            sampled_velocity = int(Path(entry.get("path", "")).stem.split("-")[1][1:])
            for velocity in (get["loVel"], get["hiVel"]):
                gain_db = np.diff(velocity_to_level_db(np.array([sampled_velocity, velocity]), violin.statistics))[0]
                assert heard_db == pytest.approx(levels[sampled_velocity, turn] + gain_db, abs=1.2)
        assert (served[66:71, 1:] == 1).all() and not served[:66].any() and not served[71:].any()


def chunks(data: bytes) -> dict[bytes, bytes]:
    """Names and contents of RIFF chunks one after the other."""
    found, at = {}, 0
    while at < len(data):
        name, size = data[at : at + 4], struct.unpack("<I", data[at + 4 : at + 8])[0]
        key = data[at + 8 : at + 12] if name == b"LIST" else name
        found[key] = data[at + 12 : at + 8 + size] if name == b"LIST" else data[at + 8 : at + 8 + size]
        at += 8 + size + size % 2
    assert at == len(data)
    return found


def test_the_soundfont_is_whole_by_its_specification(exported):
    data = (exported["sf2"] / "violin.sf2").read_bytes()
    assert data[:4] == b"RIFF" and struct.unpack("<I", data[4:8])[0] == len(data) - 8 and data[8:12] == b"sfbk"
    lists = chunks(data[12:])
    info, sound, tables = (chunks(lists[name]) for name in (b"INFO", b"sdta", b"pdta"))
    assert struct.unpack("<HH", info[b"ifil"]) == (2, 1) and b"Garner" in info[b"ICMT"]
    assert set(tables) == {b"phdr", b"pbag", b"pmod", b"pgen", b"inst", b"ibag", b"imod", b"igen", b"shdr"}
    n_points = len(sound[b"smpl"]) // 2
    headers = [struct.unpack("<20s5IBbHH", tables[b"shdr"][at : at + 46]) for at in range(0, len(tables[b"shdr"]), 46)]
    assert headers[-1][0].startswith(b"EOS") and len(headers) == 4
    for _, begin, end, loop_begin, loop_end, rate, _, _, _, kind in headers[:-1]:
        assert begin + 8 <= loop_begin < loop_end <= end - 8 and end + 46 <= n_points and (rate, kind) == (RATE, 1)
    bags = np.frombuffer(tables[b"ibag"], "<u2").reshape(-1, 2)
    generators = np.frombuffer(tables[b"igen"], "<u2").reshape(-1, 2)
    assert bags[-1, 0] == len(generators) - 1 and bags[0].tolist() == [0, 0] and (bags[1:, 1] == 2).all()
    for begin, end in zip(bags[1:-1, 0], bags[2:, 0]):
        kinds = generators[begin:end, 0].tolist()
        assert kinds[:2] == [43, 44] and kinds[-1] == 53  # keys first, velocities second, the sample last
    presets = [struct.unpack("<20sHHHIII", tables[b"phdr"][at : at + 38]) for at in range(0, len(tables[b"phdr"]), 38)]
    assert [preset[1] for preset in presets[:-1]] == [0, 40, 110]  # what was never set, a violin, a fiddle


def test_the_readme_names_everybody_who_was_recorded(exported, violin):
    for folder in exported.values():
        text = (folder / "README.md").read_text(encoding="utf-8")
        assert attributions(violin.card) and all(credit in text for credit in attributions(violin.card))
        assert all(licence in text for licence in violin.card["licence"])


def test_without_an_axis_of_brightness_there_are_no_layers_of_it(violin, tmp_path):
    plain = copy.copy(violin)
    plain.axis_names = ()
    with pytest.raises(ddspvae.InputError, match="has no axis of brightness; leave out --brightness."):
        sampled.export_sampled(plain, "sfz", tmp_path / "x", Plan.of(violin.statistics, with_brightness=True))


def test_a_failure_leaves_nothing_behind(violin, tmp_path, monkeypatch):
    def fail(*_args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(sampled, "write_sfz", fail)
    with pytest.raises(ddspvae.InputError, match="export: cannot write .* has the disk room"):
        sampled.export_sampled(violin, "sfz", tmp_path / "x", Plan((Span(67, 69, 68),), (Span(1, 127, 64),), (0,)))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("words", "sentence"), [
    (("--keys", "60"), "--keys must be two MIDI numbers"),
    (("--keys", "70-60"), "lies above the highest"),
    (("--layers", "0"), "layers must lie between 1 and 8"),
    (("--step", "13"), "step must lie between 1 and 12"),
    (("--brightness", "--format", "sf2"), "--brightness is for --format sfz"),
    (("--format", "nn", "--seeds", "2"), "--seeds is for samples"),
    (("--preset", "violon"), "did you mean 'violin'"),
])
def test_wrong_words_get_one_sentence(words, sentence, tmp_path, capsys):
    assert main(["export", "--preset", "violin", "--format", "sfz", "--out", str(tmp_path / "x"), *words]) == 2
    said = capsys.readouterr().err
    assert sentence in said and said.count("\n") == 1 and not list(tmp_path.iterdir())


def test_a_folder_that_holds_something_is_left_alone(tmp_path, capsys):
    (tmp_path / "mine.txt").write_text("mine")
    assert main(["export", "--preset", "violin", "--format", "sfz", "--out", str(tmp_path)]) == 2
    assert "is not empty" in capsys.readouterr().err and [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
    (tmp_path / "file").write_text("")
    assert main(["export", "--preset", "violin", "--format", "sfz", "--out", str(tmp_path / "file")]) == 2
    assert "is a file" in capsys.readouterr().err
    assert main(["export", "--preset", "violin", "--format", "sfz", "--out", str(tmp_path / "no" / "x")]) == 2
    assert "make it first" in capsys.readouterr().err


def test_levels_are_powers(violin):
    """Of a sample's loop, A-weighted, what its velocity stands for: the level is the instrument's own."""
    from benchmarks.exported import level_db

    sample = next(play_samples(violin, Plan((Span(69, 69, 69),), (Span(1, 127, 80),), (0,))))
    loop = sample.audio[sample.loop_begin : sample.loop_end].astype(float)
    window_db = power_to_db(np.square(np.hanning(len(loop))).mean())
    one_sided_db = power_to_db(db_to_power(3.0103))
    heard_db = level_db(loop) - window_db + one_sided_db
    assert heard_db == pytest.approx(float(velocity_to_level_db(80, violin.statistics)), abs=0.5)
    assert (ROOT / "benchmarks" / "exported.py").exists()
