"""Wrong forms of inference with a trained VAE that the rows must refuse, and other right forms that they must accept."""

import math

import torch

from practice_torch.latent import vae_inference as right
from tests.support.mistakes import Mistake


def _angle(start, end):
    cosine = torch.nn.functional.cosine_similarity(start, end, dim=-1)[:, None]
    return cosine.clamp(-1, 1).arccos()


def _arc(start, end, from_start, from_end):
    return from_start[..., None] * start[:, None] + from_end[..., None] * end[:, None]


def _plain_slerp(start, end, fractions):
    """Right in exact arithmetic: 0/0 for parallel vectors, arccos near its ends."""
    angle = _angle(start, end)
    return _arc(start, end, ((1 - fractions) * angle).sin() / angle.sin(), (fractions * angle).sin() / angle.sin())


def _slerp_selected_late(start, end, fractions):
    """Parallel vectors are noticed after the division: the value is right, the gradient NaN."""
    arc, line = _plain_slerp(start, end, fractions), right.linear_interpolation(start, end, fractions)
    return torch.where((_angle(start, end).cos() > 1 - 1e-6)[..., None], line, arc)


def _slerp_without_division(start, end, fractions):
    angle = _angle(start, end)
    return _arc(start, end, ((1 - fractions) * angle).sin(), (fractions * angle).sin())


def _slerp_of_directions(start, end, fractions):
    return right.spherical_path(*(a / a.norm(dim=-1, keepdim=True) for a in (start, end)), fractions)


def _normalized_line(start, end, fractions):
    line = right.linear_interpolation(*(a / a.norm(dim=-1, keepdim=True) for a in (start, end)), fractions)
    return line / line.norm(dim=-1, keepdim=True)


def _rotation_of_start(start, end, fractions):
    """cos(t w) start + sin(t w) / sin w (end - cos w start): the same point, but at t = 1 the end is not returned as it is."""
    angle = _angle(start, end)
    share = (fractions * angle).sin() / angle.sin()
    rest = end[:, None] - angle.cos()[..., None] * start[:, None]
    return (fractions * angle).cos()[..., None] * start[:, None] + share[..., None] * rest


def _log_densities(z, means, log_vars):
    squared = (z[:, None] - means) ** 2 * (-log_vars).exp()
    return -0.5 * (math.log(2 * math.pi) + log_vars + squared).sum(-1)


def _terms(x, logits):
    return x * torch.nn.functional.logsigmoid(logits) + (1 - x) * torch.nn.functional.logsigmoid(-logits)


def _mean_of(latents, labels, label):
    return latents[labels == label].mean(0)


