"""The operations of a training step, counted on meta tensors, against counts by hand."""

import dataclasses
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from practice_torch.autoregressive.transformer import forward_operations
from practice_torch.engine.costs.flops import batch_like, flops_of, flops_of_step
from practice_torch.engine.experiment import Phase
from practice_torch.engine.recipe import Recipe
from practice_torch.experiments.autoregressive.transformer import RECIPES, build
from tests.support.engine.toys import Players

RECIPE = Recipe(batch_size=8)
POINTS = {"point": torch.zeros(1, 3)}


class Drawing(nn.Module):
    """A network on what its generator draws, and a counter that the step reads."""

    phases = (Phase("train", ("network",), times=2), Phase("count"))

    def __init__(self):
        super().__init__()
        self.network, self.generator = nn.Sequential(nn.Linear(3, 5), nn.Dropout(), nn.Linear(5, 3)), torch.Generator()
        self.register_buffer("steps", torch.tensor(0))

    def forward(self, batch, phase):
        x = batch["point"]
        noise = torch.randn(x.shape, generator=self.generator, device=x.device) + int(self.steps)
        return self.network(x + noise).mean(), {}


def test_a_step_is_counted_as_by_hand():
    """Forward 3 x 5 and 5 x 3; backward both weights, and the input of the second layer only; twice, of three batches each."""
    forward, backward = 15 + 15, 15 + 15 + 15
    wanted = 2 * 8 * (forward + backward) * 2 * 3
    assert flops_of_step(Drawing(), batch_like(POINTS, 8), dataclasses.replace(RECIPE, accumulate=3)) == wanted


def test_who_does_not_play_has_no_gradient_to_count():
    """Each turn passes 3 x 1 and 3 x 1 forward and has one weight's gradient; the second player has two turns."""
    assert flops_of_step(Players(), batch_like(POINTS, 8), RECIPE) == 3 * 2 * 8 * (3 + 3 + 3)


def test_counting_changes_nothing():
    experiment = Drawing().eval()
    before, draws = {name: t.clone() for name, t in experiment.state_dict().items()}, torch.get_rng_state()
    state, generator = experiment.generator.get_state(), experiment.generator
    flops_of_step(experiment, batch_like(POINTS, 8), RECIPE)
    assert all(torch.equal(t, before[name]) for name, t in experiment.state_dict().items())
    assert experiment.generator is generator and torch.equal(generator.get_state(), state)
    assert torch.equal(torch.get_rng_state(), draws) and not experiment.training
    assert all(parameter.grad is None and parameter.requires_grad for parameter in experiment.parameters())


def test_a_gpt_of_124_million_parameters_takes_three_forward_passes():
    """The formula of the forward pass, which counts by hand, and a backward pass of twice that; the parameters are never made."""
    sizes = {"width": 768, "layers": 12}
    recipe = dataclasses.replace(RECIPES["shakespeare"], heads=12, context=1024, batch_size=16, biases="all", **sizes)
    with torch.device("meta"):
        experiment = build(recipe, SimpleNamespace(description={"vocabulary": 50257}))
    assert sum(parameter.numel() for parameter in experiment.parameters()) == 124_439_808  # those of GPT-2's published weights
    counted = flops_of_step(experiment, {"tokens": torch.empty(16, 1025, dtype=torch.int64, device="meta")}, recipe)
    by_hand = forward_operations(vocabulary_size=50257, length=1024, feed_forward_width=4 * 768, **sizes)
    assert counted == 3 * 16 * by_hand


@pytest.mark.parametrize("grad", [torch.enable_grad, torch.no_grad, torch.inference_mode])
def test_a_call_is_counted_as_by_hand(grad):
    """Of two images: 4 kernels of 3 x 3 at 64 places, then 256 x 3; where nothing is recorded for gradients as well."""
    network = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.Flatten(), nn.Linear(256, 3))
    with grad():
        assert flops_of(lambda: network(torch.zeros(2, 1, 8, 8))) == 2 * 2 * (4 * 9 * 64 + 256 * 3)
