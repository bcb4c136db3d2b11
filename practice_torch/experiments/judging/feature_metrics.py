"""Distance, precision and recall of samples beside real examples, by features of both; and the baseline of images and sounds."""

import torch

from practice_torch.evaluation.frechet_distance import frechet_feature_distance
from practice_torch.evaluation.precision_recall import inside_manifold, nearest_neighbor_radii

FEWEST = 20  # examples of a set, below which nothing is estimated
_NEIGHBORS = 3


def distance_precision_recall(features, real, resample):
    """Of features [N, D] beside those of real examples [M, D]; resample(statistic, *samples) gives an estimate its interval."""
    radii, own_radii = (nearest_neighbor_radii(part, neighbors=_NEIGHBORS) for part in (real, features))
    return {
        "frechet_distance": resample(frechet_feature_distance, features, real),
        "precision": resample(torch.mean, inside_manifold(features, real, radii)),
        "recall": resample(torch.mean, inside_manifold(real, features, own_radii)),
    }


def recombined(train, generator):
    """Examples in which every number comes from another training example, independently of the others."""
    return train.gather(0, torch.rand(train.shape, generator=generator).argsort(0))
