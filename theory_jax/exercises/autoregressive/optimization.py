"""Exercises of the lecture: AdamW: how far a step can go, what its corrections correct, and decay next to the step."""

import math

import jax.numpy as jnp
from sympy import Rational

from theory_jax.autoregressive.optimization import adamw_step
from theory_jax.derivation.notation import plus
from theory_jax.derivation.prose import holds, prose
from theory_jax.lectures.autoregressive.optimization import c, derivation, eta, lam, size, step, theta


@derivation.exercise(
    r"Where does the first step take a parameter at 0 whose gradient is $-10^{-6}$, with the rate 0.001, no $\varepsilon$ and "
    r"no decay?",
    "To 0.001: by the whole rate, however small the gradient.",
)
def a_small_gradient():
    zero = jnp.zeros(1)
    yield adamw_step(jnp.full(1, -1e-6), zero, zero, zero, step=1, learning_rate=0.001, epsilon=0.0)[0][0], "0.001"


@derivation.exercise(
    r"What is the bound of a step without averaging of gradients, with 0 for $\beta_1$ and 0.999 for $\beta_2$?",
    r"$1/\sqrt{1 - \beta_2}$, or 31.62: without the average a lone gradient goes ten times as far.",
)
def without_momentum():
    yield 1 / math.sqrt(0.001), "31.62"
    move = adamw_step(
        jnp.ones(1), jnp.zeros(1), jnp.zeros(1), jnp.zeros(1), step=40_000, learning_rate=1.0, epsilon=0.0, beta1=0.0
    )[0]
    yield -move[0], "31.62"


_long = {c: 1, lam: Rational(1, 10), eta: Rational(1, 1000), theta: 20}


@derivation.exercise(
    "Which size does no parameter keep in long training, if steps are at most one rate long and the decay is 0.1? How near is "
    "a bound that starts at 20 after 10,000 steps with the rate 0.001?",
    prose(
        "None stays above {limit}. The bound is {bound}: 13.68 after 10,000 steps.",
        limit=holds(c / lam, "=", 10, when=_long, named=True),
        bound=holds(size, "=", plus(10, 10 * Rational(9999, 10000) ** step), when=_long, named=True),
    ),
)
def the_largest_parameter():
    yield 1 / 0.1, "10"
    yield float(size.family.definition.subs(_long | {step: 10000})), "13.68"
