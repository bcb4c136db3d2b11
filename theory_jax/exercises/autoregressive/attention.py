"""Exercises of the lecture: Attention: a look-up by content that can be differentiated."""

import jax
import jax.numpy as jnp
import numpy as np
import sympy
from sympy import KroneckerDelta, exp, log

from theory_jax.derivation.notation import Entropy, Total, plus
from theory_jax.derivation.parts import value
from theory_jax.derivation.prose import holds, prose
from theory_jax.lectures.autoregressive.attention import N, c, colder, d, derivation, eps, j, l, need, p, s, tau


@derivation.exercise(
    "One of 101 keys is to receive 0.99 of the weight while the others score 0. Which score does it need?",
    prose(
        "It needs the score {score}, or 9.2003.",
        score=holds(need, "=", log(9900), when={N: 100, eps: sympy.Rational(1, 100)}, named=True),
    ),
)
def a_sure_look_up():
    yield value(need, {N: 100, eps: sympy.Rational(1, 100)}), "9.2003"


@derivation.exercise(
    "Queries and keys are independent, with mean zero and three entries, each of variance 2, any two with covariance 1. What "
    "is the variance of a score without scale?",
    prose(
        "The trace is the sum of all squared entries, {sum}, and not 3.",
        sum=holds(Total(d, Total(c, (1 + KroneckerDelta(d, c)) ** 2)), "=", 18),
    ),
)
def correlated_entries():
    sigma = np.ones((3, 3)) + np.eye(3)
    yield np.trace(sigma @ sigma), "18"


@derivation.exercise(
    r"Which weights maximize $\sum_j p_j s_j + \tau H(p)$ for a temperature $\tau$, and what is the maximum for the scores "
    r"$(\log 3, 0)$ at the temperature $\frac12$?",
    prose(
        r"Divide by $\tau$: the softmax of $s / \tau$, with the value {most}. Here the weights are $(0.9, 0.1)$, and the "
        r"maximum is $\frac12 \log 10$, or 1.1513.",
        most=holds(
            plus(Total(j, p * s), tau * Entropy(p)), "=", tau * log(Total(l, exp(s.at(l) / tau))), when={p: colder}, named=True
        ),
    ),
)
def a_temperature():
    weights = jax.nn.softmax(2 * jnp.array([np.log(3), 0.0]))
    yield weights, "(0.9, 0.1)"
    yield weights[0] * np.log(3) - 0.5 * jnp.sum(weights * jnp.log(weights)), "1.1513"
