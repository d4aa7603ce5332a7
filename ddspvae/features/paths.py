"""The best path through scored choices, frame by frame (Viterbi)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ddspvae.kernels.compiler import HAS_COMPILER


def best_choice(reward: NDArray, switch_cost: float | NDArray) -> NDArray:
    """The sequence of choices with the greatest total reward less a cost for each change.

    Args:
        reward: [F, K], of K choices in each frame; -inf forbids.
        switch_cost: a number, or [F - 1, K, K], the cost of going from choice i to choice j after frame f.
    Returns:
        [F], the index of the choice in each frame.

    >>> best_choice(np.array([[1.0, 0.0], [0.0, 0.5], [1.0, 0.0]]), 1.0).tolist()
    [0, 0, 0]
    """
    n_frames, n_choices = reward.shape
    if HAS_COMPILER:
        from ddspvae.kernels.paths import choose

        costs = np.asarray(switch_cost, dtype=float)
        costs = costs if costs.ndim else costs * (1 - np.eye(n_choices))[None]
        path, total, arrived = np.empty(n_frames, dtype=np.intp), np.empty(n_choices), np.empty(n_choices)
        choose(np.ascontiguousarray(reward, dtype=float), np.ascontiguousarray(costs), total, arrived,
               np.empty((n_frames, n_choices), np.int32), path)
        return path
    back = np.zeros((n_frames, n_choices), dtype=np.intp)
    columns = np.arange(n_choices)
    constant = np.asarray(switch_cost * (1 - np.eye(n_choices))) if np.ndim(switch_cost) == 0 else None
    total = reward[0].astype(np.float64)
    for frame in range(1, n_frames):
        cost = constant if constant is not None else switch_cost[frame - 1]  # type: ignore[index]
        arrive = total[:, None] - cost
        back[frame] = arrive.argmax(axis=0)
        total = arrive[back[frame], columns] + reward[frame]
    return _trace(total, back)


def best_track(reward: NDArray, reach: int, slope: float, leap_cost: float) -> NDArray:
    """The best path on a grid of neighbouring states: cheap to glide, dearer to leap.

    Args:
        reward: [F, N], of N ordered states in each frame.
        reach: steps that a glide may take from one frame to the next.
        slope: cost of each such step.
        leap_cost: cost of going anywhere else at once.
    Returns:
        [F], the index of the state in each frame.
    """
    n_frames, n_states = reward.shape
    steps = np.arange(-reach, reach + 1)
    cost = slope * np.abs(steps)
    if HAS_COMPILER:
        from ddspvae.kernels.paths import follow

        path, room = np.empty(n_frames, dtype=np.intp), (np.empty(n_states + 2 * reach), np.empty(n_states))
        follow(np.ascontiguousarray(reward), reach, cost, leap_cost, *room, np.empty((n_frames, n_states), np.int32), path)
        return path
    back = np.zeros((n_frames, n_states), dtype=np.intp)
    states = np.arange(n_states)
    padded = np.full(n_states + 2 * reach, -np.inf)
    near = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1)
    total = reward[0].astype(np.float64)
    for frame in range(1, n_frames):
        padded[reach : reach + n_states] = total
        arrive = near - cost
        step = arrive.argmax(axis=1)
        glide = arrive[states, step]
        highest = int(total.argmax())
        leap = total[highest] - leap_cost
        back[frame] = np.where(leap > glide, highest, states + steps[step])
        total = np.maximum(glide, leap) + reward[frame]
    return _trace(total, back)


def _trace(total: NDArray, back: NDArray) -> NDArray:
    path = np.empty(len(back), dtype=np.intp)
    path[-1] = total.argmax()
    for frame in range(len(back) - 1, 0, -1):
        path[frame - 1] = back[frame, path[frame]]
    return path
