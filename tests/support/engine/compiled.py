"""The engine's own training steps, with networks compiled as on a GPU, and what of them ran compiled, counted.

The backend is aot_eager: Dynamo and AOTAutograd trace forward and backward pass as they do on a GPU, and no code is generated.
"""

import dataclasses
from collections import Counter
from types import SimpleNamespace
from unittest import mock

import torch
from torch._dynamo.backends.debugging import aot_eager

from practice_torch.engine import gpu
from practice_torch.engine.loop import Training
from tests.support import small_recipes
from tests.support.recipes import module_of


@dataclasses.dataclass
class Counted:
    """{name of a network: how often} it was compiled and executed, and compiled in a second step of a stage."""

    compilation: gpu.Compilation
    graphs: Counter
    executed: Counter
    late: Counter

    def require_as_said(self):
        """AssertionError unless every network that is said to be compiled was executed so, with nothing compiled later."""
        silent = [name for name in self.compilation.compiled if not self.executed[name]]
        assert not silent, f"{', '.join(silent)}: said to be compiled, but no step calls it so; `eager` or `calls` must say why"
        assert not self.late, f"compiled again in a second step, and so in every step: {dict(self.late)}"
        assert not any(self.executed[name] for name in self.compilation.eager)


def steps_compiled(topic, name, **changes):
    """Two steps of each stage of a recipe in small."""
    recipe, data = small_recipes.small(topic, name, precision="float32", steps=8, **changes)
    torch.manual_seed(0)
    with small_recipes.instead_of_loading(data):
        experiment = module_of(topic).build(recipe, data[0])
        training = Training(SimpleNamespace(checkpoints="", asked={"topic": topic}), recipe, experiment, *data, cpu=True)
        return compiled_steps(training)


def compiled_steps(training):
    """Two steps of each stage of a training that has not begun, and that is of no other use then: its networks stay compiled."""
    graphs, executed, late, place = Counter(), Counter(), Counter(), SimpleNamespace(second=False)
    names = {id(network): name for name, network in gpu.networks_of(training.experiment).items()}
    real = torch.compile

    def compiled(call, **options):
        name = names[id(call.__self__)]

        def backend(graph, inputs):
            graphs[name] += 1
            late.update([name] if place.second else [])
            run = aot_eager(graph, inputs)

            def counted(*given):
                executed[name] += 1
                return run(*given)

            return counted

        return real(call, **options, backend=backend)

    torch._dynamo.reset()
    with mock.patch.object(torch, "compile", compiled), limits_restored():
        compilation = gpu.compile_networks(training.experiment)
        training.experiment.train()
        for step, second in _first_steps(training):
            training.step = step
            for place.second in (False, True) if second else (False,):
                training._advance()
    return Counted(compilation, graphs, executed, late)


def limits_restored():
    """A context: how often torch compiles a call, and what happens then, is afterwards what it was before `compile_networks`."""
    return torch._dynamo.config.patch(recompile_limit=8, fail_on_recompile_limit_hit=False)


def _first_steps(training):
    """(number, whether another follows) of the first step of each stage."""
    first = 0
    for stage in training.stages or [SimpleNamespace(steps=training.recipe.steps)]:
        if stage.steps:
            yield first, stage.steps > 1
        first += stage.steps
