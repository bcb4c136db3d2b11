"""A variational autoencoder of binary digits, trained in JAX (lecture 20)."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import optax
from flax import nnx

from theory_jax.experiments.digits import digits
from theory_jax.experiments.loop import Recipe, Training, optimizer
from theory_jax.latent.vae import VariationalAutoencoder, bernoulli_log_likelihood, kl_to_standard_normal


@dataclass(frozen=True)
class VaeRecipe(Recipe):
    """Sizes of the perceptrons, and the binarization of pixels."""

    hidden_dims: tuple[int, ...] = (128,)
    latent_dim: int = 8
    threshold: float = 7 / 16
    """Pixels above it are 1."""
    samples: int = 100
    """Samples of z for each held-out image."""


RECIPES = {"digits": VaeRecipe(epochs=255, batch_size=64, learning_rate=2e-3, metric="negative_elbo", target=18.5)}


def data(recipe):
    """(training, held-out) images, [N, D] of zeros and ones."""
    return tuple((part["image"] > recipe.threshold).reshape(len(part["image"]), -1).astype(float) for part in digits())


def begin(recipe, num_steps, examples, rngs):
    """The training before its first step."""
    sizes = {"hidden_dims": recipe.hidden_dims, "latent_dim": recipe.latent_dim}
    definition, weights = nnx.split(VariationalAutoencoder(num_pixels=examples.shape[1], **sizes, rngs=rngs))
    adam = optimizer(recipe, num_steps)

    def start(weights):
        return {"weights": weights, "moments": adam.init(weights)}

    def parts(weights, x, noise):
        logits, mean, log_var = nnx.merge(definition, weights["network"])(x, noise)
        return -bernoulli_log_likelihood(x, logits), kl_to_standard_normal(mean, log_var)

    def loss(weights, x, noise):
        reconstruction, kl = parts(weights, x, noise)
        return jnp.mean(reconstruction + kl), {"kl": jnp.mean(kl)}

    def update(state, x, noise):
        (value, logs), gradient = jax.value_and_grad(loss, has_aux=True)(state["weights"], x, noise)
        change, moments = adam.update(gradient, state["moments"], state["weights"])
        return {"weights": optax.apply_updates(state["weights"], change), "moments": moments}, {"loss": value, **logs}

    def noise(key, steps):
        return jax.random.normal(key, (steps, recipe.batch_size, recipe.latent_dim))

    @jax.jit
    def measure(state, held_out, key):
        """Nats per held-out image, averaged over samples of z."""
        draws = jax.random.normal(key, (recipe.samples, len(held_out), recipe.latent_dim))
        reconstruction, kl = jax.lax.map(lambda noise: tuple(map(jnp.mean, parts(state["weights"], held_out, noise))), draws)
        found = {"reconstruction": reconstruction.mean(), "kl": kl.mean()}
        return found | {"negative_elbo": found["reconstruction"] + found["kl"]}

    return Training({"network": weights}, start, update, noise, measure)
