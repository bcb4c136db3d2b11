"""Frechet distances: of two Gaussians, of the Gaussians fitted to features, and their value at infinitely many samples.

Distances are squared: d^2 = W_2^2 of the Gaussians. They are small differences of large traces, and are computed in float64; on a
CPU by SciPy's LAPACK, in the tensors' memory: its OpenBLAS has up to twice the rate of torch's MKL on AMD's processors.
"""

import torch
from scipy import linalg
from scipy.linalg import blas, lapack

from practice_torch.arguments import (
    as_int64,
    require,
    require_integers,
    require_rank,
    require_same_shape,
    require_shape,
    require_values,
    values_are_free,
)

_ROWS = 512  # of the features that are multiplied at once


def gaussian_statistics(features):
    r"""The mean of the rows, and their covariance, divided by N - 1.

    Raises ValueError if features has fewer than two rows, or rows without an entry.
    Source: Heusel et al. 2017, section 3.1.
    [N, D] -> [D], [D, D]
    """
    _require_features(features=features)
    return tuple(part.to(features.dtype) for part in _Statistics.apply(features))


def frechet_distance(mean_x, covariance_x, mean_y, covariance_y):
    r"""|mean_x - mean_y|^2 + tr A + tr B - 2 tr (A^(1/2) B A^(1/2))^(1/2), A and B the covariances: W_2^2 of the Gaussians.

    Eigenvalues that rounding leaves below zero count as zero. The gradient does not count directions in which the root is zero.

    Raises ValueError if mean_x is empty, the other shapes do not fit it, or covariance_x or covariance_y is not symmetric.
    Source: Dowson & Landau 1982.
    [D], [D, D], [D], [D, D] -> []
    """
    _require_gaussian("x", mean_x, covariance_x)
    require_same_shape(mean_x=mean_x, mean_y=mean_y)
    _require_gaussian("y", mean_y, covariance_y)
    a, b = ((wide + wide.mT) / 2 for wide in (covariance_x.double(), covariance_y.double()))
    return _distance(mean_x.double(), a, mean_y.double(), b).to(mean_x.dtype)


def frechet_feature_distance(features_x, features_y):
    r"""frechet_distance of the Gaussians fitted to two samples of features: the FID, where the features are Inception's.

    Raises ValueError if the rows of features_x and features_y differ in length or are empty, or one of them has fewer than two
    rows.
    Source: Heusel et al. 2017, eq. 6.
    [P, D], [Q, D] -> []
    """
    _require_features(features_x=features_x, features_y=features_y)
    return _distance(*_Statistics.apply(features_x), *_Statistics.apply(features_y)).to(features_x.dtype)


def diagonal_frechet_distance(mean_x, log_var_x, mean_y, log_var_y):
    r"""The distance where both covariances are diagonal: sum_d (mean_x - mean_y)^2 + (e^(log_var_x/2) - e^(log_var_y/2))^2.

    Raises ValueError if the shapes of mean_x, log_var_x, mean_y and log_var_y differ.
    Source: Dowson & Landau 1982.
    [B, D], [B, D], [B, D], [B, D] -> [B]
    """
    require_rank(2, mean_x=mean_x)
    require_same_shape(mean_x=mean_x, log_var_x=log_var_x, mean_y=mean_y, log_var_y=log_var_y)
    # a^2 - 2ab + b^2 would lose the digits of near deviations
    deviations = (log_var_x / 2).exp() - (log_var_y / 2).exp()
    return ((mean_x - mean_y).square() + deviations.square()).sum(1)


def extrapolate_to_infinity(sample_sizes, distances):
    r"""The intercept of the least-squares line of the distances against 1 / sample_sizes.

    Raises ValueError if sample_sizes and distances differ in shape, sample_sizes holds anything but integers of at least 2, or
    all of them are equal.
    Source: Chong & Forsyth 2020, section 3.2.
    [R], [R] -> []
    """
    require_rank(1, sample_sizes=sample_sizes)
    require_same_shape(sample_sizes=sample_sizes, distances=distances)
    require_integers(sample_sizes=sample_sizes)
    require(len(sample_sizes) > 1, f"sample_sizes has {len(sample_sizes)} entries; a line needs at least two")
    require_values("sample_sizes", sample_sizes, lambda n: n >= 2, "at least 2")
    require_values("sample_sizes", sample_sizes, lambda n: (n != n[0]).any(), "of at least two different sizes")
    inverse = 1 / as_int64(sample_sizes).to(distances.dtype)
    centered = inverse - inverse.mean()
    slope = (centered * distances).sum() / centered.square().sum()
    return distances.mean() - slope * inverse.mean()


