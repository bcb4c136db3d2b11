"""Exercises of the lecture: Discretization: a differential equation, seen at equal steps."""

import jax.numpy as jnp
import numpy as np
import sympy
from sympy import Rational

from theory_jax.derivation.parts import value
from theory_jax.derivation.prose import holds, prose
from theory_jax.lectures.state_space._discretization import sampled_inputs
from theory_jax.lectures.state_space.discretization import R, derivation, hold, lam, step, theta, y
from theory_jax.state_space.discretization import backward_euler, bilinear, forward_euler

_OSCILLATOR = jnp.array([[0.0, -1.0], [1.0, 0.0]]), jnp.zeros((2, 1))


@derivation.exercise(
    "A state decays at the rate $-1$, and the step is 0.1. What do forward Euler, backward Euler, the bilinear rule and the hold "
    "leave of it in a step?",
    "0.9, 0.90909, 0.90476 and 0.90484: the two Euler rules miss by about 0.005 in opposite directions, and the bilinear rule by "
    "a small part of that, 0.00008.",
    level="easy",
    hint=r"The eigenvalue, measured in steps, is $-0.1$.",
)
def one_step_of_each():
    given = {lam: -1, step: 0.1}
    for weight, said in ((0, "0.9"), (1, "0.90909"), (Rational(1, 2), "0.90476")):
        yield value(R, given | {theta: weight}), said
    yield value(hold, given), "0.90484"
    yield value(hold - R, given | {theta: Rational(1, 2)}), "0.00008"


@derivation.exercise(
    r"Up to which step is forward Euler stable for an eigenvalue of $-50$? And the bilinear rule?",
    prose(
        r"Below $2/|\lambda|$, which is 0.04. With steps of 0.05 forward Euler multiplies the state by {forward}, or $-1.5$, "
        "and the bilinear rule by {bilinear}, that is $-1/9$; it is stable at every step.",
        forward=holds(R, "=", -Rational(3, 2), when={theta: 0, lam: -50, step: Rational(1, 20)}, named=True),
        bilinear=holds(R, "=", -Rational(1, 9), when={theta: Rational(1, 2), lam: -50, step: Rational(1, 20)}, named=True),
    ),
    level="medium",
    hint="Which factor multiplies the state in a step, and when is its size below 1?",
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
    level="medium",
    hint="Let $z$ go to minus infinity in the factor of each rule.",
)
def very_fast_modes():
    yield sympy.limit((1 + y / 2) / (1 - y / 2), y, -sympy.oo), "-1"
    yield sympy.limit(1 / (1 - y), y, -sympy.oo), "0"


@derivation.exercise(
    r"An undamped oscillation turns by 0.1 in a step, with the eigenvalues $\pm i$ and the step 0.1. By which factor has its "
    "amplitude changed after 1000 steps, about 16 periods, of forward Euler, backward Euler and the bilinear rule?",
    "By 144.8, 0.0069 and 1. Each step changes it by half a percent only, and the steps multiply: one of the Euler rules "
    "explodes, and the other forgets what should last forever.",
    level="medium",
    hint="The squared size of the factor of one step, to the power 500.",
)
def sixteen_periods():
    for rule, said in ((forward_euler, "144.8"), (backward_euler, "0.0069"), (bilinear, "1")):
        moved = np.linalg.matrix_power(np.asarray(rule(*_OSCILLATOR, step_size=0.1)[0]), 1000)
        yield round(np.linalg.norm(moved[:, 0]), 9), said


@derivation.exercise(
    "The bilinear rule keeps the amplitude of that oscillation. What does it get wrong in its place, and after how many steps is "
    "the oscillation the opposite of the true one?",
    r"Its angle: a step turns by $2 \arctan(\eta/2)$ in place of $\eta$, which is too little by $\frac{1}{12} \eta^3$ to the "
    "third order. At 0.1 it lags by 0.0000832 in a step, so it is half a turn behind after about 37760 steps, 601 periods. A "
    "rule that is stable and keeps all sizes is not yet exact.",
    level="hard",
    hint="The factor is a quotient of two conjugate numbers; what is its angle?",
)
def half_a_turn_behind():
    eta = sympy.Symbol("eta", positive=True)
    yield sympy.limit((eta - 2 * sympy.atan(eta / 2)) / eta**3, eta, 0), Rational(1, 12)
    turned = np.asarray(bilinear(*_OSCILLATOR, step_size=0.1)[0])
    lag = 0.1 - np.arctan2(turned[1, 0], turned[0, 0])
    yield lag, "0.0000832"
    yield round(np.pi / lag, -1), "37760"
    yield round(np.pi / lag * 0.1 / (2 * np.pi)), "601"


derivation.exercise(
    r"The input $\sin t$ is sampled at the end of every step, and the state changes at the rate $-x + u$ from 0. How does the "
    r"bilinear rule's error at time 2 fall with the step, and why?",
    "At 50, 100 and 200 steps it is 0.0035, 0.0018 and 0.0009: order 1, not 2. Holding the value of the end advances the "
    r"input by $\Delta/2$ on average. With the mean of both ends, $\frac12 (u_{t-1} + u_t)$, the errors are of order 2.",
    level="medium",
    hint="Compare the input that the rule holds over a step with the input's mean over it.",
)(sampled_inputs)
