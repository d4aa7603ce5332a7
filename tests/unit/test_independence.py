import io
import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from ddspvae.evaluation.independence import probes
from ddspvae.evaluation.independence.report import (
    Cell,
    gather_rows,
    independence_table,
    measure_independence,
    read_deviations,
)
from ddspvae.evaluation.plots import describe_cell, plot_independence
from ddspvae.signals.checks import InputError
from tests.unit.test_swaps import AXES, DEVIATIONS, RATE, ROW, Organ, performance

COLUMNS = ("cents", "db", "brightness", "breathiness", "hollowness", "bite")


def take(notes_hz=(220.0, 330.0, 262.0, 392.0), seed=0):
    """Notes whose loudness and z wander on their own, and what the organ makes of them."""
    played = performance(notes_hz)
    random = np.random.default_rng(seed)
    z = 0.1 * random.standard_normal(played.z.shape)
    loudness_db = -25 + 3 * np.sin(np.arange(played.n_frames) / 47 + seed)
    played = replace(played, z=z, loudness_db=loudness_db)
    return SimpleNamespace(file=f"{seed}.wav", audio=Organ().resynthesize(played), sample_rate=RATE, performance=played)


@pytest.fixture(scope="module")
def figures():
    words = []
    takes = [take((220.0, 330.0)), take((294.0, 247.0), 1), take((349.0, 247.0), 2), take((262.0, 294.0), 3)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(probes, "EPOCHS", (1, 2))  # how well probes read stands in test_probes
        found = measure_independence(Organ(), takes, tracker="autocorrelation", n_takes=1, n_shuffles=1, step=words.append)
    assert words[0] == "independence: listening"
    assert "swap 1 of 1: axis z5 -2" in words
    return found


@pytest.fixture(scope="module")
def table(figures):
    return {label: dict(zip(COLUMNS, cells, strict=True)) for label, cells in independence_table(figures)}


def test_the_figures_are_plain_and_whole(figures):
    assert json.loads(json.dumps(figures)) == figures
    assert figures["left_out"] == {}
    assert figures["deviations"] == {"from": "training", "of": DEVIATIONS}
    assert [(row["target"], row["probe"]) for row in figures["probes"]] == [
        ("f0", "linear"), ("f0", "mlp"), ("loudness", "linear"), ("loudness", "mlp")]
    scores = figures["disentanglement"]
    assert scores["axis_names"] == [*AXES, "f0", "loudness"]
    assert scores["mig"]["f0"] > 0.7  # its own axis
    assert len(figures["swaps"]) == 2 + 4 + 4 * len(AXES)
    assert [axis["axis"] for axis in figures["axes"]] == list(AXES)


def test_the_table_says_what_was_moved_and_what_changed(table):
    assert list(table) == ["pitch", "loudness", *AXES]
    assert [label for label, row in table.items() for cell in row.values() if cell.is_own] == [
        "pitch", "loudness", *AXES[:4]]
    assert table["brightness"]["brightness"].value == pytest.approx(1, abs=0.05)
    assert table["brightness"]["brightness"].is_reached
    assert table["brightness"]["hollowness"].is_reached
    assert table["z5"]["cents"].value == pytest.approx(5, abs=0.4)
    assert table["z5"]["cents"].is_reached is table["z5"]["db"].is_reached is False
    assert table["z5"]["brightness"].is_reached is None  # an axis without a name may move what it likes
    assert table["pitch"]["cents"].limit == 5 and table["loudness"]["cents"].limit == 3
    assert table["pitch"]["brightness"].limit is None


def test_an_axis_that_falls_or_moves_its_neighbour_is_marked(figures):
    bad = json.loads(json.dumps(figures))
    axis = bad["axes"][0]
    axis["slopes"]["brightness"], axis["leaks"]["hollowness"], axis["slopes"]["hollowness"] = 0.4, 0.3, -0.2
    cells = dict(zip(COLUMNS, dict(independence_table(bad))["brightness"], strict=True))
    assert cells["brightness"].is_reached is False
    assert (cells["hollowness"].value, cells["hollowness"].is_reached) == (-0.3, False)
    axis["slopes"]["brightness"], axis["monotone"] = 0.9, False
    assert dict(independence_table(bad))["brightness"][2].is_reached is False
    axis["cents"] = None
    assert dict(independence_table(bad))["brightness"][0].is_reached is None


def test_the_picture_shows_another_table_otherwise(figures):
    pictures = [io.BytesIO(), io.BytesIO(), io.BytesIO()]
    other = json.loads(json.dumps(figures))
    other["axes"][0]["leaks"]["hollowness"] = None
    for file, shown in zip(pictures, (figures, figures, other), strict=True):
        plot_independence(independence_table(shown), file)
    first, second, third = (file.getvalue() for file in pictures)
    assert len(first) > 10_000 and first == second != third
    with pytest.raises(InputError, match="plot_independence: table must hold at least one row"):
        plot_independence([], io.BytesIO())


def test_figures_in_words():
    assert describe_cell(0, Cell(0.76, 5.0, True, True)) == "0.8 off"
    assert describe_cell(1, Cell(-0.004, 0.5, False, True)) == "0.00"
    assert describe_cell(2, Cell(float("nan"), None, False, None)) == "–"


def test_rows_are_those_that_are_surely_pitched_with_their_curves():
    one = take()
    rows = gather_rows([one] * 5)
    assert set(rows.blocks) == set(range(5))
    sure = np.add.reduceat(one.performance.periodicity >= 0.9, np.arange(0, 800, ROW)) == ROW
    assert len(rows.z) == 5 * sure.sum()
    assert rows.z[: sure.sum()] == pytest.approx(one.performance.z[sure])
    log_f0 = np.log2(one.performance.f0_hz).reshape(-1, ROW).mean(1)
    assert rows.curves["f0"][: sure.sum()] == pytest.approx(log_f0[sure], abs=1e-6)
    assert set(rows.curves) == {"f0", "loudness", "brightness", "breathiness", "hollowness"}


def test_without_deviations_in_the_card_the_recordings_give_them():
    organ = Organ()
    organ.card = {}
    found = read_deviations(organ, [take()])
    assert found["from"] == "recordings"
    assert all(value > 0 for value in found["of"].values())
    silent = take()
    silent.performance = replace(silent.performance, periodicity=np.zeros(silent.performance.n_frames))
    with pytest.raises(InputError, match="recordings must hold notes that sound"):
        read_deviations(organ, [silent])


def test_what_cannot_be_measured_is_left_out_with_the_reason():
    found = measure_independence(Organ(), [take((220.0,))], tracker="autocorrelation")
    assert found["probes"] == [] and found["disentanglement"] == {}
    assert "give several clips" in found["left_out"]["probes"]
    assert "give longer recordings" in found["left_out"]["disentanglement"]
    assert len(found["axes"]) == 5
    with pytest.raises(InputError, match="recordings must hold at least one"):
        measure_independence(Organ(), [])
