"""Exercises of the lecture.

Drafted by a small model, checked by a large one: why the law is the large one's, and when it is faster.
"""

import jax.numpy as jnp
import numpy as np

from theory_jax.autoregressive.speculative import acceptance_probability, expected_block_length
from theory_jax.lectures.autoregressive.speculative import _speed, derivation


@derivation.exercise(
    "How often is a draft accepted if both laws are equal? And if they have no token in common?",
    "Always, 1, and never, 0: then the residual is the target itself.",
)
def equal_and_disjoint():
    one, other = np.log([[0.5, 0.5, 1e-300, 1e-300]]), np.log([[1e-300, 1e-300, 0.5, 0.5]])
    yield acceptance_probability(one, one)[0], "1"
    yield acceptance_probability(one, other)[0], "0"


@derivation.exercise(
    "Which length of a block is best if acceptance has the probability 0.8 and a draft costs 0.05 passes, and how fast is it?",
    "8 drafts, 3.092 tokens a pass. With 7 it is 3.082 and with 9 it is 3.078: the choice is not delicate.",
)
def the_best_length():
    speeds = _speed(0.8, range(1, 20), 0.05)
    yield 1 + int(np.argmax(speeds)), "8"
    for length, said in ((8, "3.092"), (7, "3.082"), (9, "3.078")):
        yield speeds[length - 1], said


@derivation.exercise(
    r"Both drafts of a block are accepted with probability $\frac12$, and else none. How many tokens are that, on average?",
    "2, and not 1.75: the same acceptance, and acceptances that come together help.",
)
def together():
    yield (3 + 1) / 2, "2"
    yield expected_block_length(jnp.array(0.5), draft_length=2), "1.75"
