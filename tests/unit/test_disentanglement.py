import math

import numpy as np
import pytest

from ddspvae.evaluation.independence.disentanglement import disentanglement_of, measure_disentanglement
from ddspvae.signals.checks import InputError

N = 1500
NAMES = ("f0", "loudness", "brightness", "breathiness")


def factors(seed=0):
    return dict(zip(NAMES, np.random.default_rng(seed).standard_normal((4, N)), strict=True))


def hadamard_mix(curves):
    """Every axis an equal mixture of all four."""
    signs = np.array([[1, 1, 1, 1], [1, -1, 1, -1], [1, 1, -1, -1], [1, -1, -1, 1]]) / 2
    return dict(zip("abcd", signs @ np.stack(list(curves.values())), strict=True))


@pytest.fixture(scope="module")
def apart():
    curves = factors()
    return measure_disentanglement({"a": -3 * curves["f0"], "b": curves["loudness"] + 7, "c": curves["brightness"],
                                    "d": np.tanh(curves["breathiness"])}, curves)


@pytest.fixture(scope="module")
def mixed():
    return measure_disentanglement(hadamard_mix(factors()), factors())


def test_one_axis_for_each_factor_scores_one(apart):
    for scores in (apart.mig, apart.completeness, apart.informativeness):
        assert min(scores.values()) > 0.9
    assert min(apart.sap.values()) > 0.85  # tanh is not a straight line
    assert apart.sap["f0"] > 0.99
    assert apart.disentanglement > 0.97


def test_axes_that_mix_everything_score_nothing(mixed):
    assert max(mixed.mig.values()) < 0.05
    assert max(mixed.sap.values()) < 0.1
    assert np.mean(list(mixed.completeness.values())) < 0.05
    assert mixed.disentanglement < 0.05
    assert min(mixed.informativeness.values()) > 0.6  # it is all there, but nowhere alone


def test_information_is_in_bits(apart, mixed):
    assert apart.mutual_information_bits[0, 0] == pytest.approx(math.log2(20), abs=0.1)
    assert apart.mutual_information_bits[0, 1] < 0.1
    # jointly Gaussian with correlation 1/2: -log2(1 - 1/4) / 2 = 0.21
    assert mixed.mutual_information_bits.mean() == pytest.approx(0.21, abs=0.05)


def test_two_axes_with_one_factor_lack_completeness_but_not_disentanglement():
    curves = factors(1)
    random = np.random.default_rng(2)
    twin = {name: curves["f0"] + 0.3 * random.standard_normal(N) for name in ("a", "b")}
    found = measure_disentanglement({**twin, "c": curves["loudness"]},
                                    {name: curves[name] for name in ("f0", "loudness")})
    assert found.mig["f0"] < 0.1
    assert found.mig["loudness"] > 0.8
    assert found.completeness["f0"] < 0.6
    assert found.disentanglement > 0.9


def test_a_factor_on_no_axis_and_a_dead_axis_score_nothing():
    curves = factors(3)
    found = measure_disentanglement({"dead": np.full(N, 2.0), "f0": curves["f0"]},
                                    {"f0": curves["f0"], "loudness": curves["loudness"], "still": np.zeros(N)})
    assert found.mutual_information_bits[0].tolist() == [0, 0, 0]
    assert found.importance[0].tolist() == [0, 0, 0]
    assert found.mig["f0"] > 0.9 and found.mig["loudness"] < 0.05 and found.mig["still"] == 0
    assert found.informativeness["loudness"] < 0.1 and found.informativeness["still"] == 0


def test_disentanglement_by_hand():
    # axis 1 tells factor 1 alone (1); axis 2 both evenly (0); axis 1 counts three times as much
    assert disentanglement_of(np.array([[3.0, 0.0], [0.5, 0.5]])) == pytest.approx(0.75)
    # shares 1/4 and 3/4: 1 - 0.8113 bits
    assert disentanglement_of(np.array([[1.0, 3.0]])) == pytest.approx(0.1887, abs=1e-4)
    assert disentanglement_of(np.zeros((2, 2))) == 0


def test_the_same_seed_gives_the_same_scores():
    once, again = (measure_disentanglement(hadamard_mix(factors(4)), factors(4), seed=5) for _ in range(2))
    assert once.mig == again.mig
    assert (once.importance == again.importance).all()


def test_inputs_at_fault():
    curves = factors()
    with pytest.raises(InputError, match="axes must be two or more, beside a factor, got 1"):
        measure_disentanglement({"a": curves["f0"]}, curves)
    with pytest.raises(InputError, match=r"b must have shape \[1500\], got \[3\]"):
        measure_disentanglement({"a": curves["f0"], "b": curves["f0"][:3]}, curves)
    with pytest.raises(InputError, match="rows must be 100 or more, got 9; give longer recordings"):
        measure_disentanglement({name: curves["f0"][:9] for name in "ab"}, {"f0": curves["f0"][:9]})
