"""Rate-distortion curves: what each figure means, and the whole road on a tiny instrument, killed once on its way."""

from __future__ import annotations

import argparse
import csv
import json
import math
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from ddspvae.commands.curve import add_curve, run_curve
from ddspvae.features.extract import extract
from ddspvae.instrument.loading import load
from ddspvae.instrument.presets import read_card
from ddspvae.model.autoencoder import Autoencoder
from ddspvae.model.config import ModelConfig
from ddspvae.model.transplant import transplant
from ddspvae.rate_distortion.chain import FREE_OF_CHARGE
from ddspvae.rate_distortion.draw import rate_distortion
from ddspvae.rate_distortion.measure import Yardstick, entropy_bits, log_mel_distance, rate_interval, side_information
from ddspvae.rate_distortion.plan import Plan
from ddspvae.rate_distortion.plot import plot_curve
from ddspvae.rate_distortion.points import Codec, Point, average, read_codecs, read_points, write_points
from ddspvae.signals import Features
from ddspvae.signals.checks import InputError
from ddspvae.training.dataset import Take
from ddspvae.training.rate import make_controller

from ..conftest import melody_take

RATE, HOP = 16_000, 80
SMALL = ModelConfig(sample_rate=RATE, hop_size=HOP, n_z=5, encoder_channels=8, decoder_channels=16)


class Killed(Exception):
    pass


