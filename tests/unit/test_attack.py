"""The campaigns of `make attack`, in small: they find nothing, and would find what they look for."""

from __future__ import annotations

import random
import sys

import pytest

states = pytest.importorskip("tests.attack.states", reason="hypothesis is not installed")

from tests.attack import children  # noqa: E402

can_fork = pytest.mark.skipif(sys.platform != "linux", reason="children are forked, and measured by /proc")


def test_streams_that_get_anything():
    assert states.attack_streams(2, 15, is_repeatable=True) == []


def test_a_stream_that_is_too_loud_is_found(monkeypatch):
    monkeypatch.setattr("ddspvae.live.stream.within_full_scale", lambda audio: audio + 2)
    found = states.attack_streams(1, 10, is_repeatable=True)
    assert "beyond full scale" in found[0] or "a note is left" in found[0]


@can_fork
def test_kills_of_a_verb(tmp_path, monkeypatch):
    from tests.attack.kills import Kills

    children.make_inputs(tmp_path / "inputs")
    kills = Kills(tmp_path / "kills", tmp_path / "inputs", ("perform",))
    assert sum(kills.turn(random.Random(seed)) for seed in range(3)) == 0, kills.faults
    monkeypatch.setattr("ddspvae.commands.perform.write_lines", lambda lines, path: open(path, "w").close(), raising=False)
    monkeypatch.setattr("ddspvae.editing.note_table.write_lines", lambda lines, path: open(path, "w").close())
    assert kills.turn(random.Random(0)) > 0


@can_fork
def test_a_verb_on_a_full_disk(tmp_path):
    from tests.attack.disks import FullDisks

    children.make_inputs(tmp_path / "inputs")
    disks = FullDisks(tmp_path / "disks", tmp_path / "inputs", ("render",))
    try:
        assert sum(disks.turn(random.Random(seed)) for seed in range(3)) == 0, disks.faults
    finally:
        disks.close()
    assert disks.counts["render"][1] > 0
