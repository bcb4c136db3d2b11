"""Exercises of the lecture: Three estimators of a divergence: their means, their variances, their gradients."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
from sympy import Rational, log

from theory_jax.derivation.notation import Divergence, Expectation, plus, times
from theory_jax.derivation.parts import value
from theory_jax.derivation.prose import holds, prose
from theory_jax.lectures.reinforcement._kl_estimators import variance_of
from theory_jax.lectures.reinforcement.kl_estimators import (
    HALF,
    QUARTER,
    _given,
    apart_1,
    apart_3,
    derivation,
    k_2,
    p,
    pi,
    pi_0,
    q,
)
from theory_jax.reinforcement.kl_estimators import kl_k1, kl_k2, kl_k3, token_kl


@derivation.exercise(
    r"How much too large is the mean of $k_2$ in the example, and what does $\frac{\kappa_3}{6} \epsilon^3$ say? Take 1 for "
    r"$\epsilon$, and $\log 3$ and 0 for $u$.",
    prose(
        "By 0.0174. The reference does the first sample with one quarter, so the third cumulant is {third} or 0.1243, and a "
        "sixth of it is 0.0207: the right size, though the distance is not small.",
        third=holds(
            plus(times(p, (1 - p) ** 3), -times(1 - p, p**3)) * log(3) ** 3,
            "=",
            Rational(3, 32) * log(3) ** 3,
            when={p: Rational(1, 4)},
            named=True,
        ),
    ),
    level="medium",
    hint="The third cumulant is the mean cube of what is left of the direction after its mean.",
)
def bias_of_the_second():
    yield value(Expectation(pi, k_2) - Divergence(pi, pi_0), _given), "0.0174"
    third = 0.25 * 0.75 * 0.5 * np.log(3) ** 3
    yield third, "0.1243"
    yield third / 6, "0.0207"


@derivation.exercise(
    r"The reference gives $\frac12$ to each of two samples. At which $q$ below one half do $k_1$ and $k_3$ vary alike? How do "
    r"the variances compare at 0.49 and at $10^{-6}$?",
    prose(
        r"Both differences have one size where {sum} vanishes: at 0.1018. At 0.49 the variance of $k_3$ is $7.1 \cdot 10^{-8}$ "
        r"of that of $k_1$; at $10^{-6}$ it is $1.3 \cdot 10^9$ times as large.",
        sum=holds(
            plus(apart_3, apart_1),
            "=",
            plus(1 / (2 * q), -1 / (2 * (1 - q)), -2 * log((1 - q) / q)),
            when={p: Rational(1, 2)},
            named=True,
        ),
    ),
    level="medium",
    hint="Over two samples a variance is a squared difference, so compare the sizes of both differences.",
)
def where_they_cross():
    low, high = 0.05, 0.2
    for _ in range(40):
        middle = np.array([(low + high) / 2])
        more = variance_of(kl_k3, middle)[0] > variance_of(kl_k1, middle)[0]
        low, high = (middle[0], high) if more else (low, middle[0])
    yield low, "0.1018"
    close, far = (variance_of(kl_k3, np.array([q]))[0] / variance_of(kl_k1, np.array([q]))[0] for q in (0.49, 1e-6))
    yield close / 1e-8, "7.1"
    yield far / 1e9, "1.3"


@derivation.exercise(
    r"The policy does the first of two samples only, the reference each with $\frac12$. What is the divergence, and what do "
    r"$k_1$ and $k_3$ say?",
    r"The divergence is $\log 2$ or 0.6931, and so is $k_1$ on the only sample there is; $k_3$ is $\frac12 - 1 + \log 2$ or "
    r"0.1931, too small by the half that is never sampled.",
    level="easy",
    hint="There is only one sample to put in.",
)
def a_policy_that_never_does_it():
    yield token_kl(jnp.array([0.0, -jnp.inf]), jnp.zeros(2)), "0.6931"
    yield kl_k3(jnp.zeros(1), -jnp.log(2.0) * jnp.ones(1))[0], "0.1931"


@derivation.exercise(
    "In the example, how often is the mean of $k_1$ over two samples negative, and how often that of $k_3$? How often is the "
    "mean of $k_1$ over three samples negative?",
    "Of two samples only if both are the second, with probability 0.25; that of $k_3$ never, 0. Of three it is the same as "
    "with at most one first sample, 0.5: the divergence is positive, and half of the reports are not.",
    level="easy",
    hint=r"The log-ratios are 0.6931 and -0.4055; how many of the second outweigh one of the first?",
)
def negative_reports():
    def negative(estimator, size):
        values = estimator(HALF, QUARTER)
        return np.mean([sum(values[state] for state in states) < 0 for states in itertools.product(range(2), repeat=size)])

    yield negative(kl_k1, 2), "0.25"
    yield negative(kl_k3, 2), "0"
    yield negative(kl_k1, 3), "0.5"


@derivation.exercise(
    "A text has two tokens. The policy's first token is 0 or 1, with one half each, as the reference's. After 0 its second "
    "token is that of the reference, one half each; after 1 it has the probabilities 0.9 and 0.1. The loss is $k_2$ of each "
    "token, added up. What is its mean gradient in the first token's logit of 0, and what is that of the divergence of texts?",
    "The loss has 0: the first token's own log-ratio is 0, and the second token's does not depend on this logit. The "
    "divergence is the second token's after 1, 0.3681, times the probability of getting there, so its gradient is -0.0920. "
    "Token losses do not see that the prefix can be avoided; as a reward, the sum of log-ratios to the end does.",
    level="hard",
    hint="Write the divergence of texts by the chain rule: which factor depends on the first token's logits?",
)
def prefixes_depend_on_the_policy():
    seconds = jnp.log(jnp.array([[0.5, 0.5], [0.9, 0.1]]))

    def of_texts(logits):
        each = jnp.stack([token_kl(row, HALF) for row in seconds])
        return token_kl(logits, HALF) + jax.nn.softmax(logits) @ each

    def of_tokens(logits):
        first = jax.nn.log_softmax(logits)
        losses = kl_k2(first, HALF)[:, None] + kl_k2(seconds, jnp.tile(HALF, (2, 1)))
        return (jnp.array([[0.5], [0.5]]) * jnp.exp(seconds) * losses).sum()  # the samples' probabilities are held fixed

    yield jax.grad(of_tokens)(jnp.zeros(2))[0], "0"
    yield token_kl(seconds[1], HALF), "0.3681"
    yield jax.grad(of_texts)(jnp.zeros(2))[0], "-0.0920"
