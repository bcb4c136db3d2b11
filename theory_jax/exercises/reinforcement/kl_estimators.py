"""Exercises of the lecture: Three estimators of a divergence: their means, their variances, their gradients."""

import jax.numpy as jnp
import numpy as np
from sympy import Rational, log

from theory_jax.derivation.notation import Divergence, Expectation, plus, times
from theory_jax.derivation.parts import value
from theory_jax.derivation.prose import holds, prose
from theory_jax.lectures.reinforcement._kl_estimators import variance_of
from theory_jax.lectures.reinforcement.kl_estimators import _given, apart_1, apart_3, derivation, k_2, p, pi, pi_0, q
from theory_jax.reinforcement.kl_estimators import kl_k1, kl_k3, token_kl


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
)
def a_policy_that_never_does_it():
    yield token_kl(jnp.array([0.0, -jnp.inf]), jnp.zeros(2)), "0.6931"
    yield kl_k3(jnp.zeros(1), -jnp.log(2.0) * jnp.ones(1))[0], "0.1931"
