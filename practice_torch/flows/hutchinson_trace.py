"""Hutchinson's estimator: the divergence of a vector field by reverse products with random directions, and its variance."""

import math

import torch

from practice_torch.arguments import require, require_batch, require_rank, require_unit_interval
from practice_torch.flows._arguments import require_probes
from practice_torch.flows._divergence import value_and_products

KINDS = ("gaussian", "rademacher")


def exact_divergence(x, fn):
    r"""sum_i d fn_i / d x_i at every example: D derivatives along the axes, for D entries of an example.

    fn([B, ...]) -> [B, ...] treats every example by itself.

    Raises ValueError if x has no batch axis or fn does not return the shape of x.  Source: Grathwohl et al. 2019, section 3.
    [B, ...] -> [B]
    """
    require_batch(x=x)
    _, pull = torch.func.vjp(lambda x: _kept(x, fn), x)
    total, size = x.new_zeros(len(x)), math.prod(x.shape[1:])
    for entry, axis in enumerate(torch.eye(size, dtype=x.dtype, device=x.device)):
        total = total + pull(axis.view(x.shape[1:]).expand(x.shape))[0].reshape(len(x), size)[:, entry]
    return total


def hutchinson_divergence(x, probes, fn):
    r"""1/P sum_k p_k^T J p_k at every example, J = d fn / d x: unbiased for the divergence where E p p^T = I.

    With the D probes sqrt(D) e_i it is the divergence. fn([B, ...]) -> [B, ...] treats every example by itself.

    Raises ValueError unless probes holds one or more of the shape of x, or fn does not return the shape of x.
    Source: Hutchinson 1990; Grathwohl et al. 2019, eq. 7.
    [B, ...], [P, B, ...] -> [B]
    """
    require_batch(x=x)
    require_probes(x, probes)
    return value_and_products(x, probes, lambda x: _kept(x, fn))[1].mean(0)


def rademacher_from_uniforms(u):
    r"""-1 where u < 1/2, and 1 elsewhere: a sign with both values equally likely where u is uniform.

    Raises ValueError if u leaves [0, 1].  Source: Hutchinson 1990.
    [...] -> [...]
    """
    require_unit_interval(u=u)
    return torch.ones_like(u).masked_fill(u < 0.5, -1.0)


def hutchinson_variance(jacobian, *, kind):
    r"""Variance of p^T J p: 2 sum_ij S_ij^2 for "gaussian" probes, without the terms i = j for "rademacher"; S = (J + J^T)/2.

    Raises ValueError if jacobian does not hold square matrices, or kind is neither of these.
    Source: Avron & Toledo 2011, lemma 9; Hutchinson 1990.
    [B, D, D] -> [B]
    """
    require_rank(3, jacobian=jacobian)
    require(kind in KINDS, f"kind is {kind!r}; it must be one of {', '.join(KINDS)}")
    rows, columns = jacobian.shape[1:]
    require(rows == columns, f"jacobian has shape {list(jacobian.shape)}; its matrices must be square")
    squares = ((jacobian + jacobian.mT) / 2).square()
    if kind == "rademacher":
        squares = squares.masked_fill(torch.eye(rows, dtype=torch.bool, device=jacobian.device), 0.0)
    return 2 * squares.sum((1, 2))


def _kept(x, fn):
    """fn(x), which must have the shape of x."""
    value = fn(x)
    given = list(value.shape)
    require(given == list(x.shape), f"fn returns shape {given}; it must return that of x, {list(x.shape)}")
    return value
