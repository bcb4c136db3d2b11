"""The table of f-divergences, a row each: the generator f and its derivative, and what the code needs to know of them."""

from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from math import inf, isfinite, log
from numbers import Real

import jax.numpy as jnp
from jax.nn import softplus

from theory_jax.arguments import require
from theory_jax.mathematics.elementary import expm1


@dataclass(frozen=True)
class Generator:
    """A divergence on the side of its generator; functions of l = log u."""

    generator: Callable  # f(e^l)
    derivative: Callable  # f'(e^l)
    at_zero: float  # f(0)
    slope_at_infinity: float  # f'(infinity) = lim f(u)/u
    adjoint: str | None = None  # the divergence with the generator u f(1/u); None: itself


def jensen_shannon(log_ratio):
    # With m = |l|: f = max(u, 1) [(1 - e^-m) log(2 sigmoid(m)) / 2 - e^-m log cosh(m/2)], in which neither the two logarithms
    # near u = 1 nor their linear growth far from it cancel. Not jnp.abs: its second derivative at 0 is not that of f.
    below = log_ratio < 0
    m = jnp.where(below, -log_ratio, log_ratio)
    log_cosh = jnp.log1p(2 * jnp.sinh(jnp.minimum(m, 80.0) / 4) ** 2)  # beyond 80 its factor e^-m makes it nothing
    value = -expm1(-m) * log_twice_sigmoid(m) / 2 - jnp.exp(-m) * log_cosh
    return jnp.where(below, 1.0, jnp.exp(log_ratio)) * value


def log_twice_sigmoid(x):
    """log(2 / (1 + e^-x)), accurate where it vanishes, at x = 0, and with the gradient where that does."""
    near = jnp.abs(x) < 1
    small = jnp.where(near, x, 0.0)
    m = jnp.where(small < 0, -small, small)
    return jnp.where(near, jnp.where(small < 0, small, 0.0) + jnp.log1p(jnp.tanh(m / 2)), log(2) - softplus(-x))


def alpha_generator(alpha):
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
            closed = power(large, alpha, alpha * (alpha - 1)) - expm1(large) / (alpha - 1)
        else:
            closed = jnp.exp(large) * power(large, alpha - 1, alpha * (alpha - 1)) - expm1(large) / alpha
        return jnp.where(near, small**2 * series, closed)

    return Generator(
        generator,
        lambda log_u: expm1((alpha - 1) * log_u) / (alpha - 1),
        at_zero=1 / alpha if alpha > 0 else inf,
        slope_at_infinity=1 / (1 - alpha) if alpha < 1 else inf,
        adjoint="alpha",
    )


def power(log_ratio, exponent, divisor):
    """(u^exponent - 1) / divisor, divided before the second half of the power can overflow."""
    root = expm1(exponent * log_ratio / 2)
    return (root / divisor) * (root + 2)


GENERATORS = {
    "total_variation": Generator(
        lambda log_u: jnp.abs(expm1(log_u)) / 2, lambda log_u: jnp.sign(log_u) / 2, at_zero=0.5, slope_at_infinity=0.5
    ),
    "kl": Generator(
        lambda log_u: jnp.exp(log_u) * log_u, lambda log_u: 1 + log_u, at_zero=0.0, slope_at_infinity=inf, adjoint="reverse_kl"
    ),
    "reverse_kl": Generator(
        lambda log_u: -log_u, lambda log_u: -jnp.exp(-log_u), at_zero=inf, slope_at_infinity=0.0, adjoint="kl"
    ),
    "pearson_chi_squared": Generator(
        lambda log_u: expm1(log_u) ** 2,
        lambda log_u: 2 * expm1(log_u),
        at_zero=1.0,
        slope_at_infinity=inf,
        adjoint="neyman_chi_squared",
    ),
    "neyman_chi_squared": Generator(
        lambda log_u: (expm1(log_u / 2) * (1 + jnp.exp(-log_u / 2))) ** 2,  # (sqrt(u) - 1/sqrt(u))^2
        lambda log_u: -expm1(-2 * log_u),
        at_zero=inf,
        slope_at_infinity=1.0,
        adjoint="pearson_chi_squared",
    ),
    "squared_hellinger": Generator(
        lambda log_u: expm1(log_u / 2) ** 2, lambda log_u: -expm1(-log_u / 2), at_zero=1.0, slope_at_infinity=1.0
    ),
    "jeffreys": Generator(
        lambda log_u: expm1(log_u) * log_u, lambda log_u: log_u - expm1(-log_u), at_zero=inf, slope_at_infinity=inf
    ),
    "jensen_shannon": Generator(
        jensen_shannon, lambda log_u: log_twice_sigmoid(log_u) / 2, at_zero=log(2) / 2, slope_at_infinity=log(2) / 2
    ),
    "gan": Generator(
        lambda log_u: -jnp.exp(log_u) * softplus(-log_u) - softplus(log_u),
        lambda log_u: -softplus(-log_u),
        at_zero=0.0,
        slope_at_infinity=0.0,
    ),
    "alpha": alpha_generator,
}


def row_of(table, divergence, alpha):
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
