"""Exercises of the lecture: Restricted Boltzmann machines: what a hidden layer adds, and what stays hard."""

import math

import jax.numpy as jnp
import numpy as np
from jax.nn import sigmoid
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
    level="easy",
    hint="Without weights the energy is a sum of terms of one unit each.",
)
def independent_units():
    yield jnp.exp(exact_log_partition(np.zeros((2, 1)), np.array([0.0, math.log(3)]), np.array([_LOG_2]))), "24"


@derivation.exercise(
    "At which visible bias does training begin best, if a unit is on in a fifth of the data and all weights are small?",
    r"At $\log\frac{0.2}{0.8}$, which is -1.3863, where a unit without weights is on as often as in the data.",
    level="easy",
    hint="How often is a unit on that has a bias and no weights?",
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
    level="medium",
    hint="A step is known once the hidden unit is: how does that unit's own chain move?",
)
def second_eigenvalue():
    yield np.sort(np.linalg.eigvals(np.asarray(_matrix())).real)[-2], "0.0491"


@derivation.exercise(
    "A program passes the probability of the hidden unit down, in place of a sample of it. With which probability does a step "
    "lead from 00 to 11 in the example, and what is lost? Compare with $P$.",
    r"The input of each visible unit is half of $\log 2$, so it is on with probability 0.5858, and both with 0.3431; by $P$ it "
    "is 25/72, or 0.3472. The two units are independent given 00 now; by $P$ their covariance is 0.0069, since both depend on "
    "one sample. The ties between units are what the hidden layer is for.",
    level="medium",
    hint="The hidden unit is on with probability one half; insert this number for $h$.",
)
def probabilities_passed_down():
    on = sigmoid(0.5 * _LOG_2)
    yield on, "0.5858"
    yield on**2, "0.3431"
    row = np.asarray(_matrix())[0]  # of 00, to 00, 01, 10, 11
    yield row[3], "25/72"
    yield row[3], "0.3472"
    yield row[3] - (row[2] + row[3]) * (row[1] + row[3]), "0.0069"


@derivation.exercise(
    r"A hidden unit is copied without end, with the same weights, and the biases of the copies are lower by $\frac12$, "
    r"$\frac32$, $\frac52$ and so on. How many of them are on, on average, if the first unit has the input $a$? Try 2 and -1.",
    r"Nearly $\log(1 + e^a)$: the sum of $\frac{1}{1 + e^{-(a - t)}}$ at the middles of the intervals of $t$ is nearly its "
    "integral. For 2 it is 2.1226, and the integral 2.1269; for -1 it is 0.3050 and 0.3133. So the copies count how far their "
    "input is above zero: together they are a smooth rectifier.",
    level="hard",
    hint="The expected number is a sum of logistic functions; which integral does the midpoint rule take it for?",
)
def copies_without_end():
    shifts = np.arange(200) + 0.5
    for entry, summed, integral in ((2.0, "2.1226", "2.1269"), (-1.0, "0.3050", "0.3133")):
        yield sigmoid(entry - shifts).sum(), summed
        yield math.log1p(math.exp(entry)), integral
