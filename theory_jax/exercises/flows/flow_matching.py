"""Exercises of the lecture: Flow matching: a field that no one can compute, learned from pairs that anybody can draw."""

import math

import jax.numpy as jnp
import numpy as np
from sympy import Rational

from theory_jax.derivation.prose import holds, prose
from theory_jax.flows.flow_matching import marginal_velocity, mixture_velocity
from theory_jax.flows.ode_solvers import solve_fixed
from theory_jax.lectures.flows.flow_matching import V, derivation, s, t


@derivation.exercise(
    "What is the velocity at time 0, for data with any distribution that has a mean? Compute it for the points 1 and $-3$ at "
    "the position 0.5.",
    "The position is the noise and tells nothing about the data, so it is the mean of the data, $-1$, minus the position: -1.5.",
)
def velocity_at_the_start():
    yield marginal_velocity(jnp.array([[0.5]]), jnp.array([[1.0], [-3.0]]), jnp.zeros(1)), "-1.5"


@derivation.exercise(
    "How large is the floor for Gaussian data of variance 4, halfway and for uniform times?",
    prose(
        r"The floor is {floor}: 3.2. For uniform times it is $\frac{\pi}{2} \cdot 2$, or 3.1416.",
        floor=holds(s / V, "=", Rational(16, 5), when={s: 4, t: Rational(1, 2)}, named=True),
    ),
)
def floor_of_gaussian_data():
    yield 4 / (0.25 + 0.25 * 4), "3.2"
    grid = (np.arange(2000) + 0.5) / 2000
    yield np.mean(4 / ((1 - grid) ** 2 + 4 * grid**2)), "3.1416"


@derivation.exercise(
    r"A model errs by $\delta$ everywhere for Gaussian data of variance 4 and mean 0. How far from the data are its samples, "
    r"and what does the bound say? The true field has the largest slope $\frac54$.",
    r"The error $\epsilon$ grows at the rate $\beta \epsilon + \delta$ from 0, so it is $\delta \sqrt V \int_0^t V^{-1/2}$, "
    r"and its square at time 1 is $2.964\, \delta^2$. The bound is $e^{3.5} \delta^2$, which is $33.115\, \delta^2$.",
)
def error_and_bound():
    end = solve_fixed(
        jnp.zeros((1, 1)),
        jnp.linspace(0.0, 1.0, 33),
        lambda x, time: 1 + mixture_velocity(x, time[None], np.zeros((1, 1)), np.log([4.0]), np.zeros(1)),
    )
    yield end[0, 0] ** 2, "2.964"
    yield math.exp(3.5), "33.115"
