"""The Bradley-Terry model compared with scikit-learn's logistic regression, SciPy and random Gumbel utilities."""

import itertools

import numpy as np
import pytest
import scipy.special
import torch

from practice_torch.preference import bradley_terry as practice

WINS = np.array([[0, 7, 3, 5], [2, 0, 6, 4], [1, 2, 0, 9], [3, 1, 4, 0]], dtype=float)


def _best(wins, steps=300):
    scores, wins = torch.zeros(len(wins), dtype=torch.float64), torch.tensor(wins)
    for _ in range(steps):
        scores = practice.minorize_maximize_step(wins, scores)
    return scores


def test_steps_end_at_scikit_learns_logistic_regression():
    """One row with +1 and -1 for each game, no intercept, no penalty; repeated games are weights."""
    linear_model = pytest.importorskip("sklearn.linear_model")
    rows, weights = [], []
    for winner, loser in itertools.permutations(range(4), 2):
        rows.append(np.eye(4)[winner] - np.eye(4)[loser])
        weights.append(WINS[winner, loser])
    # each game once from either side, since a classifier wants both labels
    design, label = np.concatenate([rows, -np.array(rows)]), np.repeat([1, 0], len(rows))
    model = linear_model.LogisticRegression(C=np.inf, fit_intercept=False, tol=1e-10, max_iter=1000)
    fitted = model.fit(design, label, sample_weight=np.tile(weights, 2)).coef_[0]
    np.testing.assert_allclose(_best(WINS), fitted - fitted.mean(), atol=1e-6)


def test_the_log_probability_is_scipys():
    """scipy.special.log_expit, and its tails."""
    difference = np.array([-600.0, -30.0, -1.0, 0.0, 1.0, 30.0, 600.0])
    computed = practice.preference_log_prob(torch.tensor(difference), torch.zeros(7, dtype=torch.float64))
    np.testing.assert_allclose(computed, scipy.special.log_expit(difference), rtol=1e-14)


def test_gumbel_utilities_choose_by_the_model():
    """100,000 games of three items with scores (log 4, log 2, 0): the larger utility wins."""
    scores = np.log([4.0, 2.0, 1.0])
    utilities = scores + np.random.default_rng(0).gumbel(size=(100_000, 3))
    for i, j in itertools.combinations(range(3), 2):
        pair = torch.tensor(scores[[i]]), torch.tensor(scores[[j]])
        assert abs((utilities[:, i] > utilities[:, j]).mean() - float(practice.preference_log_prob(*pair).exp())) < 0.008


def test_the_information_is_minus_the_hessian_and_counts_components():
    """torch's Hessian; two pairs of players who never meet the others have two shifts without information."""
    wins, scores = torch.tensor(WINS), torch.tensor([0.5, -1.0, 0.25, 0.0], dtype=torch.float64)
    hessian = torch.autograd.functional.hessian(lambda s: practice.tournament_log_likelihood(wins, s), scores)
    torch.testing.assert_close(practice.fisher_information(wins + wins.T, scores), -hessian)
    apart = torch.block_diag(*torch.tensor([[[0.0, 2.0], [2.0, 0.0]]] * 2, dtype=torch.float64))
    assert torch.linalg.matrix_rank(practice.fisher_information(apart, scores)) == 2
    assert torch.linalg.matrix_rank(practice.fisher_information(wins + wins.T, scores)) == 3


def test_an_undefeated_player_drifts_for_ever():
    """The win graph is not strongly connected: every step raises the score, and no step is the last."""
    wins = WINS.copy()
    wins[1:, 0] = 0.0
    tenth, hundredth, last = (_best(wins, steps)[0] for steps in (10, 100, 1000))
    assert last > hundredth + 1 > tenth + 2


def test_elo_finds_the_scores_of_a_long_tournament():
    """5000 games between three players of known strength, with a small step: within 30 points of the truth."""
    rng, truth = np.random.default_rng(0), np.array([120.0, 0.0, -120.0])
    pairs = list(itertools.combinations(range(3), 2))
    ratings = torch.zeros(3, dtype=torch.float64)
    for game in range(5000):
        i, j = pairs[game % 3]
        outcome = torch.tensor([float(rng.random() < 1 / (1 + 10 ** ((truth[j] - truth[i]) / 400)))], dtype=torch.float64)
        step = 32.0 if game < 500 else 4.0
        ratings[[i]], ratings[[j]] = practice.elo_update(outcome, ratings[[i]], ratings[[j]], step_size=step)
    np.testing.assert_allclose(ratings, truth, atol=30)
