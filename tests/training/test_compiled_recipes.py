"""A recipe of each family takes the engine's own steps with networks compiled as on a GPU: all that are said to be, and whole.

Every network that a recipe says nothing about is executed compiled in its steps, without a break, and compiled for the first of
them alone. Methods other than `__call__`, frozen networks, and networks in lists and mappings count, too.
"""

import pytest
import torch
from torch import nn

from practice_torch.engine import gpu
from practice_torch.engine.errors import RunError
from practice_torch.engine.experiment import Phase
from tests.support.engine.compiled import compiled_steps, steps_compiled
from tests.support.engine.toys import RECIPE, Noisy, Players, begin
from tests.support.recipes import module_of, names


@pytest.mark.parametrize("family", sorted({topic.split("/")[0] for topic, _ in names()}))
def test_a_recipe_of_each_family_is_compiled_as_it_says(family):
    """The first with networks; tests of topics have those that are special."""
    for topic, name in names():
        if topic.startswith(f"{family}/") and min(3, module_of(topic).RECIPES[name].steps) > 1:
            found = steps_compiled(topic, name)
            found.require_as_said()
            if found.compilation.compiled:
                return
    raise AssertionError(f"no recipe of {family} compiles anything")


@pytest.mark.parametrize("changes", [{}, {"recompute_blocks": True}])
def test_transformers_and_blocks_that_are_recomputed_are_compiled(changes):
    steps_compiled("autoregressive/transformer", "pydoc", **changes).require_as_said()


def test_a_network_of_images_is_compiled():
    steps_compiled("diffusion/training", "digits").require_as_said()


# ---------------------------------------------------------------------------------------------------- mistakes are found


class Past(Noisy):
    """Its step calls the network's method."""

    def __init__(self, at=None):
        super().__init__(at)
        self.network.method = self.network.forward

    def forward(self, batch, phase):
        return self.network.method(batch["point"]).square().mean(), {}


def test_a_method_past_the_call_is_named(tmp_path):
    with pytest.raises(AssertionError, match="network: said to be compiled, but no step calls it so"):
        compiled_steps(begin(tmp_path / "run", make=Past, recipe=RECIPE)).require_as_said()


class Differentiated(Noisy):
    """Its step differentiates the call by torch.func: uncompiled from then on, were it not refused."""

    def forward(self, batch, phase):
        return torch.func.grad(lambda x: self.network(x).square().sum())(batch["point"]).square().mean(), {}


def test_a_call_that_torch_func_differentiates_is_refused(tmp_path):
    with pytest.raises(torch._dynamo.exc.Unsupported, match="functorch"):
        compiled_steps(begin(tmp_path / "run", make=Differentiated, recipe=RECIPE))


class Idle(Noisy):
    """It has a second network, which no step calls."""

    def __init__(self, at=None):
        super().__init__(at)
        self.idle = nn.Linear(1, 1).requires_grad_(False)


def test_a_network_that_no_step_calls_is_named(tmp_path):
    with pytest.raises(AssertionError, match="^idle: said to be compiled"):
        compiled_steps(begin(tmp_path / "run", make=Idle, recipe=RECIPE)).require_as_said()


class Numbered(nn.Linear):
    def forward(self, x, number):
        return super().forward(x) * number


class Counting(Noisy):
    """Its network is called with another number in every step."""

    phases = (Phase("train", moves=("network",)),)

    def __init__(self, at=None):
        super().__init__(at)
        self.network, self.step = Numbered(3, 3), 0.0

    def forward(self, batch, phase):
        self.step += 1.0
        return self.network(batch["point"], self.step).square().mean(), {}


def test_what_is_compiled_in_every_step_is_named(tmp_path):
    with pytest.raises(AssertionError, match="compiled again in a second step, and so in every step.*network"):
        compiled_steps(begin(tmp_path / "run", make=Counting, recipe=RECIPE)).require_as_said()


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
