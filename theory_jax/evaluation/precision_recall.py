"""Precision and recall, density and coverage (lecture 14): bad samples and missing modes by counts of points in balls.

Points are rows, of features above all; distances are Euclidean.
"""

import jax.numpy as jnp

from theory_jax.arguments import require, require_at_least, require_rank, require_shape, require_values
from theory_jax.evaluation._points import distances, require_points


def nearest_neighbor_radii(x, *, neighbors):
    r"""The distance of each point to the k-th nearest of all others, k = neighbors; copies of a point are others.

    Raises ValueError if neighbors < 1, or x has no more than neighbors points.
    Source: Kynkaanniemi et al. 2019, section 3.
    [N, D] -> [N]
    """
    _require_neighbors(neighbors, x=x)
    return jnp.sort(distances(x, x), axis=1)[:, neighbors]  # the first is the point itself


def inside_manifold(queries, references, radii):
    r"""1 where some |queries_b - references_m| <= radii_m, else 0: a point on the edge of a ball is inside.

    Raises ValueError if the points of queries and references have different dimensions, radii does not have one entry for each
    of the references, or one of them is negative.  Source: Kynkaanniemi et al. 2019, eq. 1.
    [B, D], [M, D], [M] -> [B]
    """
    require_points(0, queries=queries, references=references)
    require_shape(references.shape[:1], radii=radii)
    require_values("radii", radii, lambda r: r >= 0, "a distance, 0 or more")
    return jnp.asarray(jnp.any(distances(queries, references) <= radii, axis=1), queries.dtype)


def precision_and_recall(real, generated, *, neighbors):
    r"""The share of generated points in some ball of a real point, and that of real points in some ball of a generated one.

    A ball reaches to the k-th nearest other point of the same set, k = neighbors.

    Raises ValueError if the points of real and generated have different dimensions, neighbors < 1, or one of the two sets has no
    more than neighbors points.  Source: Kynkaanniemi et al. 2019, eq. 2.
    [N, D], [M, D] -> [], []
    """
    require_points(0, real=real, generated=generated)
    _require_neighbors(neighbors, real=real, generated=generated)

    def share_inside(queries, references):
        return jnp.mean(inside_manifold(queries, references, nearest_neighbor_radii(references, neighbors=neighbors)))

    return share_inside(generated, real), share_inside(real, generated)


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
    inside = distances(generated, real) <= nearest_neighbor_radii(real, neighbors=neighbors)
    held = jnp.asarray(jnp.sum(inside, axis=1), real.dtype)
    return jnp.mean(held) / neighbors, jnp.mean(jnp.asarray(jnp.any(inside, axis=0), real.dtype))


def _require_neighbors(neighbors, **sets):
    """Every point has at least this many others in its set."""
    require_rank(2, **sets)
    require_at_least(1, neighbors=neighbors)
    for name, points in sets.items():
        require(len(points) > neighbors, f"{name} has {len(points)} points; it must have more than neighbors, {neighbors}")
