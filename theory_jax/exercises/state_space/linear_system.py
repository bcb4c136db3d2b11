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
    level="easy",
    hint="Without a matrix the exponential is the identity.",
)
def integrator():
    none, one, when = jnp.zeros((1, 1)), jnp.ones(1), jnp.array([3.0])
    yield impulse_response(when, none, one, one)[0], "1"
    yield step_response(when, none, one, one, jnp.array(0.0), jnp.zeros(1))[0], "3"


@derivation.exercise(
    r"What is the norm of $e^{At}$ for the matrix $\begin{pmatrix} -\sigma & -\omega \\ \omega & -\sigma \end{pmatrix}$?",
    r"It is a rotation by $\omega t$ times $e^{-\sigma t}$, which is the norm. With 1 for $\sigma$ and 5 for $\omega$, at "
    r"the time $\log 2$: 0.5.",
    level="easy",
    hint="The matrix is a multiple of the identity and a quarter turn, and the two commute.",
)
def a_spiral():
    yield np.linalg.norm(state_transition(LOG_2, jnp.array([[-1.0, -5.0], [5.0, -1.0]]))[0], 2), "0.5"


@derivation.exercise(
    "The output of a system with the transfer function $1 / (s + 1)$ is the input of one with $1 / (s + 2)$. What is the "
    "impulse response of both together?",
    r"The product is the transfer function of the example, so it is $e^{-t} - e^{-2t}$. At time 1 it is 0.2325, and $H(3)$, "
    r"$\frac14 \cdot \frac15$, is 0.05.",
    level="medium",
    hint="In series transfer functions multiply; split the product into two fractions.",
)
def in_series():
    yield impulse_response(jnp.ones(1), TRIANGLE, INTO, OUT)[0], "0.2325"
    yield transfer_function(jnp.array([3.0 + 0j]), TRIANGLE, INTO, OUT, jnp.array(0.0))[0].real, "0.05"


@derivation.exercise(
    "The example's state is seen through $C$ of (1, 1). What are the impulse response and the transfer function, and how many "
    "states does a system need that does the same from rest?",
    "The response is $e^{-t}$: the second exponential has the weight -1 in the first state and 1 in the second. At time 1 it "
    "is 0.3679, and $H(3)$ is 0.25, as of $1 / (s + 1)$: a factor cancels, and one state is enough. The mode is there and "
    "decays, but no output shows it.",
    level="medium",
    hint="Add up both rows of the exponential, for the column through which the input enters.",
)
def a_hidden_mode():
    both, one = jnp.ones(2), jnp.ones(1)
    for system in ((TRIANGLE, INTO, both), (-jnp.ones((1, 1)), one, one)):
        yield impulse_response(jnp.ones(1), *system)[0], "0.3679"
        yield transfer_function(jnp.array([3.0 + 0j]), *system, jnp.array(0.0))[0].real, "0.25"


@derivation.exercise(
    r"The matrix of the figure has $-1$ twice on its diagonal and $k$ above. For which $k$ is $\|e^{At}\|$ above 1 at some time, "
    "although every solution decays in the end? Check 2 and 4.",
    r"The slope of $\|x\|^2$ is $x^\top (A + A^\top) x$, so it can rise if the symmetric part $\frac12 (A + A^\top)$ has a "
    r"positive eigenvalue: the larger one is $\frac k2 - 1$, for 2 it is 0 and for 4 it is 1. So the norm exceeds 1 if $k$ is "
    "above 2, and never otherwise. For 4 it reaches 1.5698. Eigenvalues tell how it ends, the symmetric part how it begins.",
    level="hard",
    hint="Differentiate the squared length of a solution; when can it rise at all?",
)
def strays_first():
    times = jnp.linspace(0.0, 5.0, 5001)
    for above, rate, largest in ((2.0, "0", "1"), (4.0, "1", "1.5698")):
        matrix = jnp.array([[-1.0, above], [0.0, -1.0]])
        yield np.linalg.eigvalsh((matrix + matrix.T) / 2)[1], rate
        yield np.linalg.norm(np.asarray(state_transition(times, matrix)), 2, axis=(1, 2)).max(), largest
