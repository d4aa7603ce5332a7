"""What the shipped instruments' axes do, measured again in the sound."""

from __future__ import annotations

import pytest

from ddspvae import load
from ddspvae.evaluation.independence.swaps import ATTRIBUTES, measure_swaps, summarize_axis
from ddspvae.instrument.presets import read_cards
from ddspvae.signals import Note, Notes

ALWAYS: tuple[str, ...] = ()  # make test measures none: a minute a preset


# of a plucked instrument too, these are takes: its network plays them; its scores are played by its decay model
@pytest.fixture(scope="module", params=sorted(read_cards()))
def effects(request):
    """Every axis of a preset moved by one and two deviations to either side, on five notes of its middle register."""
    if request.param not in ALWAYS and not request.config.getoption("--run-presets"):
        pytest.skip("make check runs this (--run-presets)")
    instrument = load(request.param)
    middle = round((instrument.statistics.pitch_low + instrument.statistics.pitch_high) / 2)
    notes = Notes(tuple(Note(middle + step, 80, 0.2 + 0.9 * at, 1.0 + 0.9 * at) for at, step in enumerate((0, 4, 7, 5, 2))))
    deviations = {name: instrument.card["axes"][name]["sd"] for name in ATTRIBUTES}
    return measure_swaps(instrument, [instrument.perform(notes)], deviations, "swift")


@pytest.mark.parametrize("axis", ATTRIBUTES)
def test_an_axis_moves_its_own_attribute_and_leaves_the_rest_alone(effects, axis):
    effect = summarize_axis(axis, effects)
    leak = max(effect.leaks[name] for name in ATTRIBUTES if name != axis)
    assert effect.monotone and effect.slopes[axis] >= 0.5, effect
    assert effect.cents <= 3 and effect.db <= 0.5, effect
    assert leak <= 0.15, effect
