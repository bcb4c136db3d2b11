"""`python -m theory_jax train`: the trainings, found by their paths, and the report of one."""

import dataclasses
import math
import sys
from importlib import import_module
from pathlib import Path

from shared_specs.commands.errors import UsageError, nearest
from shared_specs.commands.output import print_json
from shared_specs.commands.topics import topics_named

_EXPERIMENTS = Path(__file__).parents[1] / "experiments"


def trainings():
    """The topics that have a training, family/topic."""
    return sorted(f"{path.parent.name}/{path.stem}" for path in _EXPERIMENTS.glob("*/[!_]*.py"))


def train(command):
    """Train the recipe of the command, print its metrics, and write its weights. Returns the exit code."""
    topic, recipe, module = _chosen(command)
    if command.out is not None and not command.out.parent.is_dir():
        raise UsageError(f"--out {command.out}: there is no folder {command.out.parent}")
    import jax
    from flax import nnx

    from theory_jax.experiments.loop import steps_of
    from theory_jax.experiments.loop import train as run

    examples, held_out = module.data(recipe)
    of_epochs, of_measure = jax.random.split(jax.random.key(command.seed))
    steps = steps_of(recipe, examples) * recipe.epochs
    training = module.begin(recipe, steps, examples, nnx.Rngs(command.seed))
    state = run(training, recipe, examples, of_epochs, lambda epoch: _report(topic, recipe, epoch))
    metrics = {name: float(value) for name, value in training.measure(state, held_out, of_measure).items()}
    if command.out is not None:
        _write(command.out, state.get("average", state["weights"]))
    reached = recipe.reached(metrics)
    if command.json:
        chosen = {"topic": topic, "recipe": command.recipe, "seed": command.seed, "steps": steps}
        print_json(chosen | {"metrics": metrics, "metric": recipe.metric, "target": recipe.target, "reached": reached})
    else:
        for name, value in metrics.items():
            print(f"{name}  {value:.4g}")
        aim = "at most" if recipe.direction == "lower" else "at least"
        print(f"target: {recipe.metric} {aim} {recipe.target:g}: {'reached' if reached else 'missed'}")
    return 0 if reached else 1


def _chosen(command):
    """(family/topic, recipe, module) that a command names."""
    available = trainings()
    if not command.topic:
        raise UsageError(f"no topic given; trained in JAX are {', '.join(available)}")
    topic = next((path for path in (each.path for each in topics_named([command.topic])) if path in available), None)
    if topic is None:
        raise UsageError(f"{command.topic} has no training in JAX; these have: {', '.join(available)}")
    module = import_module(f"theory_jax.experiments.{topic.replace('/', '.')}")
    if command.recipe not in module.RECIPES:
        raise UsageError(f"{topic} has no recipe {command.recipe!r}: {nearest(command.recipe, module.RECIPES)}")
    recipe = module.RECIPES[command.recipe]
    for name in ("epochs", "learning_rate"):
        value = getattr(command, name)
        if value is not None:
            if not (value > 0 and math.isfinite(value)):
                raise UsageError(f"--{name.replace('_', '-')} is {value}; it must be positive")
            recipe = dataclasses.replace(recipe, **{name: value})
    return topic, recipe, module


def _report(topic, recipe, epoch):
    if not all(map(math.isfinite, epoch.losses.values())):
        losses = ", ".join(f"{name} {value:g}" for name, value in epoch.losses.items())
        raise UsageError(f"{topic} diverged in epoch {epoch.number} ({losses}): lower --learning-rate ({recipe.learning_rate:g})")
    every = max(1, recipe.epochs // 10)
    if epoch.number == 1 or epoch.number % every == 0 or epoch.number == recipe.epochs:
        losses = "  ".join(f"{name} {value:.5g}" for name, value in epoch.losses.items())
        compiled = " (with compilation)" if epoch.number == 1 else ""
        print(f"epoch {epoch.number}/{recipe.epochs}  {losses}  {epoch.speed:.3g} steps/s{compiled}", file=sys.stderr, flush=True)


def _write(path, weights):
    from safetensors.numpy import save

    from theory_jax.commands.weights import to_arrays

    aside = path.with_name(f".{path.name}.part")
    try:
        aside.write_bytes(save(to_arrays(weights)))
        aside.replace(path)
    except OSError as error:
        raise UsageError(f"--out {path} cannot be written: {error.strerror}") from None
    finally:
        aside.unlink(missing_ok=True)
