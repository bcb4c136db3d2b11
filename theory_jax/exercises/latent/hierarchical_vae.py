"""Exercises of the lecture: The hierarchical VAE: a second level is a prior for the first."""

import jax.numpy as jnp
import numpy as np

from theory_jax.foundations.maximum_likelihood import gaussian_kl_divergence
from theory_jax.latent.hierarchical_vae import precision_weighted_product, residual_gaussian_kl
from theory_jax.lectures.latent.hierarchical_vae import derivation


@derivation.exercise(
    r"What is the product of four equal measurements $\mathcal{N}(3, 2)$?",
    r"$\mathcal{N}(3.0000, 0.5000)$: the precisions add to 2.",
)
def four_measurements():
    one = two = (jnp.array([[3.0]]), jnp.log(jnp.array([[2.0]])))
    for _ in range(3):
        two = precision_weighted_product(*two, *one)
    yield two[0][0, 0], "3.0000"
    yield np.exp(two[1][0, 0]), "0.5000"


@derivation.exercise(
    r"A level has the mean of its prior and twice the variance. What does it cost, and what with half the variance?",
    r"$\frac12 (1 - \log 2)$, 0.1534 nats, and $\frac12 (\log 2 - \frac12)$, 0.0966.",
)
def another_width():
    zero = jnp.zeros((1, 1))
    yield residual_gaussian_kl(zero, zero + np.log(2), zero)[0], "0.1534"
    yield gaussian_kl_divergence(zero, zero - np.log(2), zero, zero)[0], "0.0966"


@derivation.exercise(
    r"The codes of a VAE fill $\mathcal{N}(0, 1)$ exactly. What do levels above gain, if $x$ depends on $z_1$ only? And "
    r"what if the codes are $\mathcal{N}(1, 1)$?",
    "At most 0 nats for this encoder, by the bound of the gain; and at most 0.5 nats, which a simple prior of mean 1 gains as "
    "well.",
)
def codes_that_fill_the_prior():
    zero = jnp.zeros((1, 1))
    yield gaussian_kl_divergence(zero, zero, zero, zero)[0], "0"
    yield gaussian_kl_divergence(zero + 1, zero, zero, zero)[0], "0.5"
