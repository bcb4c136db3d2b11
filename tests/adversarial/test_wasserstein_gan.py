"""Transport in both wings compared with SciPy's linear programs and distances."""

import jax.numpy as jnp
import numpy as np
import pytest
import torch
from scipy.optimize import linear_sum_assignment, linprog
from scipy.spatial.distance import cdist
from scipy.stats import wasserstein_distance

from practice_torch.adversarial import wasserstein_gan as practice
from theory_jax.adversarial import wasserstein_gan as theory

RNG = np.random.default_rng(9)
WINGS = [(practice, torch.from_numpy), (theory, jnp.asarray)]


@pytest.fixture(params=WINGS, ids=["torch", "jax"])
def wing(request):
    """A function of the wing by name, from NumPy arrays to NumPy arrays."""
    module, of_numpy = request.param

    def call(name, *arrays, **how):
        result = getattr(module, name)(*map(of_numpy, arrays), **how)
        return tuple(map(np.asarray, result)) if isinstance(result, tuple) else np.asarray(result)

    return call


def cheapest(cost, rows, columns):
    """The cost of the cheapest coupling: the linear program itself."""
    n, m = cost.shape
    sums = np.concatenate([np.kron(np.eye(n), np.ones(m)), np.kron(np.ones(n), np.eye(m))])
    return linprog(cost.ravel(), A_eq=sums, b_eq=np.concatenate([rows, columns])).fun


def test_on_a_line_it_is_scipys_distance(wing):
    x, y = RNG.normal(size=20), RNG.normal(size=20) * 2 + 1
    np.testing.assert_allclose(wing("wasserstein_distance_1d", x, y), wasserstein_distance(x, y), rtol=1e-12)


@pytest.mark.parametrize("order", [1, 2, 3.5])
def test_on_a_line_no_matching_is_cheaper(wing, order):
    x, y = RNG.normal(size=9), RNG.normal(size=9) + 0.5
    powers = np.abs(x[:, None] - y) ** order
    best = powers[linear_sum_assignment(powers)].mean() ** (1 / order)
    np.testing.assert_allclose(wing("wasserstein_distance_1d", x, y, order=order), best, rtol=1e-12)


def test_costs_are_scipys_distances(wing):
    x, y = RNG.normal(size=(4, 3)), RNG.normal(size=(6, 3))
    np.testing.assert_allclose(wing("cost_matrix", x, y), cdist(x, y), rtol=1e-13)
    np.testing.assert_allclose(wing("cost_matrix", x, y, power=2.0), cdist(x, y, "sqeuclidean"), rtol=1e-13)


def test_sinkhorns_cost_approaches_the_linear_programs(wing):
    """From above, within epsilon times the logarithm of the number of pairs; and far closer than that in the end."""
    x, y, rows, columns = RNG.normal(size=(4, 2)), RNG.normal(size=(5, 2)), RNG.dirichlet(np.ones(4)), RNG.dirichlet(np.ones(5))
    cost = wing("cost_matrix", x, y)
    exact = cheapest(cost, rows, columns)
    for epsilon in (1.0, 0.1, 0.02):
        _, found = wing("sinkhorn", np.log(rows), np.log(columns), cost, epsilon=epsilon, iterations=2000)
        assert exact - 1e-6 <= found <= exact + epsilon * np.log(20)
    np.testing.assert_allclose(found, exact, rtol=1e-2)


def test_the_best_of_many_critics_comes_close_to_the_linear_program_from_below(wing):
    """Every transform of a random potential is 1-Lipschitz; ascent on potentials through the transform reaches the distance."""
    x, rows, columns = RNG.normal(size=(5, 2)), RNG.dirichlet(np.ones(5)), RNG.dirichlet(np.ones(5))
    cost = wing("cost_matrix", x, x)
    exact, laws = cheapest(cost, rows, columns), (np.log(rows)[None], np.log(columns)[None])
    values = []
    for _ in range(50):
        critic = wing("c_transform", RNG.normal(size=5), cost)
        assert wing("lipschitz_constant", critic, cost) <= 1 + 1e-12
        values.append(wing("dual_objective", *laws, critic[None])[0])
    assert max(values) <= exact + 1e-12
    assert max(values) > 0.2 * exact  # the bound is not met by values near 0 alone


@pytest.mark.peers("ot")
def test_the_plan_is_that_of_the_pot_library(wing):
    import ot

    rows, columns, cost = RNG.dirichlet(np.ones(4)), RNG.dirichlet(np.ones(5)), RNG.uniform(size=(4, 5))
    log_plan, _ = wing("sinkhorn", np.log(rows), np.log(columns), cost, epsilon=0.2, iterations=500)
    np.testing.assert_allclose(np.exp(log_plan), ot.sinkhorn(rows, columns, cost, 0.2, stopThr=1e-14), rtol=1e-8)
