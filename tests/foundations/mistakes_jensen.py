"""Wrong forms of Jensen's gaps that the rows must refuse, and other right forms that they must accept."""

import math

import torch

from practice_torch.foundations import jensen as right
from tests.support.mistakes import Mistake


def _gap(x, weights, convex_fn):
    return (weights * convex_fn(x)).sum(-1) - convex_fn((weights * x).sum(-1))


def _pole_behind_a_mask(x, log_weights, convex_fn):
    """Right in value; the gradient of the masked points is 0 times the slope at the pole."""
    weights = log_weights.exp()
    terms = torch.where(weights > 0, weights * convex_fn(x), 0.0)
    mean = torch.where(weights > 0, weights * x, 0.0).sum(-1)
    return terms.sum(-1) - convex_fn(mean)


def _infinite_behind_a_mask(log_x, log_weights):
    """Right in value; the gradient of the masked rows is 0 times the -inf of a point at 0."""
    without_weight, zero = log_weights.isneginf(), log_x.isneginf()
    all_zero = (without_weight | zero).all(-1)
    some_zero = (zero & ~without_weight).any(-1) & ~all_zero
    log_x = log_x.masked_fill(without_weight, 0.0)
    gap = torch.logsumexp(log_x + log_weights, -1) - (log_weights.exp() * log_x).sum(-1)
    return gap.masked_fill(all_zero, 0.0).masked_fill(some_zero, math.inf)


def _bregman(x, y, potential_fn, *, at, sign=-1):
    slope = torch.func.grad(lambda point: potential_fn(point).sum())(at)
    return potential_fn(x) - potential_fn(y) + sign * (slope * (x - y)).sum(-1)


def _bregman_without_second_order(x, y, potential_fn):
    """Right in value; the slope at y is taken as a constant."""
    slope = torch.func.grad(lambda point: potential_fn(point).sum())(y).detach()
    return potential_fn(x) - potential_fn(y) - (slope * (x - y)).sum(-1)


def _bounds(x, log_weights, *, curvature_lower, curvature_upper, variance=None):
    weights = log_weights.exp()
    if variance is None:
        mean = (weights * x).sum(-1, keepdim=True)
        variance = (weights * (x - mean) ** 2).sum(-1)
    return curvature_lower * variance / 2, curvature_upper * variance / 2


def _second_moment_less_square(x, log_weights, *, curvature_lower, curvature_upper):
    """E X^2 - (E X)^2 loses every digit when the points are far from zero."""
    weights = log_weights.exp()
    x = torch.where(weights > 0, x, 0.0)
    variance = (weights * x * x).sum(-1) - (weights * x).sum(-1) ** 2
    return _bounds(x, log_weights, curvature_lower=curvature_lower, curvature_upper=curvature_upper, variance=variance)


def _right_bounds_times(lower, upper):
    def wrong(x, log_weights, *, curvature_lower, curvature_upper):
        sides = right.jensen_gap_bounds(x, log_weights, curvature_lower=curvature_lower, curvature_upper=curvature_upper)
        return lower * sides[0], upper * sides[1]

    return wrong


