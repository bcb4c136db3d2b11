"""Precision and recall, density and coverage: which samples lie among the data, and which data among the samples.

Points are rows, of features above all; distances are Euclidean. The ball of a point reaches to its k-th nearest neighbor in its
own set, k = neighbors. What counts points in balls has no slope: all gradients but those of the radii are zero.
"""

from practice_torch.arguments import require, require_at_least, require_rank, require_shape, require_values
from practice_torch.evaluation._points import balls_around, in_some_ball, nearest, require_points


def nearest_neighbor_radii(x, *, neighbors):
    r"""The distance of each point to the k-th nearest of all others, k = neighbors; copies of a point are others.

    Raises ValueError if neighbors < 1, or x has no more than neighbors points.
    Source: Kynkaanniemi et al. 2019, section 3.
    [N, D] -> [N]
    """
    _require_neighbors(neighbors, x=x)
    # A point itself, at distance 0, is the first of all.
    apart, _ = nearest(x, x, neighbors + 1)
    return apart[:, neighbors]


def inside_manifold(queries, references, radii):
    r"""1 where some |queries_b - references_m| <= radii_m, else 0: a point on the edge of a ball is inside.

    Raises ValueError if the points of queries and references have different dimensions, radii does not have one entry for each
    of the references, or one of them is negative.  Source: Kynkaanniemi et al. 2019, eq. 1.
    [B, D], [M, D], [M] -> [B]
    """
    require_points(0, queries=queries, references=references)
    require_shape(references.shape[:1], radii=radii)
    require_values("radii", radii, lambda r: r >= 0, "a distance, 0 or more")
    return in_some_ball(queries, references, radii).to(queries.dtype)


def precision_and_recall(real, generated, *, neighbors):
    r"""The share of generated points in some ball of a real point, and that of real points in some ball of a generated one.

    A ball reaches to the k-th nearest other point of the same set, k = neighbors.

    Raises ValueError if the points of real and generated have different dimensions, neighbors < 1, or one of the two sets has no
    more than neighbors points.  Source: Kynkaanniemi et al. 2019, eq. 2.
    [N, D], [M, D] -> [], []
    """
    require_points(0, real=real, generated=generated)
    _require_neighbors(neighbors, real=real, generated=generated)
    of_real, of_generated = (nearest_neighbor_radii(points, neighbors=neighbors) for points in (real, generated))
    precise, recalled = in_some_ball(generated, real, of_real), in_some_ball(real, generated, of_generated)
    return precise.to(real.dtype).mean(), recalled.to(real.dtype).mean()


def density_and_coverage(real, generated, *, neighbors):
    r"""1/(k M) sum_j (number of real balls that hold generated_j), and the share of real balls that hold some generated point.

    A ball reaches to the k-th nearest other real point, k = neighbors. Density can be above 1. For two samples of one density its
    expectation is 1, and that of coverage 1 - prod_{i=1}^k (N - i) / (N + M - i).

    Raises ValueError if the points of real and generated have different dimensions, neighbors < 1, real has no more than
    neighbors points, or generated has none.  Source: Naeem et al. 2020, section 3.
    [N, D], [M, D] -> [], []
    """
    require_points(1, real=real, generated=generated)
    _require_neighbors(neighbors, real=real)
    radii = nearest_neighbor_radii(real, neighbors=neighbors)
    held, hit = balls_around(generated, real, radii).sum(), nearest(real, generated, 1)[0][:, 0] <= radii
    return held.to(real.dtype) / (neighbors * len(generated)), hit.to(real.dtype).mean()


def _require_neighbors(neighbors, **sets):
    """Every point has at least this many others in its set."""
    require_rank(2, **sets)
    require_at_least(1, neighbors=neighbors)
    for name, points in sets.items():
        require(len(points) > neighbors, f"{name} has {len(points)} points; it must have more than neighbors, {neighbors}")
