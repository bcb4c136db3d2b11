"""The training of the variational autoencoder in JAX takes the steps of the practice wing's engine."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from flax import nnx

from practice_torch.engine.batches.order import seed_of
from practice_torch.experiments.latent import vae as practice
from tests.support.side_by_side import Steps, require_equal_steps
from theory_jax.experiments.latent import vae
from theory_jax.experiments.loop import train


def test_the_first_steps_are_those_of_the_engine(tmp_path):
    steps = Steps(tmp_path / "run", "latent/vae", practice, dataclasses.replace(practice.RECIPES["digits"], samples=2), 12)
    twin = torch.Generator().manual_seed(seed_of(steps.recipe.seed, "train"))
    recipe = vae.RECIPES["digits"]
    noise = np.stack([torch.randn(recipe.batch_size, recipe.latent_dim, generator=twin).numpy() for _ in range(12)])
    images = steps.data.batch(torch.arange(len(steps.data)))["image"].numpy()
    pixels = jnp.asarray(images.reshape(len(images), -1) > recipe.threshold, float)
    drawn = {"indices": np.stack(steps.indices)}
    require_equal_steps(steps, vae, recipe, pixels, noise, {"loss": "train"}, **drawn)
    for mistake in ({"beta1": 0.5}, {"learning_rate": 1.9e-3}, {"threshold": 0.5}):
        wrong = dataclasses.replace(recipe, **mistake)
        pixels_of = jnp.asarray(images.reshape(len(images), -1) > wrong.threshold, float)
        with pytest.raises(AssertionError):
            require_equal_steps(steps, vae, wrong, pixels_of, noise, {"loss": "train"}, **drawn)


def test_the_training_reaches_what_its_length_allows():
    recipe = dataclasses.replace(vae.RECIPES["digits"], epochs=20)
    examples, held_out = vae.data(recipe)
    training = vae.begin(recipe, 20 * 22, examples, nnx.Rngs(0))
    reports = []
    state = train(training, recipe, examples, jax.random.key(0), reports.append)
    metrics = training.measure(state, held_out, jax.random.key(1))
    assert [report.number for report in reports] == list(range(1, 21))
    # an independent Bernoulli for each pixel has 25.2 nats, the whole training 18.3
    assert metrics["negative_elbo"] == pytest.approx(19.6, abs=0.5)
    assert metrics["negative_elbo"] == pytest.approx(metrics["reconstruction"] + metrics["kl"])
