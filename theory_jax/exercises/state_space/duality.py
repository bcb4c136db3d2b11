"""Exercises of the lecture: State-space duality: a recurrence is attention with a mask that decays."""

import jax.numpy as jnp
import numpy as np
import sympy
from sympy import sqrt

from theory_jax.derivation.parts import value
from theory_jax.derivation.prose import holds, prose
from theory_jax.lectures.state_space.duality import N, P, best, derivation
from theory_jax.state_space.duality import segment_sum


@derivation.exercise(
    r"What is $L$ for a constant decay of $\frac12$ and three steps, and what is its inverse?",
    r"$L_{ts}$ is $\gamma^{t-s}$, so its last row is (1/4, 1/2, 1). $L^{-1}$ has 1 on the diagonal and $-\gamma$ below it; its "
    r"last row is (0, -1/2, 1). The inverse is the recurrence: $x_t$ is $h_t - \gamma h_{t-1}$.",
)
def retention():
    mask = jnp.exp(segment_sum(jnp.full((1, 3, 1), jnp.log(0.5))))[0, 0]
    yield mask[2], "(1/4, 1/2, 1)"
    yield np.linalg.inv(mask)[2], "(0, -1/2, 1)"


@derivation.exercise(
    "What is the cheapest length of a chunk for 64 states and 64 values, and for 128 states?",
    prose(
        "{one}, or 5.66, and {two}, or 6.53.",
        one=holds(best, "=", sqrt(32), when={N: 64, P: 64}, named=True),
        two=holds(best, "=", sqrt(sympy.Rational(128, 3)), when={N: 128, P: 64}, named=True),
    ),
)
def cheapest_chunks():
    yield value(best, {N: 64, P: 64}), "5.66"
    yield value(best, {N: 128, P: 64}), "6.53"


@derivation.exercise(
    "A map of four steps has the identity as its matrix, but for a 1 in row 4, column 1: every output is its input, and the "
    "last one adds the first input. How many states does a linear recurrence with arbitrary matrices need for it?",
    r"As many as the largest rank of a block of rows from $r$ on and columns up to $r$, since the state at $r$, this step's "
    r"input in it, has to carry the block. The ranks are 1, 2, 2, 1: it needs 2.",
)
def smallest_state():
    matrix = np.eye(4)
    matrix[3, 0] = 1
    yield [np.linalg.matrix_rank(matrix[r:, : r + 1]) for r in range(4)], "1, 2, 2, 1"
