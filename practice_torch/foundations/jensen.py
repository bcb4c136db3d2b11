"""Jensen's inequality (lecture 5) on batches: gaps, their bounds, and the logarithm of a Monte-Carlo mean."""

import math

import torch

from practice_torch.arguments import require, require_log_probs, require_rank, require_same_shape


def jensen_gap(x, log_weights, convex_fn):
    r"""E f(X) - f(E X) = sum_k w_k f(x_k) - f(sum_k w_k x_k), with w = e^log_weights.

    convex_fn acts on each element. Points of weight zero do not count, wherever they lie.

    Raises ValueError if the shapes differ, a row of x is empty, or a row of log_weights does not sum to one.
    Source: Jensen 1906.
    [B, K], [B, K] -> [B]
    """
    _require_weighted(x=x, log_weights=log_weights)
    weights, x, mean = _weighted(x, log_weights)
    return (weights * convex_fn(x)).sum(-1) - convex_fn(mean)


def log_mean_exp(x):
    r"""log of (1/K) sum_k e^x_k, without overflow; -inf if every entry is.

    Raises ValueError if a row of x is empty.  Source: Burda, Grosse & Salakhutdinov 2016 (there of importance weights).
    [B, K] -> [B]
    """
    require_rank(2, x=x)
    require(x.shape[1] > 0, "x has rows of length 0; a mean needs at least one term")
    # a row of -inf would have the slope 0/0: it is the constant -inf
    empty = x.isneginf().all(-1, keepdim=True)
    return (torch.logsumexp(x.masked_fill(empty, 0.0), -1) - math.log(x.shape[1])).masked_fill(empty.squeeze(-1), -math.inf)


def log_jensen_gap(log_x, log_weights):
    r"""log E X - E log X = log(sum_k w_k x_k) - sum_k w_k log x_k >= 0, in nats, for x >= 0 given by its logarithm.

    The constant +inf where some points of positive weight, but not all, are 0; and 0, as for any constant, where all are.

    Raises ValueError if the shapes differ, a row of log_x is empty, or a row of log_weights does not sum to one.
    Source: Boyd & Vandenberghe, Convex Optimization, 3.1.
    [B, K], [B, K] -> [B]
    """
    _require_weighted(log_x=log_x, log_weights=log_weights)
    without_weight, zero = log_weights.isneginf(), log_x.isneginf()
    all_zero = (without_weight | zero).all(-1)
    some_zero = (zero & ~without_weight).any(-1) & ~all_zero
    log_x = log_x.masked_fill(without_weight | zero, 0.0)
    gap = torch.logsumexp(log_x + log_weights, -1) - (log_weights.exp() * log_x).sum(-1)
    return gap.masked_fill(all_zero, 0.0).masked_fill(some_zero, math.inf)


def bregman_divergence(x, y, potential_fn):
    r"""phi(x) - phi(y) - <grad phi(y), x - y>: how far phi is above its tangent at y, seen at x.

    potential_fn is phi, [B, D] -> [B], each row by itself; its slope at y is taken by automatic differentiation.

    Raises ValueError if the shapes differ.  Source: Banerjee et al. 2005, definition 1.
    [B, D], [B, D] -> [B]
    """
    require_rank(2, x=x, y=y)
    require_same_shape(x=x, y=y)
    gradient = torch.func.grad(lambda point: potential_fn(point).sum())(y)
    return potential_fn(x) - potential_fn(y) - (gradient * (x - y)).sum(-1)


def jensen_gap_bounds(x, log_weights, *, curvature_lower, curvature_upper):
    r"""(m/2) Var_w(x) <= jensen_gap <= (M/2) Var_w(x) for every f with m <= f'' <= M between the points.

    m = curvature_lower, M = curvature_upper, Var_w(x) = sum_k w_k (x_k - sum_j w_j x_j)^2. Returns (lower, upper).

    Raises ValueError if the shapes differ, a row of x is empty, a row of log_weights does not sum to one, or curvature_lower <=
    curvature_upper does not hold (for NaN, say).  Source: Liao & Berg 2019, Sharpening Jensen's inequality.
    [B, K], [B, K] -> [B], [B]
    """
    require(
        curvature_lower <= curvature_upper,
        f"curvature_lower is {curvature_lower}; it must be at most curvature_upper, {curvature_upper}",
    )
    _require_weighted(x=x, log_weights=log_weights)
    weights, x, mean = _weighted(x, log_weights)
    half_variance = (weights * (x - mean.unsqueeze(-1)).square()).sum(-1) / 2
    return curvature_lower * half_variance, curvature_upper * half_variance


def _weighted(x, log_weights):
    """The weights, x, and its mean. Points without weight are put on the mean: x may be infinite there, or f have a pole."""
    weights = log_weights.exp()
    absent = weights == 0
    mean = (weights * x.masked_fill(absent, 0.0)).sum(-1)
    return weights, torch.where(absent, mean.unsqueeze(-1), x), mean


def _require_weighted(**arrays):
    require_rank(2, **arrays)
    require_same_shape(**arrays)
    (name, x), (_, log_weights) = arrays.items()
    require(x.shape[1] > 0, f"{name} has rows of length 0; a mean needs at least one point")
    require_log_probs(log_weights=log_weights)
