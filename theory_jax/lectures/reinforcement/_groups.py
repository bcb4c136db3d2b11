"""What advantages of groups multiply the gradient of a question by, and figures of weights and of ratios."""

import math

import jax.numpy as jnp
import numpy as np
from sympy import Rational, binomial, sqrt

from theory_jax.derivation.notation import plus, times
from theory_jax.reinforcement.group_policy import (
    aggregate_tokens,
    group_normalized_advantages,
    leave_one_out_advantages,
    sequence_ratio,
)


def normalized_estimate(answers, p, slope):
    """The mean of score times normalized advantage, one number of right answers after the other, as an expression."""
    return plus(
        *(
            times(
                binomial(answers, k) * p**k * (1 - p) ** (answers - k),
                plus(
                    Rational(k, answers) * sqrt(Rational(answers - k, k)) * slope / p,
                    Rational(answers - k, answers) * sqrt(Rational(k, answers - k)) * slope / (1 - p),
                ),
            )
            for k in range(1, answers)
        )
    )


def weight_of_question(probabilities, answers):
    """What the gradient of a question is multiplied by, from the advantages of the code."""
    p, right = np.asarray(probabilities), np.arange(1, answers)
    rewards = jnp.array(np.arange(answers) < right[:, None], float)
    found = np.asarray(group_normalized_advantages(rewards, correction=0, epsilon=1e-300))
    return sum(
        math.comb(answers, k) * p**k * (1 - p) ** (answers - k) * (k * row[0] / p - (answers - k) * row[-1] / (1 - p)) / answers
        for k, row in zip(right.tolist(), found, strict=True)
    )


def factor_of_random_length(probability):
    """By what the gradient is multiplied by a mean over all tokens, if right answers have one token and wrong ones four."""
    total = 0.0
    for right in (1, 2):
        rewards = jnp.array([[1.0] * right + [0.0] * (3 - right)])
        advantages = np.asarray(leave_one_out_advantages(rewards))[0]
        mask = np.array([[True, *[answer >= right] * 3] for answer in range(3)])
        scores = np.where(np.arange(3) < right, 1 / probability, -1 / (1 - probability))
        # a token's loss is -A log pi; the mean score of an answer is shared by its tokens
        per_token = (advantages * scores / mask.sum(axis=1))[:, None] * mask
        chance = math.comb(3, right) * probability**right * (1 - probability) ** (3 - right)
        total += chance * float(aggregate_tokens(jnp.asarray(per_token), jnp.asarray(mask), mode="token_mean"))
    return total


def draw_weights(left):
    """The weight of a question against the probability of a right answer, for several sizes of the group."""
    probabilities = np.linspace(0.02, 0.98, 33)
    for answers in (2, 3, 4, 8, 64):
        left.plot(probabilities, weight_of_question(probabilities, answers), label=f"$G = {answers}$")
    left.plot(probabilities, (probabilities * (1 - probabilities)) ** -0.5, "--", color="gray")
    left.set(xlabel="probability of a right answer", ylabel="weight of the gradient", ylim=(0, 6))
    left.legend()


def draw_variances(right):
    """The variance of the ratio of a text and of its geometric mean, exact (lines) and of samples (dots)."""
    tokens = np.array([1, 2, 5, 10, 20, 40])
    draws = jnp.asarray(np.random.default_rng(0).normal(-0.045, 0.3, size=(2000, 40)))
    for normalized, name, exact in (
        (False, "ratio", np.exp(0.09 * tokens) - 1),
        (True, "geometric mean", np.exp(-0.09 * (1 - 1 / tokens)) * (np.exp(0.09 / tokens) - 1)),
    ):
        (line,) = right.plot(tokens, exact, label=name)
        found = [
            np.var(sequence_ratio(draws, 0 * draws, jnp.tile(jnp.arange(40) < count, (2000, 1)), length_normalized=normalized))
            for count in tokens
        ]
        right.plot(tokens, found, ".", color=line.get_color())
    right.set(xlabel="tokens", ylabel="variance", yscale="log")
    right.legend()
