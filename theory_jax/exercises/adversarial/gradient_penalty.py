"""Exercises of the lecture: Slope 1 between real and fake: what a gradient penalty asks for, what it costs, and what it cures."""

import jax
import jax.numpy as jnp
import numpy as np
from sympy import Rational

from theory_jax.adversarial.gradient_penalty import gradient_penalty
from theory_jax.derivation.notation import plus
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.lectures.adversarial.gradient_penalty import best, d, derivation, h, lam


@derivation.exercise(
    "Samples must move by 2. From which weight of the penalty on is the slope of a linear critic within 1% of 1?",
    prose(
        "From {weight} on: it exceeds 1 by {excess}, 0.01.",
        weight=where(lam, 100),
        excess=holds(best - 1, "=", d / 200, named=True),
    ),
)
def one_percent():
    weight = 100.0
    slopes = np.linspace(1.0, 1.02, 2001)
    gains = [2 * slope - weight * float((slope - 1) ** 2) for slope in slopes]
    yield 2 / (2 * 0.01), "100"
    yield slopes[int(np.argmax(gains))] - 1, "0.01"


@derivation.exercise(
    prose("For which weights do steps of size {size} contract near the equilibrium?", size=where(h, Rational(1, 10))),
    prose(
        "Between {low} and {high}, 20.0125.",
        low=holds(h / 4, "=", Rational(1, 40), named=True),
        high=holds(plus(2 / h, h / 8), "=", 20 + Rational(1, 80)),
    ),
)
def weights_that_contract():
    yield 2 / 0.1 + 0.1 / 8, "20.0125"


@derivation.exercise(
    r"The critic is $w_2 \tanh(w_1 x)$ with both weights 1. What are the two-sided penalty at the point $\frac12$, and its "
    "slopes in $w_1$ and $w_2$?",
    r"The critic's slope there is $1 - \tanh^2 \frac12$, less than 1, and the penalty 0.0456. It falls if the slope grows: the "
    "derivatives are $-0.1807$ and $-0.3359$.",
)
def bent_critic():
    def penalty(w1, w2):
        return gradient_penalty(jnp.full((1, 1), 0.5), lambda x: w2 * jnp.tanh(w1 * x[:, 0]))[0]

    yield penalty(1.0, 1.0), "0.0456"
    inner, outer = jax.grad(penalty, argnums=(0, 1))(1.0, 1.0)
    yield inner, "-0.1807"
    yield outer, "-0.3359"
