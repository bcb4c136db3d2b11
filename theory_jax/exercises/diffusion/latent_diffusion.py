"""Exercises of the lecture.

Latent diffusion: what an autoencoder decides, and what is left for a diffusion model of its latents.
"""

import jax.numpy as jnp
from sympy import Rational

from theory_jax.derivation.notation import plus
from theory_jax.derivation.prose import holds, prose
from theory_jax.diffusion.latent_diffusion import scaling_factor
from theory_jax.lectures.diffusion.latent_diffusion import V1, V2, _parts_of_rate, derivation, information, m1, m2, q, real


@derivation.exercise(
    "What is the rate in the example with the prior (0.5, 0.5)?",
    "The aggregate is (0.5, 0.5), so only the information is left: 0.3681.",
)
def the_best_prior():
    yield _parts_of_rate([[0.9, 0.1], [0.1, 0.9]], [0.5, 0.5])[2], "0.3681"


@derivation.exercise(
    "Two channels have mean 0 and variances 1 and 4. Which variances do they have after one common factor?",
    prose(
        "The variance of all entries is {whole}, so the factor is 0.6325: 0.4 and 1.6.",
        whole=holds(plus((V1 + V2) / 2, (m1 - m2) ** 2 / 4), "=", Rational(5, 2), when={V1: 1, V2: 4, m1: 0, m2: 0}, named=True),
    ),
)
def two_channels():
    factor = scaling_factor(jnp.array([[1.0, 2.0], [-1.0, -2.0]]))
    yield factor, "0.6325"
    yield factor**2, "0.4"
    yield 4 * factor**2, "1.6"


@derivation.exercise(
    "An encoder ignores its datum. What is the least rate?",
    prose(
        "0: then the aggregate is $q(z)$ itself, so the information is {none}, and the prior can be $q(z)$. The decoder gets "
        "nothing of the datum.",
        none=holds(information, "=", 0, when={q: real}, named=True),
    ),
)
def an_encoder_that_ignores():
    yield _parts_of_rate([[0.7, 0.3], [0.7, 0.3]], [0.7, 0.3])[2], "0"
