"""The benchmark of training compares what it says it compares, and concludes what its log says."""

import math
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from ddspvae.evaluation.metrics import spectral_distance
from ddspvae.features.extract import extract
from ddspvae.signals.checks import InputError
from ddspvae.training.dataset import Take

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))  # as its scripts find each other
import reference
import training
import training_log
from training_log import Log, Row, conclude, minutes_to_reach, on_its_core, read_rows

RATE, HOP = reference.PUBLISHED_RATE, reference.PUBLISHED_HOP


def row(minutes, distance, contestant="reference", setting="batch 4", workload_ms=10.0):
    return Row(contestant, setting, minutes, round(100 * minutes), distance, 3.0, 0.99, math.nan, 0.5, 0.0, workload_ms)


def tone(seconds=2.0, f0_hz=440.0, rate=RATE):
    t = np.arange(round(seconds * rate)) / rate
    swell = 0.3 * np.sin(np.pi * t / seconds)
    return (swell * sum(np.sin(2 * np.pi * k * f0_hz * t) / k for k in range(1, 6))).astype(np.float32)


def small_run(monkeypatch, seed=0):
    monkeypatch.setattr(reference, "PUBLISHED_CROP_S", 0.4)
    audio = tone()
    take = Take(Path("tone.wav"), audio, extract(audio, RATE, HOP), "room")
    return reference.PublishedRun([take], batch_size=2, seed=seed)


def test_the_reference_is_trained_on_the_very_measure_it_is_judged_by():
    random = np.random.default_rng(0)
    a, b = (random.standard_normal(6000).astype(np.float32) * level for level in (0.1, 0.03))
    loss = reference.published_loss(torch.from_numpy(a)[None], torch.from_numpy(b)[None])
    assert float(loss) == pytest.approx(spectral_distance(a, b, RATE), rel=1e-5)


@pytest.mark.parametrize("n_frames", [1, 2, 7])
def test_filters_longer_than_two_hops_are_overlapped_too(n_frames):
    torch.manual_seed(0)
    audio = reference.plain_noise(torch.ones(2, n_frames, 65), HOP)  # 128 taps, the middle one 1
    torch.manual_seed(0)
    white = (torch.rand(2, n_frames, HOP) * 2 - 1).flatten(1)
    assert audio.shape == (2, n_frames * HOP)
    torch.testing.assert_close(audio[:, 64:], white[:, :-64], atol=1e-6, rtol=0)


def test_the_noise_of_a_frame_rings_into_the_two_after_it():
    only_the_second = torch.zeros(1, 6, 65)
    only_the_second[:, 1] = torch.rand(65, generator=torch.Generator().manual_seed(0))
    rings = reference.plain_noise(only_the_second, HOP).view(6, HOP).abs().amax(1) > 1e-6
    assert rings.tolist() == [False, True, True, True, False, False]  # 64 + 128 - 1 samples are three hops


@pytest.mark.slow
def test_the_published_recipe_learns_and_its_rate_falls(monkeypatch):
    run = small_run(monkeypatch)
    losses = [run.advance() for _ in range(6)]
    assert np.mean(losses[-2:]) < 0.9 * np.mean(losses[:2])
    run.step = 20_000
    run.advance()
    assert run.optimizer.param_groups[0]["lr"] == pytest.approx(1e-3 * 0.98**2)


def test_the_reference_leaves_the_generator_of_others_alone_and_repeats_itself(monkeypatch):
    runs = [small_run(monkeypatch) for _ in range(2)]
    torch.manual_seed(5)
    losses = [runs[0].advance()]
    drawn = torch.rand(3)
    torch.manual_seed(5)
    torch.testing.assert_close(drawn, torch.rand(3), atol=0, rtol=0)
    torch.manual_seed(99)
    losses.append(runs[1].advance())
    assert losses[0] == losses[1]