class _Statistics(torch.autograd.Function):
    """The mean and the covariance in float64, in blocks of rows: no second copy of the features is made."""

    generate_vmap_rule = True

    @staticmethod
    def forward(features):
        count, width = features.shape
        center = features[:_ROWS].mean(0, dtype=torch.float64)  # near the mean: the rest is subtracted at the end
        shift = features.new_zeros(width, dtype=torch.float64)
        covariance = shift.new_zeros(width, width)
        for some in features.split(_ROWS):
            apart = some.to(torch.float64, copy=True).sub_(center)
            shift += apart.sum(0)
            if values_are_free(features):  # one triangle: in LAPACK's order of axes the lower one
                blas.dsyrk(1.0, apart.numpy().T, beta=1.0, c=covariance.numpy().T, lower=1, overwrite_c=1)
            else:
                covariance += apart.mT @ apart
        shift /= count
        covariance.addr_(shift, shift, alpha=-count).div_(count - 1)
        for row in range(0, width, _ROWS):  # the other triangle, without a second matrix
            block = covariance[row : row + _ROWS, row : row + _ROWS]
            block.copy_(block.triu() + block.triu(1).mT)
            covariance[row + _ROWS :, row : row + _ROWS] = covariance[row : row + _ROWS, row + _ROWS :].mT
        return center + shift, covariance

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs, output[0])

    @staticmethod
    def backward(ctx, of_mean, of_covariance):
        features, mean = ctx.saved_tensors
        along = (of_covariance + of_covariance.mT) / (len(features) - 1)
        return ((features - mean) @ along + of_mean / len(features)).to(features.dtype)


def _distance(mean_x, a, mean_y, b):
    """Overwrites a and b, unless a gradient is requested."""
    traces = (mean_x - mean_y).square().sum() + a.trace() + b.trace()
    asked = a.requires_grad or b.requires_grad
    return traces - 2 * (_TraceOfRoot.apply(a, b) if asked else _trace_of_root(a, b))


def _trace_of_root(a, b):
    """tr (A^(1/2) B A^(1/2))^(1/2), by F of F F' = A in place of the root: F' B F has the same eigenvalues. Overwrites both."""
    if values_are_free(a):
        diagonal = a.diagonal().clone()
        # in the memory of a: what is below the diagonal for torch is above it in LAPACK's order of axes, and stays
        factor, failed = lapack.dpotrf(a.numpy().T, lower=1, clean=0, overwrite_a=1)
        if not failed:
            product, _ = lapack.dsygst(b.numpy().T, factor, itype=2, lower=1, overwrite_a=1)
            values = linalg.eigh(product, driver="evd", eigvals_only=True, overwrite_a=True, check_finite=False)
            return a.new_tensor(values.clip(min=0)).sqrt().sum()
        below = a.tril(-1)
        a = below + below.mT + diagonal.diag()
    factor = _factor(a)
    return torch.linalg.eigvalsh(factor.mT @ b @ factor).clamp(min=0).sqrt().sum()


class _TraceOfRoot(torch.autograd.Function):
    """_trace_of_root with slopes: half the linear maps that carry N(0, A) to N(0, B), and back.

    They are written down, since those of eigenvectors are infinite where eigenvalues are equal, and cancel.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(a, b):
        return _trace_of_root(a.clone(), b.clone())

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx, cotangent):
        a, b = ctx.saved_tensors
        factor = _factor(a)
        values, vectors = torch.linalg.eigh(factor.mT @ b @ factor)
        counted = values > len(a) * torch.finfo(a.dtype).eps * values[-1]
        inverse = torch.where(counted, values, torch.inf).rsqrt()
        # F' G = U S V' with G G' = B: these are F U and, times S, G V
        of_b = factor @ vectors
        of_a = b @ of_b
        return cotangent / 2 * (of_a * inverse**3 @ of_a.mT), cotangent / 2 * (of_b * inverse @ of_b.mT)


def _factor(a):
    """F with F F' = A: Cholesky's, at a twentieth of the cost of eigenvalues. By these where A is singular or traced."""
    if values_are_free(a):
        factor, failed = torch.linalg.cholesky_ex(a)
        if not failed:
            return factor
    values, vectors = torch.linalg.eigh(a)
    return vectors * values.clamp(min=0).sqrt()


def _require_features(**features):
    require_rank(2, **features)
    for name, array in features.items():
        shape = list(array.shape)
        require(shape[0] > 1, f"{name} has shape {shape}; a covariance needs at least two rows")
        require(shape[1] > 0, f"{name} has shape {shape}; its rows must hold at least one feature")
    (first, x), (last, y) = next(iter(features.items())), list(features.items())[-1]
    width = x.shape[1]
    require(y.shape[1] == width, f"{last} has rows of {y.shape[1]}; they must have {width} entries, as those of {first}")


def _require_gaussian(which, mean, covariance):
    require_rank(1, **{f"mean_{which}": mean})
    require(len(mean) > 0, f"mean_{which} has shape [0]; it must hold at least one feature")
    require_shape((len(mean), len(mean)), **{f"covariance_{which}": covariance})
    # a covariance from float32 is symmetric up to its rounding
    symmetric = lambda c: (c - c.mT).abs() <= 1e-5 * c.abs().max()  # noqa: E731
    require_values(f"covariance_{which}", covariance, symmetric, "the entry across the diagonal: a covariance is symmetric")
