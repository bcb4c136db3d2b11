"""Exercises of the lecture: Bidirectional GANs: pairs that cannot be told apart make the encoder the generator's inverse."""

import math

import jax.numpy as jnp
import numpy as np

from theory_jax.adversarial.bigan import conditional_entropy, joint_exact_value
from theory_jax.lectures.adversarial.bigan import _P, derivation


@derivation.exercise(
    "What is the value of the game where the pairs match?", r"$-\log 4$, -1.3863: the discriminator tosses a coin."
)
def matching_pairs():
    yield joint_exact_value(jnp.log(_P), jnp.log(_P), jnp.zeros((2, 2))), "-1.3863"


@derivation.exercise(
    "The pairs are independent, with uniform examples on three points. What are $H(x|z)$, and the value of the game if both "
    "distributions of pairs are such?",
    r"$\log 3$, 1.0986, and -1.3863: the game is won, and the code is worth nothing.",
)
def a_worthless_code():
    table = jnp.full((3, 2), -math.log(6))
    yield conditional_entropy(table), "1.0986"
    yield joint_exact_value(table, table, jnp.zeros((3, 2))), "-1.3863"


@derivation.exercise(
    r"For $P$ with the rows $(\frac12, \frac14)$ and $(0, \frac14)$: what are $H(x|z)$ and $H(z|x)$, and which of them measures "
    "what a reconstruction can know?",
    r"$H(x|z)$ is $\frac12 \log 2$, 0.3466: the latent 0 belongs to one example, the latent 1 to both. $H(z|x)$, 0.4774, is the "
    "noise of the encoder, which does no harm by itself.",
)
def two_entropies():
    with np.errstate(divide="ignore"):
        table = jnp.asarray(np.log([[0.5, 0.25], [0.0, 0.25]]))
    yield conditional_entropy(table), "0.3466"
    yield conditional_entropy(table.T), "0.4774"
