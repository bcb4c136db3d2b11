"""Convex conjugates of the generators: f*(t) = sup_{u >= 0} (u t - f(u)), and the maps of a network's output into dom f*.

u is the density ratio, t the value of a critic. The generators themselves are rows of `f_divergence`; here are their
conjugates, on the domain with upper end f'(infinity).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from math import inf

import jax.numpy as jnp
from jax.nn import softplus

from theory_jax.arguments import require, require_rank
from theory_jax.foundations._generators import GENERATORS, log_twice_sigmoid, row_of
from theory_jax.foundations._wright import log_omega
from theory_jax.mathematics.elementary import expm1, log1p


def fenchel_conjugate(t, *, divergence, alpha=None):
    r"""f*(t) = sup over u >= 0 of u t - f(u), for the generator f of the named divergence; +inf outside dom f*.

    The supremum is over u >= 0, so that f* = -f(0) for all t below f'(0). Outside dom f* the gradient is 0.

    Raises ValueError for an unknown divergence, and for an alpha that is missing, 0, 1, not finite, or not wanted.
    Source: Hiriart-Urruty & Lemarechal 2001, part E; Nowozin, Cseke & Tomioka 2016, table 5 (there without the flat parts).
    [...] -> [...]
    """
    row, edge = _conjugate_and_edge(divergence, alpha)
    t = jnp.asarray(t)
    inside = t < edge
    value = row.conjugate(jnp.where(inside, t, -1.0))  # -1 is inside every domain
    return jnp.where(inside, value, jnp.where(t == edge, row.at_edge, jnp.where(t > edge, inf, t)))


def fenchel_conjugate_derivative(t, *, divergence, alpha=None):
    r"""u*(t) = (f*)'(t) >= 0, the ratio u at which u t - f(u) is largest; +inf where no finite u is.

    For total_variation every u of [0, 1] does at t = -1/2, every u >= 1 at t = 1/2: the answer is 1 at both.

    Raises ValueError as fenchel_conjugate does.  Source: Nowozin, Cseke & Tomioka 2016, section 2.2.
    [...] -> [...]
    """
    row, edge = _conjugate_and_edge(divergence, alpha)
    t = jnp.asarray(t)
    inside = t < edge
    value = row.maximizer(jnp.where(inside, t, -1.0))
    return jnp.where(inside, value, jnp.where(t == edge, row.maximizer_at_edge, jnp.where(t > edge, inf, t)))


def output_activation(v, *, divergence, alpha=None):
    r"""g_f(v): a non-decreasing map of the real line into dom f*, the last layer of a critic.

    total_variation tanh(v)/2; kl, pearson_chi_squared, jeffreys and alpha > 1: v; reverse_kl -e^-v;
    neyman_chi_squared and squared_hellinger 1 - e^-v; jensen_shannon [log 2 - softplus(-v)]/2; gan -softplus(-v);
    alpha < 1: 1/(1-alpha) - softplus(-v).

    Raises ValueError as fenchel_conjugate does.  Source: Nowozin, Cseke & Tomioka 2016, table 2.
    [...] -> [...]
    """
    return row_of(_CONJUGATES, divergence, alpha).activation(jnp.asarray(v))


def wright_omega(x):
    r"""The omega > 0 with omega + log omega = x, that is W(e^x) with Lambert's W.

    Source: Corless & Jeffrey 2002.
    [...] -> [...]
    """
    x = jnp.asarray(x)
    log_w = log_omega(x - 1)
    # Above 1, x - log omega has the smaller relative error; below, its terms would cancel.
    return jnp.where(x > 1, x - log_w, jnp.exp(log_w))


def discrete_legendre_transform(slopes, points, values):
    r"""max_n (slope points_n - values_n): the conjugate of the function that has these values at these points, +inf elsewhere.

    Raises ValueError if an argument has not one axis, if there is no point, or if points and values differ in length.
    Source: Lucet 1997.
    [B], [N], [N] -> [B]
    """
    require_rank(1, slopes=slopes, points=points, values=values)
    count, given = jnp.shape(points)[0], jnp.shape(values)[0]
    require(count > 0, "points has length 0; it must have at least one point")
    require(given == count, f"values has length {given}; it must have one for each of the {count} points")
    return jnp.max(jnp.asarray(slopes)[:, None] * jnp.asarray(points) - jnp.asarray(values), axis=1)


# ------------------------------------------------------------------------------------------- one divergence, one row


@dataclass(frozen=True)
class _Conjugate:
    """A divergence on the side of its conjugate; `conjugate` and `maximizer` hold for t < f'(infinity), the edge of dom f*."""

    conjugate: Callable  # f*(t)
    maximizer: Callable  # u*(t), where f'(u) = t
    activation: Callable  # g_f(v)
    at_edge: float = inf  # f*(f'(infinity)), finite if the domain is closed
    maximizer_at_edge: float = inf


