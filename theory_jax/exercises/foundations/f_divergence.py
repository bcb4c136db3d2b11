"""Exercises of the lecture: One convex function, one divergence."""

import jax.numpy as jnp
from sympy import Max

from theory_jax.derivation.notation import Expectation, Total
from theory_jax.derivation.parts import value
from theory_jax.foundations.f_divergence import f_divergence
from theory_jax.lectures.foundations.f_divergence import _given, derivation, k, p, q


@derivation.exercise(
    r"Show that Pearson's divergence is $\sum_k p_k^2/q_k - 1$. What is it in the example?",
    r"Expand the square: $\sum_k (p_k^2/q_k - 2 p_k + q_k)$, and the last two sums are -2 and 1. In the example $1.125 + 0.125 "
    "- 1$, which is 0.25.",
)
def pearson_expanded():
    yield value(Total(k, p**2 / q) - 1, _given), "0.25"
    yield tuple(value(p**2 / q, _given)), "1.125 + 0.125"


@derivation.exercise(
    r"Which $f$-divergence is zero in the example although $p$ is not $q$?",
    r"That of the generator $\max(u - 2, 0)$: both ratios, 1.5 and 0.5, are at most 2, so its value is 0. It is convex, but it "
    "is affine around 1.",
)
def not_only_if():
    yield value(p / q, _given), "1.5 and 0.5"
    yield value(Expectation(q, Max(p / q - 2, 0)), _given), "0"


@derivation.exercise(
    "Data are distributed as $(0.49, 0.02, 0.49)$. Which of the models $(1/3, 1/3, 1/3)$ and $(0.96, 0.02, 0.02)$ is nearer in "
    "Kullback-Leibler divergence, and which in the reverse one?",
    "Kullback-Leibler prefers the wide model, 0.321 against 1.238, since the narrow one misses a mode. The reverse divergence "
    "prefers the narrow one, 0.582 against 0.681, since the wide one puts a third of its mass where there is almost no data.",
)
def two_modes():
    data, models = jnp.log(jnp.array([[0.49, 0.02, 0.49]] * 2)), jnp.log(jnp.array([[1 / 3] * 3, [0.96, 0.02, 0.02]]))
    yield f_divergence(data, models, divergence="kl"), "0.321 against 1.238"
    yield f_divergence(data, models, divergence="reverse_kl")[::-1], "0.582 against 0.681"
