"""Frechet distances (lecture 14): why this formula of two means and two covariances, for which laws, and its bias.

x and y are the two laws, or samples of features, [N, D] and [M, D]. Distances are squared: d^2 = W_2^2 of two Gaussians.
"""

import jax
import jax.numpy as jnp

from theory_jax.arguments import (
    require,
    require_integers,
    require_rank,
    require_same_shape,
    require_shape,
    require_values,
    widened,
)


def gaussian_statistics(features):
    r"""The mean of the rows, and their covariance, divided by N - 1.

    Raises ValueError if features has fewer than two rows, or rows without an entry.
    Source: Heusel et al. 2017, section 3.1.
    [N, D] -> [D], [D, D]
    """
    _require_features(features=features)
    mean = jnp.mean(features, axis=0)
    centered = features - mean
    return mean, jnp.einsum("ni,nj->ij", centered, centered) / (features.shape[0] - 1)


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
    a, b = (covariance_x + covariance_x.T) / 2, (covariance_y + covariance_y.T) / 2
    return jnp.sum((mean_x - mean_y) ** 2) + jnp.trace(a) + jnp.trace(b) - 2 * _trace_of_root(a, b)


def frechet_feature_distance(features_x, features_y):
    r"""frechet_distance of the Gaussians fitted to two samples of features: the FID, where the features are Inception's.

    Raises ValueError if the rows of features_x and features_y differ in length or are empty, or one of them has fewer than two
    rows.
    Source: Heusel et al. 2017, eq. 6.
    [P, D], [Q, D] -> []
    """
    _require_features(features_x=features_x, features_y=features_y)
    return frechet_distance(*gaussian_statistics(features_x), *gaussian_statistics(features_y))


def diagonal_frechet_distance(mean_x, log_var_x, mean_y, log_var_y):
    r"""The distance where both covariances are diagonal: sum_d (mean_x - mean_y)^2 + (e^(log_var_x/2) - e^(log_var_y/2))^2.

    Raises ValueError if the shapes of mean_x, log_var_x, mean_y and log_var_y differ.
    Source: Dowson & Landau 1982.
    [B, D], [B, D], [B, D], [B, D] -> [B]
    """
    require_rank(2, mean_x=mean_x)
    require_same_shape(mean_x=mean_x, log_var_x=log_var_x, mean_y=mean_y, log_var_y=log_var_y)
    return jnp.sum((mean_x - mean_y) ** 2 + (jnp.exp(log_var_x / 2) - jnp.exp(log_var_y / 2)) ** 2, axis=1)


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
    inverse = 1 / widened(sample_sizes).astype(distances.dtype)
    centered = inverse - jnp.mean(inverse)
    slope = jnp.sum(centered * distances) / jnp.sum(centered**2)
    return jnp.mean(distances) - slope * jnp.mean(inverse)


@jax.custom_jvp
def _trace_of_root(a, b):
    """tr (A^(1/2) B A^(1/2))^(1/2). Its slope is written down: those of eigenvectors are infinite where eigenvalues are equal."""
    return _trace_and_maps(a, b)[0]


@_trace_of_root.defjvp
def _slope_of_trace(at, along):
    trace, map_to_b, map_to_a = _trace_and_maps(*at)
    return trace, (jnp.sum(map_to_b * along[0]) + jnp.sum(map_to_a * along[1])) / 2


def _trace_and_maps(a, b):
    """The trace, and the linear maps that carry N(0, A) to N(0, B) and back: twice its slopes in A and in B."""
    values, vectors = jnp.linalg.eigh(a)
    root = (vectors * jnp.sqrt(jnp.maximum(values, 0.0))) @ vectors.T
    values, u = jnp.linalg.eigh(root @ b @ root)
    counted = values > len(a) * jnp.finfo(a.dtype).eps * values[-1]
    inverse = jnp.where(counted, 1 / jnp.sqrt(jnp.where(counted, values, 1.0)), 0.0)
    # A^(1/2) B^(1/2) = U S V': these are A^(1/2) U and, times S, B^(1/2) V
    left = root @ u
    right = b @ left
    return jnp.sum(jnp.sqrt(jnp.maximum(values, 0.0))), (right * inverse**3) @ right.T, (left * inverse) @ left.T


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
    symmetric = lambda c: abs(c - c.T) <= 1e-5 * abs(c).max()  # noqa: E731
    require_values(f"covariance_{which}", covariance, symmetric, "the entry across the diagonal: a covariance is symmetric")
