"""Exercises of the lecture.

Drafted by a small model, checked by a large one: why the distribution is the large one's, and when it is faster.
"""

import jax.numpy as jnp
import numpy as np

from theory_jax.autoregressive.speculative import acceptance_probability, expected_block_length, residual_log_probs
from theory_jax.lectures.autoregressive.speculative import _speed, derivation


@derivation.exercise(
    "How often is a draft accepted if both distributions are equal? And if they have no token in common?",
    "Always, 1, and never, 0: then the residual is the target itself.",
    level="easy",
    hint="Sum the smaller of both probabilities over all tokens.",
)
def equal_and_disjoint():
    one, other = np.log([[0.5, 0.5, 1e-300, 1e-300]]), np.log([[1e-300, 1e-300, 0.5, 0.5]])
    yield acceptance_probability(one, one)[0], "1"
    yield acceptance_probability(one, other)[0], "0"


@derivation.exercise(
    "Which length of a block is best if acceptance has the probability 0.8 and a draft costs 0.05 passes, and how fast is it?",
    "8 drafts, 3.092 tokens a pass. With 7 it is 3.082 and with 9 it is 3.078: the choice is not delicate.",
    level="medium",
    hint="Divide the mean length of a block by what it costs, for a few lengths.",
)
def the_best_length():
    speeds = _speed(0.8, range(1, 20), 0.05)
    yield 1 + int(np.argmax(speeds)), "8"
    for length, said in ((8, "3.092"), (7, "3.082"), (9, "3.078")):
        yield speeds[length - 1], said


@derivation.exercise(
    r"Both drafts of a block are accepted with probability $\frac12$, and else none. How many tokens are that, on average?",
    "2, and not 1.75: the same acceptance, and acceptances that come together help.",
    level="medium",
    hint="There are two outcomes only: how many tokens does each emit?",
)
def together():
    yield (3 + 1) / 2, "2"
    yield expected_block_length(jnp.array(0.5), draft_length=2), "1.75"


@derivation.exercise(
    "The target's probabilities are 0.5, 0.4 and 0.1, the draft model's 0.6, 0.3 and 0.1. To be accepted more often the draft "
    "takes its most likely token, always, and the rest of the algorithm stays as it is. Which distribution do the emitted "
    "tokens have? What has to be changed so that it is the target's?",
    "The first token is accepted with probability 5/6; after a rejection the residual gives the second one. So the emitted "
    "tokens have (5/6, 1/6, 0), and no longer the target's distribution. A greedy draft has the distribution (1, 0, 0). With "
    "that one in the ratio and the residual the emitted distribution is (0.5, 0.4, 0.1), and the draft is accepted with "
    "probability 0.5, less often than a sampled draft, with 0.9.",
    level="medium",
    hint="What is the distribution of a draft that is chosen greedily?",
)
def a_greedy_draft():
    target, model, greedy = (jnp.log(jnp.array([law])) for law in ((0.5, 0.4, 0.1), (0.6, 0.3, 0.1), (1.0, 0.0, 0.0)))
    for used, stated in ((model, "(5/6, 1/6, 0)"), (greedy, "(0.5, 0.4, 0.1)")):
        accepted = jnp.minimum(1.0, jnp.exp(target - used)[0, 0])
        residual = jnp.exp(residual_log_probs(used, target))[0]
        yield accepted * jnp.array([1.0, 0.0, 0.0]) + (1 - accepted) * residual, stated
        yield accepted, "5/6" if used is model else "0.5"
    yield acceptance_probability(model, target)[0], "0.9"


@derivation.exercise(
    "In the example a rejected draft is followed by a second draft of the same position, independent of the first and from the "
    "same distribution. How can it be checked without a change of the emitted distribution? How often is one of both accepted, "
    "and from which distribution is the token taken if none is?",
    "By the result, with the residual (0.5, 0.5, 0) as the target. The second draft is accepted with probability 0.5, so one "
    "of both is with 0.8 instead of 0.6. If none is, the residual of the residual is used, (0.4, 0.6, 0). A third draft, "
    "checked against that one, adds 0.1: every further draft helps less here.",
    level="hard",
    hint="After a rejection the token still needed has the residual distribution: let it be the target of the second draft.",
)
def a_second_draft():
    target, draft = jnp.log(jnp.array([[0.5, 0.4, 0.1]])), jnp.log(jnp.array([[0.3, 0.2, 0.5]]))
    residual = residual_log_probs(draft, target)
    yield jnp.exp(residual)[0], "(0.5, 0.5, 0)"
    first, second = acceptance_probability(draft, target)[0], acceptance_probability(draft, residual)[0]
    yield second, "0.5"
    yield first + (1 - first) * second, "0.8"
    yield first, "0.6"
    again = residual_log_probs(draft, residual)
    yield jnp.exp(again)[0], "(0.4, 0.6, 0)"
    yield (1 - first) * (1 - second) * acceptance_probability(draft, again)[0], "0.1"
