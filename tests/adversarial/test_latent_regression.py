"""Latent regression compared with NumPy, scikit-learn and torch's distributions, and the estimates of a trained network."""

import numpy as np
import torch
from sklearn.linear_model import Ridge

from practice_torch.adversarial import latent_regression as practice

rng = np.random.default_rng(11)
X, WEIGHT, BIAS = rng.normal(size=(6, 5)), rng.normal(size=(5, 3)), rng.normal(size=5)
ARRAYS = tuple(map(torch.tensor, (X, WEIGHT, BIAS)))


def test_the_linear_inverse_is_numpys_least_squares_and_scikit_learns_ridge():
    wanted = np.linalg.lstsq(WEIGHT, (X - BIAS).T, rcond=None)[0].T
    np.testing.assert_allclose(practice.linear_generator_inverse(*ARRAYS), wanted, rtol=1e-11, atol=1e-13)
    wanted = Ridge(alpha=0.7, fit_intercept=False).fit(WEIGHT, (X - BIAS).T).coef_
    np.testing.assert_allclose(practice.linear_generator_inverse(*ARRAYS, ridge=0.7), wanted, rtol=1e-10, atol=1e-13)


def test_a_generator_of_nearly_parallel_columns_is_inverted_to_the_digits_it_leaves():
    """Columns at an angle of 1e-6: the normal equations would have lost all but four digits, QR factors keep ten."""
    weight = torch.tensor([[1.0, 1.0], [0.0, 1e-6], [0.0, 0.0]], dtype=torch.float64)
    code = torch.tensor([[0.5, -2.0]], dtype=torch.float64)
    found = practice.linear_generator_inverse(code @ weight.mT, weight, torch.zeros(3, dtype=torch.float64))
    torch.testing.assert_close(found, code, rtol=1e-9, atol=0)


def test_the_gaussian_bound_is_a_log_likelihood_and_an_entropy():
    z, mean, log_var = (torch.tensor(rng.normal(size=(7, 4))) for _ in range(3))
    log_q = torch.distributions.Normal(mean, (log_var / 2).exp()).log_prob(z).sum(1)
    entropy = 4 * torch.distributions.Normal(0.0, 1.0).entropy().double()
    torch.testing.assert_close(practice.gaussian_information_bound(z, mean, log_var), log_q + entropy, rtol=1e-6, atol=1e-6)


def test_a_regression_on_samples_finds_the_information_of_a_correlation():
    """Codes and images with correlation 0.8: least squares, and the residuals' variance, attain 0.5108 nats and no more."""
    generator = torch.Generator().manual_seed(0)
    x, noise = torch.randn((2, 200_000, 1), generator=generator, dtype=torch.float64)
    z = 0.8 * x + 0.6 * noise
    slope = practice.linear_generator_inverse(z.mT, x, torch.zeros(len(x), dtype=torch.float64))
    residual = z - x * slope
    best = practice.gaussian_information_bound(z, x * slope, residual.var().log().expand_as(z)).mean()
    fixed = practice.gaussian_information_bound(z, x * slope, torch.zeros_like(z)).mean()
    assert abs(best + 0.5 * np.log(0.36)) < 0.01 and abs(fixed - 0.32) < 0.01
    wider = practice.gaussian_information_bound(z, x * slope, torch.full_like(z, float(residual.var().log()) + 0.3)).mean()
    assert wider < best
