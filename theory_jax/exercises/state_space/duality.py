"""Exercises of the lecture: State-space duality: a recurrence is attention with a mask that decays."""

import jax.numpy as jnp
import numpy as np
import sympy
from sympy import sqrt

from theory_jax.derivation.parts import value
from theory_jax.derivation.prose import holds, prose
from theory_jax.lectures.state_space.duality import N, P, best, derivation
from theory_jax.state_space.duality import dual_quadratic, dual_recurrent, segment_sum


@derivation.exercise(
    r"What is $L$ for a constant decay of $\frac12$ and three steps, and what is its inverse?",
    r"$L_{ts}$ is $\gamma^{t-s}$, so its last row is (1/4, 1/2, 1). $L^{-1}$ has 1 on the diagonal and $-\gamma$ below it; its "
    r"last row is (0, -1/2, 1). The inverse is the recurrence: $x_t$ is $h_t - \gamma h_{t-1}$.",
    level="easy",
    hint="Count the steps between the two; the inverse undoes one step of the recurrence.",
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
    level="easy",
    hint="The page has the cheapest length as a root.",
)
def cheapest_chunks():
    yield value(best, {N: 64, P: 64}), "5.66"
    yield value(best, {N: 128, P: 64}), "6.53"


@derivation.exercise(
    "A map of four steps has the identity as its matrix, but for a 1 in row 4, column 1: every output is its input, and the "
    "last one adds the first input. How many states does a linear recurrence with arbitrary matrices need for it?",
    r"As many as the largest rank of a block of rows from $r$ on and columns up to $r$, since the state at $r$, this step's "
    r"input in it, has to carry the block. The ranks are 1, 2, 2, 1: it needs 2.",
    level="hard",
    hint="What a state hands on is a block of the matrix; which of its blocks has the largest rank?",
)
def smallest_state():
    matrix = np.eye(4)
    matrix[3, 0] = 1
    yield [np.linalg.matrix_rank(matrix[r:, : r + 1]) for r in range(4)], "1, 2, 2, 1"


@derivation.exercise(
    "A text of four steps is cut in two, and two machines compute both halves at once, each from the state 0. The decays are "
    r"$\frac12, \frac12, \frac14, \frac12$, the inputs 4, 2, 1, 2, and $B$ and $C$ are 1. What does the second machine "
    "compute, and what has to be added once the first is done?",
    r"It computes 1 and 5/2. The state after the first half is 4, and what it adds is $e^{\mathrm{seg}(t,r)} C_t h_r$, 1 and "
    "1/2: the outputs are 2 and 3. The correction needs the one state and the second half's own decays, nothing of the first "
    "half's steps.",
    level="medium",
    hint="The outputs are linear in the state that enters; which part of them comes from it?",
)
def two_machines():
    decays, x = jnp.log(jnp.array([0.5, 0.5, 0.25, 0.5]))[None, :, None], jnp.array([4.0, 2.0, 1.0, 2.0])[None, :, None, None]
    ones, rest = jnp.ones((1, 2, 1, 1)), jnp.zeros((1, 1, 1, 1))
    _, state = dual_recurrent(x[:, :2], decays[:, :2], ones, ones, rest)
    alone, _ = dual_recurrent(x[:, 2:], decays[:, 2:], ones, ones, rest)
    yield alone.ravel(), "1 and 5/2"
    yield state, "4"
    added = jnp.exp(segment_sum(decays))[0, 0, 2:, 1] * state.ravel()
    yield added, "1 and 1/2"
    yield alone.ravel() + added, "2 and 3"


@derivation.exercise(
    "The weights of the page's attention do not sum to one. Somebody adds a second value to each input, which is always 1, and "
    "divides the first output by the second. What are the quotients in the example, with its inputs 4, 2, 1 and decays "
    r"$\frac12, \frac12, \frac14$, and what are they without decay? When does this fail?",
    "They are 4, 8/3 and 16/11; without decay 4, 3 and 7/3, the running means. The second output is the sum of the weights, so "
    "the quotient is a weighted mean, and one more value a head is all that it costs. It fails where scores may be negative: "
    "then the sum of the weights may be 0. Feature maps with positive entries rule that out.",
    level="medium",
    hint="What is the output of inputs that are all 1?",
)
def a_value_of_one():
    x = jnp.array([[4.0, 1.0], [2.0, 1.0], [1.0, 1.0]])[None, :, None]
    ones = jnp.ones((1, 3, 1, 1))
    for decays, said in (((0.5, 0.5, 0.25), "4, 8/3 and 16/11"), ((1.0, 1.0, 1.0), "4, 3 and 7/3")):
        outputs = dual_quadratic(x, jnp.log(jnp.array(decays))[None, :, None], ones, ones)[0, :, 0]
        yield outputs[:, 0] / outputs[:, 1], said
