"""The experiment of noise-contrastive estimation: the grid's result for a known density, and for another constant."""

import math
from types import SimpleNamespace

import pytest
import torch

from practice_torch.data.errors import DataError
from practice_torch.data.points import load
from practice_torch.experiments.energy.noise_contrastive_estimation import RECIPES, build
from tests.support import tiny


def test_a_known_density_has_its_likelihood_and_mass_whatever_its_constant():
    """N(0, 1/4) in the plane, to which a constant is added: the mass shows it, the likelihood does not."""
    experiment, _ = tiny.built("energy/noise_contrastive_estimation", tiny.small(RECIPES["two_moons"]))
    points = load("two_moons", count=64)[0]
    wanted = float(2 * points.points.square().sum(1).mean()) + math.log(math.pi / 2)
    del experiment.network  # the perceptron, replaced by a function
    for constant in (0.0, 1.5):
        experiment.network = lambda x, constant=constant: constant - 2 * x.square().sum(1, keepdim=True) - math.log(math.pi / 2)
        found = experiment.evaluate(points)
        assert found["log_mass"] == pytest.approx(constant, abs=1e-3)
        assert found["negative_log_likelihood"] == pytest.approx(wanted, abs=1e-3)


def test_the_loss_is_least_at_the_density_with_the_right_constant():
    """Points of N(0, 1/4) and four draws of noise for each: a mass that is a fifth too large or too small costs more."""
    experiment, _ = tiny.built("energy/noise_contrastive_estimation", tiny.small(RECIPES["two_moons"]))
    points = 0.5 * torch.randn(20_000, 2, generator=torch.Generator().manual_seed(4))
    del experiment.network

    def cost(mass):
        experiment.network = lambda x: math.log(mass) - 2 * x.square().sum(1, keepdim=True) - math.log(math.pi / 2)
        experiment.generator = torch.Generator().manual_seed(5)
        return float(experiment({"point": points}, "train")[0])

    assert cost(1.0) < min(cost(0.8), cost(1.25))


def test_points_that_are_not_in_the_plane_are_refused():
    description = load("bimodal", count=20)[0].description
    with pytest.raises(DataError, match="bimodal has points with 1 entries; the grid needs 2"):
        build(RECIPES["two_moons"], SimpleNamespace(description=description))
