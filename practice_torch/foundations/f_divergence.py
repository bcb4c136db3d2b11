"""f-divergences of batches of distributions, one cell q f(p/q) at a time.

A divergence is a row of `_CELLS`. Its cell takes log p and log q rather than their ratio: most cells are closed forms of
differences of exponentials (p - q, sqrt(p) - sqrt(q), ...), in which nothing overflows that is not itself too large. The
generator is the cell at q = 1.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from numbers import Real

import numpy as np
import torch
from torch.nn.functional import logsigmoid

from practice_torch.arguments import require, require_log_probs, require_rank, require_same_shape


def f_generator(log_ratio, *, divergence, alpha=None):
    r"""f(u) at u = e^log_ratio, the generator of the named f-divergence (nats where a logarithm is involved).

    total_variation |u-1|/2, kl u log u, reverse_kl -log u, pearson_chi_squared (u-1)^2, neyman_chi_squared (1-u)^2/u,
    squared_hellinger (sqrt(u)-1)^2, jeffreys (u-1) log u, jensen_shannon [u log u - (u+1) log((u+1)/2)]/2,
    gan u log u - (u+1) log(u+1), alpha [u^alpha - 1 - alpha (u-1)] / [alpha (alpha-1)].

    Raises ValueError for an unknown divergence, and for an alpha that is missing, 0, 1, not finite, or not wanted.
    Source: Liese & Vajda 2006; Nowozin, Cseke & Tomioka 2016, table 1 (there without the 1/2 of jensen_shannon).
    [B] -> [B]
    """
    return _row_of(_CELLS, divergence, alpha).cell(log_ratio, torch.zeros_like(log_ratio))


def f_generator_derivative(log_ratio, *, divergence, alpha=None):
    r"""f'(u) at u = e^log_ratio: the critic that attains the divergence in its variational form.

    For total_variation it is sign(u-1)/2, with sign(0) = 0.

    Raises ValueError as f_generator does.  Source: Nguyen, Wainwright & Jordan 2010; Nowozin, Cseke & Tomioka 2016, table 5.
    [B] -> [B]
    """
    return _row_of(_CELLS, divergence, alpha).derivative(log_ratio)


def f_divergence(log_probs_p, log_probs_q, *, divergence, alpha=None):
    r"""D_f(p || q) = sum_k q_k f(p_k / q_k), in nats where a logarithm is involved.

    0 f(0/0) = 0;  p_k = 0 < q_k gives q_k f(0);  q_k = 0 < p_k gives p_k f'(infinity). Where that is infinite, the result is
    the constant +inf, and its gradient is 0.

    Raises ValueError as f_generator does, if the shapes differ, or if a row of log_probs_p or log_probs_q does not sum to one.
    Source: Csiszar 1967; Ali & Silvey 1966.
    [B, K], [B, K] -> [B]
    """
    row = _row_of(_CELLS, divergence, alpha)
    require_rank(2, log_probs_p=log_probs_p, log_probs_q=log_probs_q)
    require_same_shape(log_probs_p=log_probs_p, log_probs_q=log_probs_q)
    require_log_probs(log_probs_p=log_probs_p, log_probs_q=log_probs_q)
    no_p, no_q = log_probs_p.isneginf(), log_probs_q.isneginf()
    outside = no_p | no_q
    # Cells outside both supports are filled before they are computed, so that no NaN waits behind the mask for the gradient.
    cells = row.cell(log_probs_p.masked_fill(outside, 0.0), log_probs_q.masked_fill(outside, 0.0)).masked_fill(outside, 0.0)
    for mask, log_weight, value in ((no_p, log_probs_q, row.at_zero), (no_q, log_probs_p, row.slope_at_infinity)):
        if math.isinf(value):
            cells = cells.masked_fill(mask & (log_weight > -math.inf), math.inf)
        else:
            cells = cells + value * log_weight.masked_fill(~mask, -math.inf).exp()
    return cells.sum(-1)


def push_through_channel(log_probs, log_channel):
    r"""log (p C)_m = log sum_k p_k C_km: the distribution of the output when p is sent through the channel C.

    Raises ValueError if the number of rows of log_channel is not the number of probabilities, or if a row of log_probs or
    log_channel does not sum to one.  Source: Csiszar 1967.
    [B, K], [K, M] -> [B, M]
    """
    require_rank(2, log_probs=log_probs, log_channel=log_channel)
    inputs, rows = log_probs.shape[1], log_channel.shape[0]
    require(rows == inputs, f"log_channel has {rows} rows; it must have one for each of the {inputs} columns of log_probs")
    require_log_probs(log_probs=log_probs, log_channel=log_channel)
    joint = log_probs[:, None, :] + log_channel.T
    unreachable = joint.isneginf().all(-1)
    return torch.logsumexp(joint.masked_fill(unreachable[..., None], 0.0), -1).masked_fill(unreachable, -math.inf)


# ------------------------------------------------------------------------------------------- one divergence, one row


@dataclass(frozen=True)
class _Cell:
    """A divergence on the side of its generator."""

    cell: Callable  # q f(p/q) of log p and log q, both finite
    derivative: Callable  # f'(u) of log u
    at_zero: float  # f(0)
    slope_at_infinity: float  # f'(infinity)


def _expm1(x):
    """e^x - 1. The derivative of torch.expm1 is (e^x - 1) + 1, which rounds a small e^x away: below -1, e^x itself is taken."""
    low = x < -1
    return torch.where(low, torch.exp(x.where(low, -1.0)) - 1, torch.expm1(x.masked_fill(low, 0.0)))


def _difference(a, b):
    """e^a - e^b without cancellation."""
    return _rise(b, a - b, a)


def _rise(bottom, step, top):
    """e^top - e^bottom for top = bottom + step, neither cancelling nor overflowing before its result does."""
    # top is not recomputed: where e^bottom is negligible, its small gradient would drown in the rounding of e^top.
    up = step > 0
    return torch.where(up, -torch.exp(top) * _expm1(-step.clamp(min=0)), torch.exp(bottom) * _expm1(step.clamp(max=0)))


def _log_twice_sigmoid(x):
    """log(2 / (1 + e^-x)): as log(1 + tanh(x/2)) where it is small, with logsigmoid where its gradient may be."""
    near = x.abs() < 1
    return torch.where(near, torch.log1p(torch.tanh(x.where(near, 0.0) / 2)), math.log(2) + logsigmoid(x))


def _jensen_shannon(log_p, log_q):
    log_ratio = log_p - log_q
    near = log_ratio.abs() < 1
    # Near p = q the halves p log(p/m) and q log(q/m) cancel to second order; there 2 JSD = (p-q) l/2 - (p+q) log cosh(l/2).
    small = log_ratio.where(near, 0.0)
    minus_log_cosh = torch.log1p(-torch.tanh(small / 2).square()) / 2
    p, q = log_p.exp(), log_q.exp()
    close = _difference(log_p, log_q) * small / 2 + (p + q) * minus_log_cosh
    apart = p * _log_twice_sigmoid(log_ratio) + q * _log_twice_sigmoid(-log_ratio)
    return torch.where(near, close, apart) / 2


def _gan(log_p, log_q):
    log_ratio = log_p - log_q
    # p log(p/(p+q)) + q log(q/(p+q)); logsigmoid, since torch's softplus is the identity beyond its threshold of 20.
    return log_p.exp() * logsigmoid(log_ratio) + log_q.exp() * logsigmoid(-log_ratio)


# Gauss and Legendre's rule on [0, 1]: at import, since NumPy's solver inside a function would break a compiled graph in two.
_NODES, _WEIGHTS = ((np.polynomial.legendre.leggauss(12) + np.array([[1.0], [0.0]])) / 2).tolist()


def _alpha_cell(alpha):
    near_one = 1 / max(1.0, abs(alpha))
    log_scale, sign = math.log(abs(alpha * (alpha - 1))), math.copysign(1.0, alpha * (alpha - 1))

    def cell(log_p, log_q):
        log_ratio = log_p - log_q
        near = log_ratio.abs() <= near_one
        small = log_ratio.where(near, 0.0)
        # Near u = 1, Taylor's remainder f(u) = int_1^u (u - s) s^(alpha-2) ds: along s = e^(x l) it is
        # l int_0^1 e^(alpha x l) (e^((1-x) l) - 1) dx, an integrand of one sign, by Gauss-Legendre.
        integrand = (w * torch.exp(alpha * x * small) * _expm1((1 - x) * small) for x, w in zip(_NODES, _WEIGHTS, strict=True))
        # p^alpha q^(1-alpha) less q stays exact as alpha -> 0, less p as alpha -> 1; its scale goes into the exponent, where it
        # keeps the power from overflowing.
        base, exponent, other = (log_q, alpha, alpha - 1) if alpha < 0.5 else (log_p, alpha - 1, alpha)
        mixture = alpha * log_p + (1 - alpha) * log_q
        power = sign * _rise(base - log_scale, exponent * log_ratio, mixture - log_scale)
        return torch.where(near, log_q.exp() * small * sum(integrand), power - _difference(log_p, log_q) / other)

    return _Cell(
        cell,
        lambda log_u: _expm1((alpha - 1) * log_u) / (alpha - 1),
        at_zero=1 / alpha if alpha > 0 else math.inf,
        slope_at_infinity=1 / (1 - alpha) if alpha < 1 else math.inf,
    )


_CELLS = {
    "total_variation": _Cell(
        lambda log_p, log_q: _difference(log_p, log_q).abs() / 2,
        lambda log_u: torch.sign(log_u) / 2,
        at_zero=0.5,
        slope_at_infinity=0.5,
    ),
    "kl": _Cell(
        lambda log_p, log_q: log_p.exp() * (log_p - log_q), lambda log_u: 1 + log_u, at_zero=0.0, slope_at_infinity=math.inf
    ),
    "reverse_kl": _Cell(
        lambda log_p, log_q: log_q.exp() * (log_q - log_p),
        lambda log_u: -torch.exp(-log_u),
        at_zero=math.inf,
        slope_at_infinity=0.0,
    ),
    "pearson_chi_squared": _Cell(
        lambda log_p, log_q: _difference(log_p, log_q) * _expm1(log_p - log_q),
        lambda log_u: 2 * _expm1(log_u),
        at_zero=1.0,
        slope_at_infinity=math.inf,
    ),
    "neyman_chi_squared": _Cell(
        lambda log_p, log_q: _difference(log_q, log_p) * _expm1(log_q - log_p),
        lambda log_u: -_expm1(-2 * log_u),
        at_zero=math.inf,
        slope_at_infinity=1.0,
    ),
    "squared_hellinger": _Cell(
        lambda log_p, log_q: _difference(log_p / 2, log_q / 2).square(),
        lambda log_u: -_expm1(-log_u / 2),
        at_zero=1.0,
        slope_at_infinity=1.0,
    ),
    "jeffreys": _Cell(
        lambda log_p, log_q: _difference(log_p, log_q) * (log_p - log_q),
        lambda log_u: log_u - _expm1(-log_u),
        at_zero=math.inf,
        slope_at_infinity=math.inf,
    ),
    "jensen_shannon": _Cell(
        _jensen_shannon, lambda log_u: _log_twice_sigmoid(log_u) / 2, at_zero=math.log(2) / 2, slope_at_infinity=math.log(2) / 2
    ),
    "gan": _Cell(_gan, logsigmoid, at_zero=0.0, slope_at_infinity=0.0),
    "alpha": _alpha_cell,
}
DIVERGENCES = tuple(_CELLS)


def _row_of(table, divergence, alpha):
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
