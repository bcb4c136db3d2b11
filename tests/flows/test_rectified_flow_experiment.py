"""Rectified flow on points: what the two exact flows to a Gaussian score."""

import dataclasses
import math

import pytest
import torch

from practice_torch.engine.stages import enter
from practice_torch.experiments.flows.rectified_flow import RECIPES
from tests.support import tiny


def test_pairs_are_made_at_the_first_step_of_the_second_stage_also_where_batches_are_accumulated():
    recipe = tiny.small(RECIPES["two_moons"], steps=4, accumulate=2, reflow_steps=2)
    experiment, batch = tiny.built("flows/rectified_flow", recipe)
    for step, made in enumerate((False, False, True, True)):
        for phase in enter(experiment, recipe.stages(), step):
            for _ in range(recipe.accumulate):
                loss, _ = experiment(batch, phase.name)
                assert loss.isfinite() and bool(experiment.ends.any()) == made
        if step == 2:
            kept = experiment.ends.clone()
    assert torch.equal(experiment.ends, kept)


def test_the_exact_second_flow_is_straight_and_right_in_two_steps_where_the_first_is_not():
    """Data N(0, 25 I) in the plane: the cost falls from 52 to 32, by the curvature 5 (4 - pi) and the crossings."""
    experiment, _ = tiny.built("flows/rectified_flow", dataclasses.replace(RECIPES["two_moons"], likelihood_steps=1))
    points = 5 * torch.randn(2048, 2, generator=torch.Generator().manual_seed(1))

    class Data:
        def __len__(self):
            return len(points)

        def batch(self, indices):
            return {"point": points[indices]}

    def first_velocity(x, time):
        t = time[:, None]
        return (26 * t - 1) / ((1 - t) ** 2 + 25 * t**2) * x

    experiment.first_velocity, experiment.velocity = first_velocity, lambda x, time: 4 * x / (1 + 4 * time[:, None])
    found = experiment.evaluate(Data())
    assert found["energy_distance_few"] < 0.01 < 0.05 < found["energy_distance_first"]
    assert found["straightness"] < 1e-4 and found["straightness_first"] == pytest.approx(5 * (4 - math.pi), rel=0.1)
    assert found["cost"] == pytest.approx(32, rel=0.1) and found["cost_independent"] == pytest.approx(52, rel=0.1)
    assert found["loss"] < 0.1  # the pairs end where 60 Euler steps do, not quite at five times the noise
