"""Exercises of the lecture: Discretization: a differential equation, seen at equal steps."""

import jax.numpy as jnp
import sympy
from sympy import Rational

from theory_jax.derivation.prose import holds, prose
from theory_jax.lectures.state_space.discretization import R, derivation, lam, step, theta, y
from theory_jax.state_space.discretization import bilinear, forward_euler


@derivation.exercise(
    r"Up to which step is forward Euler stable for an eigenvalue of $-50$? And the bilinear rule?",
    prose(
        r"Below $2/|\lambda|$, which is 0.04. With steps of 0.05 forward Euler multiplies the state by {forward}, or $-1.5$, "
        "and the bilinear rule by {bilinear}, that is $-1/9$; it is stable at every step.",
        forward=holds(R, "=", -Rational(3, 2), when={theta: 0, lam: -50, step: Rational(1, 20)}, named=True),
        bilinear=holds(R, "=", -Rational(1, 9), when={theta: Rational(1, 2), lam: -50, step: Rational(1, 20)}, named=True),
    ),
)
def stable_steps():
    fast = jnp.array([[-50.0]]), jnp.array([[1.0]])
    yield jnp.abs(forward_euler(*fast, step_size=0.04)[0][0, 0]) - 1 + 0.04, "0.04"
    yield forward_euler(*fast, step_size=0.05)[0], "-1.5"
    yield bilinear(*fast, step_size=0.05)[0], "-1/9"


@derivation.exercise(
    "What do the bilinear rule and backward Euler leave of a mode that decays much faster than a step, in the limit?",
    r"The factors $-1$ and 0: the bilinear rule makes it ring for a long time, with a sign that changes in every "
    r"step; backward Euler ends it, as the hold does.",
)
def very_fast_modes():
    yield sympy.limit((1 + y / 2) / (1 - y / 2), y, -sympy.oo), "-1"
    yield sympy.limit(1 / (1 - y), y, -sympy.oo), "0"
