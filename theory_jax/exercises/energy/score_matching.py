"""Exercises of the lecture: Score matching: a model is fitted through the slope of its log-density."""

import jax.numpy as jnp
from sympy import Rational

from theory_jax.derivation.notation import Slope, plus
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.energy.score_matching import explicit_loss
from theory_jax.lectures.energy._linear_scores import of_linear_models
from theory_jax.lectures.energy.score_matching import V, derivation, half, lam, sigma, tau


@derivation.exercise(
    r"Data with mean 0 and variance 1, and the model $-\lambda x$. Where is the mean explicit loss least, and what is it there?",
    prose(
        r"It is $\frac12 \lambda^2 - \lambda$: its slope is {flat} at {best}, the inverse variance. So -0.5 is what a training "
        "curve tends to, and a negative loss is no mistake.",
        flat=holds(Slope(plus(lam**2 / 2, -lam), lam), "=", 0, named=True),
        best=where(lam, 1),
    ),
)
def least_explicit_loss():
    yield of_linear_models([1.0], 0.5)[0], "-0.5"


@derivation.exercise(
    "The same data and model with the denoising loss, and noise of deviation one half. What cannot be trained away?",
    prose(
        r"The best factor is $1/(1 + \sigma^2)$, 0.8, and the loss there is {rest}, or 1.6. It says nothing about the fit.",
        rest=holds(tau / 2, "=", Rational(8, 5), when={V: 1, sigma: half}),
    ),
)
def least_denoising_loss():
    yield of_linear_models([0.8], 0.5)[2], "1.6"


@derivation.exercise(
    r"An energy is a network of linear layers and ReLUs, so its score is constant on pieces. Which constant does the explicit "
    r"loss prefer on a piece?",
    r"0. The divergence is 0 wherever it is computed, and what is left is $\frac12 \|s\|^2$, for the score (3, 4) say 12.5. The "
    r"jumps between the pieces, which hold the divergence, are never seen: the setting requires continuous slopes.",
)
def piecewise_linear_energy():
    yield explicit_loss(jnp.zeros((1, 2)), lambda x: 0 * x + jnp.array([3.0, 4.0])), "12.5"
