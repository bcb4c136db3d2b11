"""Exercises of the lecture: Online softmax: exact attention while the keys pass by."""

import numpy as np
from sympy import Rational, log

from theory_jax.derivation.notation import times
from theory_jax.derivation.parts import value
from theory_jax.derivation.prose import holds, prose
from theory_jax.lectures.autoregressive._blocks_of_keys import states_of
from theory_jax.lectures.autoregressive.online_softmax import La, Lab, Lb, Oa, Oab, Ob, derivation

_parts = {Oa: Rational(7, 3), La: log(3), Ob: Rational(7, 2), Lb: log(4)}


@derivation.exercise(
    r"Merge a part with the output $\frac73$ and the log-normalizer $\log 3$, and a part with 3.5 and $\log 4$.",
    prose(
        "The output is {output}, and the log-normalizer {logs}, or 1.9459: the example's two blocks.",
        output=holds(Oab, "=", 3, when=_parts, named=True),
        logs=holds(Lab, "=", log(7), when=_parts, named=True),
    ),
)
def merge_by_hand():
    yield value(Oab, _parts), "3"
    yield value(Lab, _parts), "1.9459"


@derivation.exercise(
    "All of 8 scores are 1000. What are $l$ and $L$ at the end?",
    r"$l$ is 8 and $L$ is $1000 + \log 8$, or 1002.079, although $e^{1000}$ itself is beyond float64.",
)
def large_scores():
    *_, (m, l, _) = states_of(np.full(8, 1000.0), np.zeros(8), 3)  # noqa: E741
    yield l, "8"
    yield m + np.log(l), "1002.079"


@derivation.exercise(
    "How many blocks are computed with 8 blocks a side under the causal mask, and which share is that?",
    prose("{half} of 64: a share of 0.5625.", half=holds(times(Rational(1, 2), 8, 9), "=", 36)),
)
def eight_blocks():
    yield 36, "36"
    yield 36 / 64, "0.5625"
