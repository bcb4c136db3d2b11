"""Exercises of the lecture: Other answers in place of a value function: what is climbed after each division."""

import itertools
import math

import jax.numpy as jnp
from sympy import Rational, exp, log, sqrt

from theory_jax.derivation.notation import plus, times
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.lectures.reinforcement import _groups as groups
from theory_jax.lectures.reinforcement.group_policy import T, derivation, p, sigma
from theory_jax.reinforcement.group_policy import group_normalized_advantages, leave_one_out_advantages


@derivation.exercise(
    "What is the weight of a question that is answered rightly half of the time, for four answers, and for many?",
    prose(
        "For four {four}, and for many {many}: (1.616, 2).",
        four=holds(plus(sqrt(3), (3 - 2 * sqrt(3)) * p * (1 - p)), "=", (3 + 2 * sqrt(3)) / 4, when={p: Rational(1, 2)}),
        many=holds(1 / sqrt(p * (1 - p)), "=", 2, when={p: Rational(1, 2)}),
    ),
    level="easy",
    hint="Both weights are on the page, as functions of the probability of a right answer.",
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
    level="easy",
    hint="The variance is an exponential less one; solve for the number of tokens.",
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
    level="hard",
    hint="The divisor depends on the number of right answers: treat groups with one and with two separately.",
)
def a_random_length():
    yield [groups.factor_of_random_length(probability) for probability in (0.1, 0.5)], "(0.35, 0.417)"


@derivation.exercise(
    "A judge gives the four answers to one question 0.50, 0.51, 0.50 and 0.50, and those to another 0, 1, 0 and 0. What are the "
    "advantages of the second answers, by leaving one out, and divided by the deviation with the correction 1?",
    "By leaving one out 0.01 and 1; divided by the deviation 1.5 for both. The division sees the order of a hundredth as "
    "clearly as a right answer: where rewards are noisy it turns the noise of close questions into full gradients.",
    level="medium",
    hint="What does a change of scale and origin of the rewards do to both?",
)
def noise_of_a_judge():
    rewards = jnp.array([[0.50, 0.51, 0.50, 0.50], [0.0, 1.0, 0.0, 0.0]])
    left_out = leave_one_out_advantages(rewards)[:, 1]
    yield left_out[0], "0.01"
    yield left_out[1], "1"
    for normalized in group_normalized_advantages(rewards, correction=1, epsilon=1e-300)[:, 1]:
        yield normalized, "1.5"


@derivation.exercise(
    "A group of eight answers is silent if all are alike. How often is that, if one answer in a hundred is right, and if it is "
    "one in two?",
    "It is 0.9227 and 0.0078. Hard questions cost eight answers each and give a gradient once in thirteen times.",
    level="easy",
    hint="All are right, or all are wrong.",
)
def silent_groups():
    for right, said in ((0.01, "0.9227"), (0.5, "0.0078")):
        silent = 0.0
        for group in itertools.product((0.0, 1.0), repeat=8):
            if not jnp.abs(leave_one_out_advantages(jnp.array([group]))).sum():
                silent += right ** sum(group) * (1 - right) ** (8 - sum(group))
        yield silent, said


@derivation.exercise(
    "Silent groups are thrown away, and the question is asked again until a group has right and wrong answers. With two "
    r"answers and leave one out, which multiple of $\nabla p$ is the mean gradient, at $p$ of 0.1 and of 0.5? What is climbed?",
    r"Silent groups add nothing to the mean, so the mean over the others is $\nabla p / (2 p (1 - p))$: 5.5556 and 2 times "
    r"$\nabla p$. That is the slope of $\frac12 \log \frac{p}{1 - p}$, half of the log-odds. Asking again is not only faster: "
    "it is another objective, which weighs hard and easy questions more.",
    level="hard",
    hint="Write the mean over all groups as a mean over those that are kept, times how often one is kept.",
)
def asked_again():
    for right, said in ((0.1, "5.5556"), (0.5, "2")):
        total, kept = 0.0, 0.0
        for group in itertools.product((0.0, 1.0), repeat=2):
            chance = math.prod(right if reward else 1 - right for reward in group)
            scores = jnp.array([1 / right if reward else -1 / (1 - right) for reward in group])
            total += chance * (leave_one_out_advantages(jnp.array([group]))[0] @ scores) / 2
            kept += chance * (group[0] != group[1])
        yield total / kept, said
    yield (log(p / (1 - p)) / 2).diff(p), 1 / (2 * p * (1 - p))
