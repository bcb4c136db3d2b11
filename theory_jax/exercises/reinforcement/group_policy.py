"""Exercises of the lecture: Other answers in place of a value function: what is climbed after each division."""

import math

from sympy import Rational, exp, log, sqrt

from theory_jax.derivation.notation import plus, times
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.lectures.reinforcement import _groups as groups
from theory_jax.lectures.reinforcement.group_policy import T, derivation, p, sigma


@derivation.exercise(
    "What is the weight of a question that is answered rightly half of the time, for four answers, and for many?",
    prose(
        "For four {four}, and for many {many}: (1.616, 2).",
        four=holds(plus(sqrt(3), (3 - 2 * sqrt(3)) * p * (1 - p)), "=", (3 + 2 * sqrt(3)) / 4, when={p: Rational(1, 2)}),
        many=holds(1 / sqrt(p * (1 - p)), "=", 2, when={p: Rational(1, 2)}),
    ),
)
def an_even_question():
    yield [groups.weight_of_question(0.5, 4), float((1 / sqrt(p * (1 - p))).subs(p, Rational(1, 2)))], "(1.616, 2)"


@derivation.exercise(
    r"From how many tokens on is the variance of the ratio of a text above 1, if log-ratios have the deviation 0.3?",
    prose(
        r"At {tokens} it is {one}, and it grows: from 7.70 tokens on with $\sigma^2$ 0.09, that is from 8 tokens on.",
        tokens=where(T, log(2) / sigma**2),
        one=holds(plus(exp(T * sigma**2), -1), "=", 1, named=True),
    ),
)
def eight_tokens():
    yield math.log(2) / 0.09, "7.70"
    yield next(count for count in range(1, 100) if math.exp(0.09 * count) - 1 > 1), "8"


@derivation.exercise(
    r"Three answers, leave one out, and the mean over all tokens: right answers have one token, wrong ones four. Which multiple "
    r"of $\nabla p$ is the mean gradient, if one answer in ten is right, and if it is one in two?",
    prose(
        r"If one or two answers are right, $\sum_i A_i g_i$ has the mean $\nabla p / (p (1 - p))$, divided by 9 tokens in the "
        "first case and by 6 in the second: {factor}, or (0.35, 0.417). It depends on $p$: no fixed multiple of the gradient.",
        factor=holds(plus(times(3, 1 - p) / 9, 3 * p / 6), "=", (2 + p) / 6),
    ),
)
def a_random_length():
    yield [groups.factor_of_random_length(probability) for probability in (0.1, 0.5)], "(0.35, 0.417)"
