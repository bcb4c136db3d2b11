"""Exercises of the lecture: Decoding: what reshaping a distribution costs, and how a token is drawn from it."""

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
    level="easy",
    hint="A token is kept as long as those before it have less than the mass.",
)
def a_nucleus_at_the_threshold():
    p = jnp.array([[0.5, 0.25, 0.125, 0.125]])
    kept = jnp.exp(log_probs_of(nucleus_filter(jnp.log(p), mass=0.75)))[0]
    yield kept, "(2/3, 1/3, 0, 0)"
    yield -jnp.log2(p[0] @ (kept > 0)), "0.415"


@derivation.exercise(
    "How far below the largest logit may a token lie for min-p with the share 0.1?",
    r"At most $\ln 10$, or 2.303: a token 2.30 below is kept, one 2.31 below is not.",
    level="easy",
    hint="Min-p compares ratios of probabilities: what are they in logits?",
)
def the_gap_of_min_p():
    yield math.log(10), "2.303"
    yield 5.0 - minimum_probability_filter(jnp.array([[5.0, 2.70, 2.69]]), fraction=0.1)[0, 1], "2.30"


@derivation.exercise(
    "How far below the largest of the model's logits may a token be for min-p with the share 0.1 if the temperature 2 is "
    "applied first, and how far if min-p comes first? Does the order matter for top-k, too?",
    r"With the temperature first the gap is twice $\ln 10$, or 4.605; with min-p first it stays 2.303. So two settings that "
    "look alike keep different tokens. Of four tokens with the logits 5, 3, 1 and 0 the first order keeps 3 and the second 2. "
    "For top-k the order does not matter, since a temperature keeps the order of the tokens.",
    level="medium",
    hint="A temperature divides the differences of the logits.",
)
def a_wider_gap():
    yield 2 * math.log(10), "4.605"
    yield math.log(10), "2.303"
    logits = jnp.array([[5.0, 3.0, 1.0, 0.0]])
    after = minimum_probability_filter(apply_temperature(logits, temperature=2.0), fraction=0.1)
    yield jnp.isfinite(after).sum(), "3"
    yield jnp.isfinite(minimum_probability_filter(logits, fraction=0.1)).sum(), "2"


@derivation.exercise(
    r"Two tokens have the logits $\ln 3$ and 0. How fast does the entropy fall in $b$ at the temperature 1?",
    prose(
        r"At {one} the slope is {slope}. The distribution is $(\frac34, \frac14)$ and the variance of the logits $\frac{3}{16} "
        r"\ln^2 3$, so it is $-\frac{3}{16} \ln^2 3$, or $-0.2263$.",
        one=where(b, 1),
        slope=holds(Slope(Entropy(p_b), b), "=", -Variance(p_b, l), named=True),
    ),
    level="medium",
    hint="Which chain of the page gives the slope? Compute the variance of two logits.",
)
def the_slope_of_the_entropy():
    logits = jnp.array([[math.log(3), 0.0]])

    def entropy(b):
        law = log_probs_of(apply_temperature(logits, temperature=1 / b))
        return -jnp.sum(jnp.exp(law) * law)

    yield (entropy(1 + 1e-5) - entropy(1 - 1e-5)) / 2e-5, "-0.2263"


@derivation.exercise(
    "A text has two tokens, A or B and then C or D. The model gives A and B one half each, C the probability 0.9 after A and 0.6 "
    "after B. Every step takes the nucleus of mass 0.55. Which texts are left, with which probabilities, and is that the model's "
    "distribution, restricted to these texts? What do both cost?",
    "AC and BC are left, with 0.5 each: every step is normalized by itself, and A and B are chosen before anyone knows what is "
    "cut behind them. The restricted distribution is (0.6, 0.4). It costs 0.2877 nats, and the nucleus 0.3081: sampling token "
    "by token is not the closest distribution on the texts that it leaves.",
    level="hard",
    hint="List the texts that are left, with the probability that each has in both ways.",
)
def truncated_token_by_token():
    first, after_a, after_b = (
        jnp.exp(log_probs_of(nucleus_filter(jnp.log(jnp.array([law])), mass=0.55)))[0]
        for law in ((0.5, 0.5), (0.9, 0.1), (0.6, 0.4))
    )
    nucleus, model = first * jnp.array([after_a[0], after_b[0]]), jnp.array([0.5 * 0.9, 0.5 * 0.6])
    yield nucleus[0], "0.5"
    restricted = model / model.sum()
    yield restricted, "(0.6, 0.4)"
    yield restricted @ jnp.log(restricted / model), "0.2877"
    yield nucleus @ jnp.log(nucleus / model), "0.3081"
