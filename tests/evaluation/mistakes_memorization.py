"""Wrong forms of distances to a training set and of tests for copies that the rows must refuse, and other right forms."""

import math

import torch

from practice_torch.evaluation import memorization as right
from tests.support.mistakes import Mistake


def _distances(x, y):
    return (x[:, None] - y).square().sum(-1).sqrt()


def _two(queries, references):
    right.nearest_distance_ratio(queries, references)  # its checks
    return torch.cdist(queries, references, compute_mode="donot_use_mm_for_euclid_dist").sort(1).values[:, :2].unbind(1)


def _unchecked_ratio(queries, references):
    right.require_points(2, queries=queries, references=references)
    distances, _ = right.nearest(queries, references, 2)
    return distances[:, 0] / distances[:, 1]


def _pairs(generated, training, test, tie=0.5):
    """U, with another count for a tie, and the numbers of both."""
    right.data_copying_z_score(generated, training, test)
    x, y = right.nearest_distance(generated, training)[:, None], right.nearest_distance(test, training)
    return ((x > y) + tie * (x == y)).sum(), len(generated), len(test)


def _score(generated, training, test, tie=0.5, more=1):
    u, q, p = _pairs(generated, training, test, tie)
    return (u - q * p / 2).to(generated.dtype) / math.sqrt(q * p * (q + p + more) / 12)


def _shares(real, generated, tie=0.5, own=True):
    right.one_nearest_neighbor_accuracy(real, generated)
    far = torch.eye(len(real), dtype=real.dtype).masked_fill_(torch.eye(len(real)) > 0, torch.inf if own else 0.0)
    across = _distances(real, generated)
    of_real, of_generated = ((_distances(kind, kind) + far).amin(1) for kind in (real, generated))
    pairs = (of_real, across.amin(1)), (of_generated, across.amin(0))
    return tuple(((other > same) + tie * (other == same)).to(real.dtype).mean() for same, other in pairs)


def _authentic(generated, training, farther=torch.gt, which=0):
    right.authenticity(generated, training)
    distances = _distances(generated, training)
    nearest = distances.argmin(1) if which == 0 else distances.sort(dim=1, stable=True).indices[:, which]
    gaps = _distances(training, training).sort(1).values[:, 1]
    return farther(distances.amin(1), gaps[nearest]).to(generated.dtype)


