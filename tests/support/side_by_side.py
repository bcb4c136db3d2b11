"""The same first steps of a training in both wings: by the engine, and by a loop in JAX."""

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np

from practice_torch.engine.batches.datasets import load_data
from practice_torch.engine.beginning import begin
from practice_torch.reports.records import read_metrics
from theory_jax.commands.weights import from_arrays, to_arrays
from theory_jax.experiments.loop import epoch, epoch_in_steps


class Steps:
    """The first steps of an experiment, by the engine: weights before and after, batches, and the losses of each phase."""

    def __init__(self, folder, topic, module, recipe, steps):
        recipe = dataclasses.replace(recipe, steps=steps, log_every=1, evaluate_every=steps, checkpoint_every=steps)
        training = begin(folder, topic, "first_steps", module, recipe, load_data(recipe), cpu=True, say=print)
        self.recipe = recipe
        self.before = {name: value.numpy().copy() for name, value in training.experiment.state_dict().items()}
        self.indices = [training.batches.indices(number).numpy() for number in range(steps * training.turns)]
        self.data = training.train_data
        training.train()
        self.after = {name: value.numpy() for name, value in training.experiment.state_dict().items()}
        losses = [row for row in read_metrics(folder / "metrics.csv", []) if row[2] == "loss"]
        phases = [phase.name for phase in training.experiment.phases]
        self.losses = {name: [value for _, phase, _, value in losses if phase == name] for name in phases}


def require_equal_steps(steps, module, recipe, examples, noise, losses, *, indices):
    """Take the same steps in JAX, from the same weights with the same batches and noise, and compare.

    losses: {name in JAX: phase of the engine}. The engine computes in float32, JAX in float64.
    """
    from flax import nnx

    training = module.begin(recipe, steps.recipe.steps, examples, nnx.Rngs(0))
    state = training.start(from_arrays(training.weights, steps.before))
    run = epoch_in_steps if training.convolves else epoch
    state, found = run(training.update, state, examples, jnp.asarray(indices), jax.tree.map(jnp.asarray, noise))
    for name, phase in losses.items():
        np.testing.assert_allclose(found[name], steps.losses[phase], rtol=2e-5, err_msg=f"loss of {phase}")
    for name, value in to_arrays(state["weights"]).items():
        moved = np.abs(value - steps.before[name]).max()
        if moved < 1e-6 * steps.recipe.learning_rate:
            continue  # no gradient: in float32 Adam normalizes what is rounding
        differs = np.quantile(np.abs(value - steps.after[name]), 0.99)  # single gradients are as small as that
        # 1.3e-3 of a step was seen on a processor that rounds products in another order than the one on which 1e-3 held
        allowed = 3e-3 * steps.recipe.learning_rate * math.sqrt(steps.recipe.steps)
        assert differs <= allowed, f"{name} differs by {differs:.2g} after steps of {moved:.2g}"
