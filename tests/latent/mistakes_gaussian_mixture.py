"""Wrong forms of Gaussian mixtures that the rows must refuse, and other right forms that they must accept."""

import math
from functools import partial

import torch

from practice_torch.latent import gaussian_mixture as right
from tests.support.mistakes import Mistake


def _density(x, means, scale_tril, *, transposed=False, volume=1.0):
    right.component_log_density(x, means, scale_tril)  # its checks
    factor = scale_tril.tril().mT if transposed else scale_tril.tril()
    whitened = torch.linalg.solve_triangular(factor, (x - means.unsqueeze(1)).mT, upper=transposed)
    log_volume = factor.diagonal(dim1=1, dim2=2).log().sum(1, keepdim=True)
    return (-whitened.square().sum(1) / 2 - volume * log_volume - x.shape[1] / 2 * math.log(2 * math.pi)).mT


def _expanded(x, means, scale_tril):
    """Its square multiplied out around the mean of all points: narrow clusters far apart lose their digits."""
    right.component_log_density(x, means, scale_tril)
    factor, x, means = scale_tril.tril(), x - x.mean(0), means - x.mean(0)
    precisions = torch.cholesky_inverse(factor)
    linear = torch.einsum("kij,kj->ki", precisions, means)
    squares = torch.einsum("ni,nj,kij->nk", x, x, precisions) - 2 * x @ linear.mT + (means * linear).sum(1)
    return -squares / 2 - factor.diagonal(dim1=1, dim2=2).log().sum(1) - x.shape[1] / 2 * math.log(2 * math.pi)


def _joint(x, log_weights, means, scale_tril):
    right.log_responsibilities(x, log_weights, means, scale_tril)
    return right.component_log_density(x, means, scale_tril) + log_weights


def _step(x, log_responsibilities, *, regularization=0.0, centers=None, less=0.0, count=None):
    """The M-step with other centers, another divisor, or weights divided by another number."""
    right.m_step(x, log_responsibilities, regularization=regularization)
    shares = log_responsibilities.exp()
    counts = shares.sum(0)
    means = shares.mT @ x / counts[:, None]
    away = x - (means if centers is None else centers(means)).unsqueeze(1)
    covariances = (away * shares.mT.unsqueeze(2)).mT @ away / (counts - less)[:, None, None]
    floor = regularization * torch.eye(x.shape[1], dtype=x.dtype)
    return (counts / (len(x) if count is None else count)).log(), means, torch.linalg.cholesky(covariances + floor)


def _raw_moments(x, log_responsibilities, *, regularization=0.0, around=lambda x: 0.0):
    """Second moments around one point, less the square of the mean: far away from it nothing is left."""
    right.m_step(x, log_responsibilities, regularization=regularization)
    shares = (log_responsibilities - log_responsibilities.logsumexp(0)).exp()
    center = around(x)
    x = x - center
    means = shares.mT @ x
    moments = torch.einsum("nk,ni,nj->kij", shares, x, x) - means[:, :, None] * means[:, None]
    factor, _ = torch.linalg.cholesky_ex(moments + regularization * torch.eye(x.shape[1], dtype=x.dtype))
    return log_responsibilities.logsumexp(0) - math.log(len(x)), means + center, factor


def _expected(x, log_responsibilities, log_weights, means, scale_tril, shares=None):
    right.expected_complete_log_likelihood(x, log_responsibilities, log_weights, means, scale_tril)
    joint = right.component_log_density(x, means, scale_tril) + log_weights
    return ((log_responsibilities.exp() if shares is None else shares(log_responsibilities)) * joint.clamp(min=-1e6)).sum(1)


def _drawn(uniforms, noise, log_weights, means, scale_tril, *, strictly=True, factor=torch.tril):
    right.mixture_sample(uniforms, noise, log_weights, means, scale_tril)
    sums = log_weights.exp().cumsum(0)
    before = uniforms[:, None] >= sums if strictly else uniforms[:, None] > sums
    chosen = before.sum(1).clamp(max=len(means) - 1)
    return means[chosen] + torch.einsum("bij,bj->bi", factor(scale_tril)[chosen], noise)


def _with_nan_slope(x, log_responsibilities, log_weights, means, scale_tril):
    """0 times -inf, masked after the product."""
    right.expected_complete_log_likelihood(x, log_responsibilities, log_weights, means, scale_tril)
    joint = right.component_log_density(x, means, scale_tril) + log_weights
    shares = log_responsibilities.exp()
    return torch.where(shares == 0, 0.0, shares * joint).sum(1)


