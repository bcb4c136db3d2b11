"""Exercises of the lecture: The adversarial game: what a perfect discriminator measures, and what it tells the generator."""

import jax.numpy as jnp
import numpy as np

from theory_jax.adversarial.gan import discriminator_loss, jensen_shannon_divergence
from theory_jax.lectures.adversarial.gan import derivation


@derivation.exercise(
    "What is the best discriminator's output where data and samples are equally frequent, if the data's label is 0.9?",
    r"$a p/(p + q) = 0.45$: the coin is no longer fair.",
)
def smoothed_coin():
    grid = np.linspace(0.01, 0.99, 99)
    logits = jnp.asarray(np.log(grid / (1 - grid)))
    yield grid[int(jnp.argmin(discriminator_loss(logits, logits, real_target=0.9)))], "0.45"


@derivation.exercise(
    r"The labels are $a$ for data and $b$ for fakes. What is the best discriminator, and what is its output at $p = q$ for $a = "
    r"0.9$ and $b = 0.1$?",
    r"$\frac{a p + b q}{p + q}$, the mean of the labels at a point; 0.5. Where there are samples but hardly any data it is "
    r"nearly $b$ for any number of samples: the term $b q$ rewards the generator for staying there. So only the data's label is "
    r"smoothed.",
)
def two_labels():
    grid = np.linspace(0.01, 0.99, 99)
    logits = jnp.asarray(np.log(grid / (1 - grid)))
    both = sum(discriminator_loss(one, jnp.full(99, -800.0), real_target=0.9) for one in (logits, -logits))
    yield grid[int(jnp.argmin(both))], "0.5"


@derivation.exercise(
    r"How large is the Jensen-Shannon divergence of data $(\frac12, \frac12)$ from a generator that has collapsed to one of "
    r"the two points?",
    r"$m = (\frac34, \frac14)$, so it is $\frac12 \log\frac43 + \frac14 \log \frac23 + \frac14 \log 2 = 0.2158$; the largest "
    r"possible value is $\log 2$, 0.6931.",
)
def collapsed():
    half = jnp.log(jnp.array([[0.5, 0.5]]))
    yield jensen_shannon_divergence(half, jnp.log(jnp.array([[1.0, 0.0]]))), "0.2158"
    yield jensen_shannon_divergence(jnp.log(jnp.array([[0.0, 1.0]])), jnp.log(jnp.array([[1.0, 0.0]]))), "0.6931"
