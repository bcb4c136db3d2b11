"""Intervals, comparisons and agreement compared with SciPy, statsmodels and a published table."""

import numpy as np
import pytest
import scipy.optimize
import scipy.stats
import torch

from practice_torch.evaluation import human_evaluation as practice

# Ten subjects, fourteen raters, five categories: a textbook table with kappa 0.210
TEXTBOOK = torch.tensor(
    [
        [0, 0, 0, 0, 14],
        [0, 2, 6, 4, 2],
        [0, 0, 3, 5, 6],
        [0, 3, 9, 2, 0],
        [2, 2, 8, 1, 1],
        [7, 7, 0, 0, 0],
        [3, 2, 6, 3, 0],
        [2, 5, 3, 2, 2],
        [6, 5, 2, 1, 0],
        [0, 2, 2, 3, 7],
    ]
)


def test_the_interval_of_a_share_is_scipys():
    successes, trials = torch.arange(21), torch.full((21,), 20)
    found = torch.stack(practice.wilson_interval(successes, trials), 1).double()
    wanted = [scipy.stats.binomtest(k, 20).proportion_ci(0.95, "wilson") for k in range(21)]
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-7)


def test_the_interval_of_a_mean_is_scipys():
    ratings = torch.tensor([5, 4, 4, 3, 1, 2, 5], dtype=torch.float64)
    mean, half = practice.mean_opinion_score(ratings)
    wanted = scipy.stats.norm.interval(0.95, loc=ratings.mean(), scale=scipy.stats.sem(ratings))
    np.testing.assert_allclose((mean - half, mean + half), wanted, rtol=1e-12)


def test_best_scores_of_two_items_are_the_logit_of_the_win_rate():
    """SciPy's minimizer on the sum over seven wins and three losses."""
    winners, losers = torch.tensor([0] * 7 + [1] * 3), torch.tensor([1] * 7 + [0] * 3)

    def loss(difference):
        scores = torch.tensor([float(difference), 0.0], dtype=torch.float64)
        return float(practice.bradley_terry_negative_log_likelihood(winners, losers, scores).sum())

    np.testing.assert_allclose(scipy.optimize.minimize_scalar(loss, tol=1e-10).x, np.log(7 / 3), rtol=1e-6)


def test_kappa_of_a_published_table():
    torch.testing.assert_close(practice.fleiss_kappa(TEXTBOOK), torch.tensor(0.210), atol=5e-4, rtol=0)


@pytest.mark.peers("statsmodels")
def test_kappa_is_statsmodels():
    import statsmodels.stats.inter_rater as raters

    np.testing.assert_allclose(practice.fleiss_kappa(TEXTBOOK), raters.fleiss_kappa(TEXTBOOK.numpy()), rtol=1e-6)


def test_raters_who_toss_a_coin_have_no_kappa():
    """2000 items, three raters each: the mean of kappa is 0, and its standard deviation below 0.02."""
    verdicts = np.random.default_rng(0).integers(0, 2, (2000, 3)).sum(1)
    kappa = practice.fleiss_kappa(torch.tensor(np.stack([verdicts, 3 - verdicts], 1)))
    assert abs(float(kappa)) < 0.06


def test_a_difference_that_underflows_keeps_its_slope():
    """A lost comparison at a difference of 1000 costs 1000 nats, and its slope is 1."""
    scores = torch.tensor([1000.0, 0.0], requires_grad=True)
    loss = practice.bradley_terry_negative_log_likelihood(torch.tensor([1]), torch.tensor([0]), scores)
    loss.sum().backward()
    assert loss.tolist() == [1000.0] and scores.grad.tolist() == [1.0, -1.0]
