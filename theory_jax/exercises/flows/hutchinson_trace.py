"""Exercises of the lecture: Hutchinson's estimator: a trace from products with random vectors."""

import math

import jax.numpy as jnp

from theory_jax.flows.hutchinson_trace import hutchinson_divergence, hutchinson_variance
from theory_jax.lectures.flows.hutchinson_trace import _MATRIX, _linear, derivation


@derivation.exercise(
    "How many probes of signs give a standard error of 0.1 in the example?", r"The variance is 4, so $\frac{4}{0.01} = 400$."
)
def probes_for_a_tenth():
    yield hutchinson_variance(_MATRIX[None], kind="rademacher")[0] / 0.1**2, "400"


@derivation.exercise(
    "What does a single probe give for an antisymmetric Jacobian, that of a rotation?",
    "0, whatever the probe is: the symmetric part is 0, and so are the trace and the variance.",
)
def a_rotation():
    turn = jnp.array([[[0.0, -2.0], [2.0, 0.0]]])
    yield hutchinson_divergence(jnp.zeros((1, 2)), jnp.array([[[0.3, -1.7]]]), _linear(turn)), "0"
    yield hutchinson_variance(turn, kind="gaussian"), "0"


@derivation.exercise(
    r"What is the variance of a probe along a random axis, $\sqrt{2}\, e_1$ or $\sqrt{2}\, e_2$ with equal chances, in the "
    r"example?",
    r"It gives 2 or 6, so the mean is 4 and the variance 4. Its entries are dependent, and the formula above does not hold for "
    r"it.",
)
def a_random_axis():
    fields = _linear(jnp.broadcast_to(_MATRIX, (2, 2, 2)))
    each = hutchinson_divergence(jnp.zeros((2, 2)), math.sqrt(2) * jnp.eye(2)[None], fields)
    yield each[0], "2"
    yield jnp.var(each), "4"
