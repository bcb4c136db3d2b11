"""As flows/flow_matching; the pairs of a batch by trying every matching."""

import itertools

import torch

from tests.flows import metrics_flow_matching
from tests.flows.metrics_flow_matching import preview  # noqa: F401 - drawn alike

FIELDS = {"two_moons": {"likelihood_steps": 3, "batch_size": 4}}
COUNT = 12


def pairs(e, points, generator):
    start, found = torch.randn(points.shape, generator=generator), []
    for rows, others in zip(start.split(e.recipe.batch_size), points.split(e.recipe.batch_size), strict=True):
        orders = itertools.permutations(range(len(rows)))
        best = min(orders, key=lambda order: sum(float((a - others[k]).square().sum()) for a, k in zip(rows, order, strict=True)))  # noqa: B023
        found.append(others[list(best)])
    return start, torch.cat(found)


def evaluate(e, data):
    return metrics_flow_matching.evaluate(e, data, lambda points, generator: pairs(e, points, generator))
