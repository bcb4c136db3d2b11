"""The linear-Gaussian model and a finite latent variable compared with scikit-learn, SciPy and torch.distributions."""

import numpy as np
import pytest
import scipy.special
import scipy.stats
import torch
from sklearn.decomposition import PCA

from practice_torch.latent import latent_variable_models as practice

rng = np.random.default_rng(0)
X = rng.normal(size=(40, 5)) @ rng.normal(size=(5, 5)) + 2.0
WEIGHT, MEAN, LOG_VAR = (torch.tensor(a) for a in (rng.normal(size=(5, 2)), rng.normal(size=5), np.array(-0.3)))


@pytest.mark.parametrize("latent_dim", [1, 2, 4])
def test_the_best_covariance_is_that_of_scikit_learn(latent_dim):
    """sklearn.decomposition.PCA, with covariances divided by N - 1."""
    wanted = PCA(latent_dim).fit(X).get_covariance() * 39 / 40
    got = practice.linear_gaussian_maximum_likelihood_covariance(torch.tensor(X), latent_dim=latent_dim)
    np.testing.assert_allclose(got, wanted, rtol=1e-11, atol=1e-11)


def test_the_likelihood_of_a_fitted_model_is_that_of_scikit_learn():
    """PCA.score_samples, with the weights and the noise that it found."""
    fitted = PCA(2).fit(X)
    scale = np.sqrt(fitted.explained_variance_ - fitted.noise_variance_)
    parameters = fitted.components_.T * scale, fitted.mean_, np.log(fitted.noise_variance_)
    got = practice.linear_gaussian_log_marginal(torch.tensor(X), *map(torch.tensor, parameters))
    np.testing.assert_allclose(got, fitted.score_samples(X), rtol=1e-12)


def test_no_covariance_of_its_kind_is_more_likely():
    """Thirty random perturbations of the weights and of the noise."""
    x = torch.tensor(X)
    covariance = practice.linear_gaussian_maximum_likelihood_covariance(x, latent_dim=2)
    values, vectors = torch.linalg.eigh(covariance)
    weight, noise = vectors[:, 3:] * (values[3:] - values[0]).sqrt(), values[0].log()
    best = practice.linear_gaussian_log_marginal(x, weight, x.mean(0), noise).mean()
    generator = torch.Generator().manual_seed(0)
    for _ in range(30):
        moved = weight + 0.1 * torch.randn(5, 2, generator=generator), noise + 0.1 * torch.randn((), generator=generator)
        assert practice.linear_gaussian_log_marginal(x, moved[0], x.mean(0), moved[1]).mean() < best


def test_the_marginal_is_a_low_rank_normal_of_torch():
    """torch.distributions.LowRankMultivariateNormal and scipy.stats.multivariate_normal."""
    got = practice.linear_gaussian_log_marginal(torch.tensor(X), WEIGHT, MEAN, LOG_VAR)
    law = torch.distributions.LowRankMultivariateNormal(MEAN, WEIGHT, LOG_VAR.exp().expand(5))
    torch.testing.assert_close(got, law.log_prob(torch.tensor(X)))
    covariance = WEIGHT.numpy() @ WEIGHT.numpy().T + np.exp(-0.3) * np.eye(5)
    np.testing.assert_allclose(got, scipy.stats.multivariate_normal(MEAN, covariance).logpdf(X), rtol=1e-11)


def test_without_noise_the_posterior_mean_is_the_pseudo_inverse():
    """numpy.linalg.pinv, at a noise of e^-24."""
    got, spread = practice.linear_gaussian_posterior(torch.tensor(X), WEIGHT, MEAN, torch.tensor(-24.0, dtype=torch.float64))
    np.testing.assert_allclose(got, (X - MEAN.numpy()) @ np.linalg.pinv(WEIGHT.numpy()).T, rtol=1e-8)
    assert float(spread.abs().max()) < 1e-9


def test_a_finite_posterior_agrees_with_scipy():
    """scipy.special.logsumexp with the prior as weights."""
    log_likelihood, prior = rng.normal(size=(6, 4), scale=3.0), rng.dirichlet(np.ones(4))
    pair = torch.tensor(log_likelihood), torch.tensor(np.log(prior))
    wanted = scipy.special.logsumexp(log_likelihood, axis=1, b=prior)
    np.testing.assert_allclose(practice.discrete_log_marginal(*pair), wanted, rtol=1e-13)
    wanted = scipy.special.log_softmax(log_likelihood + np.log(prior), axis=1)
    np.testing.assert_allclose(practice.discrete_log_posterior(*pair), wanted, rtol=1e-12)


def test_a_wide_observation_needs_no_square_matrix():
    """20 000 dimensions: their covariance would take 3.2 GB."""
    x, weight = torch.zeros(2, 20_000), torch.ones(20_000, 3) / 100
    got = practice.linear_gaussian_log_marginal(x, weight, torch.zeros(20_000), torch.tensor(0.0))
    # W^T W + I is 1 on the diagonal and 2 everywhere: its determinant is 1 + 3 * 2
    wanted = -(20_000 * np.log(2 * np.pi) + np.log(7.0)) / 2
    np.testing.assert_allclose(got, wanted, rtol=1e-6)
