"""Transformed densities and Box and Muller's map compared with SciPy and torch.distributions."""

import numpy as np
import scipy.stats
import torch

from practice_torch.flows import change_of_variables as practice

U = torch.rand(200, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_the_exponential_sample_agrees_with_scipy():
    """scipy.stats.expon.ppf."""
    wanted = scipy.stats.expon.ppf(U[:, 0], scale=1 / 3.0)
    np.testing.assert_allclose(practice.inverse_transform_sample(U[:, 0], rate=3.0), wanted, rtol=1e-13)


def test_the_standard_normal_agrees_with_scipy():
    """scipy.stats.multivariate_normal of twelve entries."""
    z = np.random.default_rng(0).standard_normal((5, 3, 4))
    wanted = scipy.stats.multivariate_normal.logpdf(z.reshape(5, 12), np.zeros(12))
    np.testing.assert_allclose(practice.standard_normal_log_prob(torch.tensor(z)), wanted, rtol=1e-13)


def test_box_muller_of_a_grid_has_normal_margins():
    """Midpoints of 200 x 200 cells are no random numbers: the empirical distribution function follows SciPy's to 1/200."""
    middle = (torch.arange(200, dtype=torch.float64) + 0.5) / 200
    for margin in practice.box_muller(torch.cartesian_prod(middle, middle)).T:
        assert scipy.stats.kstest(margin.numpy(), "norm").statistic < 0.004


def test_transformed_distributions_of_torch_have_the_density():
    """A sample of exp(2 z + 1) under torch.distributions.TransformedDistribution."""
    z = torch.linspace(-2, 2, 9, dtype=torch.float64)[:, None]
    of_torch = torch.distributions.TransformedDistribution(
        torch.distributions.Normal(z.new_zeros(1), z.new_ones(1)),
        [torch.distributions.AffineTransform(1.0, 2.0), torch.distributions.ExpTransform()],
    )
    log_det = practice.log_abs_det_jacobian(z, lambda z: torch.exp(2 * z + 1))
    ours = practice.pushforward_log_prob(practice.standard_normal_log_prob(z), log_det)
    torch.testing.assert_close(ours, of_torch.log_prob(torch.exp(2 * z + 1))[:, 0])
