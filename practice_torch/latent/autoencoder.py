"""Autoencoders: the squared error, the linear autoencoder, and the principal subspace that is the best of its kind."""

import math

import torch

from practice_torch.arguments import require, require_batch, require_rank, require_same_shape, require_shape


def squared_reconstruction_error(x, reconstruction):
    r"""sum (x - reconstruction)^2 of each example, over all axes but the first: a sum, not a mean.

    Raises ValueError if x has no axis for the batch, or reconstruction has another shape.
    Source: Hinton & Salakhutdinov 2006.
    [B, ...], [B, ...] -> [B]
    """
    require_batch(x=x)
    require_same_shape(x=x, reconstruction=reconstruction)
    return (x - reconstruction).square().reshape(len(x), math.prod(x.shape[1:])).sum(1)


def linear_autoencoder(x, encoder, decoder, mean):
    r"""mean + decoder encoder (x - mean): D numbers through L, both ways by a matrix.

    Raises ValueError if x or encoder has not 2 axes, or the shapes of encoder, decoder and mean do not fit.
    Source: Baldi & Hornik 1989.
    [B, D], [L, D], [D, L], [D] -> [B, D]
    """
    require_rank(2, x=x, encoder=encoder)
    size, given = x.shape[1], list(encoder.shape)
    require(given[1] == size, f"encoder has shape {given}; it must have a column for each of {size} columns of x")
    require_shape((size, given[0]), decoder=decoder)
    require_shape((size,), mean=mean)
    codes = torch.nn.functional.linear(x - mean, encoder)
    return torch.nn.functional.linear(codes, decoder, mean)


def principal_subspace_reconstruction(x, *, rank):
    r"""xbar + U U^T (x - xbar): the projection on the subspace of the data with the largest variance.

    xbar is the mean of the rows of x, and the columns of U are eigenvectors of the covariance of x, divided by N, for its
    `rank` largest eigenvalues. If the last of these equals the next, the subspace is not unique, and the gradient is that of a
    fixed one.

    Raises ValueError if x has not 2 axes, x has no rows, or rank is not in 0..D.  Source: Baldi & Hornik 1989; Pearson 1901.
    [N, D] -> [N, D]
    """
    _require_data(x, rank)
    mean = x.mean(0)
    centered = x - mean
    return mean + centered @ _Projection.apply(centered.mT @ centered / len(x), rank)


def principal_subspace_error(x, *, rank):
    r"""sum_(j > rank) lambda_j: the variance outside of the principal subspace, the eigenvalues in falling order.

    It is the mean of the squared errors of the examples, and no linear autoencoder with as many codes has a smaller one. The
    covariance of x is divided by N.

    Raises ValueError if x has not 2 axes, x has no rows, or rank is not in 0..D.
    Source: Baldi & Hornik 1989; Eckart & Young 1936.
    [N, D] -> []
    """
    _require_data(x, rank)
    # The eigenvalues are the squares of these over N. Beyond min(N, D) they are zero.
    return torch.linalg.svdvals(x - x.mean(0))[rank:].square().sum() / len(x)


class _Projection(torch.autograd.Function):
    """The projection on the first eigenvectors of a covariance.

    Its gradient is explicit, since that of an eigenvector is infinite where eigenvalues are equal: only pairs of a kept and
    a dropped eigenvector rotate the subspace.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(covariance, rank):
        kept = torch.linalg.eigh(covariance)[1][:, len(covariance) - rank :]  # eigenvalues rise
        return kept @ kept.mT

    @staticmethod
    def setup_context(ctx, inputs, output):
        covariance, ctx.rank = inputs
        ctx.save_for_backward(covariance)

    @staticmethod
    def backward(ctx, cotangent):
        values, vectors = torch.linalg.eigh(ctx.saved_tensors[0])
        rest, kept = vectors.tensor_split([len(values) - ctx.rank], 1)
        of_rest, of_kept = values.tensor_split([len(values) - ctx.rank])
        gaps = of_kept[:, None] - of_rest
        turn = (kept.mT @ (cotangent + cotangent.mT) @ rest) / torch.where(gaps > 0, gaps, torch.inf)
        return kept @ turn @ rest.mT, None


def _require_data(x, rank):
    require_rank(2, x=x)
    count, size = x.shape
    require(count > 0, f"x has shape {[count, size]}; it must have a row, to have a mean")
    require(0 <= rank <= size, f"rank is {rank}; it must be in 0..{size}, at most the dimension of x")
