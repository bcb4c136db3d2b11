"""Sets of points: all Euclidean distances of two of them, and the check of their shapes."""

import jax.numpy as jnp

from theory_jax.arguments import require, require_rank
from theory_jax.mathematics.pairs import squared_distances


def distances(queries, references):
    """[Q, D], [M, D] -> [Q, M]. The slope at distance 0, which is infinite, is replaced by 0."""
    squares = squared_distances(queries, references)
    apart = squares > 0
    return jnp.where(apart, jnp.sqrt(jnp.where(apart, squares, 1.0)), 0.0)


def require_points(fewest, **sets):
    """All sets are points of as many coordinates as the first one's; each but the first has at least `fewest`."""
    require_rank(2, **sets)
    (first, reference), *others = sets.items()
    for name, points in others:
        size = reference.shape[1]
        require(points.shape[1] == size, f"{name} has shape {list(points.shape)}; its points must have {size} entries as {first}")
        require(len(points) >= fewest, f"{name} has {len(points)} points; it must have at least {fewest}")
