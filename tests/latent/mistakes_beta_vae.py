"""Wrong forms of the beta-VAE that the rows must refuse, and other right forms that they must accept."""

import math

import torch

from practice_torch.latent import beta_vae as right
from tests.support.mistakes import Mistake


def _capacity(of):
    """The objective with another function of the rate's distance to the capacity."""

    def wrong(negative_log_likelihood, kl, *, gamma, capacity):
        right.capacity_objective(negative_log_likelihood, kl, gamma=gamma, capacity=capacity)
        return negative_log_likelihood + gamma * of(kl - capacity)

    return wrong


def _filled(diagonal, others):
    """Weights of a batch, from the numbers B and N."""

    def wrong(*, batch_size, dataset_size):
        right.stratified_log_importance(batch_size=batch_size, dataset_size=dataset_size)
        weights = torch.full((batch_size, batch_size), others(batch_size, dataset_size))
        return weights.fill_diagonal_(diagonal(batch_size, dataset_size)).log()

    return wrong


def _decomposition(z, mean, log_var, log_importance, transposed=False, summed_first=False, prior=1.0, unweighted=False):
    """By the densities themselves, not relative to any; with ways to get it wrong."""
    right.kl_decomposition(z, mean, log_var, log_importance)
    weights = log_importance.mT if transposed else torch.zeros_like(log_importance) if unweighted else log_importance
    pairs = torch.distributions.Normal(mean, (log_var / 2).exp(), validate_args=False).log_prob(z[:, None])
    joint = (weights + pairs.sum(2)).logsumexp(1)
    marginals = (weights[:, :, None] + pairs).logsumexp(1)
    joint = marginals.sum(1) if summed_first else joint
    log_prior = prior * torch.distributions.Normal(0.0, 1.0).log_prob(z).sum(1)
    return pairs.diagonal().sum(0) - joint, joint - marginals.sum(1), marginals.sum(1) - log_prior


def _exchanged(z, mean, log_var, log_importance):
    information, dependence, coordinates = right.kl_decomposition(z, mean, log_var, log_importance)
    return dependence, information, coordinates


def _no_gradient_of_the_others(z, mean, log_var, log_importance):
    """The density of all codes as a constant of training, but for the example's own share."""
    parts = right.kl_decomposition(z, mean.detach(), log_var.detach(), log_importance)
    return tuple(part + 0 * mean.sum() + 0 * log_var.sum() for part in parts)


def _determinant(covariance):
    right.gaussian_total_correlation(covariance)
    return (covariance.diagonal(dim1=1, dim2=2).log().sum(1) - torch.logdet(covariance)) / 2


MISTAKES = (
    Mistake("beta_negative_elbo", "the weight on the reconstruction", lambda negative_log_likelihood, kl, *, beta: (
        right.beta_negative_elbo(kl, negative_log_likelihood, beta=beta))),
    Mistake("beta_negative_elbo", "a knob that is not connected", lambda negative_log_likelihood, kl, *, beta: (
        right.beta_negative_elbo(negative_log_likelihood, kl, beta=1.0))),
    Mistake("beta_negative_elbo", "the mean over the batch", lambda negative_log_likelihood, kl, *, beta: (
        right.beta_negative_elbo(negative_log_likelihood, kl.mean().expand_as(kl), beta=beta))),
    Mistake("capacity_objective", "no absolute value", _capacity(lambda excess: excess)),
    Mistake("capacity_objective", "only above the capacity", _capacity(lambda excess: excess.clamp(min=0))),
    Mistake("capacity_objective", "a square", _capacity(torch.square)),
    Mistake("capacity_objective", "the distance of the batch's mean", lambda negative_log_likelihood, kl, *, gamma, capacity: (
        right.capacity_objective(negative_log_likelihood, kl.mean().expand_as(kl), gamma=gamma, capacity=capacity))),
    Mistake("pairwise_latent_log_density", "a deviation for the variance", lambda z, mean, log_var: (
        right.pairwise_latent_log_density(z, mean, 2 * log_var))),
    Mistake("pairwise_latent_log_density", "no constant", lambda z, mean, log_var: (
        right.pairwise_latent_log_density(z, mean, log_var) + math.log(2 * math.pi) / 2)),
    Mistake("pairwise_latent_log_density", "the mean over the latents", lambda z, mean, log_var: (
        right.pairwise_latent_log_density(z, mean, log_var).mean(2, keepdim=True).expand(-1, -1, z.shape[1]))),
    Mistake("stratified_log_importance", "a batch for the whole data set",
            _filled(lambda size, of: 1 / size, lambda size, of: 1 / size)),
    Mistake("stratified_log_importance", "divided by both sizes",
            _filled(lambda size, of: 1 / size / of, lambda size, of: 1 / size / of)),
    Mistake("stratified_log_importance", "the others without the share of all but one",
            _filled(lambda size, of: 1 / of, lambda size, of: 1 / (size - 1))),
    Mistake("stratified_log_importance", "a batch larger than the data set accepted", lambda *, batch_size, dataset_size: (
        right.stratified_log_importance(batch_size=batch_size, dataset_size=max(batch_size, dataset_size))), only_checks=True),
    Mistake("kl_decomposition", "information and dependence exchanged", _exchanged),
    Mistake("kl_decomposition", "the weights transposed", lambda **named: _decomposition(**named, transposed=True)),
    Mistake("kl_decomposition", "no weights", lambda **named: _decomposition(**named, unweighted=True)),
    Mistake("kl_decomposition", "coordinates before data", lambda **named: _decomposition(**named, summed_first=True)),
    Mistake("kl_decomposition", "the prior forgotten", lambda **named: _decomposition(**named, prior=0.0)),
    Mistake("kl_decomposition", "no gradient of the encoder's density", _no_gradient_of_the_others),
    Mistake("gaussian_total_correlation", "not halved", lambda covariance: 2 * right.gaussian_total_correlation(covariance)),
    Mistake("gaussian_total_correlation", "no variances", lambda covariance: (
        right.gaussian_total_correlation(covariance) * 0 - torch.logdet(covariance) / 2)),
    Mistake("gaussian_total_correlation", "an asymmetric matrix accepted", lambda covariance: (
        right.gaussian_total_correlation((covariance + covariance.mT) / 2)), only_checks=True),
)  # fmt: skip

EQUIVALENT = (
    Mistake("kl_decomposition", "by torch.distributions", _decomposition, core_alone=True),
    Mistake("gaussian_total_correlation", "by the determinant", _determinant, core_alone=True),
    Mistake(
        "pairwise_latent_log_density",
        "by torch.distributions",
        lambda z, mean, log_var: (
            right.pairwise_latent_log_density(z, mean, log_var) * 0
            + torch.distributions.Normal(mean, (log_var / 2).exp(), validate_args=False).log_prob(z[:, None])
        ),
    ),
)
