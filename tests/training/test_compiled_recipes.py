"""A recipe of each family takes the engine's own steps with networks compiled as on a GPU: all that are said to be, and whole.

Every network that a recipe says nothing about is executed compiled in its steps, without a break, and compiled for the first of
them alone. Methods other than `__call__`, frozen networks, and networks in lists and mappings count, too.
"""

import pytest
import torch
from torch import nn

from practice_torch.engine import gpu
from practice_torch.engine.errors import RunError
from practice_torch.experiments.adversarial.gradient_penalty import Wgan
from practice_torch.experiments.adversarial.progressive_growing import GrowingGan
from practice_torch.experiments.diffusion.latent_diffusion import LatentDiffusionExperiment
from practice_torch.experiments.energy.score_matching import ScoreMatchingExperiment
from practice_torch.experiments.flows.continuous_flow import ContinuousPointFlow
from tests.support.engine.compiled import compiled_steps, steps_compiled
from tests.support.engine.toys import RECIPE, Noisy, Players, begin

CONTINUOUS = ("flows/continuous_flow", "two_moons", {"solver_steps": 1})
OTHERS = {  # and what of them is not compiled
    ("foundations/f_gan", "eight_gaussians"): (),
    ("autoregressive/transformer", "pydoc"): (),
    ("state_space/diagonal", "digits"): (),
    ("latent/vector_quantization", "digits"): (),
    ("flows/affine_coupling", "two_moons"): (),
    ("energy/regularized_training", "two_moons"): (),
    ("energy/score_matching", "eight_gaussians"): ("network",),
    ("adversarial/gradient_penalty", "digits"): (),
    ("diffusion/latent_diffusion", "digits"): ("frozen.decoder",),
    ("reinforcement/language_policy", "few_texts"): (),
    ("preference/dpo", "pydoc"): (),
}


@pytest.mark.parametrize(("topic", "name"), OTHERS)
def test_a_recipe_of_each_family_is_compiled_as_it_says(topic, name):
    found = steps_compiled(topic, name)
    found.require_as_said()
    assert tuple(found.compilation.eager) == OTHERS[topic, name]
    assert found.compilation.compiled or found.compilation.eager


def test_a_method_that_is_not_the_call_is_compiled():
    topic, name, sizes = CONTINUOUS
    found = steps_compiled(topic, name, **sizes)
    found.require_as_said()
    assert found.executed["network"] == 2, "one solution a step"


def test_recomputed_blocks_are_compiled():
    steps_compiled("autoregressive/transformer", "pydoc", recompute_blocks=True).require_as_said()


# ---------------------------------------------------------------------------------------------------- mistakes are found


def test_a_call_that_torch_func_differentiates_is_refused(monkeypatch):
    """In the penalty: without `fullgraph`, the critic would run uncompiled from then on, and nothing would say so."""
    monkeypatch.setattr(Wgan, "_scores", lambda self, x, critic=None: self.critic(x).float()[:, 0])
    with pytest.raises(torch._dynamo.exc.Unsupported, match="functorch"):
        steps_compiled("adversarial/gradient_penalty", "eight_gaussians")
    monkeypatch.setattr(ScoreMatchingExperiment, "__setattr__", _without_eager)
    with pytest.raises(torch._dynamo.exc.Unsupported, match="functorch"):
        steps_compiled("energy/score_matching", "eight_gaussians")


def _without_eager(self, name, value):
    return nn.Module.__setattr__(self, name, {} if name == "eager" else value)


def test_a_method_past_the_call_is_named(monkeypatch):
    monkeypatch.setattr(ContinuousPointFlow, "calls", {})
    topic, name, sizes = CONTINUOUS
    with pytest.raises(AssertionError, match="network: said to be compiled, but no step calls it so"):
        steps_compiled(topic, name, **sizes).require_as_said()


def test_a_network_that_no_step_calls_is_named(monkeypatch):
    monkeypatch.setattr(LatentDiffusionExperiment, "eager", {})
    with pytest.raises(AssertionError, match=r"^frozen\.decoder: said to be compiled"):
        steps_compiled("diffusion/latent_diffusion", "digits", halvings=1).require_as_said()


def test_what_is_compiled_in_every_step_is_named(monkeypatch):
    monkeypatch.setattr(GrowingGan, "eager", {})
    with pytest.raises(AssertionError, match="compiled again in a second step.*'critic'"):
        steps_compiled("adversarial/progressive_growing", "digits").require_as_said()


class Breaking(Noisy):
    """Its network branches by a value."""

    def __init__(self, at=None):
        super().__init__(at)
        self.network[1] = Branches()


class Branches(nn.Module):
    def forward(self, x):
        return x if x.sum() > 0 else -x


def test_a_break_in_a_graph_is_refused(tmp_path):
    training = begin(tmp_path / "run", make=Breaking, recipe=RECIPE)
    said = "cannot be compiled as it is written: Unsupported: Data-dependent branching; --no-compile"
    with pytest.raises(RunError, match=said), gpu.refusals(True):
        compiled_steps(training)
    with pytest.raises(torch._dynamo.exc.Unsupported), gpu.refusals(False):
        training._advance()


def test_too_many_shapes_are_refused(tmp_path, monkeypatch):
    """Torch itself would go on uncompiled; the limit holds for each network, though all share a call."""
    monkeypatch.setattr(gpu, "VARIANTS", 1)
    with pytest.raises(torch._dynamo.exc.FailOnRecompileLimitHit):
        compiled_steps(begin(tmp_path / "run", make=Players, recipe=RECIPE))


def test_a_name_that_is_no_network_is_an_error():
    experiment = Noisy()
    experiment.eager = {"critic": "of another experiment"}
    with pytest.raises(ValueError, match="eager or calls names critic; the experiment's networks are network"):
        gpu.compilation_of(experiment)


def test_what_is_compiled_is_said():
    experiment = Noisy()
    assert gpu.compilation_of(experiment).words() == "compiled at their first call: network"
    experiment.parts = nn.ModuleDict({"first": nn.ModuleList([nn.Linear(1, 1), nn.Tanh()])})
    experiment.eager = {"network": "it is a toy"}
    assert gpu.compilation_of(experiment) == (("parts.first.0",), {"network": "it is a toy"})
    words = "compiled at their first call: parts.first.0; network is not: it is a toy"
    assert gpu.compilation_of(experiment).words() == words
    del experiment.parts
    assert gpu.compilation_of(experiment).words() == "compiled at their first call: no network; network is not: it is a toy"
