import sys

import numpy as np
import pytest

from ddspvae.evaluation.independence.probes import ALPHAS, _exchanges, mlp_path, number_blocks, probe, ridge_path, score
from ddspvae.signals.checks import InputError

RATE_HZ = 25.0
BLOCKS = number_blocks([75] * 10, RATE_HZ)  # ten clips of three seconds


def slow(n_curves, seed, memory=0.95):
    """Curves [N, C] that wander slowly, as music does: neighbours are nearly equal."""
    random = np.random.default_rng(seed)
    n_rows = len(BLOCKS)
    steps = random.standard_normal((n_rows, n_curves)) * np.sqrt(1 - memory**2)
    curves = np.zeros((n_rows, n_curves))
    for row in range(1, n_rows):
        curves[row] = memory * curves[row - 1] + steps[row]
    return curves


def by_kind(scores):
    return {(one.target, one.probe): one for one in scores}


@pytest.fixture(scope="module")
def scores():
    z, rest = slow(4, 0), slow(3, 1)
    pitch = z @ [1.0, -0.5, 0, 0] + 0.1 * rest[:, 0]
    loudness = rest[:, 1]
    return by_kind(probe(z, np.column_stack([rest, z]), {"f0": pitch, "loudness": loudness}, BLOCKS, n_shuffles=1))


def test_what_z_holds_is_read_and_what_it_does_not_hold_is_not(scores):
    for kind in ("linear", "mlp"):
        assert scores["f0", kind].r2 > 0.9
        assert abs(scores["f0", kind].floor) < 0.15
        assert abs(scores["loudness", kind].r2 - scores["loudness", kind].floor) < 0.1
        assert scores["loudness", kind].ceiling > 0.8
    assert scores["f0", "mlp"].n_rows == 750 and scores["f0", "mlp"].n_blocks == 10


def test_a_slow_stranger_is_not_readable_across_blocks():
    """Row by row, neighbours in time give away any slow curve; block by block they do not."""
    z, target = slow(8, 3, memory=0.95), slow(1, 4, memory=0.95)[:, 0]
    mixed = np.arange(len(target)) % 5  # each row's neighbours are in the other folds
    assert score(mlp_path, np.column_stack([z, np.arange(len(z))]), target, mixed) > 0.4
    for path in (ridge_path, mlp_path):
        assert -0.25 < score(path, z, target, BLOCKS) < 0.1


def test_only_the_network_reads_what_is_bent():
    z = slow(3, 5)
    bent = np.abs(z[:, 0])
    assert score(ridge_path, z, bent, BLOCKS) < 0.1
    assert score(mlp_path, z, bent, BLOCKS) > 0.8


def test_the_same_seed_gives_the_same_scores():
    z, target = slow(2, 6), slow(1, 7)[:, 0]
    once, again, other = (score(mlp_path, z, target, BLOCKS // 3, seed) for seed in (3, 3, 4))
    assert once == again != other


def test_r2_by_hand():
    y = np.array([0.0, 1, 2, 3] * 10)
    blocks = np.repeat(np.arange(4), 10)
    def always_one(x, y, rows, seed):
        return np.ones((1, len(rows)))

    assert score(always_one, y[:, None], y, blocks) == pytest.approx(1 - (1 + 0 + 1 + 4) / (2.25 + 0.25 + 0.25 + 2.25))
    assert score(ridge_path, y[:, None], y, blocks) > 0.999
    assert np.isnan(score(ridge_path, y[:, None], np.ones(40), blocks))
    assert score(ridge_path, np.zeros((40, 0)), y, blocks) == 0


def test_one_long_clip_is_cut_with_gaps_and_many_clips_are_not():
    blocks = number_blocks([750], RATE_HZ)  # 30 s
    assert sorted(set(blocks)) == [-1, 0, 1, 2, 3, 4]
    for block in range(5):
        where = np.flatnonzero(blocks == block)
        assert len(where) >= 5 * RATE_HZ and np.ptp(where) == len(where) - 1
    assert (blocks == -1).sum() == 4 * RATE_HZ
    assert number_blocks([100, 900], RATE_HZ).max() == 6  # one block, and six of 36 s
    assert (number_blocks([400] * 5, RATE_HZ) == np.repeat(np.arange(5), 400)).all()


def test_an_exchange_gives_every_block_the_rows_of_one_other():
    blocks = np.repeat([0, 1, 2], [5, 9, 3])
    orders = _exchanges(blocks, 6, np.random.default_rng(0))
    assert len(orders) == 6
    for order in orders:
        donors = [set(blocks[order[blocks == name]]) for name in range(3)]
        assert all(len(donor) == 1 and donor != {name} for name, donor in enumerate(donors))


def test_inputs_at_fault(monkeypatch):
    z, target = slow(2, 8), slow(1, 9)[:, 0]
    with pytest.raises(InputError, match=r"probe: z must have shape \[750, \*\], got \[3, 2\]"):
        probe(z[:3], z, {"f0": target}, BLOCKS)
    with pytest.raises(InputError, match=r"probe: f0 must have shape \[750\], got \[4\]"):
        probe(z, z, {"f0": target[:4]}, BLOCKS)
    with pytest.raises(InputError, match=r"probe: blocks must be 4 or more, got 1; give several clips, or 23 s or more"):
        probe(z, z, {"f0": target}, np.zeros(len(z), int))
    monkeypatch.setitem(sys.modules, "sklearn.model_selection", None)
    with pytest.raises(InputError, match=r"scikit-learn is not installed; pip install 'ddspvae\[evaluation\]'"):
        probe(z, z, {"f0": target}, BLOCKS)


@pytest.mark.parametrize("n_rows", [300, 20])
def test_ridge_is_ridge(n_rows):
    linear_model = pytest.importorskip("sklearn.linear_model")
    random = np.random.default_rng(0)
    x, rows = random.normal(2, 1, (n_rows, 44)), random.normal(2, 1, (50, 44))
    y = x[:, :5].sum(1) + random.normal(size=n_rows)
    guesses = ridge_path(x, y, rows, 0)
    theirs = [linear_model.Ridge(alpha=alpha).fit(x, y).predict(rows) for alpha in ALPHAS]
    np.testing.assert_allclose(guesses, [np.full(50, y.mean()), *theirs], rtol=1e-6, atol=1e-8)
