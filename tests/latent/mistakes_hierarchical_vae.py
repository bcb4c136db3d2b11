"""Wrong forms of the hierarchical VAE that the rows must refuse, and other right forms that they must accept."""

import torch

from practice_torch.latent import hierarchical_vae as right
from tests.support.mistakes import Mistake, after_checks


def _product(of):
    """The product by another rule for mean and variance."""
    return after_checks(right, "precision_weighted_product", of)


def _by_precisions(mean_a, log_var_a, mean_b, log_var_b):
    precision_a, precision_b = (-log_var_a).exp(), (-log_var_b).exp()
    total = precision_a + precision_b
    return (precision_a * mean_a + precision_b * mean_b) / total, -total.log()


def _kl(change):
    """hierarchical_kl of other arrays."""

    def wrong(posterior_means, posterior_log_vars, prior_means, prior_log_vars):
        right.hierarchical_kl(posterior_means, posterior_log_vars, prior_means, prior_log_vars)
        return right.hierarchical_kl(*change(posterior_means, posterior_log_vars, prior_means, prior_log_vars))

    return wrong


def _loss(of):
    return after_checks(right, "hierarchical_negative_elbo", of)


def _by_distributions(posterior_means, posterior_log_vars, prior_means, prior_log_vars):
    columns = []
    for mean_q, log_var_q, mean_p, log_var_p in zip(
        posterior_means, posterior_log_vars, prior_means, prior_log_vars, strict=True
    ):
        laws = [
            torch.distributions.Normal(mean, (log_var / 2).exp(), validate_args=False)
            for mean, log_var in ((mean_q, log_var_q), (mean_p, log_var_p))
        ]
        columns.append(torch.distributions.kl_divergence(*laws).sum(1))
    return torch.stack(columns, 1)


MISTAKES = (
    Mistake("precision_weighted_product", "the mean of the means", _product(lambda mean_a, log_var_a, mean_b, log_var_b: (
        (mean_a + mean_b) / 2, _by_precisions(mean_a, log_var_a, mean_b, log_var_b)[1]))),
    Mistake("precision_weighted_product", "variances added", _product(lambda mean_a, log_var_a, mean_b, log_var_b: (
        _by_precisions(mean_a, log_var_a, mean_b, log_var_b)[0], torch.logaddexp(log_var_a, log_var_b)))),
    Mistake("precision_weighted_product", "weights exchanged", _product(lambda mean_a, log_var_a, mean_b, log_var_b: (
        _by_precisions(mean_b, log_var_a, mean_a, log_var_b)))),
    Mistake("precision_weighted_product", "log-variances below -5 clamped", _product(
        lambda mean_a, log_var_a, mean_b, log_var_b: _by_precisions(
            mean_a, log_var_a.clamp(min=-5), mean_b, log_var_b.clamp(min=-5)))),
    Mistake("residual_gaussian_kl", "the posterior's variance below the mean", lambda delta_mean, delta_log_var, prior_log_var: (
        right.residual_gaussian_kl(delta_mean * (-delta_log_var / 2).exp(), delta_log_var, prior_log_var))),
    Mistake("residual_gaussian_kl", "not halved", lambda delta_mean, delta_log_var, prior_log_var: (
        2 * right.residual_gaussian_kl(delta_mean, delta_log_var, prior_log_var))),
    Mistake("residual_gaussian_kl", "turned over", lambda delta_mean, delta_log_var, prior_log_var: (
        right.residual_gaussian_kl(-delta_mean, -delta_log_var, prior_log_var + delta_log_var))),
    Mistake("residual_gaussian_kl", "digits lost near the prior", after_checks(
        right, "residual_gaussian_kl", lambda delta_mean, delta_log_var, prior_log_var: (
            0.5 * (delta_mean.square() / prior_log_var.exp() + delta_log_var.exp() - 1 - delta_log_var).sum(1)))),
    Mistake("residual_gaussian_kl", "no gradient of the prior", lambda delta_mean, delta_log_var, prior_log_var: (
        right.residual_gaussian_kl(delta_mean, delta_log_var, prior_log_var.detach()) + 0 * prior_log_var.sum())),
    Mistake("hierarchical_kl", "posterior and prior exchanged", _kl(lambda m, v, n, w: (n, w, m, v))),
    Mistake("hierarchical_kl", "a standard normal for every prior", _kl(lambda m, v, n, w: (
        m, v, tuple(0 * part for part in n), tuple(0 * part for part in w)))),
    Mistake("hierarchical_kl", "from the top down", _kl(lambda *parts: (part[::-1] for part in parts))),
    Mistake("hierarchical_kl", "the first level alone", lambda posterior_means, **rest: (
        right.hierarchical_kl(posterior_means, **rest)[:, :1].expand(-1, len(posterior_means)))),
    Mistake("hierarchical_kl", "levels left out where the tuples differ", lambda **parts: (
        right.hierarchical_kl(*(part[: min(map(len, parts.values()))] for part in parts.values()))), only_checks=True),
    Mistake("hierarchical_negative_elbo", "a mean over the levels", _loss(
        lambda negative_log_likelihood, kl_levels, level_weights: (
            negative_log_likelihood + (kl_levels * level_weights).mean(1)))),
    Mistake("hierarchical_negative_elbo", "no weights", _loss(
        lambda negative_log_likelihood, kl_levels, level_weights: (
            negative_log_likelihood + kl_levels.sum(1) + 0 * level_weights.sum()))),
    Mistake("hierarchical_negative_elbo", "weights in reverse", _loss(
        lambda negative_log_likelihood, kl_levels, level_weights: negative_log_likelihood + kl_levels @ level_weights.flip(0))),
    Mistake("hierarchical_negative_elbo", "negative weights accepted", lambda negative_log_likelihood, kl_levels, level_weights: (
        right.hierarchical_negative_elbo(negative_log_likelihood, kl_levels, level_weights.abs())), only_checks=True),
    Mistake("soft_clip", "a clamp", lambda x, *, limit=5.0: 0 * right.soft_clip(x, limit=limit) + x.clamp(-limit, limit)),
    Mistake("soft_clip", "no limit in front", lambda x, *, limit=5.0: right.soft_clip(x, limit=limit) / limit),
    Mistake("soft_clip", "no limit inside", lambda x, *, limit=5.0: right.soft_clip(limit * x, limit=limit)),
    Mistake("soft_clip", "softsign", lambda x, *, limit=5.0: (
        0 * right.soft_clip(x, limit=limit) + limit * torch.nn.functional.softsign(x / limit))),
    Mistake("soft_clip", "any limit accepted", lambda x, *, limit=5.0: (
        right.soft_clip(x, limit=abs(limit) or 1.0)), only_checks=True),
)  # fmt: skip

EQUIVALENT = (
    Mistake("precision_weighted_product", "by precisions", _product(_by_precisions), core_alone=True),
    Mistake("hierarchical_kl", "by torch.distributions", _by_distributions, core_alone=True),
    Mistake(
        "hierarchical_negative_elbo",
        "one level after the other",
        _loss(
            lambda negative_log_likelihood, kl_levels, level_weights: sum(
                (weight * kl for weight, kl in zip(level_weights, kl_levels.unbind(1), strict=True)), negative_log_likelihood
            )
        ),
    ),
)
