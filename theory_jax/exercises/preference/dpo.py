"""Exercises of the lecture: A policy fitted to preferences is the best policy of the reward behind them."""

import jax
import jax.numpy as jnp
from sympy import Rational, log

from theory_jax.derivation.notation import plus, times
from theory_jax.derivation.prose import holds, prose
from theory_jax.lectures.preference.dpo import _sigma, derivation, epsilon, w
from theory_jax.preference.dpo import dpo_loss, gradient_weight, implicit_reward_margin, preference_logits


@derivation.exercise(
    r"Which weight has a pair with the logit $\log 3$, at the price 1?",
    prose(
        "{weight}, that is 0.25: half of what it had at the start.",
        weight=holds(_sigma(-w), "=", Rational(1, 4), when={w: log(3)}),
    ),
    level="easy",
    hint="The weight is the probability of the other verdict, times the price.",
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
    level="medium",
    hint="With which probability does the loss see this label, after the flip?",
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
    level="medium",
    hint="A shared parameter moves a log-probability by its feature less the mean feature.",
)
def when_the_chosen_one_falls():
    def slope(t):
        return jax.grad(lambda weight: jax.nn.log_softmax(weight * jnp.array([1.0, 0.5, t]))[0])(0.0)

    yield 1.5 + slope(1.5), "1.5"
    yield slope(3.0), "-0.5"


@derivation.exercise(
    r"During training the log-probability of the chosen completion falls from $-10$ to $-15$, and that of the rejected one from "
    r"$-12$ to $-20$. What are the logit and the loss at the price 0.1, and does the pair count as right?",
    "The logit is 0.3, a tenth of 8 less 5, and the loss 0.5544, below the 0.6931 of the start. The accuracy is 1, although the "
    "chosen completion has become 148 times less likely: neither number shows it, so the log-probabilities have to be recorded.",
    level="easy",
    hint="How far has each completion moved from the reference?",
)
def right_and_less_likely():
    pair = tuple(jnp.array([log_prob]) for log_prob in (-15.0, -20.0, -10.0, -12.0))
    yield preference_logits(*pair, kl_coefficient=0.1)[0], "0.3"
    yield dpo_loss(*pair, kl_coefficient=0.1)[0], "0.5544"
    yield dpo_loss(*pair[2:], *pair[2:], kl_coefficient=0.1)[0], "0.6931"
    yield implicit_reward_margin(*pair, kl_coefficient=0.1)[2][0], "1"
    yield round(float(jnp.exp(pair[2] - pair[0])[0])), "148"


@derivation.exercise(
    "Three completions are equally likely under the reference, and no pair contains the third. The first is preferred to the "
    "second three times in four, and the price is 1. Which policies have the least expected loss? Which of them does gradient "
    "descent on free logits reach from the reference?",
    "All whose first probability is three times the second: the third is any number between 0 and 1, and the loss is 0.5623 "
    r"each time. Descent leaves the third logit and the sum of the others alone, so it ends at the odds $\sqrt 3 : 1/\sqrt 3 : "
    "1$, that is (0.5234, 0.1745, 0.3022), where the slopes are (0, 0, 0). The data did not decide the third; the start did.",
    level="hard",
    hint="The loss contains one difference of logits; which combinations of the logits does its gradient never change?",
)
def a_completion_in_no_pair():
    start = jax.nn.log_softmax(jnp.zeros(3))

    def expected_loss(logits):
        now = jax.nn.log_softmax(logits)
        first, second = (now[:1], start[:1]), (now[1:2], start[1:2])
        right, flipped = (dpo_loss(a[0], b[0], a[1], b[1], kl_coefficient=1.0)[0] for a, b in ((first, second), (second, first)))
        return 0.75 * right + 0.25 * flipped

    for third in (0.01, 0.9):
        yield expected_loss(jnp.log(jnp.array([0.75 * (1 - third), 0.25 * (1 - third), third]))), "0.5623"
    slopes = jax.grad(expected_loss)(jnp.zeros(3))
    end = slopes * (jnp.log(3.0) / 2 / slopes[0])
    yield jax.nn.softmax(end), "(0.5234, 0.1745, 0.3022)"
    yield jax.grad(expected_loss)(end), "(0, 0, 0)"
