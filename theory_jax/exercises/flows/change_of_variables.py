"""Exercises of the lecture: Change of variables: what a map does to a density."""

import math

import jax.numpy as jnp
import numpy as np
from scipy.stats import chi2
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
    level="easy",
    hint="Find the radius and the angle first; the determinant is that of polar coordinates, times two slopes.",
)
def a_right_angle():
    u = np.array([[math.exp(-0.5), 0.25]])
    yield np.round(box_muller(u)[0], 12), "(0, 1)"
    yield box_muller_log_det(u), "2.3379"


@derivation.exercise(
    r"$X = e^Z$ with a standard normal $Z$: what is its density at $x = e$?",
    r"$z = 1$ and the slope is $e$, so the density is $e^{-1/2} / (e \sqrt{2\pi}) = 0.0890$.",
    level="easy",
    hint="Which z is mapped there, and how steep is the map at it?",
)
def a_lognormal_density():
    at = jnp.ones((1, 1))
    yield jnp.exp(pushforward_log_prob(standard_normal_log_prob(at), log_abs_det_jacobian(at, jnp.exp))), "0.0890"


@derivation.exercise(
    r"Which radius $r(u_1)$ makes $(r \cos 2\pi u_2, r \sin 2\pi u_2)$ uniform on the unit disk?",
    r"$r = \sqrt{u_1}$: its determinant, $\frac{1}{2r} \cdot r \cdot 2\pi = \pi$, is the same everywhere, and $1/\pi$ is the "
    "density.",
    level="hard",
    hint="Uniform means that the determinant is a constant; write it down for any radius function.",
)
def the_disk():
    x, y = sqrt(u1) * cos(2 * pi * u2), sqrt(u1) * sin(2 * pi * u2)
    determinant = x.diff(u1) * y.diff(u2) - x.diff(u2) * y.diff(u1)
    yield determinant, pi


@derivation.exercise(
    "A preprocessing step doubles each of the four entries of $x$, and the density is reported for the doubled data. By how many "
    "nats does its logarithm differ from the density of the original data, and by how many bits for each entry?",
    "It is lower by 2.7726 nats, which is 1 bit for each entry. Only the unit has changed: log-densities can be compared in the "
    "same unit only.",
    level="medium",
    hint="The matrix of the derivatives is diagonal.",
)
def another_unit():
    log_det = log_abs_det_jacobian(jnp.ones((1, 4)), lambda x: 2 * x)
    yield log_det, "2.7726"
    yield log_det / 4 / math.log(2), "1"


@derivation.exercise(
    "The map $z^2$ of a standard normal $Z$ is not one-to-one. What is the density of the square at 1, and what does the formula "
    "of the page give if only the positive point is used?",
    "Both 1 and -1 are mapped there, and each adds its density divided by the slope 2: together 0.2420. One point gives half of "
    "it, 0.1210. The formula holds on each piece where the map is one-to-one, and the pieces are added.",
    level="medium",
    hint="Which points have this square? Apply the formula on each half line.",
)
def not_one_to_one():
    at = jnp.array([[1.0], [-1.0]])
    pieces = jnp.exp(pushforward_log_prob(standard_normal_log_prob(at), log_abs_det_jacobian(at, jnp.square)))
    yield chi2.pdf(1, df=1), "0.2420"
    yield pieces.sum(), "0.2420"
    yield pieces[0], "0.1210"