MISTAKES = (
    Mistake("component_log_density", "L transposed",
            lambda x, means, scale_tril: _density(x, means, scale_tril, transposed=True)),
    Mistake("component_log_density", "the square multiplied out", _expanded),
    Mistake("component_log_density", "no determinant", lambda x, means, scale_tril: _density(x, means, scale_tril, volume=0.0)),
    Mistake("component_log_density", "the determinant of the covariance",
            lambda x, means, scale_tril: _density(x, means, scale_tril, volume=2.0)),
    Mistake("component_log_density", "reads above the diagonal", lambda x, means, scale_tril: (
        torch.distributions.MultivariateNormal(means, scale_tril @ scale_tril.mT, validate_args=False).log_prob(x[:, None]))),
    Mistake("mixture_log_density", "weights forgotten", lambda x, log_weights, means, scale_tril: (
        _joint(x, log_weights, means, scale_tril) - log_weights.clamp(min=-1e4)).logsumexp(1)),
    Mistake("mixture_log_density", "the mean of the logarithms", lambda x, log_weights, means, scale_tril: (
        log_weights.exp() * right.component_log_density(x, means, scale_tril)).sum(1)),
    Mistake("mixture_log_density", "underflows far away",
            lambda x, log_weights, means, scale_tril: _joint(x, log_weights, means, scale_tril).exp().sum(1).log()),
    Mistake("log_responsibilities", "normalized over the points",
            lambda x, log_weights, means, scale_tril: _joint(x, log_weights, means, scale_tril).log_softmax(0)),
    Mistake("log_responsibilities", "weights forgotten", lambda x, log_weights, means, scale_tril: (
        right.component_log_density(x, means, scale_tril).log_softmax(1))),
    Mistake("log_responsibilities", "underflows far away", lambda x, log_weights, means, scale_tril: (
        _joint(x, log_weights, means, scale_tril).softmax(1).log())),
    Mistake("m_step", "the covariance around the origin", lambda x, log_responsibilities, *, regularization=0.0: (
        _step(x, log_responsibilities, regularization=regularization, centers=torch.zeros_like))),
    Mistake("m_step", "one less in the covariance", lambda x, log_responsibilities, *, regularization=0.0: (
        _step(x, log_responsibilities, regularization=regularization, less=0.1))),
    Mistake("m_step", "weights not divided by the number of points", lambda x, log_responsibilities, *, regularization=0.0: (
        _step(x, log_responsibilities, regularization=regularization, count=1))),
    Mistake("m_step", "second moments around the origin, then the mean", _raw_moments),
    Mistake("m_step", "second moments around the mean of all, then the mean", partial(_raw_moments, around=lambda x: x.mean(0))),
    Mistake("m_step", "regularization forgotten", lambda x, log_responsibilities, *, regularization=0.0: (
        right.m_step(x, log_responsibilities, regularization=regularization)[:2] + _step(x, log_responsibilities)[2:])),
    Mistake("m_step", "an upper factor", lambda x, log_responsibilities, *, regularization=0.0: (
        lambda w, m, s: (w, m, s.mT))(*right.m_step(x, log_responsibilities, regularization=regularization))),
    Mistake("expected_complete_log_likelihood", "the log-likelihood",
            lambda x, log_responsibilities, log_weights, means, scale_tril: (
        _expected(x, log_responsibilities, log_weights, means, scale_tril) * 0
        + right.mixture_log_density(x, log_weights, means, scale_tril))),
    Mistake("expected_complete_log_likelihood", "not weighted", lambda x, log_responsibilities, log_weights, means, scale_tril: (
        _expected(x, log_responsibilities, log_weights, means, scale_tril, torch.ones_like))),
    Mistake("expected_complete_log_likelihood", "NaN slope of an empty component", _with_nan_slope),
    Mistake("mixture_sample", "the first weight at least u", lambda uniforms, noise, log_weights, means, scale_tril: (
        _drawn(uniforms, noise, log_weights, means, scale_tril, strictly=False))),
    Mistake("mixture_sample", "L transposed", lambda uniforms, noise, log_weights, means, scale_tril: (
        _drawn(uniforms, noise, log_weights, means, scale_tril, factor=lambda s: s.tril().mT))),
    Mistake("mixture_sample", "the covariance for its factor", lambda uniforms, noise, log_weights, means, scale_tril: (
        _drawn(uniforms, noise, log_weights, means, scale_tril, factor=lambda s: s.tril() @ s.tril().mT))),
    Mistake("mixture_sample", "reads above the diagonal", lambda uniforms, noise, log_weights, means, scale_tril: (
        _drawn(uniforms, noise, log_weights, means, scale_tril, factor=lambda s: s))),
)  # fmt: skip

EQUIVALENT = (
    Mistake("component_log_density", "triangular solves of differences", _density),
    Mistake("m_step", "divided by the counts", _step, core_alone=True),
)
