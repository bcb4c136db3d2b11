"""f-divergences: one convex function of the density ratio, one measure of the distance between two distributions.

Throughout, u = p/q is the ratio, l = log u its logarithm, f the generator and D_f(p || q) = sum_k q_k f(p_k / q_k).
"""

from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from math import inf, isfinite, log
from numbers import Real

import jax
import jax.numpy as jnp
from jax.nn import softplus

from theory_jax.arguments import require, require_log_probs, require_rank, require_same_shape


def f_generator(log_ratio, *, divergence, alpha=None):
    r"""f(u) at u = e^log_ratio, the generator of the named f-divergence (nats where a logarithm is involved).

    total_variation |u-1|/2, kl u log u, reverse_kl -log u, pearson_chi_squared (u-1)^2, neyman_chi_squared (1-u)^2/u,
    squared_hellinger (sqrt(u)-1)^2, jeffreys (u-1) log u, jensen_shannon [u log u - (u+1) log((u+1)/2)]/2,
    gan u log u - (u+1) log(u+1), alpha [u^alpha - 1 - alpha (u-1)] / [alpha (alpha-1)].

    Raises ValueError for an unknown divergence, and for an alpha that is missing, 0, 1, not finite, or not wanted.
    Source: Liese & Vajda 2006; Nowozin, Cseke & Tomioka 2016, table 1 (there without the 1/2 of jensen_shannon).
    [B] -> [B]
    """
    return _row_of(_GENERATORS, divergence, alpha).generator(jnp.asarray(log_ratio))


def f_generator_derivative(log_ratio, *, divergence, alpha=None):
    r"""f'(u) at u = e^log_ratio: the critic that attains the divergence in its variational form.

    For total_variation it is sign(u-1)/2, with sign(0) = 0.

    Raises ValueError as f_generator does.  Source: Nguyen, Wainwright & Jordan 2010; Nowozin, Cseke & Tomioka 2016, table 5.
    [B] -> [B]
    """
    return _row_of(_GENERATORS, divergence, alpha).derivative(jnp.asarray(log_ratio))


def f_divergence(log_probs_p, log_probs_q, *, divergence, alpha=None):
    r"""D_f(p || q) = sum_k q_k f(p_k / q_k), in nats where a logarithm is involved.

    0 f(0/0) = 0;  p_k = 0 < q_k gives q_k f(0);  q_k = 0 < p_k gives p_k f'(infinity). Where that is infinite, the result is
    the constant +inf, and its gradient is 0.

    Raises ValueError as f_generator does, if the shapes differ, or if a row does not sum to one.
    Source: Csiszar 1967; Ali & Silvey 1966.
    [B, K], [B, K] -> [B]
    """
    row = _row_of(_GENERATORS, divergence, alpha)
    require_rank(2, log_probs_p=log_probs_p, log_probs_q=log_probs_q)
    require_same_shape(log_probs_p=log_probs_p, log_probs_q=log_probs_q)
    require_log_probs(log_probs_p=log_probs_p, log_probs_q=log_probs_q)
    log_probs_p, log_probs_q = jnp.asarray(log_probs_p), jnp.asarray(log_probs_q)
    # q f(p/q) = p f*(q/p) with the adjoint generator f*(u) = u f(1/u) (step 4 below): whichever of the two ratios is at most
    # one is used, so that a ratio of 1e60 never meets a probability of 1e-60.
    adjoint = _row_of(_GENERATORS, *_adjoint_of(divergence, alpha))
    p_is_zero, q_is_zero = log_probs_p == -inf, log_probs_q == -inf
    inside = ~p_is_zero & ~q_is_zero
    log_p, log_q = jnp.where(inside, log_probs_p, 0.0), jnp.where(inside, log_probs_q, 0.0)
    q_is_larger = log_p <= log_q
    from_q = jnp.exp(log_q) * row.generator(jnp.where(q_is_larger, log_p - log_q, 0.0))
    from_p = jnp.exp(log_p) * adjoint.generator(jnp.where(q_is_larger, 0.0, log_q - log_p))
    terms = jnp.where(inside, jnp.where(q_is_larger, from_q, from_p), 0.0)
    only_q, only_p = p_is_zero & ~q_is_zero, q_is_zero & ~p_is_zero
    terms += _weighted(only_q, log_probs_q, row.at_zero) + _weighted(only_p, log_probs_p, row.slope_at_infinity)
    return jnp.sum(terms, axis=-1)


