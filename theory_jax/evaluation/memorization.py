"""Memorization (lecture 14): tests that distinguish copies of the training set from samples of the distribution.

Points are rows, of pixels or of features; distances are Euclidean.
"""

import jax.numpy as jnp
import numpy as np

from theory_jax.arguments import require, require_same_shape, require_values
from theory_jax.evaluation._points import distances, require_points


def nearest_distance(queries, references):
    r"""min_m |queries_b - references_m|; it is 0 for a copy, exactly.

    Raises ValueError if the points of queries and references have different dimensions, or references is empty.
    Source: Meehan et al. 2020, section 2.
    [B, D], [M, D] -> [B]
    """
    require_points(1, queries=queries, references=references)
    return jnp.min(distances(queries, references), axis=1)


def nearest_distance_ratio(queries, references):
    r"""The distance to the nearest reference by that to the second nearest, in [0, 1]; near 0 for a noisy copy of one of them.

    Raises ValueError if the points of queries and references have different dimensions, references has fewer than two points,
    or two of them are equal: a copy of both would have 0/0.  Source: Lowe 2004, section 7.1; Carlini et al. 2023.
    [B, D], [M, D] -> [B]
    """
    require_points(2, queries=queries, references=references)
    require_values("references", references, lambda points: _is_new(points)[:, None], "part of a point unlike all before it")
    first, second = jnp.sort(distances(queries, references), axis=1)[:, :2].T
    return first / second


def data_copying_z_score(generated, training, test):
    r"""sqrt(3 Q P / (Q + P + 1)) mean_ij sign(d(generated_i) - d(test_j)), d = the distance to the nearest training point.

    It is (U - QP/2) / sqrt(QP (Q + P + 1) / 12), U = Mann and Whitney's number of pairs with a larger d of the generated point,
    where ties count half. Far below 0: generated points are nearer to the training points than fresh ones are. The variance is
    that without ties.

    Raises ValueError if the points of generated, training and test have different dimensions, or one of the three is empty.
    Source: Mann & Whitney 1947; Meehan et al. 2020, section 3.
    [Q, D], [M, D], [P, D] -> []
    """
    require_points(1, generated=generated, training=training, test=test)
    count, fresh = len(generated), len(test)
    require(count > 0, "generated has 0 points; it must have at least 1")
    signs = jnp.sign(nearest_distance(generated, training)[:, None] - nearest_distance(test, training))
    return jnp.sqrt(3 * count * fresh / (count + fresh + 1)) * jnp.mean(signs)


def one_nearest_neighbor_accuracy(real, generated):
    r"""The shares of real and of generated points whose nearest other point, of all 2N, is of the same kind.

    A tie counts half. Both are 1 if the sets are apart, 0 if one is a copy of the other, and (N - 1) / (2N - 1) in expectation
    if both are draws from one density.

    Raises ValueError if generated has not the shape of real, or both have fewer than two points.
    Source: Lopez-Paz & Oquab 2017; Xu et al. 2018, section 2.
    [N, D], [N, D] -> [], []
    """
    require_points(2, real=real, generated=generated)
    require_same_shape(real=real, generated=generated)
    across = distances(real, generated)
    return _own_kind(real, jnp.min(across, axis=1)), _own_kind(generated, jnp.min(across, axis=0))


def authenticity(generated, training):
    r"""1 where |y - x*| > |x* - x**|, else 0: x* is the training point nearest to y, x** the other one nearest to x*.

    Of equally near training points x* is the first.

    Raises ValueError if the points of generated and training have different dimensions, or training has fewer than two.
    Source: Alaa et al. 2022.
    [B, D], [M, D] -> [B]
    """
    require_points(2, generated=generated, training=training)
    to_training = distances(generated, training)
    gap = _nearest_other(training)[jnp.argmin(to_training, axis=1)]
    return jnp.where(jnp.min(to_training, axis=1) > gap, 1.0, jnp.zeros_like(gap))


def _nearest_other(points):
    """The distance of each point to the nearest of all others."""
    return jnp.min(jnp.where(np.eye(len(points), dtype=bool), jnp.inf, distances(points, points)), axis=1)


def _own_kind(points, to_other_kind):
    return jnp.mean(1 + jnp.sign(to_other_kind - _nearest_other(points))) / 2


def _is_new(points):
    """Whether a point equals none before it: [M]"""
    return np.isin(np.arange(len(points)), np.unique(points, axis=0, return_index=True)[1])
