"""Coupled pairs in training: which data go with which noise."""

import dataclasses

import torch

from practice_torch.experiments.flows.minibatch_coupling import RECIPES
from tests.support import tiny


def test_exact_pairs_are_the_batch_in_another_order_and_cost_less():
    points = torch.randn(64, 2, generator=torch.Generator().manual_seed(1)) / 2 + torch.tensor([[2.0, 0.0]])

    def pairs(coupling):
        recipe = dataclasses.replace(RECIPES["two_moons"], hidden=8, coupling=coupling)
        experiment, _ = tiny.built("flows/minibatch_coupling", recipe)
        return experiment.pairs(points, torch.Generator().manual_seed(2))

    (noise, data), (same, as_they_come) = pairs("exact"), pairs("random")
    assert torch.equal(noise, same) and torch.equal(as_they_come, points)
    assert torch.equal(data.sort(0).values, points.sort(0).values)
    assert (noise - data).square().sum() < 0.85 * (noise - points).square().sum()
    crossings = ((noise[:, None] - noise) * (data[:, None] - data)).sum(2)
    assert crossings.min() >= 0