MISTAKES = (
    Mistake("jensen_gap", "sign reversed", lambda x, log_weights, convex_fn: -right.jensen_gap(x, log_weights, convex_fn)),
    Mistake("jensen_gap", "weights not exponentiated", lambda x, log_weights, convex_fn: _gap(x, log_weights, convex_fn)),
    Mistake("jensen_gap", "weights ignored",
            lambda x, log_weights, convex_fn: _gap(x, torch.full_like(x, 1 / x.shape[-1]), convex_fn)),
    Mistake("jensen_gap", "unweighted mean inside",
            lambda x, log_weights, convex_fn: (log_weights.exp() * convex_fn(x)).sum(-1) - convex_fn(x.mean(-1))),
    Mistake("jensen_gap", "softmax over the batch",
            lambda x, log_weights, convex_fn: _gap(x, log_weights.softmax(0), convex_fn)),
    Mistake("jensen_gap", "NaN where f has a pole at weight zero",
            lambda x, log_weights, convex_fn: _gap(x, log_weights.exp(), convex_fn)),
    Mistake("jensen_gap", "NaN gradient where f has a pole at weight zero", _pole_behind_a_mask),
    Mistake("jensen_gap", "clipped at zero, which kills the gradient at a constant",
            lambda x, log_weights, convex_fn: right.jensen_gap(x, log_weights, convex_fn).clamp(min=1e-3)),
    Mistake("jensen_gap", "the square root of the gap, a standard deviation",
            lambda x, log_weights, convex_fn: right.jensen_gap(x, log_weights, convex_fn).clamp(min=0).sqrt()),
    Mistake("jensen_gap", "accepts weights off the simplex",
            lambda x, log_weights, convex_fn: _gap(x, log_weights.exp(), convex_fn), only_checks=True),
    Mistake("log_mean_exp", "without -log K", lambda x: torch.logsumexp(x, -1)),
    Mistake("log_mean_exp", "-log B for -log K", lambda x: torch.logsumexp(x, -1) - math.log(max(x.shape[0], 1))),
    Mistake("log_mean_exp", "naive exponential overflows", lambda x: x.exp().mean(-1).log()),
    Mistake("log_mean_exp", "mean of the logarithms", lambda x: x.mean(-1)),
    Mistake("log_mean_exp", "over the batch", lambda x: torch.logsumexp(x, 0) - math.log(max(x.shape[0], 1))),
    Mistake("log_mean_exp", "the maximum is not put back",
            lambda x: (x - x.amax(-1, keepdim=True)).exp().mean(-1).log() if x.shape[-1] else x.sum(-1)),
    Mistake("log_mean_exp", "an epsilon inside the logarithm",
            lambda x: right.log_mean_exp(x) + torch.log1p(1e-6 * (-right.log_mean_exp(x)).clamp(max=50).exp())),
    Mistake("log_mean_exp", "-log K from the finite entries",
            lambda x: torch.logsumexp(x, -1) - x.isfinite().sum(-1).clamp(min=1).to(x.dtype).log()),
    Mistake("log_jensen_gap", "sign reversed", lambda log_x, log_weights: -right.log_jensen_gap(log_x, log_weights)),
    Mistake("log_jensen_gap", "bits", lambda log_x, log_weights: right.log_jensen_gap(log_x, log_weights) / math.log(2)),
    Mistake("log_jensen_gap", "weights not exponentiated in the mean logarithm",
            lambda log_x, log_weights: torch.logsumexp(log_x + log_weights, -1) - (log_weights * log_x).sum(-1)),
    Mistake("log_jensen_gap", "weights counted twice",
            lambda log_x, log_weights: torch.logsumexp(log_x + 2 * log_weights, -1) - (log_weights.exp() * log_x).sum(-1)),
    Mistake("log_jensen_gap", "the logarithm of the mean without weights",
            lambda log_x, log_weights: right.log_mean_exp(log_x) - (log_weights.exp() * log_x).sum(-1)),
    Mistake("log_jensen_gap", "NaN where x = 0 has no weight",
            lambda log_x, log_weights: torch.logsumexp(log_x + log_weights, -1) - (log_weights.exp() * log_x).sum(-1)),
    Mistake("log_jensen_gap", "NaN gradient where x = 0 has weight", _infinite_behind_a_mask),
    Mistake("log_jensen_gap", "naive exponential overflows",
            lambda log_x, log_weights: (log_x.exp() * log_weights.exp()).sum(-1).log() - (log_weights.exp() * log_x).sum(-1)),
    Mistake("log_jensen_gap", "the entropy of the weights added",
            lambda log_x, log_weights: right.log_jensen_gap(log_x, log_weights) - (log_weights.exp() * log_weights).sum(-1)),
    Mistake("bregman_divergence", "the slope at x",
            lambda x, y, potential_fn: _bregman(x, y, potential_fn, at=x)),
    Mistake("bregman_divergence", "arguments swapped", lambda x, y, potential_fn: right.bregman_divergence(y, x, potential_fn)),
    Mistake("bregman_divergence", "the slope added", lambda x, y, potential_fn: _bregman(x, y, potential_fn, at=y, sign=1)),
    Mistake("bregman_divergence", "without the slope", lambda x, y, potential_fn: potential_fn(x) - potential_fn(y)),
    Mistake("bregman_divergence", "without the value at y",
            lambda x, y, potential_fn: right.bregman_divergence(x, y, potential_fn) + potential_fn(y)),
    Mistake("bregman_divergence", "symmetrized",
            lambda x, y, potential_fn: _bregman(x, y, potential_fn, at=y) / 2 + _bregman(y, x, potential_fn, at=x) / 2),
    Mistake("bregman_divergence", "the slope is constant to the gradient", _bregman_without_second_order),
    Mistake("bregman_divergence", "accepts shapes that broadcast",
            lambda x, y, potential_fn: _bregman(x, y, potential_fn, at=y), only_checks=True),
    Mistake("jensen_gap_bounds", "without the half", _right_bounds_times(2, 2)),
    Mistake("jensen_gap_bounds", "the half on one side only", _right_bounds_times(1, 2)),
    Mistake("jensen_gap_bounds", "sides swapped",
            lambda x, log_weights, *, curvature_lower, curvature_upper: _bounds(
                x, log_weights, curvature_lower=curvature_upper, curvature_upper=curvature_lower)),
    Mistake("jensen_gap_bounds", "the variance without weights",
            lambda x, log_weights, **curvatures: _bounds(x, log_weights, **curvatures, variance=x.var(-1, correction=0))),
    Mistake("jensen_gap_bounds", "the unbiased variance",
            lambda x, log_weights, **curvatures: tuple(
                side * x.shape[-1] / (x.shape[-1] - 1) for side in _bounds(x, log_weights, **curvatures))),
    Mistake("jensen_gap_bounds", "the second moment",
            lambda x, log_weights, **curvatures: _bounds(
                x, log_weights, **curvatures, variance=(log_weights.exp() * x * x).sum(-1))),
    Mistake("jensen_gap_bounds", "the square of the mean subtracted", _second_moment_less_square),
    Mistake("jensen_gap_bounds", "NaN where there is no weight", _bounds),
    Mistake("jensen_gap_bounds", "accepts curvatures in the wrong order", _bounds, only_checks=True),
)  # fmt: skip


