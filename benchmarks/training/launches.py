"""Launches of a training step, and compiled graphs, of a recipe of each family: counted on this machine, for a GPU.

    python -m benchmarks.training.launches [--before FILE]

A launch is an aten operation that is a kernel of its own where nothing is compiled: not a view, and nothing that only allocates.
Counted is one step of the recipe at its full size on tensors without memory (engine/costs/sizes.py), the second, with forward and
backward pass of every turn, optimizers, averages and the batch, without clipping; with the segments of scans that an accelerator
has, and the kernels that it has. Operations that the device's library makes of several kernels count once.
- bytes: of all tensors that these operations read and write, each once an operation; a compiler writes fewer of them.
- complex: operations with complex numbers, which Inductor leaves as they are, while it fuses real ones.
- graphs: of the recipe in small, through the engine's own step with the aot_eager backend (tests/support/engine/compiled.py), the
  graphs that were compiled, and how often they ran in two steps.
- collection: of PPO's, which takes no gradients, also launches outside of what is compiled, and how often that is called.
Nothing is timed, and no GPU takes part: fewer launches are less waiting only where kernels are shorter than their launch.
--before: a file of this command from an earlier commit, of which the numbers are kept next to the new ones from then on. Result:
benchmarks/results/launches.json.
"""

import argparse
import contextlib
import json
import sys
import time
from collections import Counter
from pathlib import Path
from unittest import mock

import torch
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Column, Table
from torch.utils._pytree import tree_leaves

from benchmarks.measuring.turns import RESULTS
from practice_torch.engine.costs import sizes
from practice_torch.engine.costs.environment import environment
from practice_torch.state_space import _scan, _selective_scan
from tests.support.recipes import module_of

RECIPES = (
    ("foundations/f_gan", "eight_gaussians"),
    ("adversarial/dcgan", "celeba"),
    ("adversarial/gradient_penalty", "cifar10"),
    ("latent/vae", "celeba"),
    ("latent/vector_quantization", "speech_commands"),
    ("diffusion/training", "cifar10_ddpm"),
    ("diffusion/edm", "cifar10"),
    ("autoregressive/transformer", "gpt2"),
    ("autoregressive/pixelcnn", "cifar10"),
    ("autoregressive/wavenet", "speech_commands"),
    ("reinforcement/ppo", "cart_pole"),
    ("reinforcement/ppo", "pendulum"),
    ("preference/dpo", "pydoc"),
    ("state_space/diagonal", "notes"),
    ("state_space/selective", "notes"),
    ("energy/score_matching", "eight_gaussians"),
    ("flows/multiscale", "cifar10"),
    ("flows/masked_autoregressive", "cifar10"),
    ("flows/continuous_flow", "two_moons"),
)
BYTES, COMPLEX = "bytes", "complex"
ALLOCATIONS = {"empty", "empty_like", "empty_strided", "new_empty", "new_empty_strided", "_unsafe_view", "lift_fresh", "device"}
COLUMNS = "launches before", "now", "complex before", "now", "GB before", "now", "graphs before", "now", "runs"


class Launches(sizes.Tally):
    """Counts operations by name, too, with the bytes of their tensors and those that are complex."""

    def __init__(self):
        super().__init__()
        self.launches, self.facts = Counter(), Counter()

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        out, name = super().__torch_dispatch__(operation, types, args, kwargs), operation.overloadpacket.__name__
        if not operation.is_view and name not in ALLOCATIONS:
            tensors = [leaf for leaf in tree_leaves((args, kwargs, out)) if isinstance(leaf, torch.Tensor)]
            self.launches[name] += 1
            self.facts[BYTES] += sum(tensor.nbytes for tensor in tensors)
            self.facts[COMPLEX] += any(tensor.is_complex() for tensor in tensors)
        return out

    def twice(self, times):
        """As of the operations: the second turn counts for those that are left out."""
        counters = self.launches, self.facts
        for _ in super().twice(times):
            before = [counter.copy() for counter in counters]
            yield
        for counter, old in zip(counters, before, strict=True):
            counter.update({name: max(0, times - 2) * count for name, count in (counter - old).items()})


