"""Wrong forms of precision, recall, density and coverage that the rows must refuse, and other right forms."""

from functools import partial

import torch

from practice_torch.evaluation import precision_recall as right
from tests.support.mistakes import Mistake


def _distances(x, y):
    return (x[:, None] - y).square().sum(-1).sqrt()


def _kth(x, which, p=2.0):
    right.nearest_neighbor_radii(x, neighbors=which)  # its checks
    return torch.cdist(x, x, p=p, compute_mode="donot_use_mm_for_euclid_dist").sort(1).values[:, : which + 1]


def _without_copies(x, *, neighbors):
    ordered = _kth(x, neighbors)
    return torch.where(ordered == 0, torch.inf, torch.cdist(x, x)).amin(1) if neighbors == 1 else ordered[:, -1]


def _inside(queries, references, radii, holds=torch.le, p=2.0):
    right.inside_manifold(queries, references, radii)
    across = torch.cdist(queries, references, p=p, compute_mode="donot_use_mm_for_euclid_dist")
    return holds(across, radii).any(1).to(queries.dtype)


def _by_products(queries, references, factor=-2.0, squared=torch.square):
    """|q|^2 - 2 q.r + |r|^2 of many pairs, relative to the references' mean: fast, and rounded where differences are exact."""
    q, r = (points - references.mean(0) for points in (queries, references))
    return torch.addmm(squared(q).sum(1, keepdim=True) + squared(r).sum(1), q, r.mT, alpha=factor)


def _inside_by_products(queries, references, radii, **how):
    if queries.numel() * len(references) < 2**20:
        return right.inside_manifold(queries, references, radii)
    return (_by_products(queries, references, **how) <= radii.square()).any(1).to(queries.dtype)


def _radii_by_products(x, *, neighbors):
    if x.numel() * len(x) < 2**20:
        return right.nearest_neighbor_radii(x, neighbors=neighbors)
    return _by_products(x, x).clamp(min=0).sort(1).values[:, neighbors].sqrt()


def _nearest_ball(queries, references, radii):
    right.inside_manifold(queries, references, radii)
    if len(references) == 0:
        return queries.new_zeros(len(queries))
    distance, which = torch.cdist(queries, references).min(1)
    return (distance <= radii[which]).to(queries.dtype)


def _shares(real, generated, neighbors, radii=right.nearest_neighbor_radii):
    right.precision_and_recall(real, generated, neighbors=neighbors)
    pairs = (generated, real), (real, generated)
    return tuple(right.inside_manifold(x, y, radii(y, neighbors=neighbors)).mean() for x, y in pairs)


def _itself_counted(x, *, neighbors):
    return _kth(x, neighbors)[:, neighbors - 1]


def _radius_of_all(x, *, neighbors):
    return right.nearest_neighbor_radii(x, neighbors=neighbors).amax().expand(len(x))


def _balls(real, generated, neighbors, holds=torch.le, radii=right.nearest_neighbor_radii):
    """Which real ball holds which generated point: [M, N]"""
    right.density_and_coverage(real, generated, neighbors=neighbors)
    return holds(_distances(generated, real), radii(real, neighbors=neighbors)).to(real.dtype)


def _counts(real, generated, neighbors, **more):
    inside = _balls(real, generated, neighbors, **more)
    return inside.sum(1).mean() / neighbors, inside.amax(0).mean()


def _of_generated_balls(real, generated, *, neighbors):
    density, _ = right.density_and_coverage(real, generated, neighbors=neighbors)
    if len(generated) <= neighbors:
        return density, density
    return density, right.precision_and_recall(real, generated, neighbors=neighbors)[1]


