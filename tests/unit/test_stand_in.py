"""The benchmarks that hold models against a stand-in: the stand-in itself, and the tables."""

from __future__ import annotations

import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from ddspvae.signals.checks import InputError

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))  # as its scripts find each other
from curve import read_point, table
from stand_in import Heard, StandIn, water_filling
from verdicts import Verdict, spell

from ddspvae.evaluation.perceptual import judge
from ddspvae.features.extract import extract

from ..conftest import melody_take

RATE, HOP = 16_000, 80


@pytest.fixture(scope="module")
def takes():
    sounds = [melody_take(6.0, RATE, seed, has_timbres=True) for seed in range(3)]
    return sounds, [Heard.of(extract(sound, RATE, HOP), RATE) for sound in sounds]


def test_envelopes_alone_bring_a_take_back(takes):
    (sound, *_), (heard, *_) = takes
    played = heard.play(heard.envelopes, RATE, HOP)[: len(sound)]
    said = judge(sound, played, RATE, with_visqol=False).zimtohrli
    assert said > 4
    flat = heard.play(torch.zeros_like(heard.envelopes), RATE, HOP)[: len(sound)]
    assert judge(sound, flat, RATE, with_visqol=False).zimtohrli < said - 0.5


def test_more_bits_bring_it_nearer(takes):
    _, (held_out, *others) = takes
    stand_in = StandIn(others, 4)
    typical = stand_in.typical(held_out)
    sounding = held_out.loudness_db[:, 0] > held_out.loudness_db.max() - 30

    def error(envelopes):
        return float((envelopes - held_out.envelopes)[sounding].square().mean())

    errors = [error(typical), *(error(stand_in.sent(held_out, bits)[0]) for bits in (5, 20, 80, 400))]
    assert all(more < less for less, more in pairwise(errors))
    assert error(stand_in.sent(held_out, 0)[0]) == pytest.approx(errors[0], rel=1e-3)
    axes = [stand_in.sent(held_out, bits)[1] for bits in (0, 5, 80)]
    assert axes[0] == 0 < axes[1] < axes[2]


def test_water_fills_from_below():
    variance = np.array([4.0, 1.0, 0.01])
    distortion = water_filling(variance, 2.0)
    np.testing.assert_allclose(distortion, [0.5, 0.5, 0.01])  # (log2(8) + log2(2)) / 2 = 2 bits
    np.testing.assert_allclose(water_filling(variance, 0.0), variance)


def test_rows_are_straight_between_their_frames(takes):
    _, (heard, *_) = takes
    frames = StandIn([heard], 4)._frames(torch.tensor([[0.0], [4.0], [6.0]]), 11)
    np.testing.assert_allclose(frames[:, 0], [0, 1, 2, 3, 4, 4.5, 5, 5.5, 6, 6, 6])


def said(*scores, visqol=None):
    return Verdict(np.array(scores), np.full(len(scores), 5.0), visqol)


def test_the_curve_stands_beside_the_stand_in():
    better, worse = said(3.0, 3.5, 4.0, visqol=4.2), said(2.5, 3.0, 3.5)
    lines = table({"2000": (1990.4, better), "ceiling": (None, said(4.1, 4.1, 4.1))},
                  {"none": said(2.0, 2.0, 2.0), "2000": worse}).splitlines()
    assert all(line.count("|") == lines[0].count("|") for line in lines)
    assert lines[2].startswith("| 2000 | 1990 | 3.50 (") and "| 4.20 | 3.00 (" in lines[2]
    assert lines[2].endswith("| +0.50 (+0.50 to +0.50) |")  # pair by pair the difference is the same
    assert lines[3].startswith("| ceiling |  | 4.10") and lines[4].startswith("| none |  |  |  | 2.00")
    with pytest.raises(ValueError, match="same stretches"):
        better.above(said(2.0, 2.0))
    with pytest.raises(InputError, match="curve: --point must look like 2000="):
        read_point("2000")


def test_a_verdict_is_kept_as_it_is():
    verdict = said(3.0, 3.25, visqol=4.2)
    again = Verdict.from_dict(verdict.to_dict())
    assert again.interval() == verdict.interval() and again.visqol == 4.2
    assert spell((3.125, 3.0, 3.25)).startswith("3.12 (3.00")
    audio = melody_take(12.0, RATE)
    alike = Verdict.of(audio, audio, RATE, False)
    assert len(alike.scores) == 2 and alike.interval()[0] == pytest.approx(5, abs=0.01) and alike.visqol is None