def counted_in(topic, name):
    """A context: fake tensors, counted; gives (tally, experiment, data)."""
    inside = contextlib.ExitStack()
    inside.enter_context(mock.patch.object(sizes, "Tally", Launches))
    inside.enter_context(mock.patch.object(_selective_scan, "CPU", _selective_scan.ACCELERATOR))
    inside.enter_context(mock.patch.object(_scan, "has_kernel", lambda inputs: _scan.TRITON))
    return inside, inside.enter_context(sizes.on_fake_tensors(module_of(topic), name))


def launches(topic, name):
    """({operation: how often}, {BYTES, COMPLEX: count}) of a step; of a recipe with stages, of the stage with the most."""
    inside, (tally, experiment, data) = counted_in(topic, name)
    found = []
    with inside:
        for number, _ in enumerate(sizes.step_by_step(experiment, module_of(topic).RECIPES[name], data, tally)):
            if number % 2:
                found.append((tally.launches.copy(), dict(tally.facts)))
            tally.launches.clear()
            tally.facts.clear()
    return max(found, key=lambda each: each[0].total())


class Compiled:
    """In place of a method that is compiled: counts its calls and their launches, with those of such methods that it calls."""

    depth = 0

    def __init__(self, network, method, tally):
        self.launches, self.calls, self.call, self.tally = 0, 0, getattr(network, method), tally
        setattr(network, method, self.run)

    def run(self, *given):
        before, outermost = self.tally.launches.total(), Compiled.depth == 0
        Compiled.depth += 1
        try:
            return self.call(*given)
        finally:
            Compiled.depth -= 1
            if outermost:
                self.launches, self.calls = self.launches + self.tally.launches.total() - before, self.calls + 1


def collection(topic, name):
    """Of the phase `collect`, which takes no gradients: launches, those outside of what is compiled, and its calls."""
    inside, (tally, experiment, _) = counted_in(topic, name)
    with inside, torch.no_grad():
        named = [(getattr(experiment, network), method) for network, method in getattr(experiment, "calls", {}).items()]
        compiled = [Compiled(*each, tally) for each in (*named, (experiment.actor, "forward"), (experiment.critic, "forward"))]
        tally.launches.clear()
        experiment({}, "collect")
        total, calls = tally.launches.total(), sum(each.calls for each in compiled)
        return {"launches": total, "outside": total - sum(each.launches for each in compiled), "calls": calls}


def counted(topic, name):
    """The numbers of a recipe, as JSON."""
    from tests.support.engine.compiled import steps_compiled  # Dynamo takes seconds

    most, facts = launches(topic, name)
    compiled = steps_compiled(topic, name)
    found = {"launches": most.total(), **facts, "most": dict(most.most_common(8))}
    found |= {"graphs": compiled.graphs.total(), "graph_runs": compiled.executed.total()}
    return found | ({"collection": collection(topic, name)} if topic == "reinforcement/ppo" else {})


def table(result):
    """Launches and graphs of each recipe, before and after."""
    title = "a training step, counted"
    made = Table("recipe", *(Column(name, justify="right") for name in COLUMNS), box=SIMPLE, title=title)
    before = result["before"]["recipes"] if result["before"] else {}
    for recipe, now in result["recipes"].items():
        then = before.get(recipe, {})
        numbers = [str(each.get(what, "")) for what in ("launches", COMPLEX) for each in (then, now)]
        numbers += [f"{each[BYTES] / 1e9:.3g}" if each else "" for each in (then, now)]
        made.add_row(recipe, *numbers, str(then.get("graphs", "")), str(now["graphs"]), str(now["graph_runs"]))
    return made


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--before", type=Path, metavar="FILE", help="a result of an earlier commit, to be kept next to this one")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    began, file = time.perf_counter(), RESULTS / "launches.json"
    before = json.loads(file.read_text())["before"] if file.is_file() else None
    if arguments.before:
        earlier = json.loads(arguments.before.read_text())
        before = {"commit": earlier["environment"]["commit"], "recipes": earlier["recipes"]}
    found = {}
    for topic, name in RECIPES:
        print(f"{topic} {name}", flush=True, file=sys.stderr)
        found[f"{topic} {name}"] = counted(topic, name)
    known = environment(torch.device("cpu"), time.perf_counter() - began) | {"device": "CPU, counted"}
    result = {"what": "launches of a training step at full size, and graphs in small", "before": before, "recipes": found}
    file.write_text(json.dumps(result | {"environment": known}, indent=1) + "\n")
    Console(width=None if sys.stdout.isatty() else 150).print(table(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
