"""Exercises of the lecture: Attention: a look-up by content that can be differentiated."""

import jax
import jax.numpy as jnp
import numpy as np
import sympy
from sympy import KroneckerDelta, exp, log

from theory_jax.autoregressive.attention import attention_weights
from theory_jax.derivation.notation import Entropy, Total, plus
from theory_jax.derivation.parts import value
from theory_jax.derivation.prose import holds, prose
from theory_jax.lectures.autoregressive.attention import N, c, colder, d, derivation, eps, j, l, need, p, s, tau


@derivation.exercise(
    "One of 1001 keys is to receive 0.9 of the weight while the others score 0. Which score does it need?",
    prose(
        "It needs the score {score}, or 9.1050: less than for 0.99 of the weight among 101 keys.",
        score=holds(need, "=", log(9000), when={N: 1000, eps: sympy.Rational(1, 10)}, named=True),
    ),
    level="easy",
    hint="Which share goes to the other keys, and how many are there?",
)
def a_sure_look_up():
    yield value(need, {N: 1000, eps: sympy.Rational(1, 10)}), "9.1050"


@derivation.exercise(
    "A query scores log 2, 0 and log 3, and the last key is in its future. Which weights does it get if the mask is applied "
    "before the softmax, and what is left if the weights are multiplied by the mask afterwards? Does the future still have an "
    "influence then?",
    "Before: (2/3, 1/3). Afterwards (1/3, 1/6) are left, and sum to 0.5. Their normalizer contains the hidden score, so the "
    "future leaks: the slope of the first weight in that score is -1/6.",
    level="easy",
    hint="Compute the three weights first; then remove the last key in both ways.",
)
def masked_too_late():
    scores = jnp.log(jnp.array([2.0, 1.0, 3.0]))
    kept = attention_weights(jnp.ones((1, 1, 1, 1)), scores[None, None, :, None], jnp.array([[True, True, False]]))
    yield kept[0, 0, 0, :2], "(2/3, 1/3)"
    late = jax.nn.softmax(scores) * jnp.array([1.0, 1.0, 0.0])
    yield late[:2], "(1/3, 1/6)"
    yield late.sum(), "0.5"
    yield jax.grad(lambda last: jax.nn.softmax(scores.at[2].set(last))[0])(scores[2]), "-1/6"


@derivation.exercise(
    "Queries and keys are independent, with mean zero and three entries, each of variance 2, any two with covariance 1. What "
    "is the variance of a score without scale?",
    prose(
        "The trace is the sum of all squared entries, {sum}, and not 3.",
        sum=holds(Total(d, Total(c, (1 + KroneckerDelta(d, c)) ** 2)), "=", 18),
    ),
    level="medium",
    hint="The product of two symmetric matrices has a trace that is a sum over their entries.",
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
    level="medium",
    hint="Take the temperature out of the whole expression, and compare with the first result.",
)
def a_temperature():
    weights = jax.nn.softmax(2 * jnp.array([np.log(3), 0.0]))
    yield weights, "(0.9, 0.1)"
    yield weights[0] * np.log(3) - 0.5 * jnp.sum(weights * jnp.log(weights)), "1.1513"


@derivation.exercise(
    r"Queries and keys are normalized to the length $\sqrt D$, with 64 entries. How many other keys, which all score 0, can "
    "there be if one key is to get at least half of the weight? And if they are normalized to the length 1 and the factor "
    r"$1/\sqrt D$ stays?",
    r"By the Cauchy-Schwarz inequality no score exceeds $\sqrt D$, or 8. Equal shares need as many others as the exponential "
    "of the score, 2980.96, so 2980 at most. With the length 1 no score exceeds 0.125, and there can be only 1. A model with "
    "normalized queries and keys needs a larger factor, which is often learned.",
    level="hard",
    hint="How large can an inner product of two vectors of given lengths be?",
)
def keys_of_fixed_length():
    for length, most, odds, others in ((8.0, "8", "2980.96", "2980"), (1.0, "0.125", None, "1")):
        query = jnp.full((1, 1, 1, 64), length / 8)
        weights = attention_weights(query, jnp.concatenate([query, jnp.zeros((1, 1, 1, 64))], axis=2), None)[0, 0, 0]
        yield jnp.log(weights[0] / weights[1]), most
        if odds:
            yield weights[0] / weights[1], odds
        yield jnp.floor(weights[0] / weights[1]), others
