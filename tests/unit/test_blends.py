"""Blends of the instruments in a model of many: shares, their order, and what is wrong with them."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from ddspvae.commands.paths import check_paths
from ddspvae.instrument.timbres import find_timbre
from ddspvae.signals.checks import InputError

TIMBRES = {name: {"code": code, "room": f"{name}'s", "statistics": {"attack_s": attack, "levels": [attack, 2 * attack]}}
           for name, code, attack in (("violin", [1.0, 0.0, 0.0], 0.1), ("flute", [0.0, 1.0, 0.0], 0.2),
                                      ("cello", [0.0, 0.0, 1.0], 0.4))}


def find(asked: str):
    return find_timbre(asked, TIMBRES, None, "swift")


def test_three_instruments_have_the_shares_that_are_asked_for():
    found = find("violin*0.5+flute*0.3+cello*0.2")
    assert found.is_steady and found.codes[0] == pytest.approx([0.5, 0.3, 0.2])
    assert found.card["statistics"]["attack_s"] == pytest.approx(0.5 * 0.1 + 0.3 * 0.2 + 0.2 * 0.4)
    assert found.card["statistics"]["levels"] == pytest.approx([0.19, 0.38]) and found.room == "violin's"


def test_shares_are_of_their_sum_and_one_where_none_is_given():
    assert find("violin*2+flute*1.2+cello*.8").codes[0] == pytest.approx([0.5, 0.3, 0.2])
    assert find("violin+flute").codes[0] == pytest.approx([0.5, 0.5, 0])
    assert find("violin+flute+cello").codes[0] == pytest.approx([1 / 3] * 3)
    assert find("violin*3+flute").codes[0] == pytest.approx([0.75, 0.25, 0])
    assert find("violin*1+cello*0").codes[0] == pytest.approx([1, 0, 0])


def test_a_blend_turns_into_another():
    found = find("violin*0.5+cello*0.5..flute")
    assert np.allclose(found.codes, [[0.5, 0, 0.5], [0, 1, 0]])


@pytest.mark.parametrize("asked, told", [
    ("violin*half+flute", "must look like violin[*]0.5"), ("violin*0+flute*0", "must not all be 0"),
    ("violin*-1+flute", "must look like violin[*]0.5"), ("violin..flute..cello", "turns into 3 instruments"),
    ("violin*0.5+flut", "did you mean 'flute'")])
def test_what_is_no_blend_is_refused(asked, told):
    with pytest.raises(InputError, match=told):
        find(asked)


def test_a_recording_with_a_share_is_an_input_that_is_not_written_over(tmp_path):
    take = tmp_path / "take.wav"
    take.touch()
    args = SimpleNamespace(verb="render", preset=f"ensemble:violin*0.5+{take}*0.5", out=str(take))
    with pytest.raises(InputError, match="is an input"):
        check_paths(args)
