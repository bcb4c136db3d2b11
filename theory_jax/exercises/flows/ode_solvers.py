"""Exercises of the lecture: Solving an ordinary differential equation: order, error and stability of a step."""

import jax.numpy as jnp
import numpy as np
from sympy import Integer, Rational

from theory_jax.derivation.notation import plus, times
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.flows.ode_solvers import euler_step, midpoint_step, next_step_size, runge_kutta_4_step, solve_fixed
from theory_jax.lectures.flows.ode_solvers import _ONE, _itself, a, b1, b2, classical, derivation, h, missed, z


@derivation.exercise(
    r"Where do two Euler steps of size $\frac12$ lead from 1 on the velocity $x$? And steps of size 0.19 and 0.21 on $-10 x$?",
    prose(
        "To {twice}, or 2.25. The factors are {decays} and {explodes}, that is -0.9 and -1.1: the first decays, the second "
        "explodes.",
        twice=holds((1 + h) ** 2, "=", Rational(9, 4), when={h: Rational(1, 2)}, named=True),
        decays=1 - 10 * Rational(19, 100),
        explodes=1 - 10 * Rational(21, 100),
    ),
    level="easy",
    hint="On a linear equation a step of Euler's method multiplies by 1 plus the size times the rate.",
)
def euler_by_hand():
    yield solve_fixed(_ONE, np.array([0.0, 0.5, 1.0]), _itself, method="euler"), "2.25"
    yield euler_step(_ONE, 0.0, 0.19, lambda x, time: -10 * x), "-0.9"
    yield euler_step(_ONE, 0.0, 0.21, lambda x, time: -10 * x), "-1.1"


@derivation.exercise(
    "What is the largest stable step of the classical method on the velocity $-20 x$?",
    prose(
        "$R(z)$ is {factor}: it is 1 at 0, and at the real zero of the bracket, -2.785. So the step is 0.1393.",
        factor=holds(classical, "=", plus(1, times(z, plus(1, z / 2, z**2 / 6, z**3 / 24))), named=True),
    ),
    level="medium",
    hint="Take the 1 off the polynomial; what is left has the factor $z$.",
)
def the_largest_step():
    root = min(np.roots([1 / 24, 1 / 6, 1 / 2, 1.0]), key=lambda root: abs(root.imag)).real
    yield root, "-2.785"
    yield -root / 20, "0.1393"
    yield runge_kutta_4_step(_ONE, 0.0, -root, lambda x, time: -x), "1"


@derivation.exercise(
    prose(
        "The second stage is at {stage}. Which weights have order two? And which size follows 0.1 if the ratio is 32?",
        stage=where(a, Rational(2, 3)),
    ),
    prose(
        r"{second} and {first}, that is 0.75 and 0.25: then the first line of the chain is {nothing}. The size is $0.9 \cdot "
        r"0.1 \cdot 32^{-1/5}$, or 0.045.",
        second=where(b2, Rational(3, 4)),
        first=where(b1, Rational(1, 4)),
        nothing=holds(missed, "=", 0, named=True),
    ),
    level="easy",
    hint="Both brackets of the first chain must vanish.",
)
def weights_and_a_size():
    yield 1 / (2 * (2 / 3)), "0.75"
    yield 1 - 0.75, "0.25"
    yield next_step_size(jnp.array(0.1), jnp.array(32.0)), "0.045"


@derivation.exercise(
    "A network may be evaluated 12 times on the way from time 0 to 1. Which error is left on the velocity $x$ from 1 with "
    "Euler's, the midpoint and the classical method?",
    "Twelve steps of Euler's method miss 0.1052, six of the midpoint method 0.0111, and three of the classical one 0.0002. "
    "For a smooth velocity, methods of a high order are worth their evaluations.",
    level="medium",
    hint="How many steps does each method get, and by which polynomial does a step multiply?",
)
def twelve_evaluations():
    for method, steps, printed in (("euler", 12, "0.1052"), ("midpoint", 6, "0.0111"), ("runge_kutta_4", 3, "0.0002")):
        end = solve_fixed(_ONE, np.linspace(0.0, 1.0, steps + 1), _itself, method=method)
        yield np.e - np.ravel(end), printed


@derivation.exercise(
    "From the same point and time, take one step of Euler's method of size $h$ and two of half the size. Their errors are "
    "nearly in the ratio 2 to 1. Which combination of the two results removes that error, and which method on this page is it?",
    "Twice the result of the two half steps minus that of the whole one. The first stage cancels, and what is left "
    "is the midpoint method, for every velocity: on the linear equation with the rate 1 and $h$ of 1 it gives 2.5.",
    level="hard",
    hint="Write both results with the velocity at the start and the one after half a step.",
)
def a_combination():
    def swing(x, time):
        return jnp.sin(x) * jnp.cos(time) + x**2

    for velocity, at, size in ((swing, 0.7, 0.3), (_itself, 0.0, 1.0)):
        half = euler_step(euler_step(_ONE, at, size / 2, velocity), at + size / 2, size / 2, velocity)
        combined = 2 * half - euler_step(_ONE, at, size, velocity)
        yield round(float((combined - midpoint_step(_ONE, at, size, velocity))[0]), 12), Integer(0)
    yield combined, "2.5"
