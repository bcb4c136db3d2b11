"""Exercises of the lecture: Preference losses differ in the target margin and in the pairs whose gradient vanishes."""

import jax
import jax.numpy as jnp
import numpy as np
from sympy import Rational

from theory_jax.derivation.notation import plus
from theory_jax.derivation.parts import value
from theory_jax.derivation.prose import holds, prose
from theory_jax.lectures.preference.dpo_variants import _sigma, asked, derivation, p, tau, u
from theory_jax.preference.dpo_variants import hinge_loss, ipo_loss, kto_loss


@derivation.exercise(
    "Which margin does IPO ask for if the label is a flip of a fair coin? And which logit DPO?",
    r"None: 0 for both. Two completions that are equally good keep the odds of the reference.",
    level="easy",
    hint="Where is the slope of each mean loss zero?",
)
def coin_flips():
    half = {p: Rational(1, 2), tau: Rational(1, 10)}
    yield value(asked, half), "0"
    yield value(plus(_sigma(u), -p), half | {u: 0}), "0"


@derivation.exercise(
    r"How large can the slope of KTO's loss in $l$ be at the price $\frac{1}{10}$ and the weight 1? And 50 nats beyond $z_0$?",
    r"At $z_0$ it is a quarter of the price, 0.025. Beyond, the argument of $\sigma$ is 5, and the slope is 0.00066.",
    level="easy",
    hint="The slope is the weight times the price times a product of two logistic functions.",
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
    level="medium",
    hint="What are the three mean win rates?",
)
def a_circle():
    wins = np.array([[0.5, 0.8, 0.2], [0.2, 0.5, 0.8], [0.8, 0.2, 0.5]])
    c, r = np.nonzero(~np.eye(3, dtype=bool))

    def loss(g):
        return (wins[c, r] * ipo_loss(g[c], g[r], jnp.zeros(6), jnp.zeros(6), regularization=0.5)).sum()

    yield wins.mean(1)[0], "0.5"
    yield np.abs(jax.grad(loss)(jnp.zeros(3))).max(), "0"
    yield (2 * wins - 1)[0, 1], "0.6"


@derivation.exercise(
    "Labels disagree: the first of two completions is preferred with probability 0.6, or with 0.99. At which logit is the mean "
    "loss of the hinge least, and at which that of DPO?",
    "The hinge's at 1, both times: between its two kinks the slope is $1 - 2p$, and beyond 1 it is $1 - p$. DPO's is least at "
    "0.4055 and at 4.5951. The hinge asks which one is better, not how often.",
    level="medium",
    hint="The mean loss of the hinge is made of straight pieces; where are its kinks?",
)
def the_hinge_sees_the_majority():
    logits = np.linspace(-8, 8, 160001)
    zeros = jnp.zeros(len(logits))
    wins, losses = (hinge_loss(sign * logits, zeros, zeros, zeros, kl_coefficient=1.0) for sign in (1, -1))
    for often, odds in ((0.6, "0.4055"), (0.99, "4.5951")):
        yield round(logits[np.argmin(often * wins + (1 - often) * losses)], 6), "1"
        yield logits[np.argmin(often * np.logaddexp(0, -logits) + (1 - often) * np.logaddexp(0, logits))], odds


@derivation.exercise(
    "A is preferred to B with probability 0.6. A third completion, C, is beaten by A with 0.6 and by B with 0.99. All pairs "
    r"are compared equally often, and the regularization is $\frac12$. Which of A and B does IPO's policy raise more, with C "
    "and without?",
    "Without C it is A: the difference of $g$ is 0.2. With C it is B: A wins 0.5667 of the mean comparison and B 0.63, so the "
    "difference is -0.1267, against the preference between the two. What IPO fits depends on what it is compared with; under a "
    "model of scores, as Bradley and Terry's, the order at least would be that of the scores.",
    level="hard",
    hint="Fill in the table of all nine probabilities, with one half on the diagonal, and average its rows.",
)
def a_third_completion():
    wins = np.array([[0.5, 0.6, 0.6], [0.4, 0.5, 0.99], [0.4, 0.01, 0.5]])

    def difference(size):
        c, r = np.divmod(np.arange(size**2), size)

        def loss(g):
            return (wins[c, r] * ipo_loss(g[c], g[r], jnp.zeros(len(c)), jnp.zeros(len(c)), regularization=0.5)).sum()

        start = jnp.zeros(size)
        g = -np.linalg.lstsq(jax.hessian(loss)(start), jax.grad(loss)(start), rcond=None)[0]
        return g[0] - g[1]

    yield difference(2), "0.2"
    yield difference(3), "-0.1267"
    yield wins.mean(1)[0], "0.5667"
    yield wins.mean(1)[1], "0.63"
