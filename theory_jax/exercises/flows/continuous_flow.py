"""Exercises of the lecture: Continuous normalizing flow: a density that follows a velocity."""

import itertools
import math

import jax.numpy as jnp
import numpy as np
from scipy.stats import norm
from sympy import Rational, cosh, exp, pi

from theory_jax.derivation.notation import times
from theory_jax.derivation.prose import holds, prose
from theory_jax.flows.continuous_flow import integrate, log_prob
from theory_jax.lectures.flows._continuous_flow import GROWING, axis_probes
from theory_jax.lectures.flows.continuous_flow import derivation


@derivation.exercise(
    "All points fall to the origin, with the velocity $-x$, in three dimensions. What is the density at the origin at time 1?",
    prose("The divergence is $-3$, so the density is {density}: 1.2753.", density=times(exp(3), (2 * pi) ** Rational(-3, 2))),
    level="easy",
    hint="The origin stays where it is; by how much does its log-density rise?",
)
def falling():
    origin = jnp.zeros((1, 3))
    yield jnp.exp(log_prob(origin, axis_probes(origin), np.array([1.0, 0.0]), lambda x, time: -x)), "1.2753"


@derivation.exercise(
    "One step of the classical method on the velocity $0.7 x$, from 0 to 1, is itself a map. What is its log-determinant "
    "less the integrated trace, 0.7?",
    r"It is $\log(1 + 0.7 + \frac{0.7^2}{2} + \frac{0.7^3}{6} + \frac{0.7^4}{24}) - 0.7$, or $-0.000786$.",
    level="medium",
    hint="The step multiplies by a polynomial; take the logarithm of its value.",
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
    level="medium",
    hint="There are two values of the product with the probe, each with probability one half.",
)
def too_large():
    field, times = (lambda x, time: x[:, ::-1] / 2), np.array([1.0, 0.0])
    points, signs = jnp.zeros((4, 2)), np.array(list(itertools.product((-1.0, 1.0), repeat=2)))
    estimated = jnp.exp(log_prob(points, signs[None], times, field))
    yield jnp.mean(estimated) * 2 * math.pi, "1.5431"


@derivation.exercise(
    r"What is the density at the end (1.1752, 0.3679) of the path of the example that starts at the noise (0, 1)?",
    r"The trace is 0, so it is the density of the noise there, $\frac{1}{2\pi} e^{-1/2}$, or 0.0965. The flow moves densities "
    "and changes no value of them.",
    level="easy",
    hint="What is the divergence of the field on the path?",
)
def carried_unchanged():
    end, matrix = jnp.array([[math.sinh(1), math.exp(-1)]]), np.array([[1.0, 1.0], [0.0, -1.0]])
    found = log_prob(end, axis_probes(end), np.linspace(1.0, 0.0, 25), lambda x, time: x @ matrix.T)
    yield jnp.exp(found), "0.0965"


@derivation.exercise(
    "The data on a line are two narrow modes, half of them normal around -3 and half around 3, both with the standard "
    "deviation 0.1. How large is the integral of the divergence on the path that ends at 0? What does that mean for a network "
    "and its solver?",
    r"Paths on a line do not cross, and by the symmetry of both masses the path to 0 starts at 0. So the integral is $\log "
    r"p_0(0) - \log p_1(0)$, or 447.7: a divergence of 448 on average over the unit of time. The field must tear the noise "
    "apart at one point; with a smaller slope the modes stay joined by a bridge of samples.",
    level="hard",
    hint="Which share of the mass is to the left of the path, at its start and at its end?",
)
def torn_apart():
    in_data = np.logaddexp(norm.logpdf(0, -3, 0.1), norm.logpdf(0, 3, 0.1)) - math.log(2)
    yield norm.logpdf(0) - in_data, "447.7"
    yield np.round(norm.logpdf(0) - in_data), "448"
