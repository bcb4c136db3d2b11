"""The likelihood of the trained flow and its bound, on data with known distribution, score and likelihood."""

import math

import pytest
import torch

from practice_torch.diffusion.probability_flow import log_prob
from practice_torch.experiments.diffusion.probability_flow import FlowRecipe
from practice_torch.mathematics.levels import per_example
from tests.support import tiny

VARIANCE = 0.3


@pytest.fixture
def model(monkeypatch):
    """An experiment with the optimal noise prediction for data N(0, VARIANCE)."""
    recipe = FlowRecipe(base_channels=4, multipliers=(1, 2), blocks=1, solver_steps=12)
    model, _ = tiny.built("diffusion/probability_flow", recipe)

    def best(x, time):
        level = model._level(time)
        return per_example((1 - level).sqrt() / (VARIANCE * level + 1 - level), x) * x

    monkeypatch.setattr(model, "_noise_pred", best)
    return model


def images(count):
    return VARIANCE**0.5 * torch.randn(count, 1, 8, 8, generator=torch.Generator().manual_seed(2))


def exact(model, x):
    """Bits per dimension under the law at the first time, which is nearly that of the data."""
    level = model._level(model.times[:1])
    law = torch.distributions.Normal(0.0, (VARIANCE * level + 1 - level).sqrt())
    return model._bits(law.log_prob(x).flatten(1).sum(1))


def test_the_flows_bits_are_the_exact_ones(model):
    x = images(5)
    probes = torch.ones(1, *x.shape)  # each pixel on its own: any signs give the exact divergence
    torch.testing.assert_close(model._bits(log_prob(x, probes, model.times, model._velocity)), exact(model, x), atol=2e-3, rtol=0)


def test_the_bound_is_tight_for_the_best_score_and_not_for_another(model, monkeypatch):
    x = images(40)
    wanted = exact(model, x).mean().item()

    def bound():
        return torch.stack([model._bits(-model._negative_bound(x)).mean() for _ in range(60)]).mean().item()

    assert bound() == pytest.approx(wanted, abs=0.15)  # five standard errors
    best = model._noise_pred
    monkeypatch.setattr(model, "_noise_pred", lambda x, time: best(x, time) / 2)
    assert bound() > wanted + 1


def test_bits_count_a_uniform_law_right(model):
    """Data uniform on [-1, 1], in 17 values: log2 17 bits, whatever the image."""
    density = torch.full((3,), -64 * math.log(2))
    torch.testing.assert_close(model._bits(density), torch.full((3,), math.log2(17)))


def test_data_are_within_their_values_cells(model):
    image = torch.arange(64).remainder(17).view(1, 1, 8, 8) / 16
    torch.testing.assert_close(model._rounded(model._data(image)), image)
