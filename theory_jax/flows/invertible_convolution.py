"""Invertible 1x1 convolution: one matrix that mixes the channels at every position, and its LU form.

Forward is the way from data x to noise z.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np

from theory_jax.arguments import require, require_integers, require_rank, require_shape, require_values, widened
from theory_jax.flows._coupling import require_finite_exponential


def forward(x, weight):
    r"""z = W x at every position, and log |det dz/dx| = N log |det W|, N positions.

    Raises ValueError if x has no axis for the channels, weight is not square with a row for each, or weight is singular.
    Source: Kingma & Dhariwal 2018, eq. 9.
    [B, C, ...], [C, C] -> [B, C, ...], [B]
    """
    _require_layer(weight, x=x)
    return jnp.einsum("ij,bj...->bi...", weight, x), _log_det(x, weight)


def inverse(z, weight):
    r"""x = W^-1 z at every position, and log |det dx/dz| = -N log |det W|, N positions.

    Raises ValueError as forward does, of z in place of x.  Source: Kingma & Dhariwal 2018, table 1.
    [B, C, ...], [C, C] -> [B, C, ...], [B]
    """
    _require_layer(weight, z=z)
    channels = jnp.moveaxis(z, 1, 0)
    x = jnp.linalg.solve(weight, channels.reshape(len(weight), math.prod(channels.shape[1:])))
    return jnp.moveaxis(x.reshape(channels.shape), 0, 1), -_log_det(z, weight)


def decompose(weight):
    r"""W = P L (U + diag(sign e^log_diagonal)), with rows exchanged by size: permutation, lower, upper, log_diagonal, sign.

    P[i, permutation[i]] = 1; lower has ones on its diagonal and upper has zeros on it.

    Raises ValueError if weight is not a square matrix, or is singular.  Source: Kingma & Dhariwal 2018, eq. 10.
    [C, C] -> [C], [C, C], [C, C], [C], [C]
    """
    _require_weight(weight)
    factors, _, order = jax.lax.linalg.lu(weight)  # weight[order] = L U
    diagonal = jnp.diagonal(factors)
    lower = jnp.tril(factors, -1) + jnp.eye(len(weight), dtype=weight.dtype)
    return jnp.argsort(order).astype(int), lower, jnp.triu(factors, 1), jnp.log(jnp.abs(diagonal)), jnp.sign(diagonal)


def assemble(permutation, lower, upper, log_diagonal, sign):
    r"""W = P L (U + diag(sign e^log_diagonal)), of which log |det W| = sum log_diagonal. P[i, permutation[i]] = 1.

    Of lower and upper only the entries off the diagonal, on their own side, are read; L has ones on its diagonal.

    Raises ValueError if the shapes do not fit, permutation is not one of 0..C-1, an entry of sign is not 1 or -1, or
    e^|log_diagonal| overflows.  Source: Kingma & Dhariwal 2018, eq. 10.
    [C], [C, C], [C, C], [C], [C] -> [C, C]
    """
    require_rank(1, permutation=permutation)
    require_integers(permutation=permutation)
    size = permutation.shape[0]
    require_shape((size, size), lower=lower, upper=upper)
    require_shape((size,), log_diagonal=log_diagonal, sign=sign)
    require_values("permutation", permutation, lambda p: np.isin(np.arange(size), p), f"a permutation of 0..{size - 1}")
    require_values("sign", sign, lambda s: abs(s) == 1, "1 or -1")
    require_finite_exponential(log_diagonal=log_diagonal)
    unit = jnp.tril(lower, -1) + jnp.eye(size, dtype=lower.dtype)
    return (unit @ (jnp.triu(upper, 1) + jnp.diag(sign * jnp.exp(log_diagonal))))[widened(permutation)]


def _log_det(x, weight):
    return jnp.broadcast_to(math.prod(x.shape[2:]) * jnp.linalg.slogdet(weight)[1], x.shape[:1])


def _require_layer(weight, **arrays):
    for name, array in arrays.items():
        shape = list(jnp.shape(array))
        require(len(shape) >= 2, f"{name} has shape {shape}; its first two axes must be the batch and the channels")
        require_shape((shape[1], shape[1]), weight=weight)
    _require_weight(weight)


def _require_weight(weight):
    shape = list(jnp.shape(weight))
    require(len(shape) == 2 and shape[0] == shape[1], f"weight has shape {shape}; it must be a square matrix")
    invertible = lambda matrix: np.isfinite(np.linalg.slogdet(matrix)[1])  # noqa: E731
    require_values("weight", weight, invertible, "an entry of an invertible matrix: this one is singular")
