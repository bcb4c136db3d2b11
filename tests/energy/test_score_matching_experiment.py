"""The experiment of score matching: the exact score is without error, and all three losses are least there."""

from types import SimpleNamespace

import pytest
import torch

from practice_torch.data.errors import DataError
from practice_torch.data.points import load
from practice_torch.experiments.energy.score_matching import RECIPES, build
from tests.support import tiny


def test_the_exact_score_is_without_error_and_half_of_it_has_half():
    experiment, _ = tiny.built("energy/score_matching", tiny.small(RECIPES["eight_gaussians"]))
    data = load("eight_gaussians", count=64)[0]
    for share, wanted in ((1.0, 0.0), (0.5, 0.5), (-1.0, 2.0)):
        experiment.learned_score = lambda x, share=share: share * experiment.exact_score(x)
        found = experiment.evaluate(data)
        assert found["relative_score_error"] == pytest.approx(wanted, abs=1e-6)
    assert found["fisher_divergence"] > 1


@pytest.mark.parametrize("loss", ["explicit", "sliced", "denoising"])
def test_every_loss_is_least_at_the_exact_score_of_the_noisy_points(loss):
    """Scaled up or down the exact score costs more, with the same draws; by how much, its mean square tells."""
    recipe = tiny.small(RECIPES["eight_gaussians"], loss=loss, probes=8)
    experiment, _ = tiny.built("energy/score_matching", recipe)
    points = load("eight_gaussians", count=20_000)[0].batch()["point"].double()

    def cost(share):
        experiment.network = lambda x: share * experiment.exact_score(x)
        experiment.generator = torch.Generator().manual_seed(3)
        return float(experiment({"point": points}, "train")[0])

    del experiment.network  # the perceptron, replaced by a function
    below, at, above = cost(0.8), cost(1.0), cost(1.2)
    size = float(experiment.exact_score(points + 0.25 * torch.randn_like(points)).square().sum(1).mean()) / 2
    assert (below + above) / 2 - at == pytest.approx(0.04 * size, rel=0.05)  # the loss is a parabola in the scale
    assert abs(above - below) / 0.8 < 0.03 * size  # and this is how far its lowest point is from 1, times twice the size


def test_points_without_a_known_score_are_refused():
    for name in ("two_moons", "bimodal"):
        description = load(name, count=20)[0].description
        with pytest.raises(DataError, match=f"{name} is not a mixture of Gaussians in 2 dimensions"):
            build(RECIPES["eight_gaussians"], SimpleNamespace(description=description))