MISTAKES = (
    Mistake("nearest_neighbor_radii", "a point is its own neighbor", _itself_counted),
    Mistake("nearest_neighbor_radii", "squared", lambda x, *, neighbors: (
        right.nearest_neighbor_radii(x, neighbors=neighbors).square())),
    Mistake("nearest_neighbor_radii", "mean of the k nearest", lambda x, *, neighbors: (
        _kth(x, neighbors)[:, 1:].mean(1))),
    Mistake("nearest_neighbor_radii", "always the nearest", lambda x, *, neighbors: _kth(x, neighbors)[:, 1]),
    Mistake("nearest_neighbor_radii", "sum of absolute values", lambda x, *, neighbors: _kth(x, neighbors, p=1.0)[:, -1]),
    Mistake("nearest_neighbor_radii", "copies of a point are no neighbors", _without_copies),
    Mistake("nearest_neighbor_radii", "by inner products", lambda x, *, neighbors: torch.cdist(
        x, x, compute_mode="use_mm_for_euclid_dist").sort(1).values[:, neighbors]),
    Mistake("nearest_neighbor_radii", "of many points, by inner products alone", _radii_by_products),
    Mistake("nearest_neighbor_radii", "held constant", lambda x, *, neighbors: (
        right.nearest_neighbor_radii(x, neighbors=neighbors).detach() + 0 * x.sum(1))),
    Mistake("nearest_neighbor_radii", "accepts no neighbor", lambda x, *, neighbors: (
        right.nearest_neighbor_radii(x, neighbors=neighbors) if neighbors else x.new_zeros(len(x))), only_checks=True),
    Mistake("inside_manifold", "the edge is outside", lambda queries, references, radii: (
        _inside(queries, references, radii, torch.lt))),
    Mistake("inside_manifold", "sum of absolute values", lambda queries, references, radii: (
        _inside(queries, references, radii, p=1.0))),
    Mistake("inside_manifold", "the ball of the nearest center alone", _nearest_ball),
    Mistake("inside_manifold", "in every ball", lambda queries, references, radii: (
        (_distances(queries, references) <= radii).all(1).to(queries.dtype) + 0 * right.inside_manifold(
            queries, references, radii))),
    Mistake("inside_manifold", "of many points, by inner products alone", _inside_by_products),
    Mistake("inside_manifold", "of many points, half of the products", partial(_inside_by_products, factor=-1.0)),
    Mistake("inside_manifold", "outside", lambda queries, references, radii: (
        1 - right.inside_manifold(queries, references, radii))),
    Mistake("inside_manifold", "the number of balls", lambda queries, references, radii: (
        (_distances(queries, references) <= radii).sum(1).to(queries.dtype) + 0 * right.inside_manifold(
            queries, references, radii))),
    Mistake("inside_manifold", "accepts a negative radius", lambda queries, references, radii: (
        right.inside_manifold(queries, references, radii.abs())), only_checks=True),
    Mistake("inside_manifold", "accepts one radius for all", lambda queries, references, radii: (
        right.inside_manifold(queries, references, radii.expand(len(references)) if radii.shape == (1,) else radii)),
        only_checks=True),
    Mistake("precision_and_recall", "roles exchanged", lambda real, generated, *, neighbors: (
        right.precision_and_recall(real, generated, neighbors=neighbors)[::-1])),
    Mistake("precision_and_recall", "a point is its own neighbor", lambda real, generated, *, neighbors: (
        _shares(real, generated, neighbors, _itself_counted))),
    Mistake("precision_and_recall", "one radius for all", lambda real, generated, *, neighbors: (
        _shares(real, generated, neighbors, _radius_of_all))),
    Mistake("precision_and_recall", "precision twice", lambda real, generated, *, neighbors: (
        right.precision_and_recall(real, generated, neighbors=neighbors)[:1] * 2)),
    Mistake("precision_and_recall", "each point's own ball", lambda real, generated, *, neighbors: (
        (_distances(generated, real).amin(1) <= _kth(generated, neighbors)[:, -1]).to(real.dtype).mean(),
        right.precision_and_recall(real, generated, neighbors=neighbors)[1])),
    Mistake("density_and_coverage", "not divided by k", lambda real, generated, *, neighbors: (
        lambda density, coverage: (density * neighbors, coverage))(
            *right.density_and_coverage(real, generated, neighbors=neighbors))),
    Mistake("density_and_coverage", "divided by N for M", lambda real, generated, *, neighbors: (
        lambda density, coverage: (density * len(generated) / len(real), coverage))(
            *right.density_and_coverage(real, generated, neighbors=neighbors))),
    Mistake("density_and_coverage", "density at most 1", lambda real, generated, *, neighbors: (
        lambda density, coverage: (density.clamp(max=1), coverage))(
            *right.density_and_coverage(real, generated, neighbors=neighbors))),
    Mistake("density_and_coverage", "a point is its own neighbor", lambda real, generated, *, neighbors: (
        _counts(real, generated, neighbors, radii=_itself_counted))),
    Mistake("density_and_coverage", "the edge is outside", lambda real, generated, *, neighbors: (
        _counts(real, generated, neighbors, holds=torch.lt))),
    Mistake("density_and_coverage", "coverage with generated balls", _of_generated_balls),
    Mistake("density_and_coverage", "coverage of the generated points", lambda real, generated, *, neighbors: (
        lambda inside: (inside.sum(1).mean() / neighbors, inside.amax(1).mean()))(_balls(real, generated, neighbors))),
)  # fmt: skip

EQUIVALENT = (
    Mistake("nearest_neighbor_radii", "by sorting", lambda x, *, neighbors: _kth(x, neighbors)[:, -1]),
    Mistake("inside_manifold", "all distances at once", _inside),
    Mistake(
        "precision_and_recall",
        "one share after the other",
        lambda real, generated, *, neighbors: _shares(real, generated, neighbors),
    ),
    Mistake(
        "density_and_coverage",
        "by a matrix of all balls",
        lambda real, generated, *, neighbors: _counts(real, generated, neighbors),
    ),
)
