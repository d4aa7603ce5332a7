"""Does each quantity live on one axis of z alone? Mutual information, and three scores in use for it: MIG, SAP, DCI.

High scores here do not promise control through the decoder ("Is disentanglement enough?", arXiv 2108.01450): the
swaps through the sound (`swaps.py`) outrank them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ddspvae.evaluation.independence.probes import sklearn_module
from ddspvae.signals.checks import check_range, check_shape, fail
from ddspvae.signals.units import nats_to_bits

N_BINS = 20
N_NEIGHBOURS = 3
N_TREES = 60
MOST_ROWS = 2000
FEWEST_ROWS = 5 * N_BINS


@dataclass(frozen=True, eq=False)
class Disentanglement:
    """Which axis carries which quantity.

    Args:
        axis_names: the D axes.
        factor_names: the V quantities.
        mutual_information_bits: [D, V], bits that an axis tells about a quantity cut into 20 equally frequent bins
            (fewer where values repeat); 4.3 are all of it.
        importance: [D, V], share of each axis in gradient boosting's prediction of each quantity; columns sum to 1.
        mig, sap, completeness: factor to 0..1, 1 where one axis alone tells the quantity: the gap between the best
            two axes in mutual information over entropy, in squared correlation; and from the importances.
        disentanglement: 0..1, 1 where every axis that counts tells one quantity alone.
        informativeness: factor to R^2 of gradient boosting on rows that it was not trained on.
    """

    axis_names: tuple[str, ...]
    factor_names: tuple[str, ...]
    mutual_information_bits: NDArray
    importance: NDArray
    mig: dict[str, float]
    sap: dict[str, float]
    completeness: dict[str, float]
    disentanglement: float
    informativeness: dict[str, float]


def measure_disentanglement(axes: Mapping[str, NDArray], factors: Mapping[str, NDArray],
                            *, seed: int = 0) -> Disentanglement:
    """Score how far each factor is told by one axis alone.

    Args:
        axes: name to [N]; pitch and loudness are handed over as axes of their own, beside those of z.
        factors: name to [N].
        seed: of the ties in k-NN and of the trees.
    Returns:
        Disentanglement; a factor or axis that never varies scores 0.
    Raises:
        InputError: fewer than two axes, lengths that differ, fewer than 100 rows, or scikit-learn is not installed.
    Source: Chen et al., "Isolating sources of disentanglement", 2018 (MIG); Kumar et al., "Variational inference of
        disentangled latent concepts", 2018 (SAP); Eastwood & Williams, "A framework for the quantitative evaluation
        of disentangled representations", 2018 (DCI); Ross, "Mutual information between discrete and continuous data
        sets", 2014.
    """
    check_range("measure_disentanglement", "seed", seed, 0, 2**31)
    if len(axes) < 2 or not factors:
        raise fail("measure_disentanglement", "axes", "be two or more, beside a factor", len(axes))
    n_rows = len(next(iter(factors.values())))
    for name, curve in (*axes.items(), *factors.items()):
        check_shape("measure_disentanglement", name, curve.shape, n_rows)
    if n_rows < FEWEST_ROWS:
        raise fail("measure_disentanglement", "rows", f"be {FEWEST_ROWS} or more", n_rows, "give longer recordings")
    kept = slice(None, None, -(-n_rows // MOST_ROWS))
    codes = np.stack([_standardise(curve[kept]) for curve in axes.values()], axis=1)
    values = np.stack([_standardise(curve[kept]) for curve in factors.values()], axis=1)

    binned = [_bin(value) for value in values.T]
    information = np.stack([_information_nats(codes, bins, seed) for bins in binned], axis=1)
    entropy = np.array([_entropy_nats(np.bincount(bins)) for bins in binned])
    correlation = np.square(codes.T @ values / len(codes))
    importance, informativeness = _boost(codes, values, seed)
    names = tuple(factors)

    def by_factor(numbers: Iterable[float]) -> dict[str, float]:
        return {name: float(np.clip(number, 0, 1)) for name, number in zip(names, numbers, strict=True)}

    return Disentanglement(
        tuple(axes), names, nats_to_bits(information), importance,
        mig=by_factor(_gap(information) / np.maximum(entropy, 1e-9)), sap=by_factor(_gap(correlation)),
        completeness=by_factor([_concentration(column) for column in importance.T]),
        disentanglement=disentanglement_of(importance), informativeness=dict(zip(names, informativeness, strict=True)))


def disentanglement_of(importance: NDArray) -> float:
    """1 minus the entropy of each axis's importances over the factors, averaged by what the axis counts in all.

    Args:
        importance: [D, V], >= 0.

    >>> round(disentanglement_of(np.eye(3)), 6), round(disentanglement_of(np.ones((3, 3))), 6)
    (1.0, 0.0)
    """
    weights = importance.sum(1)
    if not weights.any():
        return 0.0
    each = [_concentration(row) for row in importance]
    return float(np.clip(np.average(each, weights=weights), 0, 1))


def _standardise(curve: NDArray) -> NDArray:
    curve = np.asarray(curve, dtype=float) - np.mean(curve)
    spread = curve.std()
    return curve / spread if spread > 1e-9 else np.zeros_like(curve)


def _bin(value: NDArray) -> NDArray:
    """[N], the number of the bin; equal values share one."""
    edges = np.unique(np.quantile(value, np.linspace(0, 1, N_BINS + 1)[1:-1]))
    return np.unique(np.searchsorted(edges, value), return_inverse=True)[1]


def _information_nats(codes: NDArray, bins: NDArray, seed: int) -> NDArray:
    """[D], what each axis tells about the bin, which has an entropy that can be known."""
    if not bins.any():
        return np.zeros(codes.shape[1])
    estimate = sklearn_module("feature_selection").mutual_info_classif
    found = estimate(codes, bins, discrete_features=False, n_neighbors=N_NEIGHBOURS, random_state=seed)
    return np.where(codes.any(0), found, 0.0)


def _gap(scores: NDArray) -> NDArray:
    """[V]: the best axis minus the second best."""
    second, best = np.sort(scores, axis=0)[-2:]
    return best - second


def _concentration(shares: NDArray) -> float:
    """1 where all weight lies on one entry, 0 where it is spread evenly."""
    total = shares.sum()
    if total <= 0 or len(shares) < 2:
        return float(total > 0)
    return float(1 - _entropy_nats(shares) / math.log(len(shares)))


def _entropy_nats(counts: NDArray) -> float:
    p = counts[counts > 0] / counts.sum()
    return -float((p * np.log(p)).sum())


def _boost(codes: NDArray, values: NDArray, seed: int) -> tuple[NDArray, list[float]]:
    """Importances [D, V] over all rows, and R^2 [V] on the last third after learning from the first two."""
    boosting = sklearn_module("ensemble").GradientBoostingRegressor
    importance, informativeness = [], []
    cut = 2 * len(codes) // 3
    for value in values.T:
        if not value.any():
            importance.append(np.zeros(codes.shape[1]))
            informativeness.append(0.0)
            continue
        settings = {"n_estimators": N_TREES, "max_depth": 3, "learning_rate": 0.2, "subsample": 0.5, "random_state": seed}
        importance.append(boosting(**settings).fit(codes, value).feature_importances_)
        informativeness.append(float(boosting(**settings).fit(codes[:cut], value[:cut]).score(codes[cut:], value[cut:])))
    return np.stack(importance, axis=1), informativeness
