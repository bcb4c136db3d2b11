"""Mode coverage compared with SciPy and scikit-learn, and known results on birthdays."""

import math
from itertools import product

import numpy as np
import scipy.stats
import sklearn.neighbors
import torch

from practice_torch.evaluation import mode_coverage as practice

rng = np.random.default_rng(0)


def test_modes_are_the_nearest_neighbors_of_scikit_learn():
    centers, x = rng.normal(size=(40, 3)), rng.normal(size=(500, 3))
    found = sklearn.neighbors.NearestNeighbors(n_neighbors=1).fit(centers)
    distances, indices = (part[:, 0] for part in found.kneighbors(x))
    wanted = np.where(distances <= 0.5, indices, -1)
    assert 0 < (wanted < 0).sum() < 500
    np.testing.assert_array_equal(practice.assign_modes(torch.tensor(x), torch.tensor(centers), radius=0.5), wanted)


def test_distances_far_from_the_origin_keep_their_digits_in_float32():
    """With forty centers or more torch.cdist multiplies matrices by default."""
    centers = 30000 + torch.arange(40.0)[:, None].expand(40, 2)
    x = centers + torch.tensor([0.25, -0.25])
    assert practice.assign_modes(x, centers, radius=0.5).tolist() == list(range(40))


def test_the_divergence_is_the_one_that_scipy_computes():
    assignments, target = rng.integers(-1, 6, size=50), rng.dirichlet(np.ones(6))
    counts = np.bincount(assignments[assignments >= 0], minlength=6)
    ours = practice.mode_kl_divergence(torch.tensor(assignments), torch.tensor(target).log())
    np.testing.assert_allclose(ours, scipy.stats.entropy(counts, target), rtol=1e-13)


def test_draws_from_a_rare_and_two_frequent_modes_collide_as_often_as_all_of_them_are_counted():
    probs = np.array([0.48, 0.02, 0.3, 0.2])
    for size in (2, 3, 4, 5):
        draws = list(product(range(4), repeat=size))
        wanted = sum(probs[list(draw)].prod() for draw in draws if len(set(draw)) < size)
        ours = practice.collision_log_probability(torch.tensor(probs).log(), sample_size=size).exp()
        np.testing.assert_allclose(ours, wanted, rtol=1e-13)


def test_twenty_three_people_estimate_a_year_within_five_percent():
    """As Arora, Risteski & Zhang do; and a year in which half of all are born on one of 30 days is underestimated."""
    uniform = torch.full((365,), 1 / 365, dtype=torch.float64)
    skewed = torch.cat([torch.full((30,), 0.5 / 30), torch.full((335,), 0.5 / 335)]).double()
    chances = [practice.collision_log_probability(p.log(), sample_size=23).exp().item() for p in (uniform, skewed)]
    np.testing.assert_allclose(chances[0], 1 - math.perm(365, 23) / 365**23, rtol=1e-13)
    estimates = [practice.birthday_support_estimate(sample_size=23, collision_probability=chance) for chance in chances]
    assert 0.95 * 365 < estimates[0] < 365
    assert estimates[1] < 0.4 * 365


def test_rare_collisions_keep_their_digits_in_float32():
    """Three of 10^6: a float32 near 1, from which the probability would be subtracted, has two digits for it."""
    uniform = torch.full((10**6,), -math.log(10**6), dtype=torch.float64)
    ours = practice.collision_log_probability(uniform, sample_size=3)
    np.testing.assert_allclose(ours.exp(), 3e-6 - 2e-12, rtol=1e-9)
    np.testing.assert_allclose(practice.collision_log_probability(uniform.float(), sample_size=3), ours, rtol=1e-5)


def test_two_hundred_draws_from_ten_thousand_modes_need_no_factorial():
    """200! is beyond float64."""
    log_probs = torch.full((10**4,), -math.log(10**4), dtype=torch.float64, requires_grad=True)
    log_chance = practice.collision_log_probability(log_probs, sample_size=200)
    log_chance.backward()
    wanted = -math.expm1(sum(math.log1p(-i / 10**4) for i in range(200)))
    np.testing.assert_allclose(log_chance.exp().item(), wanted, rtol=1e-9)
    assert torch.isfinite(log_probs.grad).all()
