"""Exercises of the lecture: Online softmax: exact attention while the keys pass by."""

import jax.numpy as jnp
import numpy as np
from sympy import Rational, log

from theory_jax.autoregressive.online_softmax import merge_partial_attention
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
    level="easy",
    hint="Multiply each output by the exponential of its log-normalizer, and add.",
)
def merge_by_hand():
    yield value(Oab, _parts), "3"
    yield value(Lab, _parts), "1.9459"


@derivation.exercise(
    "All of 8 scores are 1000. What are $l$ and $L$ at the end?",
    r"$l$ is 8 and $L$ is $1000 + \log 8$, or 1002.079, although $e^{1000}$ itself is beyond float64.",
    level="easy",
    hint="The reference is 1000 from the first block on.",
)
def large_scores():
    *_, (m, l, _) = states_of(np.full(8, 1000.0), np.zeros(8), 3)  # noqa: E741
    yield l, "8"
    yield m + np.log(l), "1002.079"


@derivation.exercise(
    "How many blocks are computed with 8 blocks a side under the causal mask, and which share is that?",
    prose("{half} of 64: a share of 0.5625.", half=holds(times(Rational(1, 2), 8, 9), "=", 36)),
    level="easy",
    hint="Row by row, how many blocks are not above the diagonal?",
)
def eight_blocks():
    yield 36, "36"
    yield 36 / 64, "0.5625"


@derivation.exercise(
    "One device holds a single key, with the score 5 and the value 1; another holds three keys, all with the score 0 and the "
    "value 0. A colleague merges their outputs 1 and 0 by the numbers of keys. What is the result, and what is it by the "
    "log-normalizers?",
    r"0.25 by the numbers of keys, and 0.9802 by the log-normalizers 5 and $\log 3$. The number of keys would be right only if "
    "all scores had the same mean exponential on both devices.",
    level="medium",
    hint="What does the exponential of a log-normalizer count?",
)
def merged_by_the_numbers_of_keys():
    yield np.average([1.0, 0.0], weights=[1, 3]), "0.25"
    output, _ = merge_partial_attention(jnp.ones((1, 1)), jnp.array([5.0]), jnp.zeros((1, 1)), jnp.log(jnp.array([3.0])))
    yield output, "0.9802"


@derivation.exercise(
    "A window of $w$ keys slides over a text, and the log-normalizer of every window is wanted. Why can the key that leaves "
    "not be subtracted from the state? How can all windows be had with about three merges a key, whatever $w$? Count the "
    "merges for 1000 keys and 100 in a window, and compare with merging each window anew.",
    "Subtracting loses all digits where the leaving key had the largest score: after the scores 100 and 0 the normalizer is 1 "
    "in float64, and 0 without the first, not $e^{-100}$. Instead, cut the text into blocks of $w$ keys, and merge from each "
    "block's start to every position, and from every position to the block's end. A window is the end of one block and the "
    "start of the next: one more merge. Together 2871 merges, against 89199.",
    level="hard",
    hint="Merging may be done in any order: which parts do neighboring windows share?",
)
def a_sliding_window():
    yield (np.exp(100.0 - 100.0) + np.exp(0.0 - 100.0)) - np.exp(100.0 - 100.0), "0"
    for keys, w, said in ((12, 4, None), (1000, 100, "2871")):
        scores, merges = np.sin(np.arange(keys)) * 3, 2 * (keys // w) * (w - 1)
        blocks = scores.reshape(-1, w)
        starts = np.logaddexp.accumulate(blocks, axis=1).ravel()  # from the block's start to here
        ends = np.logaddexp.accumulate(blocks[:, ::-1], axis=1)[:, ::-1].ravel()  # from here to its end
        windows = []
        for first in range(keys - w + 1):
            merges += first % w > 0
            windows.append(np.logaddexp(ends[first], starts[first + w - 1]) if first % w else ends[first])
        direct = [np.logaddexp.reduce(scores[first : first + w]) for first in range(keys - w + 1)]
        yield round(np.abs(np.array(windows) - np.array(direct)).max(), 12), "0"
        if said:
            yield merges, said
            yield (keys - w + 1) * (w - 1), "89199"
