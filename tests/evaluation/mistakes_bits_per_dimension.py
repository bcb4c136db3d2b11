"""Wrong forms of bits per dimension and of its likelihoods that the rows must refuse, and other right forms."""

import math

import torch

from practice_torch.evaluation import bits_per_dimension as right
from tests.support.mistakes import Mistake


def _edges(values, mean, log_scale, num_levels, half=None):
    """The standardized edges of the cells, checked."""
    right.discretized_logistic_log_probs(values, mean, log_scale, num_levels=num_levels)
    centers = 2 * values.to(mean.dtype) / (num_levels - 1) - 1
    half = 1 / (num_levels - 1) if half is None else half
    return ((centers + side * half - mean) / log_scale.exp() for side in (-1, 1))


def _difference(values, mean, log_scale, *, num_levels, half=None, first=True, final=True):
    """The logarithm of the difference of two logistic functions; first, final: whether these cells are open."""
    lower, upper = (edge.sigmoid() for edge in _edges(values, mean, log_scale, num_levels, half))
    if first:
        lower = lower.masked_fill(values == 0, 0.0)
    if final:
        upper = upper.masked_fill(values.long() == num_levels - 1, 1.0)
    return (upper - lower).log()


def _density(values, mean, log_scale, *, num_levels):
    lower, upper = _edges(values, mean, log_scale, num_levels)
    middle = (lower + upper) / 2
    return (upper - lower).log() + torch.nn.functional.logsigmoid(middle) + torch.nn.functional.logsigmoid(-middle)


def _narrow_cells(values, mean, log_scale, *, num_levels):
    """2 v in the width of v."""
    right.discretized_logistic_log_probs(values, mean, log_scale, num_levels=num_levels)
    doubled = (2 * values).long()
    return right.discretized_logistic_log_probs(
        doubled.div(2, rounding_mode="floor").clamp(0, num_levels - 1), mean, log_scale, num_levels=num_levels
    )


def _by_softplus(values, mean, log_scale, *, num_levels):
    """log(sigma(b) - sigma(a)) = log(1 - e^(a - b)) - softplus(-b) - softplus(a), as exponentials of both."""
    lower, upper = _edges(values, mean, log_scale, num_levels)
    zero = torch.zeros_like(mean)
    below = torch.where(values.long() == num_levels - 1, zero, torch.logaddexp(zero, -upper))
    above = torch.where(values == 0, zero, torch.logaddexp(zero, lower))
    width = 2 / (num_levels - 1) * (-log_scale).exp()
    inner = (values > 0) & (values.long() < num_levels - 1)
    return torch.where(inner, (-torch.expm1(-width)).log(), zero) - below - above


def _kernels(x, samples, bandwidth):
    """log of the kernels without their normalization, checked."""
    right.parzen_log_likelihood(x, samples, bandwidth=bandwidth)
    return -((x[:, None] - samples) / bandwidth).square().sum(2) / 2


def _normalization(samples, bandwidth):
    return samples.shape[1] * math.log(bandwidth * math.sqrt(2 * math.pi))


def _parzen_by_exponentials(x, samples, *, bandwidth):
    return _kernels(x, samples, bandwidth).exp().mean(1).log() - _normalization(samples, bandwidth)


def _parzen_by_logsumexp(x, samples, *, bandwidth):
    exponents = _kernels(x, samples, bandwidth)
    return exponents.logsumexp(1) - math.log(len(samples)) - _normalization(samples, bandwidth)


def _parzen_by_products(x, samples, *, bandwidth):
    right.parzen_log_likelihood(x, samples, bandwidth=bandwidth)
    squares = x.square().sum(1)[:, None] + samples.square().sum(1) - 2 * x @ samples.mT
    exponents = -squares / (2 * bandwidth**2)
    return exponents.logsumexp(1) - math.log(len(samples)) - _normalization(samples, bandwidth)


def _ratios(log_prior_path, log_target_path, temperatures):
    right.annealed_log_weights(log_prior_path, log_target_path, temperatures)
    return log_target_path - log_prior_path