MISTAKES = (
    Mistake("nearest_distance", "squared", lambda queries, references: right.nearest_distance(queries, references).square()),
    Mistake("nearest_distance", "to the second nearest", lambda queries, references: (
        torch.cdist(queries, references).sort(1).values[:, min(1, len(references) - 1)])),
    Mistake("nearest_distance", "sum of absolute values", lambda queries, references: (
        torch.cdist(queries, references, p=1).amin(1))),
    Mistake("nearest_distance", "by inner products", lambda queries, references: torch.cdist(
        queries, references, compute_mode="use_mm_for_euclid_dist").amin(1)),
    Mistake("nearest_distance", "the slope of a copy is NaN", lambda queries, references: (
        (queries[:, None] - references).square().sum(-1).amin(1).sqrt())),
    Mistake("nearest_distance", "accepts one coordinate for all", lambda queries, references: (
        right.nearest_distance(queries, references.expand(-1, queries.shape[1])) if queries.ndim == 2 else right.nearest_distance(
            queries, references)), only_checks=True),
    Mistake("nearest_distance_ratio", "squared distances", lambda queries, references: (
        right.nearest_distance_ratio(queries, references).square())),
    Mistake("nearest_distance_ratio", "turned over", lambda queries, references: (
        1 / right.nearest_distance_ratio(queries, references))),
    Mistake("nearest_distance_ratio", "by the farthest", lambda queries, references: (
        right.nearest_distance(queries, references) / torch.cdist(queries, references).amax(1))),
    Mistake("nearest_distance_ratio", "by the sum of both", lambda queries, references: (
        (lambda first, second: first / (first + second))(*_two(queries, references)))),
    Mistake("nearest_distance_ratio", "the second is held constant", lambda queries, references: (
        (lambda first, second: first / second.detach())(*_two(queries, references)))),
    Mistake("nearest_distance_ratio", "accepts a reference twice", _unchecked_ratio, only_checks=True),
    Mistake("data_copying_z_score", "the sign", lambda generated, training, test: (
        -right.data_copying_z_score(generated, training, test))),
    Mistake("data_copying_z_score", "distances to the generated points", lambda generated, training, test: (
        right.data_copying_z_score(training, generated, test))),
    Mistake("data_copying_z_score", "variance with Q + P", lambda generated, training, test: (
        _score(generated, training, test, more=0))),
    Mistake("data_copying_z_score", "a tie counts nothing", lambda generated, training, test: (
        _score(generated, training, test, tie=0))),
    Mistake("data_copying_z_score", "a tie counts one", lambda generated, training, test: (
        _score(generated, training, test, tie=1))),
    Mistake("data_copying_z_score", "not standardized", lambda generated, training, test: (
        (lambda u, q, p: (u - q * p / 2).to(generated.dtype))(*_pairs(generated, training, test)))),
    Mistake("data_copying_z_score", "number of pairs", lambda generated, training, test: (
        _pairs(generated, training, test)[0].to(generated.dtype))),
    Mistake("data_copying_z_score", "a test of the means", lambda generated, training, test: (
        lambda x, y: (x.mean() - y.mean()) / (x.var() / len(x) + y.var() / len(y)).sqrt())(
            right.nearest_distance(generated, training), right.nearest_distance(test, training))),
    Mistake("one_nearest_neighbor_accuracy", "a point is its own neighbor", lambda real, generated: (
        _shares(real, generated, own=False))),
    Mistake("one_nearest_neighbor_accuracy", "the kinds exchanged", lambda real, generated: (
        right.one_nearest_neighbor_accuracy(generated, real))),
    Mistake("one_nearest_neighbor_accuracy", "both together", lambda real, generated: (
        (sum(right.one_nearest_neighbor_accuracy(real, generated)) / 2,) * 2)),
    Mistake("one_nearest_neighbor_accuracy", "errors", lambda real, generated: tuple(
        1 - share for share in right.one_nearest_neighbor_accuracy(real, generated))),
    Mistake("one_nearest_neighbor_accuracy", "a tie is of the own kind", lambda real, generated: _shares(real, generated, tie=1)),
    Mistake("one_nearest_neighbor_accuracy", "a tie is of the other kind", lambda real, generated: (
        _shares(real, generated, tie=0))),
    Mistake("authenticity", "turned over", lambda generated, training: 1 - right.authenticity(generated, training)),
    Mistake("authenticity", "an equal distance is farther", lambda generated, training: (
        _authentic(generated, training, torch.ge))),
    Mistake("authenticity", "the gap of the second nearest", lambda generated, training: (
        _authentic(generated, training, which=1))),
    Mistake("authenticity", "the distance of y to its second nearest", lambda generated, training: (
        lambda first, second: (first > second).to(generated.dtype))(
            *torch.cdist(generated, training).sort(1).values[:, :2].unbind(1))),
    Mistake("authenticity", "a training point is its own neighbor", lambda generated, training: (
        (right.nearest_distance(generated, training) > 0).to(generated.dtype))),
    Mistake("authenticity", "the smallest gap of all", lambda generated, training: (
        right.nearest_distance(generated, training) > torch.cdist(training, training).sort(1).values[:, 1].amin()
    ).to(generated.dtype)),
)  # fmt: skip

EQUIVALENT = (
    Mistake("data_copying_z_score", "pair by pair", _score),
    Mistake("one_nearest_neighbor_accuracy", "by all distances", _shares),
    Mistake("authenticity", "by the gaps of all training points", _authentic),
)
