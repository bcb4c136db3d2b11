"""Exercises of the lecture: One convex function, one divergence."""

import jax.numpy as jnp
from sympy import Integer, Max

from theory_jax.derivation.notation import Expectation, Total
from theory_jax.derivation.parts import value
from theory_jax.foundations.f_divergence import f_divergence
from theory_jax.lectures.foundations.f_divergence import _given, derivation, k, p, q


@derivation.exercise(
    "The data are always at the first of two points, $(1, 0)$, and the model is $(0.5, 0.5)$. What are the Kullback-Leibler "
    "divergence, the reverse one, total variation and the squared Hellinger distance?",
    "0.6931, infinity, 0.5 and 0.5858: the reverse divergence alone does not forgive samples where there are no data, since "
    "$f(0)$ is infinite for it alone among the four.",
    level="easy",
    hint="At the second point the ratio is 0, and its part of the sum is $q_k f(0)$.",
)
def a_point_without_data():
    data, model = jnp.log(jnp.array([[1.0, 0.0]])), jnp.log(jnp.array([[0.5, 0.5]]))
    for name, said in (("kl", "0.6931"), ("total_variation", "0.5"), ("squared_hellinger", "0.5858")):
        yield f_divergence(data, model, divergence=name), said
    yield int(jnp.isinf(f_divergence(data, model, divergence="reverse_kl")[0])), Integer(1)


@derivation.exercise(
    r"Show that Pearson's divergence is $\sum_k p_k^2/q_k - 1$. What is it in the example?",
    r"Expand the square: $\sum_k (p_k^2/q_k - 2 p_k + q_k)$, and the last two sums are -2 and 1. In the example $1.125 + 0.125 "
    "- 1$, which is 0.25.",
    level="medium",
    hint="Expand the square, and sum term by term.",
)
def pearson_expanded():
    yield value(Total(k, p**2 / q) - 1, _given), "0.25"
    yield tuple(value(p**2 / q, _given)), "1.125 + 0.125"


@derivation.exercise(
    "Data are distributed as $(0.49, 0.02, 0.49)$. Which of the models $(1/3, 1/3, 1/3)$ and $(0.96, 0.02, 0.02)$ is nearer in "
    "Kullback-Leibler divergence, and which in the reverse one?",
    "Kullback-Leibler prefers the wide model, 0.321 against 1.238, since the narrow one misses a mode. The reverse divergence "
    "prefers the narrow one, 0.582 against 0.681, since the wide one puts a third of its mass where there is almost no data.",
    level="medium",
    hint="Which of the two divergences is averaged under the data, and which under the model?",
)
def two_modes():
    data, models = jnp.log(jnp.array([[0.49, 0.02, 0.49]] * 2)), jnp.log(jnp.array([[1 / 3] * 3, [0.96, 0.02, 0.02]]))
    yield f_divergence(data, models, divergence="kl"), "0.321 against 1.238"
    yield f_divergence(data, models, divergence="reverse_kl")[::-1], "0.582 against 0.681"


@derivation.exercise(
    r"Which $f$-divergence is zero in the example although $p$ is not $q$?",
    r"That of the generator $\max(u - 2, 0)$: both ratios, 1.5 and 0.5, are at most 2, so its value is 0. It is convex, but it "
    "is affine around 1.",
    level="hard",
    hint="Look for a convex function that is affine on a whole interval around 1.",
)
def not_only_if():
    yield value(p / q, _given), "1.5 and 0.5"
    yield value(Expectation(q, Max(p / q - 2, 0)), _given), "0"


@derivation.exercise(
    "Someone sees two independent samples in place of one, from the data or the model of the example. What becomes of the "
    "Kullback-Leibler divergence, of Pearson's, and of the squared Hellinger distance?",
    "Kullback-Leibler doubles, from 0.1308 to 0.2616. One plus Pearson's is squared, so it grows from 0.25 to 0.5625, more than "
    "twice. One minus half of Hellinger's is squared: it grows from 0.0681 to 0.1340, less than twice, as a bounded one must.",
    level="hard",
    hint="Each can be written as a sum of a power of the ratio, or of its logarithm; the ratios of independent samples multiply.",
)
def two_samples_in_place_of_one():
    pairs = [jnp.outer(*(2 * [jnp.array(_given[law])])).reshape(1, 4) for law in (p, q)]
    singles = [jnp.array([_given[law]]) for law in (p, q)]
    for name, one, two in (
        ("kl", "0.1308", "0.2616"),
        ("pearson_chi_squared", "0.25", "0.5625"),
        ("squared_hellinger", "0.0681", "0.1340"),
    ):
        yield f_divergence(*map(jnp.log, singles), divergence=name), one
        yield f_divergence(*map(jnp.log, pairs), divergence=name), two
    yield (1 + f_divergence(*map(jnp.log, singles), divergence="pearson_chi_squared")) ** 2 - 1, "0.5625"
    yield 2 - 2 * (1 - f_divergence(*map(jnp.log, singles), divergence="squared_hellinger") / 2) ** 2, "0.1340"
