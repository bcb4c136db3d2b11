"""Distance, precision and recall of samples next to real examples, by features of both; and the baseline of images and sounds."""

import torch

from practice_torch.engine.estimate import FRACTION, POSITIVE, interval
from practice_torch.evaluation.frechet_distance import frechet_feature_distance
from practice_torch.evaluation.precision_recall import inside_manifold, nearest_neighbor_radii

FEWEST = 20  # examples of a set, below which nothing is estimated
_NEIGHBORS = 3


def distance_precision_recall(features, real, generator):
    """Metrics of features [N, D] and of real examples' features [M, D]; generator: for the interval."""
    return {
        "frechet_distance": interval(frechet_feature_distance, features, real, generator=generator, within=POSITIVE),
        "precision": interval(_share_inside, features, real, generator=generator, within=FRACTION),
        "recall": interval(_share_inside, real, features, generator=generator, within=FRACTION),
    }


def _share_inside(points, others):
    """The share of points [N, D] in some ball of the others [M, D], which reaches to its nearest neighbors."""
    return inside_manifold(points, others, nearest_neighbor_radii(others, neighbors=_NEIGHBORS)).double().mean()


def recombined(train, generator):
    """Examples in which every number comes from another training example, independently of the others."""
    return train.gather(0, torch.rand(train.shape, generator=generator).argsort(0))
