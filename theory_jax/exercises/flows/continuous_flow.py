"""Exercises of the lecture: Continuous normalizing flow: a density that follows a velocity."""

import itertools
import math

import jax.numpy as jnp
import numpy as np
from sympy import Rational, cosh, exp, pi

from theory_jax.derivation.notation import times
from theory_jax.derivation.prose import holds, prose
from theory_jax.flows.continuous_flow import integrate, log_prob
from theory_jax.lectures.flows._continuous_flow import GROWING, axis_probes
from theory_jax.lectures.flows.continuous_flow import derivation


@derivation.exercise(
    "All points fall to the origin, with the velocity $-x$, in three dimensions. What is the density at the origin at time 1?",
    prose("The divergence is $-3$, so the density is {density}: 1.2753.", density=times(exp(3), (2 * pi) ** Rational(-3, 2))),
)
def falling():
    origin = jnp.zeros((1, 3))
    yield jnp.exp(log_prob(origin, axis_probes(origin), np.array([1.0, 0.0]), lambda x, time: -x)), "1.2753"


@derivation.exercise(
    "One step of the classical method on the velocity $0.7 x$, from 0 to 1, is itself a map. What is its log-determinant "
    "less the integrated trace, 0.7?",
    r"It is $\log(1 + 0.7 + \frac{0.7^2}{2} + \frac{0.7^3}{6} + \frac{0.7^4}{24}) - 0.7$, or $-0.000786$.",
)
def one_step_is_a_map():
    one = jnp.ones((1, 1))
    end, delta = integrate(one, one[None], np.array([0.0, 1.0]), GROWING)
    yield jnp.log(end) + delta, "-0.000786"


@derivation.exercise(
    r"The velocity $J x$ with $\frac12$ next to the diagonal and 0 on it, and one probe of two signs. By which factor is the "
    "estimated density too large in the mean?",
    prose(
        r"The trace is 0 and $p^\top J p$ is 1 or $-1$, so the log-density misses by as much: the factor is {factor}, or "
        "1.5431.",
        factor=holds((exp(1) + exp(-1)) / 2, "=", cosh(1)),
    ),
)
def too_large():
    field, times = (lambda x, time: x[:, ::-1] / 2), np.array([1.0, 0.0])
    points, signs = jnp.zeros((4, 2)), np.array(list(itertools.product((-1.0, 1.0), repeat=2)))
    estimated = jnp.exp(log_prob(points, signs[None], times, field))
    yield jnp.mean(estimated) * 2 * math.pi, "1.5431"
