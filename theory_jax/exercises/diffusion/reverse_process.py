"""Exercises of the lecture: The reverse process: one step back is a Gaussian, almost."""

import math

import jax.numpy as jnp
import numpy as np
from sympy import Rational, sqrt

from theory_jax.derivation.parts import value
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.diffusion.reverse_process import interpolated_log_variance
from theory_jax.lectures.diffusion import _two_points
from theory_jax.lectures.diffusion.reverse_process import (
    _LEVELS,
    _given,
    a_t,
    alpha,
    before,
    beta,
    c,
    derivation,
    kappa,
    mu,
    rho,
    tilde,
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
    level="easy",
    hint="Compute the weight of each of the two; here only their sum counts.",
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
    level="medium",
    hint="Does any line of the formula for Gaussian data need a variance below 1?",
)
def wide_data():
    yield (1 + 3 * _LEVELS[1]) / (1 + 3 * _LEVELS[2]), "1.3424"


@derivation.exercise(
    r"For which $x_2$ does the variance of the step back exceed $\beta_2$, if the data are $-1$ or $1$ as in the example?",
    r"Where $\mathrm{Var}(x_0|x_2)$, which is $1 - \tanh^2 \frac{0.72\, x_2}{0.4816}$, exceeds 0.4816: nearer to 0 than "
    r"$\frac{0.4816}{0.72} \operatorname{artanh} 0.72$, or 0.6071. At the edge the variance is 0.36.",
    level="hard",
    hint="Compare the variance of the data, given the noisy value, with the share of noise.",
)
def the_bump():
    yield (edge := 0.4816 / 0.72 * math.atanh(0.72)), "0.6071"
    yield _two_points.step_back_variance(jnp.array([edge]), _LEVELS)[0], "0.36"


@derivation.exercise(
    "In the example a network says 0 about the variance. Which variance does the step back have, and which would it have if "
    "the variances were interpolated instead of their logarithms?",
    "It is 0.2261, the geometric mean of 0.36 and 0.1420. Interpolated as they are, the two give 0.2510.",
    level="easy",
    hint="Half of the sum of two logarithms is the logarithm of a root.",
)
def halfway():
    small, large = value(tilde, _given), value(beta, _given)
    yield jnp.exp(interpolated_log_variance(jnp.zeros((1, 1)), np.array([2]), _LEVELS))[0, 0], "0.2261"
    yield large, "0.36"
    yield small, "0.1420"
    yield (small + large) / 2, "0.2510"


@derivation.exercise(
    "A sampler starts from the right $x_2$ of the example and predicts the data by their mean, given $x_2$. Which variance "
    r"does its $x_1$ have with each of the two fixed variances, if the data are $\mathcal{N}(0, 1)$, and if all data are 0?",
    r"For $\mathcal{N}(0, 1)$ the right variance is 1: the large one keeps it, and the small one leaves 0.7820. If all data "
    "are 0, the right variance is 0.19: the small one keeps it, and the large one gives 0.4080. Each is exact for one kind of "
    "data and wrong for the other, by the same amount.",
    level="medium",
    hint="The variance of the mean of the step, plus the variance of the new noise.",
)
def each_exact_for_one():
    small, large = value(tilde, _given), value(beta, _given)
    of_normal = value((kappa * sqrt(a_t) + rho) ** 2, _given)
    of_zero = value(rho**2 * (1 - a_t), _given)
    yield of_normal + large, "1"
    yield of_normal + small, "0.7820"
    yield of_zero + small, "0.19"
    yield of_zero + large, "0.4080"