def _heights_above_the_tangent(x, log_weights, convex_fn):
    """The gap as a mean of differences from the value at the mean."""
    right.jensen_gap(x, log_weights, convex_fn)  # the checks
    weights = log_weights.exp()
    mean = (weights * torch.where(weights > 0, x, 0.0)).sum(-1, keepdim=True)
    x = torch.where(weights > 0, x, mean)
    return (weights * (convex_fn(x) - convex_fn(mean))).sum(-1) + (weights.sum(-1) - 1) * convex_fn(mean)[:, 0]


def _shifted_by_the_maximum(x):
    right.log_mean_exp(x)  # the checks
    maximum = x.detach().amax(-1, keepdim=True)
    nothing = maximum.isneginf()
    shifted = x.masked_fill(nothing, 0.0) - maximum.masked_fill(nothing, 0.0)
    return (maximum[:, 0] + shifted.exp().mean(-1).log()).masked_fill(nothing[:, 0], -math.inf)


def _bregman_by_forward_mode(x, y, potential_fn):
    right.bregman_divergence(x, y, potential_fn)  # the checks
    at_y, slope = torch.func.jvp(potential_fn, (y,), (x - y,))
    return potential_fn(x) - (at_y + slope)


EQUIVALENT = (
    Mistake("jensen_gap", "as a mean of differences", _heights_above_the_tangent),
    Mistake("log_mean_exp", "shifted by the maximum", _shifted_by_the_maximum),
    Mistake("bregman_divergence", "the slope in forward mode", _bregman_by_forward_mode),
)
