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
    level="easy",
    hint="At the first step both averages are corrected by exactly what they lack.",
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
    level="easy",
    hint="Solve for the decay.",
)
def a_thousand_values():
    yield 999 / 1001, "0.9980"


@derivation.exercise(
    "Data on $[0, 255]$ are scaled to $[-1, 1]$. How many bits per pixel must be added to the negative log-likelihood of the "
    "scaled data to get that of the pixels?",
    r"The log-density of the scaled data is larger by $-\log \alpha$, so $\log_2 \frac{255}{2}$ bits are added, that is 6.9944.",
    level="medium",
    hint="Which slope does the map have, and by how much does a log-density change under it?",
)
def bits_per_pixel():
    pixels = jnp.array([[100.0, 30.0]])

    def loss(x, mean, log_var):
        return gaussian_negative_log_likelihood(x, jnp.full_like(x, mean), jnp.full_like(x, log_var))[0] / 2 / math.log(2)

    scaled = scale_to_range(pixels, minimum=0.0, maximum=255.0)
    yield loss(pixels, 127.5, math.log(400.0)) - loss(scaled, 0.0, math.log(400.0 * (2 / 255) ** 2)), "6.9944"


@derivation.exercise(
    "A weight of 10 has no gradient of the loss. An implementation adds 0.0001 times the weight to the gradient before Adam's "
    r"step, without $\epsilon$, at a learning rate of 0.01. How long is the first step, and how long is it if the weight is "
    "decayed outside of Adam, by the learning rate times 0.0001 times the weight?",
    "0.01 inside, whatever the small factor is: Adam divides it out, as it has no unit. Outside it is 0.00001. So a penalty "
    "inside of Adam moves a weight without gradient as fast as the loss moves the others, and one with a large gradient hardly "
    "at all.",
    level="medium",
    hint="Adam's first step depends on the sign of what it gets, and on nothing else.",
)
def decay_inside_and_outside():
    weight = jnp.array([10.0])
    update, *_ = adam_update(1e-4 * weight, jnp.zeros(1), jnp.zeros(1), step=1, learning_rate=0.01, epsilon=0.0)
    yield -update, "0.01"
    yield 0.01 * 1e-4 * weight, "0.00001"


@derivation.exercise(
    "The embedding of a rare word has had no gradient for so long that both averages are 0 and the corrections 1. Then it gets "
    r"one gradient, and none after it. How long is the first step of Adam, without $\epsilon$, in units of the learning rate, "
    "and how far does the embedding move altogether? (The decays are 0.9 and 0.999.)",
    r"The first step is $(1 - \beta_1)/\sqrt{1 - \beta_2}$, or 3.1623. Each further one is shorter by the factor "
    r"$\beta_1/\sqrt{\beta_2}$, so the sum is 31.77: a single gradient of any size moves it 31.77 times the learning rate. "
    "The rate bounds the step of a steady gradient only.",
    level="hard",
    hint="Both averages decay after the gradient; what does their quotient do?",
)
def a_rare_word():
    gradient, mean, square, steps = jnp.ones(1), jnp.zeros(1), jnp.zeros(1), []
    for step in range(200):
        update, mean, square = adam_update(gradient, mean, square, step=10**6 + step, learning_rate=1.0, epsilon=0.0)
        gradient = jnp.zeros(1)
        steps.append(-float(update[0]))
    yield steps[0], "3.1623"
    yield sum(steps), "31.77"
    yield 0.1 / math.sqrt(0.001) / (1 - 0.9 / math.sqrt(0.999)), "31.77"
