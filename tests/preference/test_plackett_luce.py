"""The Plackett-Luce model compared with enumeration, SciPy and scikit-learn."""

from itertools import permutations

import numpy as np
import pytest
import scipy.integrate
import scipy.optimize
import scipy.special
import scipy.stats
import torch

from practice_torch.preference import plackett_luce as practice

rng = np.random.default_rng(0)
SCORES = rng.normal(size=4)
FOUR = np.array(list(permutations(range(4))))


def _probs(orders, scores):
    return practice.ranking_log_prob(torch.tensor(orders), torch.tensor(np.tile(scores, (len(orders), 1)))).exp().numpy()


def test_a_ranking_has_the_probability_that_its_clocks_ring_in_this_order():
    """scipy.integrate.dblquad of exponential densities over the first two arrival times; the third clock rings later."""
    for order in ((0, 1, 2), (2, 0, 1)):
        first, second, third = np.exp(SCORES[list(order)])
        wanted, _ = scipy.integrate.dblquad(
            lambda late, soon, a=first, b=second, c=third: a * b * np.exp(-a * soon - (b + c) * late),
            0,
            30,
            lambda soon: soon,
            30,
        )
        assert _probs([order], SCORES[:3])[0] == pytest.approx(wanted, abs=1e-7)


def test_rankings_agree_with_scipys_softmax_choice_by_choice():
    """scipy.special.softmax of the items that are left, for all 24 orders."""
    wanted = []
    for order in FOUR:
        choices = [scipy.special.softmax(SCORES[order[place:]])[0] for place in range(4)]
        wanted.append(np.prod(choices))
    np.testing.assert_allclose(_probs(FOUR, SCORES), wanted, rtol=1e-13)


def test_a_ranking_sorts_utilities_by_scipys_ranks():
    """scipy.stats.rankdata of the utilities is the place of each item, which is the inverse of the ranking."""
    uniforms, scores = rng.uniform(size=(50, 6)), rng.normal(size=(50, 6))
    drawn = practice.gumbel_ranking(torch.tensor(uniforms), torch.tensor(scores)).numpy()
    utilities = scores + scipy.stats.gumbel_r.ppf(uniforms)
    places = scipy.stats.rankdata(-utilities, axis=1).astype(int)
    np.testing.assert_array_equal(np.take_along_axis(places, drawn, axis=1), np.tile(np.arange(1, 7), (50, 1)))


def test_rankings_of_two_are_fitted_as_logistic_regression_fits_them():
    """sklearn's LogisticRegression without penalty, on +1 for the first item and -1 for the second."""
    linear_model = pytest.importorskip("sklearn.linear_model")
    pairs = np.array([rng.choice(4, size=2, replace=False) for _ in range(200)])
    won = np.where(
        (rng.uniform(size=200) < scipy.special.expit(SCORES[pairs[:, 0]] - SCORES[pairs[:, 1]]))[:, None], pairs, pairs[:, ::-1]
    )
    design = np.eye(4)[won[:, 0]] - np.eye(4)[won[:, 1]]
    signs = np.resize([1, -1], 200)  # every other comparison is reversed, since there would be only one class
    fitted = linear_model.LogisticRegression(C=np.inf, fit_intercept=False, tol=1e-10, max_iter=1000)
    fitted.fit(design[:, 1:] * signs[:, None], signs)  # item 0 has the score 0

    def loss(scores):
        free = torch.tensor(np.append(0.0, scores), requires_grad=True)
        value = -_of_pairs(won, free).sum()
        return value.item(), torch.autograd.grad(value, free)[0].numpy()[1:]

    found = scipy.optimize.minimize(loss, np.zeros(3), jac=True, options={"gtol": 1e-9})
    np.testing.assert_allclose(found.x, fitted.coef_[0], atol=1e-5)


def _of_pairs(won, scores):
    """log P(winner among two), the other two items not being in the comparison."""
    return practice.ranking_log_prob(torch.tensor([[0, 1]]).expand(len(won), 2), scores[torch.tensor(won)])


def test_a_fit_of_whole_rankings_finds_the_scores_that_drew_them():
    """4000 rankings of four items: the maximum likelihood is within 4 of its standard errors, which are about 0.02."""
    uniforms = torch.tensor(rng.uniform(size=(4000, 4)))
    drawn = practice.gumbel_ranking(uniforms, torch.tensor(SCORES).expand(4000, 4))

    def loss(scores):
        free = torch.tensor(scores, requires_grad=True)
        value = -practice.ranking_log_prob(drawn, free.expand(4000, 4)).mean()
        return value.item(), torch.autograd.grad(value, free)[0].numpy()

    found = scipy.optimize.minimize(loss, np.zeros(4), jac=True, options={"gtol": 1e-8})
    np.testing.assert_allclose(found.x - found.x.mean(), SCORES - SCORES.mean(), atol=0.08)


def test_a_long_ranking_of_many_items_is_finite():
    """The best 50 of 2000, at scores of 300 and more: value and gradient."""
    scores = torch.tensor(300 * rng.normal(size=(2, 2000)), requires_grad=True)
    ranking = torch.tensor(rng.permuted(np.tile(np.arange(2000), (2, 1)), axis=1)[:, :50].copy())
    value = practice.ranking_log_prob(ranking, scores)
    (slope,) = torch.autograd.grad(value.sum(), scores)
    assert value.isfinite().all() and slope.isfinite().all() and slope.abs().max() > 0.5
