"""The benchmark of all presets: which takes, what is measured again, and its table."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from ddspvae.signals.checks import InputError

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))  # as its scripts find each other
from heard import held_out, missing, row, table


def scores(heard, ceiling, visqol=4.0):
    said = {name: {"zimtohrli": heard - worse, "visqol": None}
            for name, worse in (("z as heard", 0.0), ("z drawn", 0.1), ("z at 0", 0.2))}
    said["z as heard"]["visqol"] = visqol
    return {**said, "ceiling": {"zimtohrli": ceiling, "visqol": None if visqol is None else visqol + 0.5}}


def test_the_card_names_what_was_held_out():
    found = [Path("r/viola/a.wav"), Path("r/violin/room/a.wav"), Path("r/violin/b.wav")]
    assert held_out({"training": {"holdout": ["b.wav", "a.wav"]}}, "violin", found) == [found[2], found[1]]
    with pytest.raises(InputError, match="heard: c.wav, which the card of violin names"):
        held_out({"training": {"holdout": ["c.wav"]}}, "violin", found)


def test_only_what_is_missing_is_measured():
    paths = [Path("a.wav"), Path("b.wav")]
    kept = {}
    assert missing(kept, "weights 1", paths, 6.0) == paths
    kept["takes"]["a.wav"] = scores(3, 4)
    assert missing(kept, "weights 1", paths, 6.0) == [paths[1]]
    assert missing(kept, "weights 2", paths, 6.0) == paths and kept["takes"] == {}
    kept["takes"]["a.wav"] = scores(3, 4)
    assert missing(kept, "weights 2", paths, 5.0) == paths


def test_the_table_has_means_and_the_worst():
    presets = {"flute": {"a.wav": scores(3.0, 4.0), "b.wav": scores(3.5, 4.0)}, "tuba": {"c.wav": scores(2.0, 3.8, None)}}
    assert row(presets["flute"]) == pytest.approx([3.25, 3.15, 3.05, 4.0, 4.0, 4.5])
    lines = table(presets).splitlines()
    assert lines[2] == "| flute | 2 | 3.25 | 3.15 | 3.05 | 4.00 | 0.75 | 4.00 | 4.50 | 0.50 |"
    assert lines[3] == "| tuba | 1 | 2.00 | 1.90 | 1.80 | 3.80 | 1.80 | – | – | – |"
    assert lines[4].startswith("| mean | 3 | 2.62 |") and lines[4].count("|") == lines[0].count("|")
    assert lines[6] == "Farthest below its ceiling by Zimtohrli: tuba, 1.80."
    assert lines[8] == "Farthest below its ceiling by ViSQOL: flute, 0.50."
    assert len(table({}).splitlines()) == 2
