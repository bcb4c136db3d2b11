"""Exercises of the lecture: The formulas inside a training loop."""

import math

import jax.numpy as jnp
from sympy import Rational

from theory_jax.derivation.prose import holds, prose, where
from theory_jax.foundations.maximum_likelihood import gaussian_negative_log_likelihood
from theory_jax.foundations.training_practice import adam_update, scale_to_range
from theory_jax.lectures.foundations.training_practice import decay, derivation


@derivation.exercise(
    r"What is Adam's first step, without $\epsilon$, for a gradient of 0.001 and for one of $-50$?",
    r"$-\eta\, \mathrm{sgn}\, G$ for every $G$ but 0: $-\eta$ and $\eta$, so with a rate of 0.1 it is -0.1 and 0.1.",
)
def the_first_step():
    update, *_ = adam_update(jnp.array([0.001, -50.0]), jnp.zeros(2), jnp.zeros(2), step=1, learning_rate=0.1, epsilon=0.0)
    yield update, "-0.1 and 0.1"


@derivation.exercise(
    r"Which decay makes an average worth 1000 independent values?",
    prose(
        "{decay}, or 0.9980: there {worth}.",
        decay=where(decay, Rational(999, 1001)),
        worth=holds((1 + decay) / (1 - decay), "=", 1000),
    ),
)
def a_thousand_values():
    yield 999 / 1001, "0.9980"


@derivation.exercise(
    "Data on $[0, 255]$ are scaled to $[-1, 1]$. How many bits per pixel must be added to the negative log-likelihood of the "
    "scaled data to get that of the pixels?",
    r"The log-density of the scaled data is larger by $-\log \alpha$, so $\log_2 \frac{255}{2}$ bits are added, that is 6.9944.",
)
def bits_per_pixel():
    pixels = jnp.array([[100.0, 30.0]])

    def loss(x, mean, log_var):
        return gaussian_negative_log_likelihood(x, jnp.full_like(x, mean), jnp.full_like(x, log_var))[0] / 2 / math.log(2)

    scaled = scale_to_range(pixels, minimum=0.0, maximum=255.0)
    yield loss(pixels, 127.5, math.log(400.0)) - loss(scaled, 0.0, math.log(400.0 * (2 / 255) ** 2)), "6.9944"
