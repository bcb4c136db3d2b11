"""Wrong forms of the variational autoencoder's terms that the rows must refuse, and other right forms that they must accept."""

import math

import torch
from torch.distributions import Normal, kl_divergence
from torch.nn import functional

from practice_torch.latent import vae as right
from tests.support.mistakes import Mistake


def _kl(mean, log_var):
    return 0.5 * (mean**2 + log_var.exp() - 1 - log_var)


def _bernoulli(x, logits):
    return x * logits - functional.softplus(logits)


def _on_probabilities(x, logits, clip=0.0):
    p = logits.sigmoid().clamp(clip, 1 - clip)
    return (torch.xlogy(x, p) + torch.xlogy(1 - x, 1 - p)).sum(-1)


def _detached(x, mean):
    """The right value, but the best variance is treated as a constant: the gradient forgets the first-order condition's scale."""
    log_mse = (x - mean).square().mean(-1).log().detach()
    squared = (x - mean).square().sum(-1)
    return 0.5 * (x.shape[-1] * (math.log(2 * math.pi) + log_mse) + squared / log_mse.exp().detach() * 0.5 + x.shape[-1] * 0.5)


MISTAKES = (
    Mistake("bernoulli_log_likelihood", "logarithm of a rounded probability", _on_probabilities),
    Mistake("bernoulli_log_likelihood", "probabilities clipped at 1e-7", lambda x, logits: _on_probabilities(x, logits, 1e-7)),
    Mistake("bernoulli_log_likelihood", "logarithm with an epsilon", lambda x, logits: (
        x * (logits.sigmoid() + 1e-8).log() + (1 - x) * (1 - logits.sigmoid() + 1e-8).log()).sum(-1)),
    Mistake("bernoulli_log_likelihood", "softplus overflows",
            lambda x, logits: (x * logits - (1 + logits.exp()).log()).sum(-1)),
    Mistake("bernoulli_log_likelihood", "softplus with torch's threshold of 20", lambda x, logits: _bernoulli(x, logits).sum(-1)),
    Mistake("bernoulli_log_likelihood", "mean over pixels", lambda x, logits: _bernoulli(x, logits).mean(-1)),
    Mistake("bernoulli_log_likelihood", "sign", lambda x, logits: -right.bernoulli_log_likelihood(x, logits)),
    Mistake("bernoulli_log_likelihood", "x and 1 - x swapped", lambda x, logits: right.bernoulli_log_likelihood(1 - x, logits)),
    Mistake("bernoulli_log_likelihood", "only the ones count", lambda x, logits: (x * functional.logsigmoid(logits)).sum(-1)),
    Mistake("bernoulli_log_likelihood", "sigmoid twice", lambda x, logits: _bernoulli(x, logits.sigmoid()).sum(-1)),
    Mistake("bernoulli_log_likelihood", "sum over the batch too",
            lambda x, logits: right.bernoulli_log_likelihood(x, logits).sum().expand(len(x))),
    Mistake("bernoulli_log_likelihood", "gradient of abs at 0", lambda x, logits: (
        x * logits - logits.relu() + functional.logsigmoid(logits.abs())).sum(-1)),
    Mistake("bernoulli_log_likelihood", "pixels outside [0, 1] accepted", lambda x, logits: (
        x * functional.logsigmoid(logits) + (1 - x) * functional.logsigmoid(-logits)).sum(-1), only_checks=True),
    Mistake("gaussian_log_likelihood", "sign", lambda x, mean, log_var: -right.gaussian_log_likelihood(x, mean, log_var)),
    Mistake("gaussian_log_likelihood", "log_var read as log standard deviation",
            lambda x, mean, log_var: right.gaussian_log_likelihood(x, mean, 2 * log_var)),
    Mistake("gaussian_log_likelihood", "mean over pixels",
            lambda x, mean, log_var: right.gaussian_log_likelihood(x, mean, log_var) / x.shape[-1]),
    Mistake("gaussian_log_likelihood", "forgets log_var",
            lambda x, mean, log_var: -0.5 * (math.log(2 * math.pi) + (x - mean) ** 2 / log_var.exp()).sum(-1)),
    Mistake("kl_to_standard_normal", "squeezed: a batch of one becomes a scalar",
            lambda mean, log_var: right.kl_to_standard_normal(mean, log_var).squeeze(), only_small_batches=True),
    Mistake("kl_to_standard_normal", "sign", lambda mean, log_var: -right.kl_to_standard_normal(mean, log_var)),
    Mistake("kl_to_standard_normal", "sign of log_var", lambda mean, log_var: (_kl(mean, log_var) + log_var).sum(-1)),
    Mistake("kl_to_standard_normal", "log_var read as log standard deviation",
            lambda mean, log_var: right.kl_to_standard_normal(mean, 2 * log_var)),
    Mistake("kl_to_standard_normal", "forgets the half", lambda mean, log_var: 2 * right.kl_to_standard_normal(mean, log_var)),
    Mistake("kl_to_standard_normal", "forgets -1", lambda mean, log_var: (_kl(mean, log_var) + 0.5).sum(-1)),
    Mistake("kl_to_standard_normal", "mean over latents", lambda mean, log_var: _kl(mean, log_var).mean(-1)),
    Mistake("kl_to_standard_normal", "sum over the batch", lambda mean, log_var: _kl(mean, log_var).sum()),
    Mistake("kl_to_standard_normal", "arguments swapped", lambda mean, log_var: (
        0.5 * ((1 + mean**2) * (-log_var).exp() - 1 + log_var)).sum(-1)),
    Mistake("kl_to_standard_normal", "exp for expm1", lambda mean, log_var: _kl(mean, log_var).sum(-1)),
    Mistake("kl_to_standard_normal", "expm1 minus its argument, near 0", lambda mean, log_var: (
        0.5 * (mean**2 + torch.expm1(log_var) - log_var)).sum(-1)),
    Mistake("kl_to_standard_normal", "log_var clamped",
            lambda mean, log_var: right.kl_to_standard_normal(mean, log_var.clamp(-10, 10))),
    Mistake("kl_to_standard_normal", "log_var detached",
            lambda mean, log_var: right.kl_to_standard_normal(mean, log_var.detach())),
    Mistake("negative_elbo", "the ELBO itself", lambda x, logits, mean, log_var: -right.negative_elbo(x, logits, mean, log_var)),
    Mistake("negative_elbo", "divergence subtracted", lambda x, logits, mean, log_var: (
        -right.bernoulli_log_likelihood(x, logits) - right.kl_to_standard_normal(mean, log_var))),
    Mistake("negative_elbo", "mean over pixels, sum over latents", lambda x, logits, mean, log_var: (
        right.kl_to_standard_normal(mean, log_var) - right.bernoulli_log_likelihood(x, logits) / x.shape[-1])),
    Mistake("negative_elbo", "the weight is declared and not used", lambda x, logits, mean, log_var: (
        -right.bernoulli_log_likelihood(x, logits))),
    Mistake("negative_elbo", "mean over the batch", lambda x, logits, mean, log_var: (
        right.negative_elbo(x, logits, mean, log_var).mean().expand(len(x)))),
    Mistake("calibrated_gaussian_negative_log_likelihood", "forgets the 1", lambda x, mean: (
        0.5 * x.shape[-1] * (math.log(2 * math.pi) + (x - mean).square().mean(-1).log()))),
    Mistake("calibrated_gaussian_negative_log_likelihood", "sum of squares for their mean", lambda x, mean: (
        0.5 * x.shape[-1] * (math.log(2 * math.pi) + (x - mean).square().sum(-1).log() + 1))),
    Mistake("calibrated_gaussian_negative_log_likelihood", "one variance for the batch", lambda x, mean: (
        -right.gaussian_log_likelihood(x, mean, (x - mean).square().mean().log().expand_as(x)))),
    Mistake("calibrated_gaussian_negative_log_likelihood", "divides by D - 1", lambda x, mean: (
        0.5 * x.shape[-1] * (math.log(2 * math.pi) + ((x - mean).square().sum(-1) / (x.shape[-1] - 1)).log() + 1))),
    Mistake("calibrated_gaussian_negative_log_likelihood", "half of the gradient", _detached),
    Mistake("calibrated_gaussian_negative_log_likelihood", "an epsilon in the logarithm", lambda x, mean: (
        0.5 * x.shape[-1] * (math.log(2 * math.pi) + ((x - mean).square().mean(-1) + 1e-6).log() + 1))),
    Mistake("calibrated_gaussian_negative_log_likelihood", "exact reconstruction accepted", lambda x, mean: (
        right.require_rank(2, x=x) or right.require_same_shape(x=x, mean=mean)
        or 0.5 * x.shape[-1] * (math.log(2 * math.pi) + (x - mean).square().mean(-1).log() + 1)), only_checks=True),
)  # fmt: skip