def push_through_channel(log_probs, log_channel):
    r"""log (p C)_m = log sum_k p_k C_km: the distribution of the output when p is sent through the channel C.

    Raises ValueError if the number of rows of the channel is not the number of probabilities, or if a row of either does not
    sum to one.  Source: Csiszar 1967.
    [B, K], [K, M] -> [B, M]
    """
    require_rank(2, log_probs=log_probs, log_channel=log_channel)
    inputs, rows = jnp.shape(log_probs)[1], jnp.shape(log_channel)[0]
    require(rows == inputs, f"log_channel has {rows} rows; it must have one for each of the {inputs} columns of log_probs")
    require_log_probs(log_probs=log_probs, log_channel=log_channel)
    joint = jnp.asarray(log_probs)[:, :, None] + jnp.asarray(log_channel)[None, :, :]
    # An output that cannot be reached has only -inf terms: its largest one must not be subtracted, its logarithm not taken.
    reachable = joint.max(axis=1, keepdims=True) > -inf
    joint = jnp.where(reachable, joint, 0.0)
    largest = joint.max(axis=1, keepdims=True)
    total = jnp.sum(jnp.exp(joint - largest), axis=1)
    return jnp.where(reachable[:, 0, :], largest[:, 0, :] + jnp.log(total), -inf)


# ------------------------------------------------------------------------------------------- one divergence, one row


@dataclass(frozen=True)
class _Generator:
    """A divergence on the side of its generator; functions of l = log u."""

    generator: Callable  # f(e^l)
    derivative: Callable  # f'(e^l)
    at_zero: float  # f(0)
    slope_at_infinity: float  # f'(infinity) = lim f(u)/u
    adjoint: str | None = None  # the divergence whose generator is u f(1/u); None: itself


@jax.custom_jvp
def _expm1(x):
    """e^x - 1 with the derivative e^x; that of jnp.expm1 is (e^x - 1) + 1, in which rounding drowns a small e^x."""
    return jnp.expm1(x)


_expm1.defjvps(lambda tangent, value, x: tangent * jnp.exp(x))


def _jensen_shannon(log_ratio):
    # With m = |l|: f = max(u, 1) [(1 - e^-m) log(2 sigmoid(m)) / 2 - e^-m log cosh(m/2)], in which neither the two logarithms
    # near u = 1 nor their linear growth far from it cancel. Not jnp.abs: its second derivative at 0 is not that of f.
    below = log_ratio < 0
    m = jnp.where(below, -log_ratio, log_ratio)
    log_cosh = jnp.log1p(2 * jnp.sinh(jnp.minimum(m, 80.0) / 4) ** 2)  # beyond 80 its factor e^-m makes it nothing
    value = -_expm1(-m) * _log_twice_sigmoid(m) / 2 - jnp.exp(-m) * log_cosh
    return jnp.where(below, 1.0, jnp.exp(log_ratio)) * value


def _log_twice_sigmoid(x):
    """log(2 / (1 + e^-x)), accurate where it vanishes, at x = 0."""
    m = jnp.where(x < 0, -x, x)
    return jnp.where(x < 0, x, 0.0) + jnp.log1p(jnp.tanh(m / 2))


def _alpha_generator(alpha):
    near_one = 1 / max(1.0, abs(alpha))
    # f(e^l) = sum_{k >= 2} (1 + alpha + ... + alpha^(k-2)) l^k / k!: what remains of e^(alpha l) - 1 - alpha (e^l - 1) when the
    # terms that cancel are cancelled by hand. Twenty terms reach 1e-17 where |l| and |alpha l| are at most 1.
    coefficients, geometric, factorial = [], 1.0, 2.0
    for k in range(2, 22):
        coefficients.append(geometric / factorial)
        geometric, factorial = 1 + alpha * geometric, factorial * (k + 1)

    def generator(log_ratio):
        near = jnp.abs(log_ratio) <= near_one
        small = jnp.where(near, log_ratio, 0.0)
        series = jnp.zeros_like(small)
        for coefficient in reversed(coefficients):
            series = series * small + coefficient
        large = jnp.where(near, 1.0, log_ratio)
        # (u^a - 1)/a stays exact as a -> 0, and u (u^(a-1) - 1)/(a-1) as a -> 1: each half of the line takes its own.
        if alpha < 0.5:
            closed = _power(large, alpha, alpha * (alpha - 1)) - _expm1(large) / (alpha - 1)
        else:
            closed = jnp.exp(large) * _power(large, alpha - 1, alpha * (alpha - 1)) - _expm1(large) / alpha
        return jnp.where(near, small**2 * series, closed)

    return _Generator(
        generator,
        lambda log_u: _expm1((alpha - 1) * log_u) / (alpha - 1),
        at_zero=1 / alpha if alpha > 0 else inf,
        slope_at_infinity=1 / (1 - alpha) if alpha < 1 else inf,
        adjoint="alpha",
    )


