"""Wrong forms of latent variable models that the rows must refuse, and other right forms that they must accept."""

import math

import torch

from practice_torch.latent import latent_variable_models as right
from tests.support.mistakes import Mistake


def _marginal(x, weight, mean, log_var, of_noise=torch.exp):
    """The Gaussian of the marginal covariance, by torch.distributions."""
    right.linear_gaussian_log_marginal(x, weight, mean, log_var)  # its checks
    covariance = weight @ weight.mT + of_noise(log_var) * torch.eye(len(mean), dtype=x.dtype)
    return torch.distributions.MultivariateNormal(mean, covariance, validate_args=False).log_prob(x)


def _posterior(x, weight, mean, log_var, scale_of=torch.exp):
    mean_z, covariance = right.linear_gaussian_posterior(x, weight, mean, log_var)
    return mean_z, covariance * scale_of(log_var) / log_var.exp()


def _covariance(x, *, latent_dim, less=0, noise_of=torch.mean, largest=True):
    right.linear_gaussian_maximum_likelihood_covariance(x, latent_dim=latent_dim)
    centered = x - x.mean(0)
    values, vectors = torch.linalg.eigh(centered.mT @ centered / (len(x) - less))
    kept = torch.arange(x.shape[1]) >= x.shape[1] - latent_dim if largest else torch.arange(x.shape[1]) < latent_dim
    return vectors * torch.where(kept, values, noise_of(values[~kept])) @ vectors.mT


def _by_woodbury(x, weight, mean, log_var):
    right.linear_gaussian_log_marginal(x, weight, mean, log_var)
    away, scale = x - mean, log_var.exp()
    inner = weight.mT @ weight + scale * torch.eye(weight.shape[1], dtype=x.dtype)
    inverse = (torch.eye(len(mean), dtype=x.dtype) - weight @ torch.linalg.inv(inner) @ weight.mT) / scale
    log_determinant = (len(mean) - weight.shape[1]) * log_var + torch.logdet(inner)
    return -((away @ inverse * away).sum(1) + log_determinant + len(mean) * math.log(2 * math.pi)) / 2


MISTAKES = (
    Mistake("discrete_log_marginal", "the mean of the logarithms", lambda log_likelihood, log_prior: (
        right.discrete_log_marginal(log_likelihood, log_prior) * 0 + (log_likelihood.clamp(-1e4) * log_prior.exp()).sum(1))),
    Mistake("discrete_log_marginal", "the prior forgotten", lambda log_likelihood, log_prior: (
        right.discrete_log_marginal(log_likelihood, log_prior) * 0 + log_likelihood.logsumexp(1))),
    Mistake("discrete_log_marginal", "overflows its exponentials", lambda log_likelihood, log_prior: (
        (log_likelihood + log_prior).exp().sum(1).log())),
    Mistake("discrete_log_marginal", "NaN slope of an impossible observation",
            lambda log_likelihood, log_prior: (log_likelihood + log_prior).logsumexp(1)),
    Mistake("discrete_log_posterior", "normalized over the batch",
            lambda log_likelihood, log_prior: (log_likelihood + log_prior).log_softmax(0)),
    Mistake("discrete_log_posterior", "the prior forgotten", lambda log_likelihood, log_prior: log_likelihood.log_softmax(1)),
    Mistake("discrete_log_posterior", "not normalized", lambda log_likelihood, log_prior: log_likelihood + log_prior),
    Mistake("discrete_log_posterior", "accepts an impossible observation", lambda log_likelihood, log_prior: (
        right._log_joint(log_likelihood, log_prior).log_softmax(1).nan_to_num(-math.inf)), only_checks=True),
    Mistake("monte_carlo_log_marginal", "the mean of the logarithms", lambda log_likelihood: (
        right.monte_carlo_log_marginal(log_likelihood) * 0 + log_likelihood.mean(1))),
    Mistake("monte_carlo_log_marginal", "the sum for the mean", lambda log_likelihood: (
        right.monte_carlo_log_marginal(log_likelihood) + math.log(log_likelihood.shape[1]))),
    Mistake("monte_carlo_log_marginal", "underflows", lambda log_likelihood: log_likelihood.exp().mean(1).log()),
    Mistake("linear_gaussian_log_marginal", "a deviation for the variance",
            lambda x, weight, mean, log_var: _marginal(x, weight, mean, log_var, lambda v: (v / 2).exp())),
    Mistake("linear_gaussian_log_marginal", "rows and columns of W exchanged", lambda x, weight, mean, log_var: (
        _marginal(x, weight.mT.reshape(weight.shape), mean, log_var))),
    Mistake("linear_gaussian_log_marginal", "the mean forgotten",
            lambda x, weight, mean, log_var: _marginal(x + mean, weight, mean, log_var)),
    Mistake("linear_gaussian_posterior", "the covariance without the noise",
            lambda x, weight, mean, log_var: _posterior(x, weight, mean, log_var, torch.ones_like)),
    Mistake("linear_gaussian_posterior", "a deviation for the variance",
            lambda x, weight, mean, log_var: _posterior(x, weight, mean, log_var, lambda v: (v / 2).exp())),
    Mistake("linear_gaussian_posterior", "not centered",
            lambda x, weight, mean, log_var: right.linear_gaussian_posterior(x + mean, weight, mean, log_var)),
    Mistake("linear_gaussian_maximum_likelihood_covariance", "divided by N - 1",
            lambda x, *, latent_dim: _covariance(x, latent_dim=latent_dim, less=1)),
    Mistake("linear_gaussian_maximum_likelihood_covariance", "the smallest eigenvalue for the noise",
            lambda x, *, latent_dim: _covariance(x, latent_dim=latent_dim, noise_of=torch.min)),
    Mistake("linear_gaussian_maximum_likelihood_covariance", "keeps the smallest",
            lambda x, *, latent_dim: _covariance(x, latent_dim=latent_dim, largest=False)),
)  # fmt: skip

EQUIVALENT = (
    Mistake("linear_gaussian_log_marginal", "a multivariate normal", _marginal),
    Mistake("linear_gaussian_log_marginal", "Woodbury's formula", _by_woodbury),
    Mistake("linear_gaussian_maximum_likelihood_covariance", "eigenvalues replaced", _covariance, core_alone=True),
)
