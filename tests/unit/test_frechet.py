"""The Fréchet distance of Gaussians that are known, and what its embeddings hear."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import linalg

from ddspvae.evaluation.frechet import EMBEDDINGS, embed, frechet_audio_distance, frechet_distance, texture
from ddspvae.signals.checks import InputError

from ..conftest import melody_take, tone

RATE = 32_000


def with_moments(mean: np.ndarray, covariance: np.ndarray, n: int = 400) -> np.ndarray:
    """Rows whose mean and covariance are these exactly."""
    rows = np.random.default_rng(0).standard_normal((n, len(mean)))
    rows -= rows.mean(axis=0)
    whitened = rows @ np.linalg.inv(np.linalg.cholesky(np.cov(rows, rowvar=False))).T
    return mean + whitened @ np.linalg.cholesky(covariance).T


def noisy(audio: np.ndarray, level_db: float) -> np.ndarray:
    random = np.random.default_rng(1)
    return audio + (random.standard_normal(len(audio)) * audio.std() * 10 ** (level_db / 20)).astype(np.float32)


def test_gaussians_that_differ_in_their_mean_are_the_square_of_it_apart():
    one = with_moments(np.zeros(3), np.eye(3))
    assert frechet_distance(one, one + [3.0, 0.0, 4.0]) == pytest.approx(25.0)


def test_gaussians_that_differ_in_their_spread_are_apart_by_the_difference_of_deviations():
    narrow, wide = with_moments(np.zeros(2), np.diag([1.0, 4.0])), with_moments(np.zeros(2), np.diag([9.0, 1.0]))
    assert frechet_distance(narrow, wide) == pytest.approx((1 - 3) ** 2 + (2 - 1) ** 2)


def test_covariances_that_do_not_commute_agree_with_the_matrix_square_root():
    a, b = np.array([[2.0, 1.2], [1.2, 1.0]]), np.array([[1.0, -0.7], [-0.7, 3.0]])
    expected = np.trace(a + b - 2 * np.real(linalg.sqrtm(a @ b)))
    assert frechet_distance(with_moments(np.zeros(2), a), with_moments(np.zeros(2), b)) == pytest.approx(expected)


def test_it_is_symmetric_and_zero_for_the_same_rows():
    random = np.random.default_rng(2)
    one, other = random.standard_normal((50, 6)), 2 * random.standard_normal((40, 6)) + 1
    assert frechet_distance(one, one) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(one, other) == pytest.approx(frechet_distance(other, one))


def test_rows_that_leave_dimensions_empty_give_a_real_number():
    line = np.linspace(0, 1, 5)[:, None] * np.ones(20)  # five rows in 20 dimensions, covariance of rank 1
    assert frechet_distance(line, line + 1) == pytest.approx(20.0)


def test_few_rows_make_the_distance_too_large():
    random = np.random.default_rng(3)
    few, many = (frechet_distance(*random.standard_normal((2, n, 16))) for n in (40, 4000))
    assert few > 20 * many > 0


@pytest.mark.parametrize(("reference", "estimate", "sentence"), [
    (np.zeros((5, 3)), np.zeros((5, 4)), "estimate must have shape"),
    (np.zeros((5, 3)), np.zeros((1, 3)), "estimate must have at least 2 rows, got 1; give longer takes"),
    (np.full((5, 3), np.nan), np.zeros((5, 3)), "reference must be finite"),
])
def test_rows_that_cannot_be_compared_are_refused(reference, estimate, sentence):
    with pytest.raises(InputError, match=sentence):
        frechet_distance(reference, estimate)


@pytest.mark.parametrize(("embedding", "seconds"), [("texture", 6.0), ("crepe", 1.5)])  # ten rows a second, and a hundred
def test_more_noise_is_farther_away(embedding, seconds):
    clean = melody_take(seconds, RATE)
    distances = [frechet_audio_distance([clean], [noisy(clean, db)], RATE, embedding) for db in (-40, -25, -10)]
    assert 0 < distances[0] < distances[1] < distances[2]


def test_texture_hears_a_lost_octave_that_crepe_cannot():
    clean = tone(440.0, 1.0, RATE, n_harmonics=34)
    dull = tone(440.0, 1.0, RATE, n_harmonics=20)
    shorter = [frechet_audio_distance([clean], [dull], RATE, kind) / frechet_audio_distance(
        [clean], [noisy(clean, -10)], RATE, kind) for kind in ("texture", "crepe")]
    assert shorter[0] > 10 * shorter[1]


def test_texture_has_no_level_but_hears_how_it_moves():
    steady = tone(440.0, 4.0, RATE)
    swelling = steady * (1 + 0.8 * np.sin(2 * np.pi * 6 * np.arange(len(steady)) / RATE)).astype(np.float32)
    np.testing.assert_allclose(texture(steady, RATE), texture(0.01 * steady, RATE), atol=0.05)
    assert texture(swelling, RATE)[:, -1].mean() > 2 > 10 * texture(steady, RATE)[:, -1].mean()


def test_takes_are_a_set_and_silence_between_notes_does_not_count():
    one, other = melody_take(3.0, RATE), melody_take(3.0, RATE, seed=1)
    rows = embed([one, other], RATE)
    assert rows.shape == (len(embed([one], RATE)) + len(embed([other], RATE)), 53)
    assert frechet_distance(rows, embed([other, one], RATE)) == pytest.approx(0, abs=1e-6)
    with_silence = np.concatenate([tone(440.0, 2.0, RATE), np.zeros(RATE, dtype=np.float32)])
    assert len(embed([with_silence], RATE)) <= len(embed([tone(440.0, 2.2, RATE)], RATE))


@pytest.mark.parametrize("embedding", sorted(EMBEDDINGS))
def test_the_shortest_take_still_has_a_row(embedding):
    assert np.isfinite(embed([tone(440.0, 0.02, RATE)], RATE, embedding)).all()


def test_no_take_and_an_unknown_embedding_are_refused():
    with pytest.raises(InputError, match="takes must hold at least one, got 0"):
        embed([], RATE)
    with pytest.raises(InputError, match="did you mean 'crepe'"):
        embed([tone(440.0, 0.5, RATE)], RATE, "crape")
