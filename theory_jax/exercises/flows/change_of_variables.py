"""Exercises of the lecture: Change of variables: what a map does to a density."""

import math

import jax.numpy as jnp
import numpy as np
from sympy import cos, pi, sin, sqrt

from theory_jax.flows.change_of_variables import (
    box_muller,
    box_muller_log_det,
    log_abs_det_jacobian,
    pushforward_log_prob,
    standard_normal_log_prob,
)
from theory_jax.lectures.flows.change_of_variables import derivation, u1, u2


@derivation.exercise(
    r"What are $z$ and the log-determinant at $u = (e^{-1/2}, \frac14)$?",
    r"The radius is 1 and the angle a right one: $z = (0, 1)$, and $\log 2\pi + \frac12 = 2.3379$.",
)
def a_right_angle():
    u = np.array([[math.exp(-0.5), 0.25]])
    yield np.round(box_muller(u)[0], 12), "(0, 1)"
    yield box_muller_log_det(u), "2.3379"


@derivation.exercise(
    r"$X = e^Z$ with a standard normal $Z$: what is its density at $x = e$?",
    r"$z = 1$ and the slope is $e$, so the density is $e^{-1/2} / (e \sqrt{2\pi}) = 0.0890$.",
)
def a_lognormal_density():
    at = jnp.ones((1, 1))
    yield jnp.exp(pushforward_log_prob(standard_normal_log_prob(at), log_abs_det_jacobian(at, jnp.exp))), "0.0890"


@derivation.exercise(
    r"Which radius $r(u_1)$ makes $(r \cos 2\pi u_2, r \sin 2\pi u_2)$ uniform on the unit disk?",
    r"$r = \sqrt{u_1}$: its determinant, $\frac{1}{2r} \cdot r \cdot 2\pi = \pi$, is the same everywhere, and $1/\pi$ is the "
    "density.",
)
def the_disk():
    x, y = sqrt(u1) * cos(2 * pi * u2), sqrt(u1) * sin(2 * pi * u2)
    determinant = x.diff(u1) * y.diff(u2) - x.diff(u2) * y.diff(u1)
    yield determinant, pi