def _conjugate_and_edge(divergence, alpha):
    return row_of(_CONJUGATES, divergence, alpha), row_of(GENERATORS, divergence, alpha).slope_at_infinity


def _half_tanh(v):
    """tanh(v)/2; the derivative of jnp.tanh is 1 - tanh^2, in which small slopes cancel."""
    m = jnp.where(v < 0, -v, v)
    return jnp.where(v < 0, 0.5, -0.5) * expm1(-2 * m) / (1 + jnp.exp(-2 * m))


def _jeffreys_conjugate(t):
    log_u = -log_omega(-t)  # f'(u) = log u + 1 - 1/u = t
    return expm1(log_u) + log_u


def _gan_maximizer(t):
    return jnp.exp(t) / -expm1(t)


def _alpha_conjugate(alpha):
    def log_maximizer(t):
        """log u*, and where there is one: for alpha > 1, s = 1 + (alpha-1) t falls to 0 at f'(0), below which u* = 0."""
        rises = (alpha - 1) * t > -1
        return log1p((alpha - 1) * jnp.where(rises, t, 0.0)) / (alpha - 1), rises

    def conjugate(t):
        log_u, rises = log_maximizer(t)
        return jnp.where(rises, expm1(alpha * log_u), -1.0) / alpha

    def maximizer(t):
        log_u, rises = log_maximizer(t)
        return jnp.where(rises, jnp.exp(log_u), 0.0)

    return _Conjugate(
        conjugate,
        maximizer,
        (lambda v: v) if alpha > 1 else (lambda v: 1 / (1 - alpha) - softplus(-v)),
        at_edge=-1 / alpha if alpha < 0 else inf,
    )


_CONJUGATES = {
    "total_variation": _Conjugate(
        lambda t: jnp.where(t < -0.5, -0.5, t),
        lambda t: jnp.where(t < -0.5, 0.0, jnp.ones_like(t)),
        _half_tanh,
        at_edge=0.5,
        maximizer_at_edge=1.0,
    ),
    "kl": _Conjugate(lambda t: jnp.exp(t - 1), lambda t: jnp.exp(t - 1), lambda v: v),
    "reverse_kl": _Conjugate(lambda t: -1 - jnp.log(-t), lambda t: -1 / t, lambda v: -jnp.exp(-v)),
    "pearson_chi_squared": _Conjugate(
        lambda t: jnp.where(t < -2, -1.0, t * (1 + t / 4)), lambda t: jnp.where(t < -2, 0.0, 1 + t / 2), lambda v: v
    ),
    "neyman_chi_squared": _Conjugate(
        lambda t: 2 * t / (1 + jnp.sqrt(1 - t)),  # 2 - 2 sqrt(1-t) without its cancellation at 0
        lambda t: 1 / jnp.sqrt(1 - t),
        lambda v: -expm1(-v),
        at_edge=2.0,
    ),
    "squared_hellinger": _Conjugate(lambda t: expm1(-log1p(-t)), lambda t: 1 / (1 - t) ** 2, lambda v: -expm1(-v)),
    "jeffreys": _Conjugate(_jeffreys_conjugate, lambda t: jnp.exp(-log_omega(-t)), lambda v: v),
    "jensen_shannon": _Conjugate(
        lambda t: -log1p(-expm1(2 * t)) / 2, lambda t: _gan_maximizer(2 * t - math.log(2)), lambda v: log_twice_sigmoid(v) / 2
    ),
    # log(1 + u*) is -log(1 - e^t), exact both where e^t is tiny and where it is nearly one.
    "gan": _Conjugate(lambda t: jnp.log1p(_gan_maximizer(t)), _gan_maximizer, lambda v: -softplus(-v)),
    "alpha": _alpha_conjugate,
}
