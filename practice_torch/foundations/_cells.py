"""The table of f-divergences, a row each: the cell q f(p/q), and what else the code needs to know of the generator f.

A cell takes log p and log q rather than their ratio: most cells are closed forms of differences of exponentials (p - q,
sqrt(p) - sqrt(q), ...), in which nothing overflows that is not itself too large. The generator is the cell at q = 1.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from numbers import Real

import numpy as np
import torch
from torch.nn.functional import logsigmoid

from practice_torch.arguments import require
from practice_torch.foundations._elementary import difference, expm1, log_twice_sigmoid, rise


@dataclass(frozen=True)
class Cell:
    """A divergence on the side of its generator."""

    cell: Callable  # q f(p/q) of log p and log q, both finite
    derivative: Callable  # f'(u) of log u
    at_zero: float  # f(0)
    slope_at_infinity: float  # f'(infinity)


def jensen_shannon(log_p, log_q):
    log_ratio = log_p - log_q
    near = log_ratio.abs() < 1
    # Near p = q the halves p log(p/m) and q log(q/m) cancel to second order; there 2 JSD = (p-q) l/2 - (p+q) log cosh(l/2).
    small = log_ratio.where(near, 0.0)
    minus_log_cosh = torch.log1p(-torch.tanh(small / 2).square()) / 2
    p, q = log_p.exp(), log_q.exp()
    close = difference(log_p, log_q) * small / 2 + (p + q) * minus_log_cosh
    apart = p * log_twice_sigmoid(log_ratio) + q * log_twice_sigmoid(-log_ratio)
    return torch.where(near, close, apart) / 2


def gan(log_p, log_q):
    log_ratio = log_p - log_q
    # p log(p/(p+q)) + q log(q/(p+q)); logsigmoid, since torch's softplus is the identity beyond its threshold of 20.
    return log_p.exp() * logsigmoid(log_ratio) + log_q.exp() * logsigmoid(-log_ratio)


# Gauss and Legendre's rule on [0, 1]: at import, since NumPy's solver inside a function would break a compiled graph in two.
NODES, WEIGHTS = ((np.polynomial.legendre.leggauss(12) + np.array([[1.0], [0.0]])) / 2).tolist()


def alpha_cell(alpha):
    near_one = 1 / max(1.0, abs(alpha))
    log_scale, sign = math.log(abs(alpha * (alpha - 1))), math.copysign(1.0, alpha * (alpha - 1))

    def cell(log_p, log_q):
        log_ratio = log_p - log_q
        near = log_ratio.abs() <= near_one
        small = log_ratio.where(near, 0.0)
        # Near u = 1, Taylor's remainder f(u) = int_1^u (u - s) s^(alpha-2) ds: along s = e^(x l) it is
        # l int_0^1 e^(alpha x l) (e^((1-x) l) - 1) dx, an integrand of one sign, by Gauss-Legendre.
        integrand = (w * torch.exp(alpha * x * small) * expm1((1 - x) * small) for x, w in zip(NODES, WEIGHTS, strict=True))
        # p^alpha q^(1-alpha) less q stays exact as alpha -> 0, less p as alpha -> 1; its scale goes into the exponent, where it
        # keeps the power from overflowing.
        base, exponent, other = (log_q, alpha, alpha - 1) if alpha < 0.5 else (log_p, alpha - 1, alpha)
        mixture = alpha * log_p + (1 - alpha) * log_q
        power = sign * rise(base - log_scale, exponent * log_ratio, mixture - log_scale)
        return torch.where(near, log_q.exp() * small * sum(integrand), power - difference(log_p, log_q) / other)

    return Cell(
        cell,
        lambda log_u: expm1((alpha - 1) * log_u) / (alpha - 1),
        at_zero=1 / alpha if alpha > 0 else math.inf,
        slope_at_infinity=1 / (1 - alpha) if alpha < 1 else math.inf,
    )


CELLS = {
    "total_variation": Cell(
        lambda log_p, log_q: difference(log_p, log_q).abs() / 2,
        lambda log_u: torch.sign(log_u) / 2,
        at_zero=0.5,
        slope_at_infinity=0.5,
    ),
    "kl": Cell(
        lambda log_p, log_q: log_p.exp() * (log_p - log_q), lambda log_u: 1 + log_u, at_zero=0.0, slope_at_infinity=math.inf
    ),
    "reverse_kl": Cell(
        lambda log_p, log_q: log_q.exp() * (log_q - log_p),
        lambda log_u: -torch.exp(-log_u),
        at_zero=math.inf,
        slope_at_infinity=0.0,
    ),
    "pearson_chi_squared": Cell(
        lambda log_p, log_q: difference(log_p, log_q) * expm1(log_p - log_q),
        lambda log_u: 2 * expm1(log_u),
        at_zero=1.0,
        slope_at_infinity=math.inf,
    ),
    "neyman_chi_squared": Cell(
        lambda log_p, log_q: difference(log_q, log_p) * expm1(log_q - log_p),
        lambda log_u: -expm1(-2 * log_u),
        at_zero=math.inf,
        slope_at_infinity=1.0,
    ),
    "squared_hellinger": Cell(
        lambda log_p, log_q: difference(log_p / 2, log_q / 2).square(),
        lambda log_u: -expm1(-log_u / 2),
        at_zero=1.0,
        slope_at_infinity=1.0,
    ),
    "jeffreys": Cell(
        lambda log_p, log_q: difference(log_p, log_q) * (log_p - log_q),
        lambda log_u: log_u - expm1(-log_u),
        at_zero=math.inf,
        slope_at_infinity=math.inf,
    ),
    "jensen_shannon": Cell(
        jensen_shannon, lambda log_u: log_twice_sigmoid(log_u) / 2, at_zero=math.log(2) / 2, slope_at_infinity=math.log(2) / 2
    ),
    "gan": Cell(gan, logsigmoid, at_zero=0.0, slope_at_infinity=0.0),
    "alpha": alpha_cell,
}


def row_of(table, divergence, alpha):
    """The row of the named divergence; a table's entry that is a function is made into a row by its alpha."""
    if not isinstance(divergence, str) or divergence not in table:
        nearest = get_close_matches(str(divergence), table, n=1, cutoff=0.0)
        raise ValueError(f"divergence is {divergence!r}; it must be one of {', '.join(table)} (nearest: {nearest[0]!r})")
    entry = table[divergence]
    if callable(entry):
        usable = isinstance(alpha, Real) and math.isfinite(alpha) and alpha not in (0, 1)
        require(usable, f"alpha is {alpha!r}; with divergence 'alpha' it must be a finite number, neither 0 nor 1")
        return entry(float(alpha))
    require(alpha is None, f"alpha is {alpha!r}; with divergence {divergence!r} it must be None")
    return entry
