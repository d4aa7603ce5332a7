"""A number as a smooth function of a few others, from scattered measurements: kriging, solved in closed form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
TREND_SD = 20.0  # of a coefficient of the trend about which nothing is known
ROUNDS = 3  # in which measurements far from all others come to count less
MOST_POINTS = 900


@dataclass(frozen=True, eq=False)
class Surface:
    """A trend and what neighbours differ from it by.

    Args:
        points: [N, D], where it was measured, in scaled coordinates.
        weights: [N], what each adds.
        trend: [Q], coefficients.
    """

    points: Array
    weights: Array
    trend: Array

    def at(self, places: Array, trends: Array) -> Array:
        """Values [M] at places [M, D], with what their trend is made of [M, Q]."""
        return np.asarray(trends @ self.trend + _bells(places, self.points) @ self.weights)

    def to_arrays(self, prefix: str) -> dict[str, NDArray[np.float32]]:
        """As a preset file keeps it."""
        return {f"{prefix}.{name}": np.asarray(getattr(self, name), np.float32) for name in ("points", "weights", "trend")}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray], prefix: str) -> Surface:
        """What `to_arrays` wrote."""
        return cls(*(arrays[f"{prefix}.{name}"].astype(np.float64) for name in ("points", "weights", "trend")))


def fit_surface(places: Array, trends: Array, values: Array, height: float, noise: float,
                prior: ArrayLike | None = None, prior_sd: ArrayLike | None = None, common: Array | None = None) -> Surface:
    """The likeliest surface through measurements that scatter, outliers weighed down.

    Args:
        places: [N, D], scaled so that values one apart hang together by exp(-1/2).
        trends: [N, Q], what the trend is made of.
        values: [N].
        height: standard deviation of what the neighbourhood adds to the trend.
        noise: standard deviation of a measurement.
        prior, prior_sd: [Q], of the trend's coefficients; None is 0 and about anything.
        common: [N, C], what measurements share that is no matter of their place, as those of one note do: standard
            deviations of C numbers, each of which moves some of them. None is nothing.
    Source: Rasmussen & Williams, "Gaussian Processes for Machine Learning", 2006, equations 2.25 and 2.41.
    """
    common = np.zeros((len(values), 0)) if common is None else common
    if len(values) > MOST_POINTS:
        kept = np.linspace(0, len(values) - 1, MOST_POINTS).astype(int)
        places, trends, values, common = places[kept], trends[kept], values[kept], common[kept]
    mean = np.zeros(trends.shape[1]) if prior is None else np.asarray(prior, float)
    spread = np.full(trends.shape[1], TREND_SD) if prior_sd is None else np.asarray(prior_sd, float)
    near = height**2 * _bells(places, places)
    shared = near + (trends * spread**2) @ trends.T + common @ common.T
    left, noises = values - trends @ mean, np.full(len(values), noise**2)
    weights = np.zeros(len(values))
    for _ in range(ROUNDS):
        weights = np.linalg.solve(shared + np.diag(noises), left)
        miss = np.abs(noises * weights) / noise
        noises = noise**2 * np.maximum(1.0, miss / 0.7)
    return Surface(places, height**2 * weights, mean + spread**2 * (trends.T @ weights))


def _bells(places: Array, points: Array) -> Array:
    if not len(points):
        return np.zeros((len(places), 0))
    return np.asarray(np.exp(-0.5 * np.square(places[:, None] - points[None]).sum(-1)))