MISTAKES = (
    Mistake("importance_weighted_log_likelihood", "average of logarithms",
            lambda log_likelihood, log_prior, log_posterior: (log_likelihood + log_prior - log_posterior).mean(-1)),
    Mistake("importance_weighted_log_likelihood", "sum for mean",
            lambda log_likelihood, log_prior, log_posterior: (log_likelihood + log_prior - log_posterior).logsumexp(-1)),
    Mistake("importance_weighted_log_likelihood", "underflows",
            lambda log_likelihood, log_prior, log_posterior: (log_likelihood + log_prior - log_posterior).exp().mean(-1).log()),
    Mistake("importance_weighted_log_likelihood", "forgets the prior",
            lambda log_likelihood, log_prior, log_posterior: right.importance_weighted_log_likelihood(
                log_likelihood, 0 * log_prior, log_posterior)),
    Mistake("importance_weighted_log_likelihood", "multiplies by q",
            lambda log_likelihood, log_prior, log_posterior: right.importance_weighted_log_likelihood(
                log_likelihood, log_prior, -log_posterior)),
    Mistake("importance_weighted_log_likelihood", "the largest weight alone",
            lambda log_likelihood, log_prior, log_posterior: (
                (log_likelihood + log_prior - log_posterior).amax(-1) - math.log(log_prior.shape[-1]))),
    Mistake("importance_weighted_log_likelihood", "the first draw counts for the last too",
            lambda log_likelihood, log_prior, log_posterior: right.importance_weighted_log_likelihood(
                torch.cat([log_likelihood[:, :-1], log_likelihood[:, :1]], 1),
                torch.cat([log_prior[:, :-1], log_prior[:, :1]], 1),
                torch.cat([log_posterior[:, :-1], log_posterior[:, :1]], 1))),
    Mistake("linear_interpolation", "ends swapped",
            lambda start, end, fractions: right.linear_interpolation(end, start, fractions)),
    Mistake("linear_interpolation", "clipped at the ends",
            lambda start, end, fractions: right.linear_interpolation(start, end, fractions.clamp(0, 1))),
    Mistake("linear_interpolation", "axes swapped",
            lambda start, end, fractions: right.linear_interpolation(start, end, fractions).movedim(1, 0)),
    Mistake("linear_interpolation", "the end only up to rounding",
            lambda start, end, fractions: start[:, None] + fractions[:, None] * (end - start)[:, None]),
    Mistake("spherical_path", "not divided by sin w", _slerp_without_division),
    Mistake("spherical_path", "fraction reversed",
            lambda start, end, fractions: right.spherical_path(end, start, fractions)),
    Mistake("spherical_path", "straight",
            lambda start, end, fractions: right.linear_interpolation(start, end, fractions)),
    Mistake("spherical_path", "of the directions only", _slerp_of_directions),
    Mistake("spherical_path", "of the directions, with the norm of start", lambda start, end, fractions: (
        _slerp_of_directions(start, end, fractions) * start.norm(dim=-1)[:, None, None])),
    Mistake("spherical_path", "a normalized straight line", _normalized_line),
    Mistake("spherical_path", "normalized by the largest entry", lambda start, end, fractions: (
        right.linear_interpolation(start, end, fractions)
        / right.linear_interpolation(start, end, fractions).abs().amax(-1, keepdim=True))),
    Mistake("spherical_path", "the end only up to rounding", _rotation_of_start),
    Mistake("spherical_path", "0/0 for parallel vectors", _plain_slerp),
    Mistake("spherical_path", "NaN gradient for parallel vectors", _slerp_selected_late),
    Mistake("spherical_path", "dot product taken for the angle", lambda start, end, fractions: _arc(
        start, end, *((t * (start * end).sum(-1, keepdim=True)).sin() for t in (1 - fractions, fractions)))),
    Mistake("spherical_path", "opposite vectors accepted", lambda start, end, fractions: (
        right.require_same_shape(start=start, end=end) or right.require_rank(1, fractions=fractions)
        or _plain_slerp(start, end, fractions)), only_checks=True),
    Mistake("attribute_vector", "labels swapped", lambda latents, labels: right.attribute_vector(latents, 1 - labels)),
    Mistake("attribute_vector", "sums, not means", lambda latents, labels: (2 * labels - 1).to(latents.dtype) @ latents),
    Mistake("attribute_vector", "both divided by N",
            lambda latents, labels: (2 * labels - 1).to(latents.dtype) @ latents / len(labels)),
    Mistake("attribute_vector", "minus the mean of all", lambda latents, labels: _mean_of(latents, labels, 1) - latents.mean(0)),
    Mistake("attribute_vector", "a missing class accepted", lambda latents, labels: (
        _mean_of(latents, labels, 1).nan_to_num() - _mean_of(latents, labels, 0).nan_to_num()), only_checks=True),
    Mistake("aggregate_posterior_log_density", "forgets 1/N",
            lambda z, means, log_vars: _log_densities(z, means, log_vars).logsumexp(1)),
    Mistake("aggregate_posterior_log_density", "divides by B, not N", lambda z, means, log_vars: (
        _log_densities(z, means, log_vars).logsumexp(1) - math.log(len(z)))),
    Mistake("aggregate_posterior_log_density", "average of logarithms",
            lambda z, means, log_vars: _log_densities(z, means, log_vars).mean(1)),
    Mistake("aggregate_posterior_log_density", "underflows",
            lambda z, means, log_vars: _log_densities(z, means, log_vars).exp().mean(1).log()),
    Mistake("aggregate_posterior_log_density", "log_vars read as log standard deviations", lambda z, means, log_vars: (
        right.aggregate_posterior_log_density(z, means, 2 * log_vars))),
    Mistake("masked_bernoulli_log_likelihood", "NaN leaks through mask times x",
            lambda x, logits, mask: (_terms(x, logits) * mask).sum(-1)),
    Mistake("masked_bernoulli_log_likelihood", "hidden pixels taken for 0",
            lambda x, logits, mask: _terms(torch.where(mask == 1, x, 0.0), logits).sum(-1)),
    Mistake("masked_bernoulli_log_likelihood", "hidden logits taken for 0", lambda x, logits, mask: (
        _terms(torch.where(mask == 1, x, 0.0), torch.where(mask == 1, logits, 0.0)).sum(-1))),
    Mistake("masked_bernoulli_log_likelihood", "NaN gradient under the mask",
            lambda x, logits, mask: torch.where(mask == 1, _terms(x, logits), 0.0).sum(-1)),
    Mistake("masked_bernoulli_log_likelihood", "mask inverted",
            lambda x, logits, mask: right.masked_bernoulli_log_likelihood(x.nan_to_num(0.0), logits, 1 - mask)),
    Mistake("masked_bernoulli_log_likelihood", "mean over the visible", lambda x, logits, mask: (
        right.masked_bernoulli_log_likelihood(x, logits, mask) / mask.sum(-1).clamp(min=1))),
    Mistake("masked_bernoulli_log_likelihood", "a soft mask accepted", lambda x, logits, mask: (
        right.masked_bernoulli_log_likelihood(x, logits, (mask > 0).long())), only_checks=True),
)  # fmt: skip


def _two_terms(start, end, fractions):
    right._require_path(start, end, fractions)
    return (1 - fractions)[:, None] * start[:, None] + fractions[:, None] * end[:, None]


def _times_the_mask(x, logits, mask):
    """Selected before the formula, multiplied after it."""
    right.require_rank(2, x=x)
    right.require_same_shape(x=x, logits=logits, mask=mask)
    right.require_values("mask", mask, lambda mask: (mask == 0) | (mask == 1), "0 or 1")
    shown = torch.where(mask == 1, x, 0.5)
    right.require_values("x", shown, lambda x: (x >= 0) & (x <= 1), "within [0, 1]")
    return (_terms(shown, logits) * mask).sum(-1)


EQUIVALENT = (
    Mistake("linear_interpolation", "two terms", _two_terms),
    Mistake("masked_bernoulli_log_likelihood", "multiplied by the mask after x is replaced", _times_the_mask),
)
