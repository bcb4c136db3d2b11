"""Exercises of the lecture: Linear systems: one exponential says what every input does."""

import jax.numpy as jnp
import numpy as np

from theory_jax.lectures.state_space._linear_system import INTO, LOG_2, OUT, TRIANGLE
from theory_jax.lectures.state_space.linear_system import derivation
from theory_jax.state_space.linear_system import impulse_response, state_transition, step_response, transfer_function


@derivation.exercise(
    "What are the impulse response and the step response of a system whose state changes at the rate $u$ and is seen as it is, "
    "where $A$ is 0?",
    "The integrator: 1 and $t$. At time 3 they are 1 and 3, which no formula with the inverse of $A$ can say.",
)
def integrator():
    none, one, when = jnp.zeros((1, 1)), jnp.ones(1), jnp.array([3.0])
    yield impulse_response(when, none, one, one)[0], "1"
    yield step_response(when, none, one, one, jnp.array(0.0), jnp.zeros(1))[0], "3"


@derivation.exercise(
    r"What is the norm of $e^{At}$ for the matrix $\begin{pmatrix} -\sigma & -\omega \\ \omega & -\sigma \end{pmatrix}$?",
    r"It is a rotation by $\omega t$ times $e^{-\sigma t}$, which is the norm. With 1 for $\sigma$ and 5 for $\omega$, at "
    r"the time $\log 2$: 0.5.",
)
def a_spiral():
    yield np.linalg.norm(state_transition(LOG_2, jnp.array([[-1.0, -5.0], [5.0, -1.0]]))[0], 2), "0.5"


@derivation.exercise(
    "The output of a system with the transfer function $1 / (s + 1)$ is the input of one with $1 / (s + 2)$. What is the "
    "impulse response of both together?",
    r"The product is the transfer function of the example, so it is $e^{-t} - e^{-2t}$. At time 1 it is 0.2325, and $H(3)$, "
    r"$\frac14 \cdot \frac15$, is 0.05.",
)
def in_series():
    yield impulse_response(jnp.ones(1), TRIANGLE, INTO, OUT)[0], "0.2325"
    yield transfer_function(jnp.array([3.0 + 0j]), TRIANGLE, INTO, OUT, jnp.array(0.0))[0].real, "0.05"