@pytest.fixture(scope="module")
def recordings(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("recordings")
    for index, seconds in enumerate((3.0, 3.0, 2.0)):
        breath = 0.003 * np.random.default_rng(index).standard_normal(round(seconds * RATE))
        soundfile.write(folder / f"take{index}.wav", melody_take(seconds, RATE, seed=index) + breath, RATE)
    return folder


@pytest.fixture(scope="module")
def plan(recordings, tmp_path_factory) -> Plan:
    return Plan([recordings], tmp_path_factory.mktemp("made") / "curve", rates=[500], steps=2, seeds=1, model=SMALL,
                holdout=[recordings / "take2.wav"], measured_with="autocorrelation")


@pytest.fixture(scope="module")
def made(plan):
    """A curve that was killed while its second point was being trained, and then finished."""
    def kill(words: str, share: float) -> None:
        if "500 bit/s: measuring" in words:
            raise Killed

    with pytest.raises(Killed):
        rate_distortion(plan, progress=kill)
    after_kill = read_points(plan.out / "curve.csv")
    said: list[str] = []
    result = rate_distortion(plan, progress=lambda words, share: said.append(words))
    return after_kill, said, result


def curves(f0_hz, loudness_db, periodicity) -> Features:
    n = len(f0_hz)
    return Features(np.asarray(f0_hz, np.float32), np.asarray(periodicity, np.float32), np.asarray(loudness_db, np.float32),
                    np.zeros((n, 64), np.float32), np.zeros((n, 41), np.float32), 200.0)


def test_curves_that_never_change_need_no_bits():
    assert side_information([curves(np.full(100, 440.0), np.full(100, -20.0), np.ones(100))]) == (0.0, 0.0, 0.0)


def test_random_walks_need_the_entropy_of_their_steps():
    random = np.random.default_rng(0)
    n = 40_000
    cents = 5 * np.cumsum(random.choice([-1, 0, 1], p=[0.25, 0.5, 0.25], size=n))  # 1.5 bits a frame
    loudness_db = np.arange(n) % 2 - 30.0  # +1, -1, +1: one bit a frame
    periodicity = 0.5 + 0.1 * (random.random(n) < 0.5)  # a coin each frame: its differences have 1.5 bits
    f0, loudness, sure = side_information([curves(440 * 2 ** (cents / 1200), loudness_db, periodicity)])
    assert f0 == pytest.approx(1.5 * 200, rel=0.01)
    assert loudness == pytest.approx(1.0 * 200, rel=0.01)
    assert sure == pytest.approx(1.5 * 200, rel=0.01)


def test_steps_in_silence_and_between_takes_are_not_paid_for():
    loud, silent = np.full(50, -20.0), np.full(50, -110.0)
    wild = 440 * 2 ** np.random.default_rng(0).random(50)
    one = curves(np.concatenate([np.full(50, 440.0), wild]), np.concatenate([loud, silent]), np.ones(100))
    other = curves(np.full(50, 220.0), loud, np.ones(50))
    assert side_information([one, other])[0] == 0.0


def test_entropy_of_a_die():
    assert entropy_bits(np.arange(600) % 6) == pytest.approx(math.log2(6))
    assert entropy_bits(np.zeros(0)) == 0


def test_a_gain_of_6_db_is_6_db_in_every_band():
    audio = melody_take(1.0, RATE)
    assert log_mel_distance(audio, audio, RATE) == 0
    assert log_mel_distance(audio, audio * 10 ** (-6 / 20), RATE) == pytest.approx(6.0, abs=0.2)  # the floor takes some
    assert math.isnan(log_mel_distance(np.zeros(RATE), audio[:RATE], RATE))


def test_the_interval_of_equal_blocks_is_a_point_and_silent_blocks_do_not_count():
    bits, low, high = rate_interval(np.array([[100.0, 50.0]] + [[0.0, 0.0]] * 8), 25.0)
    assert (bits, low, high) == (50.0, 50.0, 50.0)
    assert all(math.isnan(value) for value in rate_interval(np.zeros((3, 2)), 25.0))


def test_the_interval_of_scattered_blocks_is_that_of_their_mean():
    random = np.random.default_rng(1)
    blocks = np.stack([50 * random.normal(20, 4, size=100), np.full(100, 50.0)], axis=1)
    bits, low, high = rate_interval(blocks, 25.0)
    expected = 1.96 * 4 / 10 * 25  # 1.96 sd / sqrt(n), bit/s
    assert bits == pytest.approx(500, rel=0.05)
    assert high - bits == pytest.approx(expected, rel=0.15) and bits - low == pytest.approx(expected, rel=0.15)


def test_the_share_that_is_closed_is_counted_seed_by_seed():
    ends = [Point("none", 0, spectral_distance=4.0), Point("free", 0, spectral_distance=2.0, bits_per_second=3000.0),
            Point("none", 1, spectral_distance=9.0), Point("free", 1, spectral_distance=8.0, bits_per_second=3000.0)]
    middle = [Point("500", 0, 500.0, 500.0, spectral_distance=3.0), Point("500", 1, 500.0, 520.0, spectral_distance=8.25)]
    none, half, free = average([*ends, *middle])
    assert (none["closed"], free["closed"]) == (0.0, 1.0)
    assert half["closed"] == pytest.approx((0.5 + 0.75) / 2)
    assert (half["closed_low"], half["closed_high"]) == (0.5, 0.75)
    assert half["bits_per_second"] == 510 and half["n_seeds"] == 2
    assert math.isnan(average([*ends[:1], middle[0]])[1]["closed"])  # without a free one there is no gap


def test_what_is_free_of_charge_costs_nothing_and_leaves_no_gradient():
    import torch

    bits = torch.full((8,), 400.0, requires_grad=True)
    controller = make_controller(FREE_OF_CHARGE["controller"], FREE_OF_CHARGE["bitrate"])
    for step in range(10):
        controller.cost(bits, step / 10).backward()
    assert bits.grad.abs().max() == 0


@pytest.mark.slow
def test_a_start_without_z_keeps_all_that_fits(made, plan):
    base = load(plan.out / "seed0" / "base.safetensors").model
    network = Autoencoder(replace(base.config, n_z=0))
    fresh = {key: value.clone() for key, value in network.state_dict().items()}
    transplant(base, network)
    kept = ("decoder.stack", "decoder.frame", "decoder.harmonic_head", "decoder.noise_head", "room")
    own, given = network.state_dict(), base.state_dict()
    assert given["decoder.stack.inlet.weight"].shape[1] == 4
    for key in own:
        if key.startswith(kept) and key != "decoder.stack.inlet.weight":
            assert torch.allclose(own[key], given[key], atol=1e-5), key
    assert torch.equal(own["decoder.stack.inlet.weight"], given["decoder.stack.inlet.weight"][:, :3])
    assert torch.equal(own["decoder.balance_head.weight"], fresh["decoder.balance_head.weight"])


def test_intervals_over_seeds_reach_as_far_as_those_of_each():
    row, = average([Point("500", 0, zimtohrli=3.0, zimtohrli_low=2.8, zimtohrli_high=3.1),
                    Point("500", 1, zimtohrli=3.2, zimtohrli_low=2.9, zimtohrli_high=3.4)])
    assert (row["zimtohrli"], row["zimtohrli_low"], row["zimtohrli_high"]) == (pytest.approx(3.1), 2.8, 3.4)


@pytest.mark.slow
def test_zimtohrli_has_an_interval_over_stretches_and_is_missing_where_it_is_not_installed(made, plan, monkeypatch):
    path = plan.out / "seed0" / "free.safetensors"
    config = load(path).config
    n_frames = 12 * RATE // HOP
    audio = melody_take(12.0, RATE, seed=5)
    features = extract(audio, RATE, HOP, "autocorrelation")
    assert len(features.f0_hz) == n_frames and config.hop_size == HOP
    take = Take(Path("t.wav"), audio, features, room="t")
    ears = Yardstick([take], [take], "autocorrelation", 60.0)
    point = ears.measure(Point("free", 0), path)  # 5 and 7 s
    assert 1 < point.zimtohrli_low < point.zimtohrli < point.zimtohrli_high < 5
    monkeypatch.setitem(sys.modules, "zimtohrli", None)
    assert math.isnan(ears.measure(Point("free", 0), path).zimtohrli)


def test_a_file_of_before_has_no_scores_and_the_picture_no_panel(tmp_path):
    points = [Point("none", 0, spectral_distance=4.0), Point("500", 0, 500.0, 510.0, spectral_distance=3.0, log_mel_db=4.0)]
    write_points(tmp_path / "curve.csv", points)
    table = list(csv.reader((tmp_path / "curve.csv").open()))
    columns = [i for i, name in enumerate(table[0]) if not name.startswith("zimtohrli")]
    (tmp_path / "curve.csv").write_text("\n".join(",".join(row[i] for i in columns) for row in table))
    again = read_points(tmp_path / "curve.csv")
    assert [repr(point) for point in again] == [repr(point) for point in points]
    plot_curve(again, [], tmp_path / "a.svg")
    assert "Zimtohrli" not in (tmp_path / "a.svg").read_text()


def test_points_survive_the_file(tmp_path):
    points = [Point("none", 0, spectral_distance=1.23456789, bits_per_second=0.0),
              Point("100", 1, 100.0, note="it, \"stopped\"")]
    write_points(tmp_path / "curve.csv", points)
    again = read_points(tmp_path / "curve.csv")
    assert [repr(point) for point in again] == [repr(point) for point in points]
    assert again[0].spectral_distance == 1.23457


@pytest.mark.slow
def test_the_whole_road_writes_a_row_a_point(made, plan):
    _, _, result = made
    rows = list(csv.DictReader((plan.out / "curve.csv").open()))
    assert [row["point"] for row in rows] == ["none", "500", "free"]
    assert float(rows[0]["bits_per_second"]) == 0 and rows[0]["asked_bits_per_second"] == ""
    for row in rows[1:]:
        assert 0 < float(row["bits_low"]) <= float(row["bits_per_second"]) <= float(row["bits_high"])
    for row in rows:
        for name in ("spectral_distance", "log_mel_db", "mean_z_spectral_distance", "mean_z_log_mel_db", "loudness_db"):
            assert 0 < float(row[name]) < 100
        # one stretch: its interval is a point
        assert 1 <= float(row["zimtohrli_low"]) == float(row["zimtohrli"]) == float(row["zimtohrli_high"]) < 5
        assert float(row["held_out_s"]) == pytest.approx(2.0 + 0.3, abs=0.35)  # the take, and a tenth of another
        assert float(row["f0_bits_per_second"]) > 0 and float(row["wall_s"]) > 0 and not row["note"]
    assert rows[0]["spectral_distance"] == rows[0]["mean_z_spectral_distance"]
    assert rows[1]["spectral_distance"] != rows[1]["mean_z_spectral_distance"]  # z was drawn
    assert result["wall_s"] == pytest.approx(sum(float(row["wall_s"]) for row in rows), abs=0.1)
    kept = json.loads((plan.out / "curve.json").read_text())
    assert kept == result and kept["side_information"]["f0_bits_per_second"] > 0
    assert not list(plan.out.glob("*.part"))


@pytest.mark.slow
def test_every_training_continues_the_base(made, plan):
    def source(name: str) -> str:
        import torch

        from ddspvae.training.checkpoint import read_state

        state = read_state(plan.out / "seed0" / f"{name}.training" / "state.pt", torch.device("cpu"))
        return Path(json.loads(state["settings"])["from"]).stem

    assert [source(name) for name in ("base", "free", "500", "none")] == ["", "base", "base", "base"]
    assert read_card(plan.out / "seed0" / "none.safetensors")["config"]["n_z"] == 0
    steps = {name: read_card(plan.out / "seed0" / f"{name}.safetensors")["training"]["steps_done"]
             for name in ("base", "free", "500", "none")}
    assert steps == {"base": 6, "free": 2, "500": 2, "none": 4}
    assert "take2.wav" not in read_card(plan.out / "seed0" / "free.safetensors")["training"]["files"]


@pytest.mark.slow
def test_a_killed_curve_goes_on_where_it_was(made, plan):
    after_kill, said, _ = made
    assert [point.point for point in after_kill] == ["free"]
    assert not [words for words in said if "free" in words or "base" in words]  # measured before, not again
    free = next(point for point in read_points(plan.out / "curve.csv") if point.point == "free")
    assert repr(free) == repr(after_kill[0])


@pytest.mark.slow
def test_a_finished_curve_is_read_and_drawn_again_with_other_codecs(made, plan, tmp_path):
    (tmp_path / "other.csv").write_text("name,bits_per_second,spectral_distance\nA codec,6000,3.5\n")
    before = (plan.out / "curve.csv").read_bytes()
    result = rate_distortion(plan, tmp_path / "other.csv", progress=lambda *_: pytest.fail("nothing is left to do"))
    assert (plan.out / "curve.csv").read_bytes() == before
    assert result["codecs"] == [{"name": "A codec", "bits_per_second": 6000.0, "spectral_distance": 3.5, "log_mel_db": None,
                                 "pitch_median_cents": None, "loudness_db": None, "zimtohrli": None}]
    picture = (plan.out / "curve.svg").read_text()
    for words in ("A codec", "no z", "free", "spectral distance", "bit/s, held out", "gap closed,", "Zimtohrli"):
        assert words in picture


@pytest.mark.slow
def test_another_plan_needs_another_folder(made, plan, tmp_path):
    with pytest.raises(InputError, match="holds a curve with another budget, budget of the base; choose another --out"):
        rate_distortion(replace(plan, steps=3))
    (tmp_path / "curve.json").write_text("{}")
    with pytest.raises(InputError, match="is not what curve writes"):
        rate_distortion(replace(plan, out=tmp_path))


@pytest.mark.slow
def test_a_training_that_stops_leaves_a_note_and_the_others_go_on(made, plan, tmp_path, monkeypatch):
    from ddspvae.rate_distortion import chain as curve_chain
    from ddspvae.rate_distortion.measure import Yardstick
    from ddspvae.training.validation import TrainingStopped

    continued = {}

    def stop_at_500(recordings, path, *, start_from, **options):
        continued[path.stem] = start_from.stem
        if path.stem == "500":
            raise TrainingStopped("train: z is ignored.")

    base = plan.out / "seed0" / "base.safetensors"
    monkeypatch.setattr(curve_chain, "train", stop_at_500)
    monkeypatch.setattr(curve_chain, "minutes_done", lambda path: 1.0)
    monkeypatch.setattr(Yardstick, "measure", lambda self, point, path: replace(point, bits_per_second=10.0))
    result = rate_distortion(replace(plan, out=tmp_path, rates=[1000, 500, 100], start_from=base, model=None))
    assert continued == dict.fromkeys(["free", "1000", "500", "100", "none"], "base")
    assert [row["note"] for row in result["points"]] == ["", "", "train: z is ignored.", "", ""]
    assert [row["trained_minutes"] for row in result["points"]] == [2.0, 2.0, None, 2.0, 2.0]


@pytest.mark.slow
def test_the_command_prints_a_table_or_json(made, plan, recordings, tmp_path, capsys):
    parser = argparse.ArgumentParser()
    parser.set_defaults(json=False)
    add_curve(parser.add_subparsers())
    base = str(plan.out / "seed0" / "base.safetensors")
    words = ["curve", str(recordings), "--out", str(tmp_path / "c"), "--from", base, "--steps", "1", "--seeds", "1",
             "--rates", "300", "--holdout", str(recordings / "take2.wav"), "--measure-with", "autocorrelation"]
    run_curve(parser.parse_args(words))
    table = capsys.readouterr().out
    assert "no z" in table and "300" in table and "Zimtohrli" in table
    assert "beside z: pitch" in table and "minutes in all" in table
    run_curve(parser.parse_args([*words, "--json"]))
    assert [row["point"] for row in json.loads(capsys.readouterr().out)["mean"]] == ["none", "300", "free"]
    assert (tmp_path / "c" / "curve.svg").stat().st_size > 5000
    with pytest.raises(InputError, match="decides on --axes; leave one of them out"):
        run_curve(parser.parse_args([*words, "--axes", "4"]))


@pytest.mark.parametrize("change, words", [
    ({"rates": [5]}, "rates must lie between 10 and 20000, got 5"),
    ({"seeds": 0}, "seeds must lie between 1 and 100"),
    ({"minutes": 1}, "either minutes or steps"),
    ({"steps": 0}, "steps must lie between"),
    ({"max_seconds": 0}, "max_seconds must lie between"),
    ({"start_from": "violon"}, "did you mean 'violin'"),
    ({"recordings": ["nowhere"]}, "no file or folder nowhere"),
    ({"measured_with": "ear"}, "tracker to measure with must be one of"),
    ({"model": replace(SMALL, n_z=0)}, "the model has no z; start from"),
    ({"model": replace(SMALL, bottleneck="fsq")}, r"has codes \(fsq\); start from"),
])
def test_a_plan_says_what_is_wrong(plan, tmp_path, change, words):
    with pytest.raises(InputError, match=words):
        rate_distortion(replace(plan, **{"out": tmp_path / "curve", **change}))


@pytest.mark.parametrize("text, words", [
    ("bits_per_second\n1\n", "must have a column named name"),
    ("name,bits_per_second\nx,fast\n", "line 2 must be a number or empty, got 'fast'"),
    ("name,bits_per_second\nx,0\n", "line 2 must be above 0, got '0'"),
    ("name,bits_per_second\n,100\n", "line 2 has no name"),
    (None, "cannot read"),
])
def test_a_file_of_codecs_says_what_is_wrong(tmp_path, text, words):
    path = tmp_path / "other.csv"
    if text is not None:
        path.write_text(text)
    with pytest.raises(InputError, match=words):
        read_codecs(path)


def test_the_picture_is_the_same_bytes_each_time_and_needs_a_rate(tmp_path):
    points = [Point("none", seed, spectral_distance=4.0 + seed, log_mel_db=5.0) for seed in (0, 1)]
    points += [Point(str(rate), seed, rate, rate * 1.02, spectral_distance=4 - rate / 1000 + seed, log_mel_db=4.0,
                     f0_bits_per_second=200.0, loudness_bits_per_second=200.0, periodicity_bits_per_second=100.0)
               for rate in (100, 500, 1000) for seed in (0, 1)]
    for name in ("a.svg", "b.svg"):
        plot_curve(points, [Codec("other", 6000.0, spectral_distance=2.0)], tmp_path / name, title="a curve")
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    with pytest.raises(InputError, match="points must hold a measured rate above 0"):
        plot_curve(points[:1], [], tmp_path / "c.svg")
