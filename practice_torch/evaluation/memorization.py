"""Memorization: how far samples are from the training points, next to how far fresh points would be.

Points are rows, of pixels or of features; distances are Euclidean. Comparisons of distances have no slope: the gradients of
data_copying_z_score, one_nearest_neighbor_accuracy and authenticity are zero.
"""

import math

import torch

from practice_torch.arguments import require, require_same_shape, require_values
from practice_torch.evaluation._points import nearest, require_points


def nearest_distance(queries, references):
    r"""min_m |queries_b - references_m|; it is 0 for a copy, exactly.

    Raises ValueError if the points of queries and references have different dimensions, or references is empty.
    Source: Meehan et al. 2020, section 2.
    [B, D], [M, D] -> [B]
    """
    require_points(1, queries=queries, references=references)
    apart, _ = nearest(queries, references, 1)
    return apart[:, 0]


def nearest_distance_ratio(queries, references):
    r"""The distance to the nearest reference by that to the second nearest, in [0, 1]; near 0 for a noisy copy of one of them.

    Raises ValueError if the points of queries and references have different dimensions, references has fewer than two points,
    or two of them are equal: a copy of both would have 0/0.  Source: Lowe 2004, section 7.1; Carlini et al. 2023.
    [B, D], [M, D] -> [B]
    """
    require_points(2, queries=queries, references=references)
    require_values("references", references, lambda points: _is_new(points)[:, None], "part of a point unlike all before it")
    apart, _ = nearest(queries, references, 2)
    return apart[:, 0] / apart[:, 1]


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
    require(len(generated) > 0, "generated has 0 points; it must have at least 1")
    of_generated, of_test = nearest_distance(generated, training), nearest_distance(test, training).sort().values
    nearer = torch.searchsorted(of_test, of_generated)  # how many test points
    not_farther = torch.searchsorted(of_test, of_generated, right=True)
    excess = (nearer + not_farther - len(test)).sum()  # in integers: float32 cannot count the pairs
    count, fresh = len(generated), len(test)
    return excess.to(generated.dtype) * math.sqrt(3 / (count * fresh * (count + fresh + 1)))


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
    return _own_kind(real, generated), _own_kind(generated, real)


def authenticity(generated, training):
    r"""1 where |y - x*| > |x* - x**|, else 0: x* is the training point nearest to y, x** the other one nearest to x*.

    Of equally near training points x* is the first.

    Raises ValueError if the points of generated and training have different dimensions, or training has fewer than two.
    Source: Alaa et al. 2022.
    [B, D], [M, D] -> [B]
    """
    require_points(2, generated=generated, training=training)
    apart, indices = nearest(generated, training, 1)
    gaps, _ = nearest(training[indices[:, 0]], training, 2)
    return (apart[:, 0] > gaps[:, 1]).to(generated.dtype)


def _own_kind(points, others):
    """A point itself, at distance 0, is the first of the same kind."""
    own, _ = nearest(points, points, 2)
    other, _ = nearest(points, others, 1)
    return (1 + torch.sign(other[:, 0] - own[:, 1])).mean() / 2


def _is_new(points):
    """Whether a point equals none before it: [M]"""
    _, which = points.unique(dim=0, return_inverse=True)
    places = torch.arange(len(points))
    return torch.full_like(places, len(points)).scatter_reduce(0, which, places, "amin")[which] == places
