"""Exercises of the lecture: Preference losses differ in the target margin and in the pairs whose gradient vanishes."""

import jax
import jax.numpy as jnp
import numpy as np
from sympy import Rational

from theory_jax.derivation.notation import plus
from theory_jax.derivation.parts import value
from theory_jax.derivation.prose import holds, prose
from theory_jax.lectures.preference.dpo_variants import _sigma, asked, derivation, p, tau, u
from theory_jax.preference.dpo_variants import ipo_loss, kto_loss


@derivation.exercise(
    "Which margin does IPO ask for if the label is a flip of a fair coin? And which logit DPO?",
    r"None: 0 for both. Two completions that are equally good keep the odds of the reference.",
)
def coin_flips():
    half = {p: Rational(1, 2), tau: Rational(1, 10)}
    yield value(asked, half), "0"
    yield value(plus(_sigma(u), -p), half | {u: 0}), "0"


@derivation.exercise(
    r"How large can the slope of KTO's loss in $l$ be at the price $\frac{1}{10}$ and the weight 1? And 50 nats beyond $z_0$?",
    r"At $z_0$ it is a quarter of the price, 0.025. Beyond, the argument of $\sigma$ is 5, and the slope is 0.00066.",
)
def the_largest_slope():
    def loss(ratios):
        return kto_loss(ratios, jnp.zeros(2), jnp.ones(2, bool), jnp.array(0.0), kl_coefficient=0.1).sum()

    largest, far = -jax.grad(loss)(jnp.array([0.0, 50.0]))
    yield largest, "0.025"
    yield far, "0.00066"


@derivation.exercise(
    r"Three completions beat each other in a circle, each with probability 0.8, and the regularization is $\frac12$. Which "
    r"policy does IPO fit, and by how much does it miss the requested margins?",
    prose(
        "The reference: all mean win rates are 0.5, so that all $g$ are equal, and the slope of the loss there is 0. Each margin "
        "is missed by {margin}, or 0.6.",
        margin=holds(asked, "=", Rational(3, 5), when={p: Rational(4, 5), tau: Rational(1, 2)}),
    ),
)
def a_circle():
    wins = np.array([[0.5, 0.8, 0.2], [0.2, 0.5, 0.8], [0.8, 0.2, 0.5]])
    c, r = np.nonzero(~np.eye(3, dtype=bool))

    def loss(g):
        return (wins[c, r] * ipo_loss(g[c], g[r], jnp.zeros(6), jnp.zeros(6), regularization=0.5)).sum()

    yield wins.mean(1)[0], "0.5"
    yield np.abs(jax.grad(loss)(jnp.zeros(3))).max(), "0"
    yield (2 * wins - 1)[0, 1], "0.6"
