"""Keeping the fewest axes: the count, the order, the card."""

import numpy as np
import pytest

from ddspvae.instrument.loading import load
from ddspvae.instrument.presets import find_preset, read_card, read_weights
from ddspvae.latents.trim import axes_needed, choose_axes, measure_trim, write_trimmed
from ddspvae.signals.checks import InputError

from ..conftest import melody_take

NAMES = ("a", "b", "c", "d")


def rows(*deviations: float, n_rows: int = 400) -> np.ndarray:
    """Axes of exactly these root mean squares, uncorrelated."""
    z = np.linalg.qr(np.random.default_rng(0).standard_normal((n_rows, len(deviations))))[0]
    return z * n_rows**0.5 * np.array(deviations)


@pytest.mark.parametrize(("fidelity", "count"), [(0.1, 1), (0.5, 1), (0.51, 2), (0.8, 2), (0.95, 3), (1.0, 4)])
def test_the_count_is_one_more_than_the_index(fidelity, count):
    assert axes_needed([0.5, 0.3, 0.15, 0.05], fidelity) == count


def test_shares_that_add_up_but_for_rounding_suffice():
    assert 0.6 + 0.3 < 0.9 and axes_needed([0.6, 0.3, 0.1], 0.9) == 2


def test_all_axes_stay_where_none_suffice():
    assert axes_needed([0.5, 0.3], 0.9) == 2


def test_axes_stay_in_order_of_rate_until_they_hold_the_share():
    z = rows(0.3, 1.0, 0.1, 0.8)  # mean squares 0.09, 1, 0.01, 0.64 of 1.74
    trim = choose_axes(z, [40.0, 100.0, 2.0, 80.0], NAMES, 0.94)
    assert trim.kept == ("b", "d") and trim.dropped == ("a", "c") and trim.share == pytest.approx(1.64 / 1.74)
    assert trim.bits_per_second == (100, 80, 40, 2) and trim.n_rows == 400
    assert choose_axes(z, [40.0, 100.0, 2.0, 80.0], NAMES, 0.95).kept == ("b", "d", "a")


def test_what_is_left_out_is_the_share_that_is_missing():
    z = rows(0.3, 1.0, 0.1, 0.8) + np.array([0.5, 0, 0, 0])  # a constant offset is lost as well when an axis is fixed at 0
    rates = [40.0, 100.0, 2.0, 80.0]
    misses = []
    for fidelity in (0.4, 0.8, 0.9, 0.999, 1.0):
        trim = choose_axes(z, rates, NAMES, fidelity)
        fixed = np.where([name in trim.kept for name in NAMES], z, 0)
        misses.append(((z - fixed) ** 2).sum() / (z**2).sum())
        assert misses[-1] == pytest.approx(1 - trim.share) and misses[-1] <= 1 - fidelity + 1e-9
    assert misses == sorted(misses, reverse=True) and misses[-1] == pytest.approx(0)


def test_axes_that_say_the_same_count_once_when_turned_freely():
    z = rows(1.0, 0.05)
    both = np.stack([z[:, 0], z[:, 0] + z[:, 1]], axis=1)
    trim = choose_axes(both, [10.0, 9.0], ("a", "b"), 0.95)
    assert len(trim.kept) == 2 and trim.principal_axes == 1


def test_too_few_rows_and_dead_axes_are_refused():
    with pytest.raises(InputError, match="hold at least 40 sounding rows of z for 4 axes, got 39; give longer or more"):
        choose_axes(rows(1, 1, 1, 1, n_rows=39), np.ones(4), NAMES, 0.9)
    with pytest.raises(InputError, match="0 throughout"):
        choose_axes(np.zeros((50, 4)), np.ones(4), NAMES, 0.9)
    with pytest.raises(InputError, match="fidelity must lie between 0.01 and 1, got 95"):
        choose_axes(rows(1, 1, 1, 1), np.ones(4), NAMES, 95)


def test_the_file_says_which_axes_are_fixed_and_is_otherwise_the_same(tmp_path):
    source, out, again = find_preset("violin"), tmp_path / "small.safetensors", tmp_path / "smaller.safetensors"
    names = load("violin").axis_names
    write_trimmed(source, out, names[1:3])
    write_trimmed(out, again, [names[1], names[3]])
    before, after = read_card(source), read_card(out)
    assert after.pop("trimmed_axes") == list(names[1:3]) and after == before
    assert read_card(again)["trimmed_axes"] == list(names[1:4])
    weights = read_weights(out)
    assert all(np.array_equal(weights[key], tensor) for key, tensor in read_weights(source).items())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["small.safetensors", "smaller.safetensors"]


def test_rows_of_silence_do_not_count():
    violin = load("violin")
    take = melody_take(12.0, 48_000)
    rests = np.concatenate([take, np.zeros(2 * 48_000, dtype=np.float32)])
    plain, padded = (measure_trim(violin, [(audio, 48_000)], 0.9) for audio in (take, rests))
    assert abs(padded.n_rows - plain.n_rows) <= 6  # of 100 rows of silence


def test_a_recording_decides_which_axes_of_the_violin_stay(tmp_path):
    violin = load("violin")
    takes = [(melody_take(12.0, 48_000), 48_000)]
    most, half = (measure_trim(violin, takes, fidelity) for fidelity in (1.0, 0.05))
    assert len(half.kept) < len(most.kept) and half.kept == most.kept[: len(half.kept)]
    assert set(half.kept + half.dropped) == set(violin.axis_names) and half.principal_axes <= len(half.kept)
    assert sum(half.bits_per_second) == pytest.approx(violin.rate(*takes[0])["bits_per_second"], rel=1e-3)
    write_trimmed(find_preset("violin"), tmp_path / "small.safetensors", half.dropped)
    again = measure_trim(load(tmp_path / "small.safetensors"), takes, 1.0)
    assert set(again.kept + again.dropped) == set(half.kept)