@pytest.mark.slow
def test_the_reference_is_measured_on_time_and_at_its_end(monkeypatch, tmp_path):
    for name in ("one.wav", "two.wav"):
        soundfile.write(tmp_path / name, tone(1.0), RATE)
    held_out = training.HeldOut([tmp_path / "one.wav", tmp_path / "two.wav"], seconds=0.5)
    run, log = small_run(monkeypatch), Log(tmp_path / "log.csv")
    contestant = training.Reference(run, 10.0, 4.0, held_out, log)
    monkeypatch.setattr(run, "advance", lambda: setattr(run, "seconds", run.seconds + 30))
    contestant.catch_up(0.5)
    assert [row.minutes for row in log.rows] == [4.0]
    contestant.catch_up(1.0)
    contestant.catch_up(1.0)
    assert [row.minutes for row in log.rows] == [4.0, 8.0, 10.0]
    assert [math.isnan(row.crepe_cents) for row in log.rows] == [True, True, False]
    assert log.rows[0].distance > 1 and log.rows[0].setting == "batch 2"


def test_a_perfect_copy_has_no_distance(tmp_path):
    soundfile.write(tmp_path / "one.wav", tone(1.0, rate=48_000), 48_000)
    held_out = training.HeldOut([tmp_path / "one.wav"], seconds=10)
    measured = held_out.measure(held_out.takes, is_last=False)
    assert (measured["distance"], measured["cents"], measured["heard"], measured["loudness_db"]) == (0, 0, 1, 0)
    assert len(held_out.features(HOP)[0].f0_hz) == 250


def test_when_a_curve_comes_down_to_a_distance_by_hand():
    curve = [row(1, 9.0), row(2, 8.0), row(4, 7.0)]
    assert minutes_to_reach(8.5, curve) == pytest.approx(1.5)
    assert minutes_to_reach(7.25, curve) == pytest.approx(3.5)
    assert minutes_to_reach(9.5, curve) == 1
    assert minutes_to_reach(6.9, curve) is None


def test_minutes_of_a_core_half_as_fast_count_half():
    ours = on_its_core([row(4, 7.0, workload_ms=20.0), row(8, 6.0, workload_ms=20.0)], [row(1, 9.0), row(40, 7.0)])
    assert [one.minutes for one in ours] == [2, 4]


def test_the_conclusion_is_drawn_from_the_better_reference():
    rows = [row(20, 8.0, setting="batch 16"), row(40, 7.8, setting="batch 16"), row(20, 7.0), row(40, 6.0)]
    ours = [row(1, 7.0, "ours", ""), row(3, 5.0, "ours", "")]
    assert conclude(rows + ours) == ("The reference (batch 4) is at 6.000 after 40.0 minutes; "
                                     "ours is there after 2.00 minutes of the same core.")
    slow = [replace(one, distance=one.distance + 2) for one in ours]
    assert "does not come down to it: 7.000 after 3.0 minutes" in conclude(rows + slow)
    judged = [replace(one, zimtohrli=score) for one, score in zip(rows + ours, (2.0, 2.1, 2.2, 2.3, 3.0, 3.5))]
    assert conclude(judged).endswith("the reference ends at 2.30 and ours is at 3.50 after 3.0 minutes.")
    with pytest.raises(InputError, match="holds no row of the reference"):
        conclude(ours)


def test_a_log_is_read_back_as_it_was_written(tmp_path):
    log = Log(tmp_path / "log.csv")
    log.add(row(1.5, 7.25))
    log.add(row(2.5, 6.5, "ours", "from flute"))
    back = read_rows(log.path)
    assert [(one.contestant, one.setting, one.minutes, one.steps, one.distance) for one in back] == [
        ("reference", "batch 4", 1.5, 150, 7.25), ("ours", "from flute", 2.5, 250, 6.5)]
    assert math.isnan(back[0].crepe_cents)


def test_a_log_of_before_the_judges_is_read(tmp_path):
    old = Path(training.__file__).parent / "training-reference.csv"
    assert all(math.isnan(one.zimtohrli) for one in read_rows(old))


def test_another_table_is_no_log(tmp_path):
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    for name in ("other.csv", "none.csv"):
        with pytest.raises(InputError, match="name a log that this script wrote"):
            read_rows(tmp_path / name)


def test_the_picture_is_the_same_every_time(tmp_path):
    rows = [row(1, 9.0), row(40, 7.0), row(1, 9.5, setting="batch 16"), row(2, 6.8, "ours", "")]
    for name in ("one.svg", "two.svg"):
        training_log.plot(rows, tmp_path / name)
    one = (tmp_path / "one.svg").read_bytes()
    assert one == (tmp_path / "two.svg").read_bytes()
    assert one.count(b"stroke-opacity: 0.4") >= 2  # the worse reference, in both panels
