"""Metropolis-adjusted Langevin sampling against SciPy's densities and quadrature, and eigenvalues by NumPy."""

import numpy as np
import scipy.integrate
import scipy.stats
import torch

from practice_torch.energy import metropolis_adjusted_langevin as practice
from practice_torch.energy.langevin import gaussian_stationary_variance, langevin_step


def double_well(x):
    return ((x * x - 1) ** 2 + 0.3 * x).sum(1)


def test_the_ratio_agrees_with_scipy_where_it_is_computed_by_its_definition():
    """scipy.stats.norm.logpdf of both proposals."""
    x, y = np.random.default_rng(0).normal(size=(2, 6, 1))
    slope = lambda z: 4 * z * (z * z - 1) + 0.3  # noqa: E731
    energy = lambda z: ((z * z - 1) ** 2 + 0.3 * z)[:, 0]  # noqa: E731
    log_q = lambda to, at: scipy.stats.norm.logpdf(to, at - 0.2 * slope(at), np.sqrt(0.4))[:, 0]  # noqa: E731
    ours = practice.acceptance_log_ratio(torch.tensor(x), torch.tensor(y), double_well, step_size=0.2)
    np.testing.assert_allclose(ours, energy(x) - energy(y) + log_q(x, y) - log_q(y, x), rtol=1e-11)
    gradient = torch.tensor(slope(x))
    density = practice.proposal_log_prob(torch.tensor(y), torch.tensor(x), gradient, step_size=0.2)
    np.testing.assert_allclose(density, log_q(y, x), rtol=1e-13)


def test_long_chains_have_the_right_moments_where_langevin_sampling_has_not():
    """A double well in equilibrium by scipy.integrate.quad, at a step so long that the unadjusted chain leaves the numbers."""
    generator = torch.Generator().manual_seed(1)
    x, moves = 0.5 * torch.randn(2000, 1, dtype=torch.float64, generator=generator), []
    for _ in range(150):
        noise = torch.randn(x.shape, dtype=x.dtype, generator=generator)
        uniforms = torch.rand(len(x), dtype=x.dtype, generator=generator)
        x, accepted = practice.step(x, noise, uniforms, double_well, step_size=0.15)
        moves.append(accepted.double().mean().item())
    law = lambda z: np.exp(-((z * z - 1) ** 2) - 0.3 * z)  # noqa: E731
    moments = [scipy.integrate.quad(lambda z, n=n: z**n * law(z), -4, 4)[0] for n in range(3)]
    for power in (1, 2):
        drawn = x[:, 0] ** power
        assert abs(drawn.mean() - moments[power] / moments[0]) < 4 * drawn.std() / len(drawn) ** 0.5
    assert 0.5 < np.mean(moves) < 0.95


def test_on_a_parabola_the_variance_is_one_at_every_step_where_the_unadjusted_chain_is_too_wide():
    """N(0, 1) at h = 0.8: 1/(1 - 0.4) without the adjustment; with it 1, and 0.8423 accepted, by quadrature."""
    generator = torch.Generator().manual_seed(2)
    parabola = lambda z: (z * z).sum(1) / 2  # noqa: E731
    x = y = torch.zeros(20_000, 1, dtype=torch.float64)
    for _ in range(25):
        noise = torch.randn(x.shape, dtype=x.dtype, generator=generator)
        uniforms = torch.rand(len(x), dtype=x.dtype, generator=generator)
        x, accepted = practice.step(x, noise, uniforms, parabola, step_size=0.8)
        y = langevin_step(y, noise, parabola, step_size=0.8)
    for drawn, wanted in ((x, 1.0), (y, gaussian_stationary_variance(torch.ones(()), step_size=0.8).item())):
        squares = drawn.square()
        assert abs(squares.mean() - wanted) < 4 * squares.std() / len(squares) ** 0.5
    assert abs(accepted.double().mean() - 0.8423) < 4 * (0.8423 * 0.1577 / len(x)) ** 0.5


def test_the_matrix_has_one_stationary_law_by_numpy():
    """Left eigenvectors of six states: the law belongs to the eigenvalue 1, and all other eigenvalues are smaller."""
    rng = np.random.default_rng(3)
    law, proposal = rng.dirichlet(np.ones(6)), rng.dirichlet(np.ones(6), size=6)
    matrix = practice.metropolis_matrix(torch.tensor(np.log(law)), torch.tensor(proposal)).numpy()
    values, vectors = np.linalg.eig(matrix.T)
    order = np.argsort(-abs(values))
    np.testing.assert_allclose(vectors[:, order[0]].real / vectors[:, order[0]].real.sum(), law, rtol=1e-10)
    assert abs(values[order[0]] - 1) < 1e-12 and abs(values[order[1]]) < 0.99
