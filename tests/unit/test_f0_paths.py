import itertools

import numpy as np

from ddspvae.features.paths import best_choice, best_track
from ddspvae.signals.curves import read_pitch_at


def test_best_choice_is_the_best_of_all_paths() -> None:
    reward = np.random.default_rng(0).normal(size=(6, 3))
    total = {path: sum(reward[f, c] for f, c in enumerate(path)) - 0.7 * sum(a != b for a, b in itertools.pairwise(path))
             for path in itertools.product(range(3), repeat=6)}
    assert tuple(best_choice(reward, 0.7)) == max(total, key=total.get)


def test_best_choice_with_costs_that_change() -> None:
    random = np.random.default_rng(1)
    reward, cost = random.normal(size=(5, 3)), random.uniform(size=(4, 3, 3))
    total = {path: sum(reward[f, c] for f, c in enumerate(path)) - sum(cost[f, a, b] for f, (a, b) in
                                                                       enumerate(itertools.pairwise(path)))
             for path in itertools.product(range(3), repeat=5)}
    assert tuple(best_choice(reward, cost)) == max(total, key=total.get)


def test_best_track_is_the_best_of_all_paths() -> None:
    reward = np.random.default_rng(2).normal(size=(5, 5))

    def cost(a: int, b: int) -> float:
        return min(0.3 * abs(a - b) if abs(a - b) <= 2 else np.inf, 0.8)

    total = {path: sum(reward[f, c] for f, c in enumerate(path)) - sum(map(cost, path, path[1:]))
             for path in itertools.product(range(5), repeat=5)}
    assert tuple(best_track(reward, reach=2, slope=0.3, leap_cost=0.8)) == max(total, key=total.get)


def test_pitch_is_read_on_a_straight_line_in_octaves_and_held_at_the_ends() -> None:
    read = read_pitch_at(np.array([-1.0, 0.5, 3.0]), np.array([0.0, 1.0]), np.array([100.0, 110.0]))
    np.testing.assert_allclose(read, [100, np.sqrt(100 * 110), 110])
    np.testing.assert_allclose(read_pitch_at(np.array([0.0, 9.0]), np.array([4.0]), np.array([50.0])), 50)
