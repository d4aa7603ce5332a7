"""Can pitch and loudness be read out of z? Fresh probes, beside what chance gives and what the sound itself gives.

A probe is trained on some stretches of music and judged on others. Its R^2 alone means little: the floor is what
the same probe finds when z belongs to other music, the ceiling what it finds in the frames that the encoder heard.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ddspvae.signals.checks import InputError, check_range, check_shape, fail
from ddspvae.signals.jobs import in_order

PROBES = ("linear", "mlp")
N_FOLDS = 5
FEWEST_BLOCKS = 4
BLOCK_S = 5.0
GAP_S = 1.0  # between blocks of one take; longer than what the default encoder hears around a row of z
N_SHUFFLES = 5
MOST_ROWS = 1500  # neighbours are nearly equal: a minute of sure pitch at 25 rows a second
ALPHAS = np.geomspace(1e5, 0.1, 13)  # of ridge, from hardly anything to hardly held back
EPOCHS = (1, 2, 4, 8, 16, 32)
BATCH = 256

Path = Callable[[NDArray, NDArray, NDArray, int], NDArray]


@dataclass(frozen=True)
class ProbeScore:
    """How well one probe reads one quantity.

    Args:
        target: what was read: "f0" or "loudness".
        probe: "linear" (ridge) or "mlp" (two hidden layers of 32).
        r2: share of the target's variance that the probe explains on music it was not trained on; may be negative.
        floor: mean r2 when z is exchanged between stretches of music.
        floor_sd: its standard deviation over the exchanges.
        ceiling: r2 from the frames that the encoder heard.
        n_rows, n_blocks: how much it rests on.
    """

    target: str
    probe: str
    r2: float
    floor: float
    floor_sd: float
    ceiling: float
    n_rows: int
    n_blocks: int


def number_blocks(n_rows: Sequence[int], z_rate_hz: float) -> NDArray[np.int64]:
    """Number the stretches of music that probes are trained and judged on.

    Five clips or more are a block each. Fewer are cut into blocks of 5 s or more, with gaps of 1 s.

    Args:
        n_rows: rows of z of each clip.
        z_rate_hz: rows per second.
    Returns:
        [sum of n_rows], block numbers from 0; -1 in gaps.

    >>> number_blocks([3, 2], 25.0)
    array([0, 0, 0, 1, 1])
    """
    blocks, n_blocks = [], 0
    for size in n_rows:
        gap = round(GAP_S * z_rate_hz)
        parts = 1 if len(n_rows) >= N_FOLDS else max(1, int((size + gap) / (BLOCK_S * z_rate_hz + gap)))
        clip = np.full(size, -1)
        edges = np.linspace(0, size + gap, parts + 1).round().astype(int)
        for part in range(parts):
            clip[edges[part] : edges[part + 1] - gap] = n_blocks + part
        n_blocks += parts
        blocks.append(clip)
    return np.concatenate(blocks) if blocks else np.zeros(0, dtype=np.int64)


def probe(z: NDArray, heard: NDArray, targets: Mapping[str, NDArray], blocks: NDArray,
          *, n_shuffles: int = N_SHUFFLES, seed: int = 0) -> list[ProbeScore]:
    """Read each target from z with each probe, five-fold by block.

    How far a probe is held back (the weight of ridge, the epochs of the network) and trusted is settled on blocks
    inside the training folds, from "says the mean" on, so that a z which knows nothing scores about 0.

    Args:
        z: [N, Z], the rows that sound and are surely pitched.
        heard: [N, C], what the encoder heard, for the ceiling.
        targets: name to [N], e.g. log2 of f0 and loudness in dB.
        blocks: [N], from `number_blocks`; rows of -1 are left out.
        n_shuffles: exchanges that the floor is averaged over, 1 to 1000.
        seed: of the network's first weights and of the exchanges.
    Raises:
        InputError: shapes disagree, fewer than four blocks, or scikit-learn is not installed.
    """
    check_shape("probe", "z", z.shape, len(blocks), None)
    check_shape("probe", "heard", heard.shape, len(blocks), None)
    check_range("probe", "seed", seed, 0, 2**31)
    check_range("probe", "n_shuffles", n_shuffles, 1, 1000)
    for name, target in targets.items():
        check_shape("probe", name, target.shape, len(blocks))
    kept = np.flatnonzero(blocks >= 0)
    kept = kept[:: -(-len(kept) // MOST_ROWS) or 1]
    z, heard, blocks = z[kept].astype(float), heard[kept].astype(float), blocks[kept]
    n_blocks = len(np.unique(blocks))
    if n_blocks < FEWEST_BLOCKS:
        needed_s = FEWEST_BLOCKS * (BLOCK_S + GAP_S) - GAP_S
        raise fail("probe", "blocks", f"be {FEWEST_BLOCKS} or more", n_blocks,
                   f"give several clips, or {needed_s:g} s or more of pitched sound")
    orders = _exchanges(blocks, n_shuffles, np.random.default_rng(seed))
    probes = [(name, kind, path) for name in targets for kind, path in (("linear", ridge_path), ("mlp", mlp_path))]
    inputs = [z, heard, *(z[order] for order in orders)]

    def read(task: tuple[tuple[str, str, Path], NDArray]) -> float:
        (name, _, path), x = task
        return score(path, x, targets[name][kept].astype(float), blocks, seed)

    with _one_thread():
        found = np.reshape(list(in_order(read, [(probe, x) for probe in probes for x in inputs])), (len(probes), -1))
    return [ProbeScore(name, kind, float(own), float(np.mean(floors)), float(np.std(floors)), float(ceiling), len(kept),
                       n_blocks)
            for (name, kind, _), (own, ceiling, *floors) in zip(probes, found, strict=True)]


def score(path: Path, x: NDArray, y: NDArray, blocks: NDArray, seed: int = 0) -> float:
    """R^2 of predictions for blocks that the probe was not trained on, over all folds together.

    Args:
        path: `ridge_path` or `mlp_path`.
        x: [N, D].
        y: [N].
        blocks: [N].
    Returns:
        at most 1; NaN where y does not vary.
    """
    if not np.ptp(y) or not x.shape[1]:
        return float("nan") if x.shape[1] else 0.0
    predicted = np.empty(len(y))
    for train, test in _folds(blocks, N_FOLDS):
        at, spread = x[train].mean(0), x[train].std(0)
        scaled = (x - at) / np.where(spread > 1e-9, spread, 1.0)
        checks, answers, wanted = [], [], []
        for fit, check in _folds(blocks[train], N_FOLDS - 1):
            rows = np.concatenate([train[check], test])
            guesses = path(scaled[train[fit]], y[train[fit]], scaled[rows], seed)
            mean, beyond = guesses[:1], guesses - guesses[:1]
            checks.append(beyond[:, : len(check)])
            wanted.append(y[train[check]] - mean[0, 0])
            answers.append((mean[0, 0], beyond[:, len(check) :]))
        predicted[test] = _settle(np.concatenate(checks, axis=1), np.concatenate(wanted), answers)
    return float(1 - np.square(y - predicted).sum() / np.square(y - y.mean()).sum())


def _settle(checks: NDArray, wanted: NDArray, answers: Sequence[tuple[float, NDArray]]) -> NDArray:
    """Take the place on the path, and the trust in it from 0 to 1, that would have served best on the inner folds.

    Args:
        checks: [P, C], predictions beyond the mean.
        wanted: [C], what they should have been.
        answers: of each inner fold, the mean and the predictions beyond it [P, R].
    Returns:
        [R].
    """
    trust = np.clip(checks @ wanted / np.maximum(np.square(checks).sum(1), 1e-12), 0, 1)
    best = np.square(wanted - trust[:, None] * checks).sum(1).argmin()
    settled: NDArray = np.mean([mean + trust[best] * beyond[best] for mean, beyond in answers], axis=0)
    return settled


def ridge_path(x: NDArray, y: NDArray, rows: NDArray, seed: int) -> NDArray:
    """Predictions [P, R] for rows [R, D]: of the mean of y, then of ridge regressions held back less and less."""
    at, mean = x.mean(0), y.mean()
    left, sizes, right = np.linalg.svd(x - at, full_matrices=False)  # once for all
    along = (rows - at) @ right.T
    weights = sizes / (sizes**2 + ALPHAS[:, None]) * ((y - mean) @ left)
    return np.concatenate([np.full((1, len(rows)), mean), mean + weights @ along.T])


def mlp_path(x: NDArray, y: NDArray, rows: NDArray, seed: int) -> NDArray:
    """Predictions [P, R] for rows [R, D]: of the mean of y, then of a small network after more and more epochs."""
    network = sklearn_module("neural_network").MLPRegressor(
        hidden_layer_sizes=(32, 32), alpha=1e-3, learning_rate_init=1e-2, batch_size=min(BATCH, len(x)), random_state=seed)
    at, spread = y.mean(), y.std() or 1.0
    guesses = [np.full(len(rows), at)]
    for epoch in range(1, EPOCHS[-1] + 1):
        network.partial_fit(x, (y - at) / spread)
        if epoch in EPOCHS:
            guesses.append(at + spread * network.predict(rows))
    return np.stack(guesses)


def _folds(blocks: NDArray, most: int) -> list[tuple[NDArray, NDArray]]:
    """(training rows, test rows), whole blocks together; a single block is cut in the middle."""
    names = np.unique(blocks)
    if len(names) < 2:
        halves = np.array_split(np.arange(len(blocks)), 2)
        return [(halves[0], halves[1]), (halves[1], halves[0])]
    splitter = sklearn_module("model_selection").GroupKFold(min(most, len(names)))
    return list(splitter.split(blocks, groups=blocks))


def _exchanges(blocks: NDArray, n_shuffles: int, random: np.random.Generator) -> list[NDArray]:
    """Rows to read instead, [N] each: every block gets those of another, repeated or cut to its own length."""
    names = np.unique(blocks)
    orders: list[NDArray] = []
    while len(orders) < n_shuffles:
        donors = random.permutation(names)
        if (donors == names).any():
            continue
        order = np.empty(len(blocks), dtype=int)
        for name, donor in zip(names, donors, strict=True):
            mine = blocks == name
            order[mine] = np.resize(np.flatnonzero(blocks == donor), mine.sum())
        orders.append(order)
    return orders


def _one_thread() -> AbstractContextManager[Any]:
    """Matrices as small as these are many times slower on threads that spin beside other work."""
    for module in ("neural_network", "model_selection"):  # here, and not in every worker
        sklearn_module(module)
    limits: AbstractContextManager[Any] = import_module("threadpoolctl").threadpool_limits(1)  # comes with scikit-learn
    return limits


def sklearn_module(module: str) -> Any:
    """A module of scikit-learn, imported when first needed."""
    try:
        return import_module(f"sklearn.{module}")
    except ImportError as error:
        raise InputError("evaluate: scikit-learn is not installed; pip install 'ddspvae[evaluation]'.") from error
