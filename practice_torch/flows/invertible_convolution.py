"""Invertible 1x1 convolution: one matrix that mixes the channels at every position, and its LU form.

Forward is the way from data x to noise z.
"""

import math

import torch

from practice_torch.arguments import as_int64, require, require_integers, require_rank, require_shape, require_values
from practice_torch.flows._coupling import require_finite_exponential


def forward(x, weight):
    r"""z = W x at every position, and log |det dz/dx| = N log |det W|, N positions.

    Raises ValueError if x has no axis for the channels, weight is not square with a row for each, or weight is singular.
    Source: Kingma & Dhariwal 2018, eq. 9.
    [B, C, ...], [C, C] -> [B, C, ...], [B]
    """
    _require_layer(weight, x=x)
    return (weight @ _as_columns(x)).reshape(x.shape), _log_det(x, weight)


def inverse(z, weight):
    r"""x = W^-1 z at every position, and log |det dx/dz| = -N log |det W|, N positions.

    Raises ValueError as forward does, of z in place of x.  Source: Kingma & Dhariwal 2018, table 1.
    [B, C, ...], [C, C] -> [B, C, ...], [B]
    """
    _require_layer(weight, z=z)
    return torch.linalg.solve(weight, _as_columns(z)).reshape(z.shape), -_log_det(z, weight)


def decompose(weight):
    r"""W = P L (U + diag(sign e^log_diagonal)), with rows exchanged by size: permutation, lower, upper, log_diagonal, sign.

    P[i, permutation[i]] = 1; lower has ones on its diagonal and upper has zeros on it.

    Raises ValueError if weight is not a square matrix, or is singular.  Source: Kingma & Dhariwal 2018, eq. 10.
    [C, C] -> [C], [C, C], [C, C], [C], [C]
    """
    _require_weight(weight)
    exchanges, lower, upper = torch.linalg.lu(weight)
    diagonal = upper.diagonal()
    places = torch.arange(len(weight), dtype=weight.dtype, device=weight.device)
    return (exchanges @ places).long(), lower, upper.triu(1), diagonal.abs().log(), diagonal.sign()


def assemble(permutation, lower, upper, log_diagonal, sign):
    r"""W = P L (U + diag(sign e^log_diagonal)), of which log |det W| = sum log_diagonal. P[i, permutation[i]] = 1.

    Of lower and upper only the entries off the diagonal, on their own side, are read; L has ones on its diagonal.

    Raises ValueError if the shapes do not fit, permutation is not one of 0..C-1, an entry of sign is not 1 or -1, or
    e^|log_diagonal| overflows.  Source: Kingma & Dhariwal 2018, eq. 10.
    [C], [C, C], [C, C], [C], [C] -> [C, C]
    """
    require_rank(1, permutation=permutation)
    require_integers(permutation=permutation)
    size = len(permutation)
    require_shape((size, size), lower=lower, upper=upper)
    require_shape((size,), log_diagonal=log_diagonal, sign=sign)
    places = torch.arange(size, device=permutation.device)
    require_values("permutation", permutation, lambda p: torch.isin(places, p), f"a permutation of 0..{size - 1}")
    require_values("sign", sign, lambda s: s.abs() == 1, "1 or -1")
    require_finite_exponential(log_diagonal=log_diagonal)
    above = upper.triu(1) + torch.diag(sign * log_diagonal.exp())
    return torch.addmm(above, lower.tril(-1), above)[as_int64(permutation)]


def _as_columns(x):
    """[B, C, N], a column for every position."""
    return x.reshape(len(x), x.shape[1], math.prod(x.shape[2:]))


def _log_det(x, weight):
    return (torch.linalg.slogdet(weight).logabsdet * math.prod(x.shape[2:])).expand(len(x))


def _require_layer(weight, **arrays):
    for name, array in arrays.items():
        shape = list(array.shape)
        require(len(shape) >= 2, f"{name} has shape {shape}; its first two axes must be the batch and the channels")
        require_shape((shape[1], shape[1]), weight=weight)
    _require_weight(weight)


def _require_weight(weight):
    shape = list(weight.shape)
    require(len(shape) == 2 and shape[0] == shape[1], f"weight has shape {shape}; it must be a square matrix")
    invertible = lambda matrix: torch.linalg.slogdet(matrix.detach()).logabsdet.isfinite()  # noqa: E731
    require_values("weight", weight, invertible, "an entry of an invertible matrix: this one is singular")
