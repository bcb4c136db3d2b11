"""Exercises of the lecture: The reverse process: one step back is a Gaussian, almost."""

import math

import jax.numpy as jnp
from sympy import Rational

from theory_jax.derivation.parts import value
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.lectures.diffusion import _two_points
from theory_jax.lectures.diffusion.reverse_process import (
    _LEVELS,
    _given,
    a_t,
    alpha,
    before,
    c,
    derivation,
    kappa,
    mu,
    rho,
    v_t,
    x_0,
    x_t,
)


@derivation.exercise(
    r"In the example, what is $\tilde\mu_2$ where both $x_0$ and $x_2$ are 1?",
    prose(
        "The sum of both weights, with {share} and {kept}: {sum}, or 0.9884.",
        share=where(before, Rational(81, 100)),
        kept=where(alpha, Rational(16, 25)),
        sum=holds(kappa + rho, "=", Rational(85, 86)),
    ),
)
def a_mean_by_hand():
    yield value(mu, _given | {x_0: 1, x_t: 1}), "0.9884"


@derivation.exercise(
    r"For Gaussian data of variance 4, by what factor does the variance of the step back from $x_2$ exceed $\beta_2$?",
    prose(
        r"No line of the formula $\beta_t V_{t-1} / V_t$ used that $c$ is below 1. With {wide}, {late}: the ratio is 1.3424 in "
        "the example. Data should be scaled to unit variance.",
        wide=where(c, 4),
        late=holds(v_t, "=", 1 + 3 * a_t, wrong={"not scaled": 4}),
    ),
)
def wide_data():
    yield (1 + 3 * _LEVELS[1]) / (1 + 3 * _LEVELS[2]), "1.3424"


@derivation.exercise(
    r"For which $x_2$ does the variance of the step back exceed $\beta_2$, if the data are $-1$ or $1$ as in the example?",
    r"Where $\mathrm{Var}(x_0|x_2)$, which is $1 - \tanh^2 \frac{0.72\, x_2}{0.4816}$, exceeds 0.4816: nearer to 0 than "
    r"$\frac{0.4816}{0.72} \operatorname{artanh} 0.72$, or 0.6071. At the edge the variance is 0.36.",
)
def the_bump():
    yield (edge := 0.4816 / 0.72 * math.atanh(0.72)), "0.6071"
    yield _two_points.step_back_variance(jnp.array([edge]), _LEVELS)[0], "0.36"
