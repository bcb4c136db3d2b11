"""The autoencoder: what a bottleneck keeps, exactly for linear ones, and what the squared error leaves undetermined."""

from functools import partial

import jax
import jax.numpy as jnp

from theory_jax.arguments import require, require_batch, require_rank, require_same_shape, require_shape


def squared_reconstruction_error(x, reconstruction):
    r"""sum (x - reconstruction)^2 of each example, over all axes but the first: a sum, not a mean.

    Raises ValueError if x has no axis for the batch, or reconstruction has another shape.
    Source: Hinton & Salakhutdinov 2006.
    [B, ...], [B, ...] -> [B]
    """
    require_batch(x=x)
    require_same_shape(x=x, reconstruction=reconstruction)
    return jnp.sum(jnp.square(jnp.subtract(x, reconstruction)), axis=tuple(range(1, jnp.ndim(x))))


def linear_autoencoder(x, encoder, decoder, mean):
    r"""mean + decoder encoder (x - mean): D numbers through L, both ways by a matrix.

    Raises ValueError if x or encoder has not 2 axes, or the shapes of encoder, decoder and mean do not fit.
    Source: Baldi & Hornik 1989.
    [B, D], [L, D], [D, L], [D] -> [B, D]
    """
    require_rank(2, x=x, encoder=encoder)
    size = jnp.shape(x)[1]
    given = list(jnp.shape(encoder))
    require(given[1] == size, f"encoder has shape {given}; it must have a column for each of {size} columns of x")
    require_shape((size, given[0]), decoder=decoder)
    require_shape((size,), mean=mean)
    return mean + (x - mean) @ encoder.T @ decoder.T


def principal_subspace_reconstruction(x, *, rank):
    r"""xbar + U U^T (x - xbar): the projection on the subspace of the data with the largest variance.

    xbar is the mean of the rows of x, and the columns of U are eigenvectors of the covariance of x, divided by N, for its
    `rank` largest eigenvalues. If the last of these equals the next, the subspace is not unique, and the gradient is that of a
    fixed one.

    Raises ValueError if x has not 2 axes, x has no rows, or rank is not in 0..D.  Source: Baldi & Hornik 1989; Pearson 1901.
    [N, D] -> [N, D]
    """
    _require_data(x, rank)
    mean = jnp.mean(x, axis=0)
    away = x - mean
    return mean + away @ _projection(away.T @ away / len(x), rank)


def principal_subspace_error(x, *, rank):
    r"""sum_(j > rank) lambda_j: the variance outside of the principal subspace, the eigenvalues in falling order.

    It is the mean of the squared errors of the examples, and no linear autoencoder with as many codes has a smaller one. The
    covariance of x is divided by N.

    Raises ValueError if x has not 2 axes, x has no rows, or rank is not in 0..D.
    Source: Baldi & Hornik 1989; Eckart & Young 1936.
    [N, D] -> []
    """
    _require_data(x, rank)
    away = x - jnp.mean(x, axis=0)
    return jnp.sum(jnp.linalg.eigvalsh(away.T @ away / len(x))[: jnp.shape(x)[1] - rank])


@partial(jax.custom_jvp, nondiff_argnums=(1,))
def _projection(covariance, rank):
    """On the first eigenvectors. Its slope is written down: that of an eigenvector is infinite where eigenvalues are equal."""
    kept = jnp.linalg.eigh(covariance)[1][:, len(covariance) - rank :]
    return kept @ kept.T


@_projection.defjvp
def _turned_projection(rank, at, along):
    # An eigenvector turns toward another by v' dS u over their gap; within the subspace and outside of it that changes nothing.
    values, vectors = jnp.linalg.eigh(at[0])
    first = len(values) - rank
    kept, rest = vectors[:, first:], vectors[:, :first]
    gaps = values[first:, None] - values[:first]
    turn = kept.T @ along[0] @ rest * jnp.where(gaps > 0, 1 / jnp.where(gaps > 0, gaps, 1.0), 0.0)
    change = kept @ turn @ rest.T
    return kept @ kept.T, change + change.T


def _require_data(x, rank):
    require_rank(2, x=x)
    count, size = jnp.shape(x)
    require(count > 0, f"x has shape {[count, size]}; it must have a row, to have a mean")
    require(0 <= rank <= size, f"rank is {rank}; it must be in 0..{size}, at most the dimension of x")
