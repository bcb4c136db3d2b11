"""Couplings against SciPy, POT and torchcfm, in both wings."""

import jax.numpy as jnp
import numpy as np
import pytest
import torch
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from practice_torch.flows import minibatch_coupling as practice
from theory_jax.flows import minibatch_coupling as theory


@pytest.fixture(params=[(practice, torch.from_numpy), (theory, jnp.asarray)], ids=["torch", "jax"])
def wing(request):
    """A function of the wing by name, from NumPy arrays to a NumPy array."""
    module, of_numpy = request.param
    return lambda name, *arrays, **how: np.asarray(getattr(module, name)(*map(of_numpy, arrays), **how))


def batch(count=40, size=3):
    drawn = np.random.default_rng(0)
    return drawn.normal(size=(count, size)), drawn.normal(size=(count, size)) + drawn.choice((-2.0, 2.0), (count, 1))


def test_costs_are_scipys_squared_distances(wing):
    x0, x1 = batch()
    np.testing.assert_allclose(wing("squared_distance_matrix", x0, x1), cdist(x0, x1, "sqeuclidean"), rtol=1e-13)


def test_no_assignment_is_cheaper_than_scipys(wing):
    """Forty rows; whole numbers, of which many are equal; and costs of other sizes and signs."""
    drawn = np.random.default_rng(1)
    of_all_sizes = drawn.normal(size=(20, 20)) * 10.0 ** drawn.integers(-6, 7, 20)
    for cost in (cdist(*batch()), drawn.integers(0, 4, (30, 30)) * 1.0, of_all_sizes):
        found = wing("optimal_assignment", cost)
        assert sorted(found) == list(range(len(cost)))
        rows, columns = linear_sum_assignment(cost)
        np.testing.assert_allclose(cost[rows, found].sum(), cost[rows, columns].sum(), rtol=1e-12)


def test_pairs_of_an_assignment_keep_the_order(wing):
    x0, x1 = batch(64, 2)
    x1 = x1[wing("optimal_assignment", wing("squared_distance_matrix", x0, x1))]
    products = ((x0[:, None] - x0) * (x1[:, None] - x1)).sum(axis=2)
    assert products.min() >= 0 and products.max() > 1


@pytest.mark.peers("ot")
def test_plans_agree_with_pot(wing):
    """Its Sinkhorn after as many iterations, and its network simplex: with equal weights its plan is an assignment."""
    import ot

    x0, x1 = batch(12)
    cost = ot.dist(x0, x1[:7])
    np.testing.assert_allclose(wing("squared_distance_matrix", x0, x1[:7]), cost, rtol=1e-12)
    weights = np.full(12, 1 / 12), np.full(7, 1 / 7)
    theirs = ot.sinkhorn(*weights, cost, 5.0, method="sinkhorn_log", numItermax=400, stopThr=1e-15)
    ours = np.exp(wing("sinkhorn_log_plan", cost, regularization=5.0, iterations=400))
    np.testing.assert_allclose(ours, theirs, rtol=1e-9)
    square = ot.dist(x0, x1)
    paid = square[np.arange(12), wing("optimal_assignment", square)].mean()
    np.testing.assert_allclose(paid, ot.emd2(weights[0], weights[0], square), rtol=1e-12)


@pytest.mark.peers("torchcfm")
def test_pairs_agree_with_torchcfm():
    """Its exact map is our assignment over N, and its draws from a batch are pairs of that assignment."""
    import torchcfm.optimal_transport as coupling

    x0, x1 = (torch.from_numpy(points) for points in batch(32))
    order = practice.optimal_assignment(practice.squared_distance_matrix(x0, x1))
    sampler = coupling.OTPlanSampler(method="exact")
    np.testing.assert_allclose(sampler.get_map(x0, x1), np.eye(32)[order] / 32, atol=1e-12)
    noise, data = sampler.sample_plan(x0, x1)
    indices = (noise[:, None] == x0).all(2).int().argmax(1)
    torch.testing.assert_close(data, x1[order[indices]])
    sampler = coupling.OTPlanSampler(method="sinkhorn", reg=4.0)
    plan = practice.sinkhorn_log_plan(practice.squared_distance_matrix(x0, x1), regularization=4.0, iterations=500)
    np.testing.assert_allclose(plan.exp(), sampler.get_map(x0, x1), rtol=1e-6)


def test_drawn_partners_follow_the_plan():
    """Of 20,000 draws for every row, against the shares of the row; and data points are used equally often in the mean."""
    plan = practice.sinkhorn_log_plan(
        torch.rand(3, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64), regularization=0.2, iterations=50
    )
    gumbels = torch.from_numpy(np.random.default_rng(2).gumbel(size=(20_000, 3, 4)))
    drawn = practice.sample_pairs(plan.expand(20_000, 3, 4).reshape(-1, 4), gumbels.reshape(-1, 4)).view(20_000, 3)
    shares = torch.nn.functional.one_hot(drawn, 4).double().mean(0)
    wanted = plan.softmax(1)
    error = (wanted * (1 - wanted) / 20_000).sqrt()
    assert ((shares - wanted).abs() / error).max() < 4.5
    torch.testing.assert_close(shares.mean(0), torch.full((4,), 0.25, dtype=torch.float64), rtol=0, atol=0.01)


def test_the_assignment_of_extreme_costs_is_exact():
    """Costs that are all equal, that lie far from 0, and that span more than exponentials of them can hold.

    Exact up to roundoffs of the largest cost, since prices of that size are taken off.
    """
    drawn = np.random.default_rng(3)
    lone = np.ones((12, 12)) - np.eye(12)[::-1]  # one pair of each row costs nothing
    steep = drawn.uniform(size=(12, 12)) ** 40
    for cost in (np.zeros((9, 9)), lone + 1e9, lone * 1e12, steep, drawn.normal(size=(12, 1)) * 1e6 + lone):
        found = practice.optimal_assignment(torch.from_numpy(cost)).numpy()
        assert sorted(found) == list(range(len(cost)))
        rows, columns = linear_sum_assignment(cost)
        np.testing.assert_allclose(cost[rows, found].sum(), cost[rows, columns].sum(), rtol=1e-12, atol=1e-15 * cost.max())
