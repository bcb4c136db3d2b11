"""Sets of points: their Euclidean distances, so many queries at once that no matrix of all is stored, and their shapes."""

import torch

from practice_torch.arguments import require, require_rank

ROWS = 1024  # queries that are compared at once


def distances(queries, references):
    """[Q, D], [M, D] -> [Q, M], without an array of Q M D differences. Many queries are given ROWS at a time.

    By differences: with |q|^2 - 2 q.r + |r|^2, which cdist prefers for many points, a copy is not at distance 0, and far from
    the origin no digit of a distance is left.
    """
    return torch.cdist(queries, references, compute_mode="donot_use_mm_for_euclid_dist")


def require_points(fewest, **sets):
    """All sets are points of as many coordinates as the first one's; each but the first has at least `fewest`."""
    require_rank(2, **sets)
    (first, reference), *others = sets.items()
    for name, points in others:
        size = reference.shape[1]
        require(points.shape[1] == size, f"{name} has shape {list(points.shape)}; its points must have {size} entries as {first}")
        require(len(points) >= fewest, f"{name} has {len(points)} points; it must have at least {fewest}")
