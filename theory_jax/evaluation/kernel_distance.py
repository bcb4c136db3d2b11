"""Kernel distances (lecture 14): which differences of two laws a kernel sees, and an estimate without bias.

x and y are samples of features, [N, D] and [M, D]; a kernel matrix holds k of every pair of their rows.
"""

import jax
import jax.numpy as jnp

from theory_jax.arguments import (
    require,
    require_at_least,
    require_integers,
    require_positive,
    require_rank,
    require_same_shape,
    require_shape,
    require_values,
    widened,
)


def polynomial_kernel(x, y, *, degree=3, coefficient=1.0):
    r"""k(x, y) = (x^T y / D + coefficient)^degree for every row of x and every row of y.

    Raises ValueError if the rows of x and y differ in length or hold no feature, degree < 1, or coefficient is negative.
    Source: Binkowski et al. 2018, section 4.
    [N, D], [M, D] -> [N, M]
    """
    _require_features(x=x, y=y)
    require_at_least(1, degree=degree)
    require_at_least(0, coefficient=coefficient)
    return (jnp.einsum("nd,md->nm", x, y) / x.shape[1] + coefficient) ** degree


def gaussian_kernel(x, y, *, bandwidth):
    r"""k(x, y) = exp(-|x - y|^2 / (2 bandwidth^2)) for every row of x and every row of y.

    Raises ValueError if the rows of x and y differ in length or hold no feature, or bandwidth is not positive.
    Source: Gretton et al. 2012, section 3.
    [N, D], [M, D] -> [N, M]
    """
    _require_features(x=x, y=y)
    require_positive(bandwidth=bandwidth)
    return jnp.exp(-jnp.sum(((x[:, None] - y[None]) / bandwidth) ** 2, axis=2) / 2)


def biased_discrepancy(kernel_xx, kernel_yy, kernel_xy):
    r"""mean k(x, x') + mean k(y, y') - 2 mean k(x, y) over all pairs: |mean phi(x) - mean phi(y)|^2, never negative.

    Raises ValueError if the shapes of kernel_xx, kernel_yy and kernel_xy do not fit, or there is no x or no y.
    Source: Gretton et al. 2012, eq. 5.
    [P, P], [Q, Q], [P, Q] -> []
    """
    _require_kernels(kernel_xx, kernel_yy, kernel_xy, lowest=1)
    return jnp.mean(kernel_xx) + jnp.mean(kernel_yy) - 2 * jnp.mean(kernel_xy)


def unbiased_discrepancy(kernel_xx, kernel_yy, kernel_xy):
    r"""The same without the pairs of a point with itself: divided by P(P-1) and Q(Q-1). Its expectation is MMD^2.

    It can be negative.

    Raises ValueError if the shapes of kernel_xx, kernel_yy and kernel_xy do not fit, or there are fewer than two x or two y.
    Source: Gretton et al. 2012, eq. 3.
    [P, P], [Q, Q], [P, Q] -> []
    """
    _require_kernels(kernel_xx, kernel_yy, kernel_xy, lowest=2)
    within = (jnp.mean(k, where=~jnp.eye(len(k), dtype=bool)) for k in (kernel_xx, kernel_yy))
    return sum(within) - 2 * jnp.mean(kernel_xy)


def kernel_inception_distance(features_x, features_y, subsets_x, subsets_y):
    r"""unbiased_discrepancy with the cubic kernel (x^T y / D + 1)^3, of each pair of subsets; their mean is reported.

    A row of subsets_x holds the indices of n rows of features_x.

    Raises ValueError if the rows of features_x and features_y differ in length or are empty, subsets_x and subsets_y differ in
    shape, one of them has fewer than two columns, or holds anything but indices of its features.
    Source: Binkowski et al. 2018, section 4.
    [P, D], [Q, D], [S, K], [S, K] -> [S]
    """
    _require_features(features_x=features_x, features_y=features_y)
    require_rank(2, subsets_x=subsets_x)
    require_same_shape(subsets_x=subsets_x, subsets_y=subsets_y)
    require_integers(subsets_x=subsets_x, subsets_y=subsets_y)
    require(subsets_x.shape[1] > 1, f"subsets_x has shape {list(subsets_x.shape)}; a subset must hold at least two indices")
    _require_indices(features_x, subsets_x=subsets_x)
    _require_indices(features_y, subsets_y=subsets_y)

    def distance(x, y):
        return unbiased_discrepancy(polynomial_kernel(x, x), polynomial_kernel(y, y), polynomial_kernel(x, y))

    return jax.vmap(distance)(features_x[widened(subsets_x)], features_y[widened(subsets_y)])


def _require_features(**features):
    require_rank(2, **features)
    (first, x), (second, y) = features.items()
    require(x.shape[1] > 0, f"{first} has shape {list(x.shape)}; its rows must hold at least one feature")
    width = x.shape[1]
    require(y.shape[1] == width, f"{second} has rows of {y.shape[1]}; they must have {width} entries, as those of {first}")


def _require_indices(features, **subsets):
    ((name, indices),) = subsets.items()
    count = len(features)
    require_values(name, indices, lambda i: (i >= 0) & (i < count), f"the index of a row of features, 0..{count - 1}")


def _require_kernels(kernel_xx, kernel_yy, kernel_xy, lowest):
    require_rank(2, kernel_xy=kernel_xy)
    rows, columns = kernel_xy.shape
    require(min(rows, columns) >= lowest, f"kernel_xy has shape {[rows, columns]}; it must be at least {lowest} by {lowest}")
    require_shape((rows, rows), kernel_xx=kernel_xx)
    require_shape((columns, columns), kernel_yy=kernel_yy)
