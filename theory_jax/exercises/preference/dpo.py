"""Exercises of the lecture: A policy fitted to preferences is the best policy of the reward behind them."""

import jax
import jax.numpy as jnp
from sympy import Rational, log

from theory_jax.derivation.notation import plus, times
from theory_jax.derivation.prose import holds, prose
from theory_jax.lectures.preference.dpo import _sigma, derivation, epsilon, w
from theory_jax.preference.dpo import dpo_loss, gradient_weight


@derivation.exercise(
    r"Which weight has a pair with the logit $\log 3$, at the price 1?",
    prose(
        "{weight}, that is 0.25: half of what it had at the start.",
        weight=holds(_sigma(-w), "=", Rational(1, 4), when={w: log(3)}),
    ),
)
def weight_of_a_pair():
    zero = jnp.zeros(1)
    yield gradient_weight(jnp.log(jnp.array([3.0])), zero, zero, zero, kl_coefficient=1.0)[0], "0.25"


@derivation.exercise(
    "A pair is labeled one way with probability 3/4, and the loss is smoothed with flips of probability 1/10. Which probability "
    "of this label, under the policy, is best?",
    prose(
        "The label that the loss sees is this one with probability {sum}, so the policy's probability is 0.7, too: there the "
        "slope is 0.",
        sum=holds(
            plus(times(Rational(3, 4), 1 - epsilon), times(Rational(1, 4), epsilon)),
            "=",
            Rational(7, 10),
            when={epsilon: Rational(1, 10)},
        ),
    ),
)
def smoothing_an_uncertain_label():
    zero = jnp.zeros(1)

    def slope(u):
        loss = jax.grad(lambda u: dpo_loss(u[None], zero, zero, zero, kl_coefficient=1.0, label_smoothing=0.1)[0])
        return 0.75 * loss(u) - 0.25 * loss(-u)

    yield 0.75 * 0.9 + 0.25 * 0.1, "0.7"
    yield slope(jnp.log(0.7 / 0.3)), "0"


@derivation.exercise(
    r"Let the third feature of the example vary. From which value on does the first small step lower $\log \pi(1)$?",
    prose(
        "It changes by a positive number times the first feature less the mean feature: from 1.5 on. At 3 this is {change}, or "
        "-0.5.",
        change=holds(plus(1, -plus(1, Rational(1, 2), 3) / 3), "=", -Rational(1, 2)),
    ),
)
def when_the_chosen_one_falls():
    def slope(t):
        return jax.grad(lambda weight: jax.nn.log_softmax(weight * jnp.array([1.0, 0.5, t]))[0])(0.0)

    yield 1.5 + slope(1.5), "1.5"
    yield slope(3.0), "-0.5"
