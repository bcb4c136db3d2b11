"""Two perceptrons play the adversarial game on eight Gaussians, trained in JAX (lecture 20)."""

import math
from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import optax
from flax import nnx

from theory_jax.adversarial.gan import discriminator_loss, non_saturating_generator_loss
from theory_jax.evaluation.mode_coverage import assign_modes, high_quality_fraction
from theory_jax.experiments.loop import Recipe, Training, optimizer

_MODES = 8
_CENTERS = [(2 * math.cos(math.pi * k / 4), 2 * math.sin(math.pi * k / 4)) for k in range(_MODES)]
_DEVIATION = 0.02


@dataclass(frozen=True)
class GanRecipe(Recipe):
    """Sizes of both networks."""

    noise: int = 2
    hidden: int = 128
    points: int = 16384
    radius: float = 0.1
    """Distance from a center within which a sample is good."""


RECIPES = {
    "eight_gaussians": GanRecipe(
        epochs=118,
        batch_size=256,
        learning_rate=2e-3,
        beta1=0.5,
        cosine=True,
        metric="quality_times_coverage",
        target=0.9,
        direction="higher",
    )
}


def data(recipe):
    """(training, held-out) points, [N, 2]: a fifth is held out."""
    of_mode, of_place = jax.random.split(jax.random.key(0))
    mode = jax.random.randint(of_mode, (recipe.points,), 0, _MODES)
    points = jnp.asarray(_CENTERS)[mode] + _DEVIATION * jax.random.normal(of_place, (recipe.points, 2))
    held_out = recipe.points // 5
    return points[held_out:], points[:held_out]


def begin(recipe, num_steps, examples, rngs):
    """The training before its first step."""
    dim = examples.shape[1]
    networks = {
        "generator_network": perceptron((recipe.noise, recipe.hidden, recipe.hidden, dim), jax.nn.relu, rngs),
        "discriminator": perceptron((dim, recipe.hidden, recipe.hidden, 1), partial(jax.nn.leaky_relu, negative_slope=0.2), rngs),
    }
    parts = {name: nnx.split(network) for name, network in networks.items()}
    adam = optimizer(recipe, num_steps)

    def start(weights):
        return {"weights": weights, "moments": {name: adam.init(own) for name, own in weights.items()}}

    def generator(weights, noise):
        return nnx.merge(parts["generator_network"][0], weights)(noise)

    def discriminator(weights, x):
        return nnx.merge(parts["discriminator"][0], weights)(x)[:, 0]

    def of_discriminator(own, other, real, noise):
        fakes = generator(other, noise)
        return jnp.mean(discriminator_loss(discriminator(own, real), discriminator(own, fakes)))

    def of_generator(own, other, noise):
        return jnp.mean(non_saturating_generator_loss(discriminator(other, generator(own, noise))))

    def turn(state, player, loss, *others):
        """The state after one player's step, and its loss."""
        own, moments = state["weights"][player], state["moments"][player]
        value, gradient = jax.value_and_grad(loss)(own, *others)
        change, moments = adam.update(gradient, moments, own)
        weights = state["weights"] | {player: optax.apply_updates(own, change)}
        return {"weights": weights, "moments": state["moments"] | {player: moments}}, value

    def update(state, real, noise):
        """The discriminator moves first, then the generator, each with its own noise."""
        generated = state["weights"]["generator_network"]
        state, d_loss = turn(state, "discriminator", of_discriminator, generated, real, noise[0])
        state, g_loss = turn(state, "generator_network", of_generator, state["weights"]["discriminator"], noise[1])
        return state, {"discriminator": d_loss, "generator": g_loss}

    def noise(key, steps):
        return jax.random.normal(key, (steps, 2, recipe.batch_size, recipe.noise))

    @jax.jit
    def measure(state, held_out, key):
        """The share of good samples, and the share of modes with at least a quarter of their part of them."""
        fakes = generator(state["weights"]["generator_network"], jax.random.normal(key, (len(held_out), recipe.noise)))
        mode = assign_modes(fakes, jnp.asarray(_CENTERS, fakes.dtype), radius=recipe.radius)
        quality = high_quality_fraction(mode, num_modes=_MODES)
        counts = jnp.bincount(jnp.where(mode < 0, _MODES, mode), length=_MODES + 1)[:_MODES]
        covered = jnp.sum(counts >= len(fakes) / _MODES / 4)
        return {"modes": covered, "high_quality": quality, "quality_times_coverage": quality * covered / _MODES}

    return Training({name: weights for name, (_, weights) in parts.items()}, start, update, noise, measure)


def perceptron(widths, activation, rngs):
    """Linear layers with this activation between them; weights and biases begin uniform within 1/sqrt(inputs), as torch's do."""
    kind = jnp.result_type(float)
    kernel = jax.nn.initializers.variance_scaling(1 / 3, "fan_in", "uniform", dtype=kind)
    layers = []
    for inputs, outputs in zip(widths[:-1], widths[1:], strict=True):
        bias = partial(_uniform, 1 / math.sqrt(inputs))
        layers += [activation, nnx.Linear(inputs, outputs, kernel_init=kernel, bias_init=bias, param_dtype=kind, rngs=rngs)]
    return nnx.Sequential(*layers[1:])


def _uniform(bound, key, shape, dtype):
    return jax.random.uniform(key, shape, dtype, -bound, bound)
