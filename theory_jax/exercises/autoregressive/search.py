"""Exercises of the lecture: Search: the most likely sequence, when it can be found, and why not to want it."""

import math

import jax.numpy as jnp
import numpy as np
from sympy import Rational

from theory_jax.autoregressive.search import length_normalized_score, viterbi
from theory_jax.derivation.notation import times
from theory_jax.derivation.parts import value
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.lectures.autoregressive.search import beta_1, beta_2, derivation, gamma, threshold


@derivation.exercise(
    prose(
        r"The first token has {gamma}, and its best continuation {beta}. Above which $\beta_2$ does greedy search lose?",
        gamma=where(gamma, Rational(3, 5)),
        beta=where(beta_1, Rational(1, 2)),
    ),
    prose(
        "Above {threshold}, or 0.75. There both sequences have the probability {both}, or 0.3.",
        threshold=holds(threshold, "=", Rational(3, 4), named=True),
        both=holds(times(1 - gamma, beta_2), "=", Rational(3, 10), when={beta_2: Rational(3, 4)}, named=True),
    ),
    level="easy",
    hint="Compare the probabilities of the two best sequences, one behind each first token.",
)
def where_greedy_loses():
    yield 0.5 * 0.6 / 0.4, "0.75"
    yield value((1 - gamma) * beta_2, {gamma: 0.6, beta_2: 0.75}), "0.3"


@derivation.exercise(
    "How many additions does dynamic programming need for 50 tokens and sequences of 20, and how many sequences are there?",
    prose(
        "{additions} additions; $50^{20}$ sequences, about $10^{34}$ (the exponent is 33.98).",
        additions=holds(times(19, 2500), "=", 47500),
    ),
    level="easy",
    hint="How many additions does one step need, and how many steps are there?",
)
def additions_and_sequences():
    yield 19 * 50**2, "47500"
    yield 20 * math.log10(50), "33.98"


@derivation.exercise(
    r"A beam returns a score of $-4.1$, and the best prefix that it dropped had $-3.9$. Is the result the maximum? How likely "
    r"can a missed sequence be at most, relative to it?",
    r"It is not certified: a sequence with that prefix can have up to $e^{0.2}$, or 1.221, times the probability.",
    level="medium",
    hint="By how much can a sequence that begins with the dropped prefix exceed the returned one?",
)
def not_certified():
    yield math.exp(-3.9 + 4.1), "1.221"


@derivation.exercise(
    "The best finished sequence has 4 tokens and the score -3. A prefix of 4 tokens has -3.5, and its next words cost 0.1 "
    "each. Scores are normalized with the exponent 1. The search stops, since no continuation raises a score. After how many "
    "more words is the prefix better, and what is it worth after 6? Which search may stop there?",
    "The finished one has the normalized score -2. The prefix is better after 3 more words, and has -1.64 after 6. That a "
    "continuation never raises the score holds for log p and not for the normalized score; without normalization the search "
    "may stop.",
    level="medium",
    hint="Write the normalized score after a number of further words, and compare it with the finished one.",
)
def stopped_too_early():
    finished = length_normalized_score(jnp.array([-3.0]), jnp.array([4]), exponent=1.0)[0]
    yield finished, "-2"
    more = jnp.arange(20)
    longer = length_normalized_score(-3.5 - 0.1 * more, 4 + more, exponent=1.0)
    yield jnp.argmax(longer > finished), "3"
    yield longer[6], "-1.64"


@derivation.exercise(
    "A chain of two tokens begins with A or B, with probabilities 0.6 and 0.4. After A both follow with 0.5, after B it is A "
    "with 0.9. Which sequence is the most likely one? Of which sequence are the most tokens right, on average, if the chain is "
    "sampled?",
    "The most likely sequence is BA, with probability 0.36. AA has the most right tokens: it takes the most likely token at "
    "each position by itself. A has 0.6 at the first and 0.66 at the second, so 1.26 tokens are right on average, and 1.06 "
    "with BA, although AA has the probability 0.3 only. Dynamic programming maximizes the probability that all tokens are "
    "right; to count right tokens, sums take the place of its maxima.",
    level="hard",
    hint="The expected number of right tokens is a sum of one probability for each position.",
)
def fewest_wrong_tokens():
    first, after = np.array([0.6, 0.4]), np.array([[0.5, 0.5], [0.9, 0.1]])
    path, score = viterbi(jnp.log(jnp.array([first])), jnp.log(jnp.array(after)), length=2)
    yield "".join("AB"[token] for token in path[0]), "BA"
    yield jnp.exp(score)[0], "0.36"
    second = first @ after
    yield first[0], "0.6"
    yield second[0], "0.66"
    joint = first[:, None] * after
    for (a, b), stated in (((0, 0), "1.26"), ((1, 0), "1.06")):
        yield joint[a].sum() + joint[:, b].sum(), stated
    yield joint[0, 0], "0.3"
