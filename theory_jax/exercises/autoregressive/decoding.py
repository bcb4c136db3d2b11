"""Exercises of the lecture: Decoding: what reshaping a law costs, and how a token is drawn from it."""

import math

import jax.numpy as jnp

from theory_jax.autoregressive.decoding import apply_temperature, minimum_probability_filter, nucleus_filter
from theory_jax.derivation.notation import Entropy, Slope, Variance
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.lectures.autoregressive._tokens import log_probs_of
from theory_jax.lectures.autoregressive.decoding import b, derivation, l, p_b


@derivation.exercise(
    r"What is the nucleus of $(\frac12, \frac14, \frac18, \frac18)$ at the mass 0.75, and what does it cost in bits?",
    r"The first two tokens: before the third there is $\frac34$, which is not less than the mass. The distribution is $(2/3, "
    r"1/3, 0, 0)$, and it costs $\log_2 \frac43$, or 0.415, bits.",
)
def a_nucleus_at_the_threshold():
    p = jnp.array([[0.5, 0.25, 0.125, 0.125]])
    kept = jnp.exp(log_probs_of(nucleus_filter(jnp.log(p), mass=0.75)))[0]
    yield kept, "(2/3, 1/3, 0, 0)"
    yield -jnp.log2(p[0] @ (kept > 0)), "0.415"


@derivation.exercise(
    "How far below the largest logit may a token lie for min-p with the share 0.1?",
    r"At most $\ln 10$, or 2.303: a token 2.30 below is kept, one 2.31 below is not.",
)
def the_gap_of_min_p():
    yield math.log(10), "2.303"
    yield 5.0 - minimum_probability_filter(jnp.array([[5.0, 2.70, 2.69]]), fraction=0.1)[0, 1], "2.30"


@derivation.exercise(
    r"Two tokens have the logits $\ln 3$ and 0. How fast does the entropy fall in $b$ at the temperature 1?",
    prose(
        r"At {one} the slope is {slope}. The distribution is $(\frac34, \frac14)$ and the variance of the logits $\frac{3}{16} "
        r"\ln^2 3$, so it is $-\frac{3}{16} \ln^2 3$, or $-0.2263$.",
        one=where(b, 1),
        slope=holds(Slope(Entropy(p_b), b), "=", -Variance(p_b, l), named=True),
    ),
)
def the_slope_of_the_entropy():
    logits = jnp.array([[math.log(3), 0.0]])

    def entropy(b):
        law = log_probs_of(apply_temperature(logits, temperature=1 / b))
        return -jnp.sum(jnp.exp(law) * law)

    yield (entropy(1 + 1e-5) - entropy(1 - 1e-5)) / 2e-5, "-0.2263"
