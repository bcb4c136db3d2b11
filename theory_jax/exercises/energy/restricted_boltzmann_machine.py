"""Exercises of the lecture: Restricted Boltzmann machines: what a hidden layer adds, and what stays hard."""

import math

import jax.numpy as jnp
import numpy as np
from sympy import Rational, exp, log

from theory_jax.derivation.notation import Total, plus, times
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.energy.restricted_boltzmann_machine import exact_log_partition, log_likelihood
from theory_jax.lectures.energy.restricted_boltzmann_machine import (
    _LOG_2,
    W11,
    W21,
    _matrix,
    a1,
    b1,
    b2,
    biases,
    c1,
    derivation,
    v1,
    v2,
)


@derivation.exercise(
    prose(
        "What is $Z$ for two visible units and a hidden one if all weights are 0, with {first}, {second} and {hidden}?",
        first=where(b1, 0),
        second=where(b2, log(3)),
        hidden=where(c1, log(2)),
    ),
    prose(
        "The units are independent, and each has a factor: {product}, which is 24.",
        product=holds(
            Total(v1, Total(v2, times(biases, 1 + exp(a1)))),
            "=",
            times(1 + exp(b1), 1 + exp(b2), 1 + exp(c1)),
            when={W11: 0, W21: 0},
            named=True,
            wrong={"a sum": plus(1 + exp(b1), 1 + exp(b2), 1 + exp(c1))},
        ),
    ),
)
def independent_units():
    yield jnp.exp(exact_log_partition(np.zeros((2, 1)), np.array([0.0, math.log(3)]), np.array([_LOG_2]))), "24"


@derivation.exercise(
    "At which visible bias does training begin best, if a unit is on in a fifth of the data and all weights are small?",
    r"At $\log\frac{0.2}{0.8}$, which is -1.3863, where a unit without weights is on as often as in the data.",
)
def where_training_begins():
    bias = jnp.array([math.log(0.2 / 0.8)])
    yield bias[0], "-1.3863"
    yield jnp.exp(log_likelihood(np.ones((1, 1)), np.zeros((1, 1)), bias, np.zeros(1)))[0], "0.2"


@derivation.exercise(
    "What is the second eigenvalue of a Gibbs step in the example?",
    prose(
        "Follow the hidden unit instead: it flips with probability $\\frac{79}{120}$ from 0 and $\\frac{79}{270}$ from 1. The "
        "second eigenvalue of such a chain is 1 less both probabilities, {second}, about 0.0491; the two others of $P$ are 0.",
        second=holds(plus(1, -Rational(79, 120), -Rational(79, 270)), "=", Rational(53, 1080), named=True),
    ),
)
def second_eigenvalue():
    yield np.sort(np.linalg.eigvals(np.asarray(_matrix())).real)[-2], "0.0491"
