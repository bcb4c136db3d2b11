"""Frechet distances: of two Gaussians, of the Gaussians fitted to features, and their value at infinitely many samples.

Distances are squared: d^2 = W_2^2 of the Gaussians. They are small differences of large traces, and are computed in float64.
"""

import torch

from practice_torch.arguments import (
    as_int64,
    require,
    require_integers,
    require_rank,
    require_same_shape,
    require_shape,
    require_values,
)


def gaussian_statistics(features):
    r"""The mean of the rows, and their covariance, divided by N - 1.

    Raises ValueError if features has fewer than two rows, or rows without an entry.
    Source: Heusel et al. 2017, section 3.1.
    [N, D] -> [D], [D, D]
    """
    _require_features(features=features)
    wide = features.double()
    mean = wide.mean(0)
    centered = wide - mean
    return mean.to(features.dtype), (centered.mT @ centered / (len(features) - 1)).to(features.dtype)


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
    between = (mean_x.double() - mean_y.double()).square().sum()
    return (between + a.trace() + b.trace() - 2 * _TraceOfRoot.apply(a, b)).to(mean_x.dtype)


def frechet_feature_distance(features_x, features_y):
    r"""frechet_distance of the Gaussians fitted to two samples of features: the FID, where the features are Inception's.

    Raises ValueError if the rows of features_x and features_y differ in length or are empty, or one of them has fewer than two
    rows.
    Source: Heusel et al. 2017, eq. 6.
    [P, D], [Q, D] -> []
    """
    _require_features(features_x=features_x, features_y=features_y)
    statistics = (*gaussian_statistics(features_x.double()), *gaussian_statistics(features_y.double()))
    return frechet_distance(*statistics).to(features_x.dtype)


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


class _TraceOfRoot(torch.autograd.Function):
    """tr (A^(1/2) B A^(1/2))^(1/2). Its slopes are half the linear maps that carry N(0, A) to N(0, B), and back.

    They are written down, since the slopes of eigenvectors are infinite where eigenvalues are equal, and cancel.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(a, b):
        return torch.linalg.eigvalsh(_between(_root(a), b)).clamp(min=0).sqrt().sum()

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx, cotangent):
        a, b = ctx.saved_tensors
        root = _root(a)
        values, vectors = torch.linalg.eigh(_between(root, b))
        counted = values > len(a) * torch.finfo(a.dtype).eps * values[-1]
        inverse = torch.where(counted, values, torch.inf).rsqrt()
        # A^(1/2) B^(1/2) = U S V': these are A^(1/2) U and, times S, B^(1/2) V
        of_b = root @ vectors
        of_a = b @ of_b
        return cotangent / 2 * (of_a * inverse**3 @ of_a.mT), cotangent / 2 * (of_b * inverse @ of_b.mT)


def _root(a):
    values, vectors = torch.linalg.eigh(a)
    return vectors * values.clamp(min=0).sqrt() @ vectors.mT


def _between(root, b):
    product = root @ b @ root
    return (product + product.mT) / 2


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
