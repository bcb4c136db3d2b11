"""SciPy's solver, quantiles and exact densities against the flow of a mixture with a known score, in both wings."""

import math

import jax.numpy as jnp
import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp
from scipy.special import ndtr
from scipy.stats import multivariate_normal

from practice_torch.diffusion import probability_flow as practice
from practice_torch.diffusion.score_prediction import mixture_log_prob, mixture_score
from practice_torch.diffusion.score_sde import variance_preserving_alpha_bar, variance_preserving_sde
from theory_jax.diffusion import probability_flow as theory

MEANS = torch.tensor([[-2.0, 0.0], [1.0, 1.0], [1.0, -1.0]], dtype=torch.float64)  # of mean zero with equal weights
LOG_VARS, LOG_WEIGHTS = torch.tensor([-1.0, -2.0, -1.5]).double(), torch.full((3,), 1 / 3, dtype=torch.float64).log()
GRID = torch.linspace(0, 1, 101, dtype=torch.float64)


def flow(x, time):
    """The flow of a mixture under the variance-preserving equation, with the exact score; all examples at one time."""
    drift, diffusion = variance_preserving_sde(x, time)
    a = variance_preserving_alpha_bar(time[0])
    score = mixture_score(x, a.sqrt() * MEANS, (a * LOG_VARS.exp() + 1 - a).log(), LOG_WEIGHTS)
    return practice.probability_flow_drift(score, drift, diffusion)


def exact_probes(count, size):
    return math.sqrt(size) * torch.eye(size, dtype=torch.float64)[:, None].expand(size, count, size)


def points(count):
    return torch.randn((count, 2), generator=torch.Generator().manual_seed(34), dtype=torch.float64)


def test_the_solver_agrees_with_scipys():
    x = points(3)

    def rates(time, flat):
        return flow(torch.from_numpy(flat).view(3, 2), torch.full((3,), time, dtype=torch.float64)).numpy().ravel()

    wanted = solve_ivp(rates, (0.0, 1.0), x.numpy().ravel(), rtol=1e-10, atol=1e-12).y[:, -1].reshape(3, 2)
    np.testing.assert_allclose(practice.solve(x, GRID, flow), wanted, atol=1e-5)
    back = practice.solve(torch.from_numpy(wanted), GRID.flip(0), flow)
    np.testing.assert_allclose(back, x, atol=1e-4)


def test_the_likelihood_of_a_mixture_is_its_log_density():
    """Exact divergence, exact score. The remainder is the solver's error and that of the last density, which has mean 0."""
    x = points(6)
    found = practice.log_prob(x, exact_probes(6, 2), GRID, flow)
    torch.testing.assert_close(found, mixture_log_prob(x, MEANS, LOG_VARS, LOG_WEIGHTS), rtol=0, atol=1e-3)


def test_random_probes_are_right_on_average():
    """All four probes with entries of 1 and -1, each with the same weight: their mean is exact; single ones are not."""
    x = points(4)
    signs = torch.tensor([[1, 1], [1, -1], [-1, 1], [-1, -1]], dtype=torch.float64)[:, None].expand(4, 4, 2)
    exact = practice.log_prob(x, exact_probes(4, 2), GRID, flow)
    torch.testing.assert_close(practice.log_prob(x, signs, GRID, flow), exact, rtol=0, atol=1e-9)
    assert (practice.log_prob(x, signs[:1], GRID, flow) - exact).abs().max() > 0.01


@pytest.mark.parametrize(("module", "array"), [(practice, torch.from_numpy), (theory, jnp.asarray)], ids=["torch", "jax"])
def test_a_linear_flow_has_a_normal_density(module, array):
    """dx/dt = x A^T takes N(0, C) to N(0, I), C from the matrix exponential: the log-density is SciPy's, for D = 3."""
    from scipy.linalg import expm

    rng = np.random.default_rng(5)
    rates, x = rng.normal(size=(3, 3)) / 2, rng.normal(size=(4, 3))
    moves, transposed = expm(rates), array(np.ascontiguousarray(rates.T))
    inverse = np.linalg.inv(moves)
    wanted = multivariate_normal(np.zeros(3), inverse @ inverse.T).logpdf(x)
    probes = math.sqrt(3) * np.repeat(np.eye(3)[:, None], 4, axis=1)
    found = module.log_prob(array(x), array(probes), array(np.linspace(0, 1, 41)), lambda x, time: x @ transposed)
    np.testing.assert_allclose(np.asarray(found), wanted, atol=1e-6)


def test_the_flow_keeps_quantiles_on_a_line():
    x = torch.linspace(-2, 2, 9, dtype=torch.float64)[:, None]

    def at(time):
        a = variance_preserving_alpha_bar(torch.tensor(time, dtype=torch.float64))
        return a.sqrt() * MEANS[:, :1], (a * LOG_VARS.exp() + 1 - a).log()

    def velocity(x, time):
        means, log_vars = at(time[0].item())
        score = mixture_score(x, means, log_vars, LOG_WEIGHTS)
        return practice.probability_flow_drift(score, *variance_preserving_sde(x, time))

    def quantile(x, time):
        means, log_vars = at(time)
        return (LOG_WEIGHTS.exp() * torch.from_numpy(ndtr(((x - means.T) / (log_vars / 2).exp()).numpy()))).sum(1)

    ends = practice.solve(x, GRID, velocity)
    torch.testing.assert_close(quantile(ends, 1.0), quantile(x, 0.0), rtol=0, atol=1e-5)
