"""Exercises of the lecture: A distribution of whole rankings, whose pairs are Bradley-Terry."""

import jax.numpy as jnp
import numpy as np
from sympy import Rational

from theory_jax.derivation.prose import holds, prose
from theory_jax.lectures.preference.plackett_luce import P, derivation, w0, w1, w2
from theory_jax.preference.plackett_luce import ranking_log_prob


@derivation.exercise(
    "In the example, what is the probability that item 1 is best and item 0 second, if a fourth item of weight 1 is added?",
    prose(
        r"$\frac28$ times $\frac46$, that is 0.1667; without the fourth item it is {three}, or 0.2286.",
        three=holds(P.at(1, 0, 2), "=", Rational(8, 35), when={w0: 4, w1: 2, w2: 1}, named=True),
    ),
)
def a_prefix_of_four():
    prefix = jnp.array([[1, 0]])
    yield jnp.exp(ranking_log_prob(prefix, jnp.log(jnp.array([[4.0, 2.0, 1.0, 1.0]]))))[0], "0.1667"
    yield jnp.exp(ranking_log_prob(prefix, jnp.log(jnp.array([[4.0, 2.0, 1.0]]))))[0], "0.2286"


@derivation.exercise(
    "All six scores are equal. What is the log-probability of a list of the best two?",
    r"There are six times five lists, so it is $-\log 30$, or -3.4012.",
)
def equal_scores():
    yield ranking_log_prob(jnp.array([[5, 2]]), jnp.zeros((1, 6)))[0], "-3.4012"


@derivation.exercise(
    "In the example, which orders are as likely from the top down as from the bottom up with inverse weights?",
    prose(
        r"0, 1, 2 and 2, 1, 0, of probability $\frac{8}{21}$ (0.3810) and $\frac{1}{21}$ (0.0476) both ways, as {middle}. The "
        r"order 0, 2, 1 has $\frac{4}{21}$ (0.1905) downward and $\frac{8}{35}$ (0.2286) upward.",
        middle=holds(w1**2, "=", w0 * w2, when={w0: 4, w1: 2, w2: 1}),
    ),
)
def both_directions():
    scores, orders = jnp.tile(jnp.log(jnp.array([4.0, 2.0, 1.0])), (3, 1)), jnp.array([[0, 1, 2], [2, 1, 0], [0, 2, 1]])
    downward, upward = (np.exp(p) for p in (ranking_log_prob(orders, scores), ranking_log_prob(orders[:, ::-1], -scores)))
    yield downward[0], "0.3810"
    yield upward[1], "0.0476"
    yield downward[2], "0.1905"
    yield upward[2], "0.2286"