def _late(log_prior_path, log_target_path, temperatures):
    """The weight of a step at the state after it; the last state has no successor and is used twice."""
    ratios = _ratios(log_prior_path, log_target_path, temperatures)
    return (temperatures.diff() * torch.cat([ratios[:, 1:], ratios[:, -1:]], 1)).sum(1)


def _weights(ratios, temperatures):
    steps = temperatures.diff()
    return (steps * ratios.masked_fill((steps == 0) & ~ratios.isfinite(), 0.0)).sum(1)


def _unchecked_weights(log_prior_path, log_target_path, temperatures):
    return _weights(log_target_path - log_prior_path, temperatures)


def _step_by_step(log_prior_path, log_target_path, temperatures):
    ratios = _ratios(log_prior_path, log_target_path, temperatures)
    steps = temperatures.diff()
    total = torch.zeros_like(ratios[:, 0])
    for t in range(len(steps)):
        if steps[t] > 0 or bool(ratios[:, t].isfinite().all()):
            total = total + steps[t] * ratios[:, t]
    return total


MISTAKES = (
    Mistake("bits_per_dimension", "log levels subtracted", lambda log_prob, *, dim, num_levels=1: (
        right.bits_per_dimension(log_prob, dim=dim, num_levels=num_levels) - 2 * math.log2(num_levels))),
    Mistake("bits_per_dimension", "log levels left out", lambda log_prob, *, dim, num_levels=1: (
        right.bits_per_dimension(log_prob, dim=dim) + 0 * math.log(num_levels))),
    Mistake("bits_per_dimension", "log(levels - 1)", lambda log_prob, *, dim, num_levels=1: (
        right.bits_per_dimension(log_prob, dim=dim, num_levels=max(1, num_levels - 1) if num_levels else 0))),
    Mistake("bits_per_dimension", "log levels divided by the dimensions", lambda log_prob, *, dim, num_levels=1: (
        right.bits_per_dimension(log_prob - math.log(num_levels), dim=dim) + 0 * math.log(num_levels))),
    Mistake("bits_per_dimension", "nats", lambda log_prob, *, dim, num_levels=1: (
        math.log(2) * right.bits_per_dimension(log_prob, dim=dim, num_levels=num_levels))),
    Mistake("bits_per_dimension", "bits of all dimensions", lambda log_prob, *, dim, num_levels=1: (
        dim * right.bits_per_dimension(log_prob, dim=dim, num_levels=num_levels))),
    Mistake("bits_per_dimension", "averaged over the batch", lambda log_prob, *, dim, num_levels=1: (
        right.bits_per_dimension(log_prob, dim=dim, num_levels=num_levels).mean().expand(len(log_prob)))),
    Mistake("bits_per_dimension", "no dimension counts as one", lambda log_prob, *, dim, num_levels=1: (
        right.bits_per_dimension(log_prob, dim=max(1, dim), num_levels=num_levels)), only_checks=True),
    Mistake("uniform_dequantize", "divided by levels - 1", lambda x, u, *, num_levels: (
        right.uniform_dequantize(x, u, num_levels=num_levels) * num_levels / max(1, num_levels - 1))),
    Mistake("uniform_dequantize", "noise around the value", lambda x, u, *, num_levels: (
        right.uniform_dequantize(x, u, num_levels=num_levels) - 0.5 / num_levels)),
    Mistake("uniform_dequantize", "no noise", lambda x, u, *, num_levels: (
        right.uniform_dequantize(x, u * 0, num_levels=num_levels))),
    Mistake("uniform_dequantize", "the noise is not divided", lambda x, u, *, num_levels: (
        right.uniform_dequantize(x, u * 0, num_levels=num_levels) + u)),
    Mistake("uniform_dequantize", "accepts noise of 1", lambda x, u, *, num_levels: (
        right.uniform_dequantize(x, u.clamp(max=0.999), num_levels=num_levels)), only_checks=True),
    Mistake("uniform_dequantize", "the last value is the number of levels", lambda x, u, *, num_levels: (
        right.uniform_dequantize(x, u, num_levels=num_levels + 1) * (num_levels + 1) / num_levels), only_checks=True),
    Mistake("discretized_logistic_log_probs", "both ends closed", lambda values, mean, log_scale, *, num_levels: (
        _difference(values, mean, log_scale, num_levels=num_levels, first=False, final=False))),
    Mistake("discretized_logistic_log_probs", "the last cell closed", lambda values, mean, log_scale, *, num_levels: (
        _difference(values, mean, log_scale, num_levels=num_levels, final=False))),
    Mistake("discretized_logistic_log_probs", "half a cell is 1/levels", lambda values, mean, log_scale, *, num_levels: (
        _difference(values, mean, log_scale, num_levels=num_levels, half=1 / num_levels))),
    Mistake("discretized_logistic_log_probs", "a difference that cancels", _difference),
    Mistake("discretized_logistic_log_probs", "density times width", _density),
    Mistake("discretized_logistic_log_probs", "the scale's half is the exponent", lambda values, mean, log_scale, *, num_levels: (
        right.discretized_logistic_log_probs(values, mean, log_scale / 2, num_levels=num_levels))),
    Mistake("discretized_logistic_log_probs", "bits", lambda values, mean, log_scale, *, num_levels: (
        right.discretized_logistic_log_probs(values, mean, log_scale, num_levels=num_levels) / math.log(2))),
    Mistake("discretized_logistic_log_probs", "twice the value overflows", _narrow_cells, narrow=True),
    Mistake("parzen_log_likelihood", "the sum", lambda x, samples, *, bandwidth: (
        right.parzen_log_likelihood(x, samples, bandwidth=bandwidth) + math.log(len(samples)))),
    Mistake("parzen_log_likelihood", "mean of the logarithms", lambda x, samples, *, bandwidth: (
        _kernels(x, samples, bandwidth).mean(1) - _normalization(samples, bandwidth))),
    Mistake("parzen_log_likelihood", "normalized in one dimension", lambda x, samples, *, bandwidth: (
        right.parzen_log_likelihood(x, samples, bandwidth=bandwidth)
        + (1 - 1 / samples.shape[1]) * _normalization(samples, bandwidth))),
    Mistake("parzen_log_likelihood", "bandwidth for its square", lambda x, samples, *, bandwidth: (
        right.parzen_log_likelihood(x, samples, bandwidth=bandwidth**0.5 if bandwidth > 0 else bandwidth))),
    Mistake("parzen_log_likelihood", "narrow windows underflow", _parzen_by_exponentials),
    Mistake("parzen_log_likelihood", "squares less products, which cancel", _parzen_by_products),
    Mistake("annealed_log_weights", "the state after the step", _late),
    Mistake("annealed_log_weights", "the ratio turned over", lambda log_prior_path, log_target_path, temperatures: (
        -right.annealed_log_weights(log_prior_path, log_target_path, temperatures))),
    Mistake("annealed_log_weights", "temperatures for their steps", lambda log_prior_path, log_target_path, temperatures: (
        (temperatures[1:] * _ratios(log_prior_path, log_target_path, temperatures)).sum(1))),
    Mistake("annealed_log_weights", "the target alone", lambda log_prior_path, log_target_path, temperatures: (
        right.annealed_log_weights(torch.zeros_like(log_prior_path), log_target_path, temperatures) + 0 * log_prior_path.sum(1))),
    Mistake("annealed_log_weights", "a step of 0 at a target of 0 is NaN",
            lambda log_prior_path, log_target_path, temperatures: (
                (temperatures.diff() * _ratios(log_prior_path, log_target_path, temperatures)).sum(1))),
    Mistake("annealed_log_weights", "accepts any temperatures", _unchecked_weights, only_checks=True),
)  # fmt: skip

EQUIVALENT = (
    Mistake("discretized_logistic_log_probs", "by softplus", _by_softplus),
    Mistake("parzen_log_likelihood", "log-sum-exp of all differences", _parzen_by_logsumexp),
    Mistake("annealed_log_weights", "step by step", _step_by_step),
)
