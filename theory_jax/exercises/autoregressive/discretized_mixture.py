"""Exercises of the lecture: Discretized logistic mixtures: probabilities of integers from a continuous distribution."""

import jax
import jax.numpy as jnp
import numpy as np
from sympy import Rational, exp, log

from theory_jax.autoregressive.discretized_mixture import discretized_logistic_log_prob
from theory_jax.derivation.notation import Slope
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.lectures.autoregressive._cells_of_levels import SCALE
from theory_jax.lectures.autoregressive.discretized_mixture import F_above, above, derivation, m, s


@derivation.exercise(
    prose("Two levels. Which distribution is it? Take {m} and {s}.", m=where(m, Rational(3, 10)), s=where(s, Rational(1, 2))),
    prose(
        "A Bernoulli distribution: the highest level has the probability {high}, so its logit is {logit}, or 0.6.",
        high=holds(1 - 1 / (1 + exp(m / s)), "=", 1 / (1 + exp(-m / s)), named=True),
        logit=holds(m / s, "=", Rational(3, 5), named=True),
    ),
)
def two_levels():
    log_probs = discretized_logistic_log_prob(np.array([-1.0, 1.0]), np.full(2, 0.3), np.full(2, np.log(0.5)), num_levels=2)
    yield log_probs[1] - log_probs[0], "0.6"


@derivation.exercise(
    "What is the gradient of the lowest level's log-probability by the mean in the example, at the mean 0?",
    prose(
        "It is {slope}, or $-1.648$: a larger mean makes it less likely.",
        slope=holds(
            Slope(log(F_above), m),
            "=",
            -Rational(3, 2) * log(3),
            when={m: 0, above: -Rational(1, 2), s: 1 / (2 * log(3))},
            named=True,
        ),
    ),
)
def gradient_of_the_lowest():
    yield (
        jax.grad(lambda mean: discretized_logistic_log_prob(np.array([-1.0]), mean[None], np.array([SCALE]), num_levels=3)[0])(
            jnp.array(0.0)
        ),
        "-1.648",
    )


@derivation.exercise(
    r"The mean is at an inner level, and the scale falls to $e^{-7}$. What are the level's probability and its density, "
    r"$\frac{1}{4s}$?",
    "The probability tends to 1, which it cannot exceed; the density is 274.16 already and has no bound. So the "
    "likelihood of integers cannot be inflated by a narrow component, and that of continuous data can.",
)
def a_narrow_component():
    yield jnp.exp(discretized_logistic_log_prob(np.zeros(1), np.zeros(1), np.full(1, -7.0), num_levels=3)), "1"
    yield np.exp(7.0) / 4, "274.16"
