"""The loop that all trainings share: an epoch is one compiled scan over its batches."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax


@dataclass(frozen=True)
class Recipe:
    """What every training has."""

    epochs: int
    batch_size: int
    learning_rate: float
    metric: str
    target: float
    direction: str = "lower"
    beta1: float = 0.9
    weight_decay: float = 0.0
    """Applied to matrices and kernels; a decayed bias or gain would change the function, not its complexity."""
    cosine: bool = False
    """Decay the learning rate to 0 along half a cosine."""
    clip_norm: float | None = None
    """Largest norm of a gradient."""

    def reached(self, metrics):
        """Whether the metrics reach the target."""
        found = metrics[self.metric]
        return found <= self.target if self.direction == "lower" else found >= self.target


class Training(NamedTuple):
    """A training before its first step.

    weights: {name of a network: its weights}, as drawn. start(weights) -> state: a dictionary of everything that changes, with
    the weights under that name. update(state, batch, noise) -> state, losses: one step. noise(key, steps): the random numbers of
    so many steps, with an axis for the steps in front. measure(state, held_out, key) -> metrics. convolves: whether update
    contains convolutions.
    """

    weights: dict[str, Any]
    start: Callable
    update: Callable
    noise: Callable
    measure: Callable
    convolves: bool = False


class Epoch(NamedTuple):
    """What an epoch reports: its number from 1, the mean losses of its steps, and steps per second."""

    number: int
    losses: dict[str, float]
    speed: float


def optimizer(recipe, num_steps):
    """AdamW as the recipe defines it, for a training of so many steps."""
    rate = recipe.learning_rate
    if recipe.cosine:
        decay = optax.cosine_decay_schedule(rate, num_steps)
        rate = lambda count: decay(count + 1)  # optax counts from 0; the last step has rate 0  # noqa: E731
    adam = optax.adamw(
        rate, b1=recipe.beta1, b2=0.999, eps=1e-8, weight_decay=recipe.weight_decay, mask=partial(jax.tree.map, _is_matrix)
    )
    return optax.chain(optax.clip_by_global_norm(recipe.clip_norm), adam) if recipe.clip_norm else adam


def _is_matrix(weight):
    return weight.ndim > 1


def steps_of(recipe, examples):
    """The number of whole batches in an epoch."""
    return len(jax.tree.leaves(examples)[0]) // recipe.batch_size


def batches(key, count, batch_size):
    """The indices of an epoch's batches, [S, B]: a random permutation, cut into whole batches."""
    steps = count // batch_size
    return jax.random.permutation(key, count)[: steps * batch_size].reshape(steps, batch_size)


@partial(jax.jit, static_argnums=0)
def epoch(update, state, examples, indices, noise):
    """The state after an epoch, and the losses of each step: a scan over indices [S, B] and the noise of S steps."""
    return jax.lax.scan(lambda state, drawn: update(state, *_inputs(examples, *drawn)), state, (indices, noise))


def epoch_in_steps(update, state, examples, indices, noise):
    """The same, with one call for each step.

    On a CPU, XLA computes a convolution 20 to 35 times slower inside a loop than outside (https://github.com/jax-ml/jax/issues/12868).
    """
    losses = []
    for number, chosen in enumerate(indices):
        state, loss = _step(update, state, examples, chosen, jax.tree.map(lambda x, n=number: x[n], noise))
        losses.append(loss)
    return state, jax.tree.map(lambda *values: jnp.stack(values), *losses)


@partial(jax.jit, static_argnums=0)
def _step(update, state, examples, indices, noise):
    return update(state, *_inputs(examples, indices, noise))


def _inputs(examples, indices, noise):
    return jax.tree.map(lambda x: x[indices], examples), noise


def train(training, recipe, examples, key, report):
    """The state after the recipe's epochs; report(Epoch) is called after each."""
    state, count = training.start(training.weights), len(jax.tree.leaves(examples)[0])
    run = epoch_in_steps if training.convolves and jax.default_backend() == "cpu" else epoch
    for number in range(1, recipe.epochs + 1):
        begun = time.perf_counter()
        of_order, of_noise = jax.random.split(jax.random.fold_in(key, number))
        indices = batches(of_order, count, recipe.batch_size)
        state, losses = run(training.update, state, examples, indices, training.noise(of_noise, len(indices)))
        means = {name: float(jnp.mean(values)) for name, values in losses.items()}
        report(Epoch(number, means, len(indices) / (time.perf_counter() - begun)))
    return state
