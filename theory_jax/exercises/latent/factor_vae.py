"""Exercises of the lecture: The factor-VAE: a price for dependence alone."""

import math

import jax.numpy as jnp

from theory_jax.latent.factor_vae import factor_discriminator_loss, mutual_information_from_counts
from theory_jax.lectures.latent.factor_vae import _gaps, _signs, derivation


@derivation.exercise(
    "What is the discriminator's loss when the coordinates are independent, and what when they are two equal fair coins? It is "
    "as good as it can be.",
    r"0.6931, a coin. Equal coins never differ, shuffled ones half of the time: where they differ it is certain, elsewhere the "
    r"best logit is $\log 2$. The loss is $\frac12 \log \frac32 + \frac14 \log 3$, 0.4774.",
)
def losses():
    yield factor_discriminator_loss(jnp.zeros(1), jnp.zeros(1))[0], "0.6931"
    sure, equal = jnp.array([-800.0]), jnp.array([math.log(2)])
    both = factor_discriminator_loss(equal, equal)[0], factor_discriminator_loss(equal, sure)[0]
    yield sum(both) / 2, "0.4774"


@derivation.exercise(
    "One latent is equal to a fair sign. What is the gap of that factor if the other latent is an independent coin, and if it is "
    "a copy?",
    "1, and 0: two latents tell the factor.",
)
def copies():
    own, both = _signs, _signs[:, [0, 0]]
    yield _gaps(own)[0], "1"
    yield _gaps(both)[0], "0"


@derivation.exercise(
    "A latent determines a factor that has two values, in 3 of 4 cases the first. How much does it tell?",
    "The entropy of the factor, 0.5623 nats, and not $\\log 2$.",
)
def uneven():
    yield mutual_information_from_counts(jnp.array([[[3, 0], [0, 1]]]))[0], "0.5623"
