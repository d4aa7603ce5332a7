"""The best path through scored choices: loops over frames, of what `features.paths` says."""

from __future__ import annotations

import numpy as np

from ddspvae.kernels.compiler import compiled, ready_made


@ready_made
def choose(reward, costs, total, arrived, back, path):  # type: ignore[no-untyped-def]
    """`features.paths.best_choice`.

    Args:
        reward: [F, K].
        costs: [F - 1, K, K], or [1, K, K] for all frames.
        total, arrived: [K], room to work in; back: [F, K], too.
        path: [F], filled.
    """
    n_frames, n_choices = reward.shape
    n_costs = len(costs)
    for k in range(n_choices):
        total[k] = reward[0, k]
    for frame in range(1, n_frames):
        at = min(frame, n_costs) - 1
        for k in range(n_choices):
            best, best_from = total[0] - costs[at, 0, k], 0
            for i in range(1, n_choices):
                arrive = total[i] - costs[at, i, k]
                if arrive > best:
                    best, best_from = arrive, i
            arrived[k], back[frame, k] = best + reward[frame, k], best_from
        for k in range(n_choices):
            total[k] = arrived[k]
    _trace(total, back, path)


@ready_made
def follow(reward, reach, costs, leap_cost, total, arrived, back, path):  # type: ignore[no-untyped-def]
    """`features.paths.best_track`.

    Args:
        reward: [F, N].
        costs: [2 * reach + 1], of each step.
        total: [N + 2 * reach], room to work in; arrived: [N], and back: [F, N], too.
        path: [F], filled.
    """
    n_frames, n_states = reward.shape
    for at in range(len(total)):
        total[at] = -np.inf
    for state in range(n_states):
        total[reach + state] = reward[0, state]
    for frame in range(1, n_frames):
        highest = 0
        for state in range(1, n_states):
            if total[reach + state] > total[reach + highest]:
                highest = state
        leap = total[reach + highest] - leap_cost
        for state in range(n_states):
            arrived[state], back[frame, state] = total[state] - costs[0], state - reach
        for step in range(1, 2 * reach + 1):
            for state in range(n_states):
                arrive = total[state + step] - costs[step]
                better = arrive > arrived[state]
                arrived[state] = arrive if better else arrived[state]
                back[frame, state] = state + step - reach if better else back[frame, state]
        for state in range(n_states):
            if leap > arrived[state]:
                arrived[state], back[frame, state] = leap, highest
            total[reach + state] = arrived[state] + reward[frame, state]
    for state in range(n_states):
        arrived[state] = total[reach + state]
    _trace(arrived, back, path)


@compiled
def _trace(total, back, path):  # type: ignore[no-untyped-def]
    best = 0
    for k in range(1, len(total)):
        if total[k] > total[best]:
            best = k
    path[len(path) - 1] = best
    for frame in range(len(path) - 1, 0, -1):
        path[frame - 1] = back[frame, path[frame]]
