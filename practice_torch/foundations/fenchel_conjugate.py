"""Convex conjugates f*(t) = sup_{u >= 0} (u t - f(u)) and critics' output maps, elementwise on tensors.

A divergence is a row of `_CONJUGATES`; the upper end of dom f* is its f'(infinity), which `f_divergence` knows.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch.nn.functional import logsigmoid

from practice_torch.arguments import require, require_rank
from practice_torch.foundations._cells import CELLS, row_of
from practice_torch.foundations._elementary import expm1, log_twice_sigmoid
from practice_torch.foundations._wright import log_ratio


def fenchel_conjugate(t, *, divergence, alpha=None):
    r"""f*(t) = sup over u >= 0 of u t - f(u), for the generator f of the named divergence; +inf outside dom f*.

    The supremum is over u >= 0, so that f* = -f(0) for all t below f'(0). Outside dom f* the gradient is 0.

    Raises ValueError for an unknown divergence, and for an alpha that is missing, 0, 1, not finite, or not wanted.
    Source: Hiriart-Urruty & Lemarechal 2001, part E; Nowozin, Cseke & Tomioka 2016, table 5 (there without the flat parts).
    [...] -> [...]
    """
    row, edge = row_of(_CONJUGATES, divergence, alpha), row_of(CELLS, divergence, alpha).slope_at_infinity
    return _on_domain(row.conjugate, t, edge, row.at_edge)


def fenchel_conjugate_derivative(t, *, divergence, alpha=None):
    r"""u*(t) = (f*)'(t) >= 0, the ratio u at which u t - f(u) is largest; +inf where no finite u is.

    For total_variation every u of [0, 1] does at t = -1/2, every u >= 1 at t = 1/2: the answer is 1 at both.

    Raises ValueError as fenchel_conjugate does.  Source: Nowozin, Cseke & Tomioka 2016, section 2.2.
    [...] -> [...]
    """
    row, edge = row_of(_CONJUGATES, divergence, alpha), row_of(CELLS, divergence, alpha).slope_at_infinity
    return _on_domain(row.maximizer, t, edge, row.maximizer_at_edge)


def output_activation(v, *, divergence, alpha=None):
    r"""g_f(v): a non-decreasing map of the real line into dom f*, the last layer of a critic.

    total_variation tanh(v)/2; kl, pearson_chi_squared, jeffreys and alpha > 1: v; reverse_kl -e^-v;
    neyman_chi_squared and squared_hellinger 1 - e^-v; jensen_shannon [log 2 - softplus(-v)]/2; gan -softplus(-v);
    alpha < 1: 1/(1-alpha) - softplus(-v).

    Raises ValueError as fenchel_conjugate does.  Source: Nowozin, Cseke & Tomioka 2016, table 2.
    [...] -> [...]
    """
    return row_of(_CONJUGATES, divergence, alpha).activation(v)


def wright_omega(x):
    r"""The omega > 0 with omega + log omega = x, that is W(e^x) with Lambert's W.

    Source: Corless & Jeffrey 2002.
    [...] -> [...]
    """
    log_omega = -log_ratio(1 - x)
    # The root is known in its logarithm: exact for small omega; for large omega, x - log omega loses less than exp does.
    return torch.where(x > 1, x - log_omega, log_omega.clamp(max=1).exp())


def discrete_legendre_transform(slopes, points, values):
    r"""max_n (slope points_n - values_n): the conjugate of the function that has these values at these points, +inf elsewhere.

    Raises ValueError if an argument has not one axis, if there is no point, or if points and values differ in length.
    Source: Lucet 1997.
    [B], [N], [N] -> [B]
    """
    require_rank(1, slopes=slopes, points=points, values=values)
    require(len(points) > 0, "points has length 0; it must have at least one point")
    require(len(values) == len(points), f"values has length {len(values)}; it must have one for each of the {len(points)} points")
    # Only the maximizing point passes a gradient on (envelope theorem): the [B, N] table is not kept for the backward pass.
    best = torch.addcmul(-values.detach(), slopes.detach()[:, None], points.detach()).argmax(-1)
    return slopes * points[best] - values[best]


# ------------------------------------------------------------------------------------------- one divergence, one row


@dataclass(frozen=True)
class _Conjugate:
    """A divergence on the side of its conjugate; `conjugate` and `maximizer` are called below the edge of dom f* only."""

    conjugate: Callable  # f*(t)
    maximizer: Callable  # u*(t)
    activation: Callable  # g_f(v)
    at_edge: float = math.inf  # f*(f'(infinity))
    maximizer_at_edge: float = math.inf


def _on_domain(function, t, edge, at_edge):
    """function(t) below the edge, at_edge on it, +inf above; no NaN reaches the gradient from outside."""
    outside = t >= edge
    value = function(t.masked_fill(outside, -1.0)).masked_fill(outside, math.inf)  # -1 is in every domain
    return value.masked_fill(t == edge, at_edge)


def _half_tanh(v):
    """tanh(v)/2 from e = e^-2|v|, so that its slope 2e/(1+e)^2 is small without cancelling."""
    size = torch.where(v < 0, -v, v)
    half = 0.5 * -expm1(-2 * size) / (1 + torch.exp(-2 * size))
    return torch.where(v < 0, -half, half)


def _jeffreys(t):
    log_u = log_ratio(t)
    return expm1(log_u) + log_u


def _minus_log_one_minus_exp(t):
    """-log(1 - e^t) for t < 0 (Maechler 2012): whichever of 1 - e^t and e^t is small is the one kept whole."""
    near = t > -math.log(2)
    return torch.where(near, -torch.log(-expm1(t.where(near, -1.0))), -torch.log1p(-torch.exp(t.where(~near, -1.0))))


def _alpha(alpha):
    def s(t):
        """1 + (alpha-1) t as its logarithm, and where it is positive: below that, for alpha > 1, u* = 0."""
        positive = (alpha - 1) * t > -1
        return torch.log1p((alpha - 1) * t.where(positive, 0.0)), positive

    def conjugate(t):
        log_s, positive = s(t)
        return expm1(alpha / (alpha - 1) * log_s).where(positive, -1.0) / alpha

    def maximizer(t):
        log_s, positive = s(t)
        return torch.exp(log_s / (alpha - 1)).where(positive, 0.0)

    edge = 1 / (1 - alpha)
    return _Conjugate(
        conjugate,
        maximizer,
        (lambda v: v) if alpha > 1 else (lambda v: edge + logsigmoid(v)),
        at_edge=-1 / alpha if alpha < 0 else math.inf,
    )


_CONJUGATES = {
    "total_variation": _Conjugate(
        lambda t: t.clamp(min=-0.5), lambda t: (t >= -0.5).to(t.dtype), _half_tanh, at_edge=0.5, maximizer_at_edge=1.0
    ),
    "kl": _Conjugate(lambda t: torch.exp(t - 1), lambda t: torch.exp(t - 1), lambda v: v),
    "reverse_kl": _Conjugate(lambda t: -torch.log(-t) - 1, lambda t: -t.reciprocal(), lambda v: -torch.exp(-v)),
    "pearson_chi_squared": _Conjugate(
        lambda t: t.clamp(min=-2) * (1 + t.clamp(min=-2) / 4), lambda t: (1 + t / 2).clamp(min=0), lambda v: v
    ),
    "neyman_chi_squared": _Conjugate(
        # 2 - 2 r = -2 (r - 1), r = sqrt(1-t), by way of log r so that nothing cancels at t = 0
        lambda t: -2 * expm1(torch.log1p(-t) / 2),
        lambda t: torch.rsqrt(1 - t),
        lambda v: -expm1(-v),
        at_edge=2.0,
    ),
    "squared_hellinger": _Conjugate(lambda t: t / (1 - t), lambda t: (1 - t).reciprocal().square(), lambda v: -expm1(-v)),
    "jeffreys": _Conjugate(_jeffreys, lambda t: log_ratio(t).exp(), lambda v: v),
    "jensen_shannon": _Conjugate(
        lambda t: -torch.log1p(-expm1(2 * t)) / 2,
        lambda t: torch.exp(2 * t) / (1 - expm1(2 * t)),
        lambda v: log_twice_sigmoid(v) / 2,
    ),
    "gan": _Conjugate(_minus_log_one_minus_exp, lambda t: torch.exp(t) / -expm1(t), logsigmoid),
    "alpha": _alpha,
}