def _power(log_ratio, exponent, divisor):
    """(u^exponent - 1) / divisor, divided before the second half of the power can overflow."""
    root = _expm1(exponent * log_ratio / 2)
    return (root / divisor) * (root + 2)


_GENERATORS = {
    "total_variation": _Generator(
        lambda log_u: jnp.abs(_expm1(log_u)) / 2, lambda log_u: jnp.sign(log_u) / 2, at_zero=0.5, slope_at_infinity=0.5
    ),
    "kl": _Generator(
        lambda log_u: jnp.exp(log_u) * log_u, lambda log_u: 1 + log_u, at_zero=0.0, slope_at_infinity=inf, adjoint="reverse_kl"
    ),
    "reverse_kl": _Generator(
        lambda log_u: -log_u, lambda log_u: -jnp.exp(-log_u), at_zero=inf, slope_at_infinity=0.0, adjoint="kl"
    ),
    "pearson_chi_squared": _Generator(
        lambda log_u: _expm1(log_u) ** 2,
        lambda log_u: 2 * _expm1(log_u),
        at_zero=1.0,
        slope_at_infinity=inf,
        adjoint="neyman_chi_squared",
    ),
    "neyman_chi_squared": _Generator(
        lambda log_u: (_expm1(log_u / 2) * (1 + jnp.exp(-log_u / 2))) ** 2,  # (sqrt(u) - 1/sqrt(u))^2
        lambda log_u: -_expm1(-2 * log_u),
        at_zero=inf,
        slope_at_infinity=1.0,
        adjoint="pearson_chi_squared",
    ),
    "squared_hellinger": _Generator(
        lambda log_u: _expm1(log_u / 2) ** 2, lambda log_u: -_expm1(-log_u / 2), at_zero=1.0, slope_at_infinity=1.0
    ),
    "jeffreys": _Generator(
        lambda log_u: _expm1(log_u) * log_u, lambda log_u: log_u - _expm1(-log_u), at_zero=inf, slope_at_infinity=inf
    ),
    "jensen_shannon": _Generator(
        _jensen_shannon, lambda log_u: _log_twice_sigmoid(log_u) / 2, at_zero=log(2) / 2, slope_at_infinity=log(2) / 2
    ),
    "gan": _Generator(
        lambda log_u: -jnp.exp(log_u) * softplus(-log_u) - softplus(log_u),
        lambda log_u: -softplus(-log_u),
        at_zero=0.0,
        slope_at_infinity=0.0,
    ),
    "alpha": _alpha_generator,
}


def _row_of(table, divergence, alpha):
    """The row of the named divergence; a table's entry that is a function is made into a row by its alpha."""
    if not (isinstance(divergence, str) and divergence in table):
        nearest = get_close_matches(str(divergence), table, n=1, cutoff=0.0)[0]
        raise ValueError(f"divergence is {divergence!r}; did you mean {nearest!r}? It must be one of {', '.join(table)}")
    entry = table[divergence]
    if not callable(entry):
        require(alpha is None, f"alpha is {alpha!r}; it must be left out: the divergence {divergence!r} has no parameter")
        return entry
    require(
        isinstance(alpha, Real) and isfinite(alpha) and alpha not in (0, 1),
        f"alpha is {alpha!r}; it must be a finite number other than 0 and 1 (their limits are 'reverse_kl' and 'kl')",
    )
    return entry(float(alpha))


def _adjoint_of(divergence, alpha):
    """The name and the parameter of the divergence with its arguments swapped."""
    row = _row_of(_GENERATORS, divergence, alpha)
    return row.adjoint or divergence, None if alpha is None else 1 - alpha


def _weighted(mask, log_weight, value):
    """e^log_weight value where mask holds, else 0, without 0 * inf in the value or in its gradient."""
    if value == inf:
        return jnp.where(mask, inf, 0.0)
    return jnp.where(mask, jnp.exp(jnp.where(mask, log_weight, 0.0)) * value, 0.0)