def _two_log_sigmoids(x, logits):
    right.require_rank(2, x=x)
    right.require_same_shape(x=x, logits=logits)
    right.require_values("x", x, lambda x: (x >= 0) & (x <= 1), "within [0, 1]")
    return (x * functional.logsigmoid(logits) + (1 - x) * functional.logsigmoid(-logits)).sum(-1)


def _squares_of_halves(mean, log_var):
    """e^v - 1 - v = sum_j 2^(j-1) expm1(v / 2^j)^2: telescoped halvings, a sum of squares."""
    right.require_rank(2, mean=mean)
    right.require_same_shape(mean=mean, log_var=log_var)
    exponents = torch.arange(1, 60, dtype=mean.dtype)
    squares = torch.expm1(log_var[..., None] * 2.0**-exponents) ** 2 * 2.0 ** (exponents - 1)
    return 0.5 * (mean**2 + squares.sum(-1)).sum(-1)


def _of_distributions(mean, log_var):
    prior = Normal(torch.zeros_like(mean), torch.ones_like(mean))
    return kl_divergence(Normal(mean, log_var.exp().sqrt(), validate_args=False), prior).sum(-1)


def _through_the_deviation(mean, log_var):
    """distrax's: log deviations, and expm1 of twice their difference."""
    log_deviation = log_var.exp().sqrt().log()
    return (mean.square() / 2 + torch.expm1(2 * log_deviation) / 2 - log_deviation).sum(-1)


def _binary_cross_entropy(x, logits):
    right.require_rank(2, x=x)
    right.require_same_shape(x=x, logits=logits)
    right.require_values("x", x, lambda x: (x >= 0) & (x <= 1), "within [0, 1]")
    return -functional.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(-1)


EQUIVALENT = (
    Mistake("bernoulli_log_likelihood", "torch's own binary cross entropy", _binary_cross_entropy),
    Mistake("bernoulli_log_likelihood", "two log-sigmoids", _two_log_sigmoids),
    Mistake("kl_to_standard_normal", "a sum of squares", _squares_of_halves),
    Mistake("kl_to_standard_normal", "through the deviation", _through_the_deviation, core_alone=True),
    Mistake("kl_to_standard_normal", "torch.distributions", _of_distributions, core_alone=True),
)
